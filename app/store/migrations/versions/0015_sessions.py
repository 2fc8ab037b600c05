"""Sessions of the console, sign-in links, and counts of activity."""

from app.store.migrations.run import execute_beside

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
