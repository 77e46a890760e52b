"""Scores, accesses, consent events, bindings, the clock mark, member statements."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "score",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("score", sa.Integer, nullable=False),
        sa.Column("as_of", sa.BigInteger, nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("reasons", sa.String(80), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "access",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("request_digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("request_id", sa.LargeBinary(16), nullable=False),
        sa.Column("lender", sa.String(64)),
        sa.Column("purpose", sa.SmallInteger, nullable=False),
        sa.Column("consent_id", sa.LargeBinary(16), nullable=False),
        sa.Column("outcome", sa.SmallInteger, nullable=False),
        sa.Column("reason", sa.SmallInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("statement_digest", sa.LargeBinary(32)),
        sqlite_with_rowid=False,
    )
    op.create_index("access_by_consent", "access", ["subject_ref", "consent_id", "outcome", "at"])
    op.create_table(
        "consent_event",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("consent_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "binding",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "clock_mark",
        sa.Column("id", sa.SmallInteger, primary_key=True),
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
    for table in ("member_statement", "clock_mark", "binding", "consent_event", "access", "score"):
        op.drop_table(table)
