"""The hash of each delivery's body."""

from app.store.migrations.run import execute_beside

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
