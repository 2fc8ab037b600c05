"""When the issues of a pair were made."""

from app.store.migrations.run import execute_beside

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
