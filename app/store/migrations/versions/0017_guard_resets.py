"""Resets of the guard, and how many owners a sealed plan needs."""

from app.store.migrations.run import execute_beside

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
