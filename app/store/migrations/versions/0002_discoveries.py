"""Issues whose twin field wants another look."""

from app.store.migrations.run import execute_beside

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
