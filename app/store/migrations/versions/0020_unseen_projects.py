"""Projects of connections that Jira does not show us."""

from app.store.migrations.run import execute_beside

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
