"""Indexes for what people and workers ask of a long history."""

from app.store.migrations.run import execute_beside

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
