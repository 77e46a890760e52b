"""How disputes ended is counted once, for the statistics; what is owed by day is found by its day."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.drop_table("dispute_tally")
    op.create_index("outcome_duty_by_day", "outcome_duty", ["day"])
