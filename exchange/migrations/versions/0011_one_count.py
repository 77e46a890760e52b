"""How disputes ended is counted once, for the statistics, which oversight reads too."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.drop_table("dispute_tally")
