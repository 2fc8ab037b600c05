"""Revisions in shadow, and roll-back."""

from app.store.migrations.run import execute_beside

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
