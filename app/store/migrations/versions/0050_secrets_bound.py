"""When every stored secret was bound to its place."""

from app.store.migrations.run import execute_beside

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
