"""A slot of the guard for each mirror, also where a link id was given out again."""

from app.store.migrations.run import execute_beside

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
