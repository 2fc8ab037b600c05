"""Duties that the installation has once."""

from app.store.migrations.run import execute_beside

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
