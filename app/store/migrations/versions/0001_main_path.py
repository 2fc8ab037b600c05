"""The main path: sites, connections, twins, ledger, inbox, work, intents, audit, access."""

from app.store.migrations.run import execute_beside

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
