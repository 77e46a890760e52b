"""Orders to put listings right, how disputes ended, and what was told of both."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "correction_order",
        sa.Column("subject_ref", sa.LargeBinary(48), primary_key=True),
        sa.Column("order_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("listing_id", sa.LargeBinary(16), nullable=False),
        sa.Column("regulator", sa.String(64), nullable=False),
        sa.Column("furnisher", sa.String(64), nullable=False),
        sa.Column("stage", sa.Integer, nullable=False),
        sa.Column("given_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("overdue_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("reviewed", sa.Boolean, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
        sa.Column("review", sa.LargeBinary, nullable=False),
        sa.Column("facts", sa.LargeBinary, nullable=False),
    )
    for name, columns in (
        ("listing", ["subject_ref", "listing_id"]),
        ("regulator", ["regulator", "order_id"]),
        ("furnisher", ["furnisher", "given_at"]),
        ("due", ["stage", "due_at"]),
    ):
        op.create_index(f"correction_order_by_{name}", "correction_order", columns)
    op.create_table(
        "dispute_tally",
        sa.Column("month", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("furnisher", sa.String(64), primary_key=True),
        sa.Column("decided", sa.BigInteger, nullable=False),
        sa.Column("upheld", sa.BigInteger, nullable=False),
        sa.Column("ran_out", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "oversight_told",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
    )
