"""When a site was last polled far back."""

from app.store.migrations.run import execute_beside

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
