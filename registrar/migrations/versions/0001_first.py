"""The registrar's first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "binding",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("public_key", sa.LargeBinary(32), nullable=False),
        sa.Column("bound_at", sa.BigInteger, nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "used_code",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("code_digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("used_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "quota_use",
        sa.Column("member_id", sa.String(64), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("evaluated", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "clock_mark",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "member_statement",
        sa.Column("member_id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    for table in ("member_statement", "clock_mark", "quota_use", "used_code", "binding"):
        op.drop_table(table)
