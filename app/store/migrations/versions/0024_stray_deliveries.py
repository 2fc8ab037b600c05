"""Deliveries that reach no site or carry no signature."""

from app.store.migrations.run import execute_beside

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
