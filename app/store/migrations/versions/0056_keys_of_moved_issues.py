"""The key of an issue that left the scope, apart from the key that its pair is known by."""

from app.store.migrations.run import execute_beside

revision = "0056"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
