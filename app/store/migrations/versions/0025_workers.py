"""Worker processes and their signs of life."""

from app.store.migrations.run import execute_beside

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
