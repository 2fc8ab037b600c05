"""Versions that ran here, and what evaluating the recorded decisions said of each."""

from app.store.migrations.run import execute_beside

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
