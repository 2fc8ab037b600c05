"""The monitor, and adoption."""

from app.store.migrations.run import execute_beside

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
