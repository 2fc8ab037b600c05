"""What the guard and held plans need beyond counts."""

from app.store.migrations.run import execute_beside

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_beside(__file__)
