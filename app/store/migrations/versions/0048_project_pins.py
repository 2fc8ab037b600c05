"""The projects that configured keys mean, and when issues were made."""

from app.store.migrations.run import execute_beside

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
