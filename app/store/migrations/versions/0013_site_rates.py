"""What a site takes per second."""

from app.store.migrations.run import execute_beside

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
