"""Comparisons that refused deliveries make necessary, at most one an hour and connection."""

from app.store.migrations.run import execute_beside

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
