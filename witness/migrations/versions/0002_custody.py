"""Custody of deferred notices."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "custody_deposit",
        sa.Column("tag", sa.LargeBinary(32), primary_key=True),
        sa.Column("deposit_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("opens_at", sa.BigInteger, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("receipt", sa.LargeBinary, nullable=False),
    )
    op.create_index("custody_deposit_by_time", "custody_deposit", ["opens_at"])
    op.create_table(
        "custody_binding",
        sa.Column("tag", sa.LargeBinary(32), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for table in ("custody_binding", "custody_deposit"):
        op.drop_table(table)
