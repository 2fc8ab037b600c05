"""The hash of each delivery's body."""

from app.store.migrations.run import execute_beside

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
