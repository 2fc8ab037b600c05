"""The index by which claims pass over paused connections."""

from app.store.migrations.run import execute_beside

revision = "0037"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
