"""The projects that configured keys mean, and the pairs at rest."""

from app.store.migrations.run import execute_beside

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
