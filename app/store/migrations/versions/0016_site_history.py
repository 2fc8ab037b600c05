"""What a site was before: its accounts, and the wordings of its link types."""

from app.store.migrations.run import execute_beside

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
