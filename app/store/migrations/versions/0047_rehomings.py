"""Sites that moved to another Jira."""

from app.store.migrations.run import execute_beside

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
