"""What the core decided from, for versions that come later."""

from app.store.migrations.run import execute_beside

revision = "0054"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
