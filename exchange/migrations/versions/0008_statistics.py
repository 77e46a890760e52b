"""What the regulator was told of each period, and what is counted for it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "statistics_count",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("series", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(80), primary_key=True),
        sa.Column("cell", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("process", sa.String(32), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "statistics_told",
        sa.Column("period", sa.String(10), primary_key=True),
        sa.Column("table", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("statistics", sa.LargeBinary, nullable=False),
    )
    op.create_index("access_entry_by_time", "access_entry", ["recorded_at"])
