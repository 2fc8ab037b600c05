"""Incidents and notifications."""

from app.store.migrations.run import execute_beside

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
