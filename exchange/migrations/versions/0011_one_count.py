"""One count of how disputes ended, an index by which what is owed is deleted, a bound on a regulator's day."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.drop_table("dispute_tally")
    op.create_index("outcome_duty_by_day", "outcome_duty", ["day"])
    op.create_table(
        "regulator_day",
        sa.Column("regulator", sa.String(64), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("what", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("count", sa.Integer, nullable=False),
    )
