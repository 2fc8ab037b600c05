"""Since when a site's circuit is open."""

from app.store.migrations.run import execute_beside

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
