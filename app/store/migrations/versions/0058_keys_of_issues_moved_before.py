"""Issues that left the scope before their keys were kept apart: known by what they were called."""

from app.store.migrations.run import execute_beside

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
