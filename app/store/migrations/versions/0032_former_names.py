"""The name that a link type had before."""

from app.store.migrations.run import execute_beside

revision = "0032"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
