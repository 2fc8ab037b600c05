"""Polling, discovery and verification look after themselves."""

from app.store.migrations.run import execute_beside

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
