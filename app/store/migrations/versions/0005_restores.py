"""Restores, rescues and undone creates."""

from app.store.migrations.run import execute_beside

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
