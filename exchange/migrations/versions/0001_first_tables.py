"""Members, bindings, consents and their events, access entries, request ids, the clock mark."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "member_statement",
        sa.Column("member_id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "clock_mark",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "subject_binding",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "consent",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("consent_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("recipient", sa.String(64), nullable=False),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("event_sequence", sa.BigInteger, nullable=False),
        sa.Column("valid_until", sa.BigInteger, nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )
    op.create_index("consent_by_expiry", "consent", ["state", "valid_until"])
    op.create_table(
        "consent_event",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("consent_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "access_entry",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("access_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("lender", sa.String(64), nullable=False),
        sa.Column("consent_id", sa.LargeBinary(16), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("purpose", sa.Integer, nullable=False),
        sa.Column("disclosure", sa.Integer, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("refusal", sa.Integer, nullable=False),
        sa.Column("counted", sa.Boolean, nullable=False),
        sa.Column("released_at", sa.BigInteger),
        sa.Column("result", sa.String(16)),
        sa.Column("view_digest", sa.LargeBinary(32)),
    )
    op.create_index(
        "access_entry_by_consent", "access_entry", ["subject_ref", "consent_id", "recorded_at"]
    )
    op.create_table(
        "request_seen",
        sa.Column("lender", sa.String(64), primary_key=True),
        sa.Column("request_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("request_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("access_id", sa.LargeBinary(16), nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for table in (
        "request_seen",
        "access_entry",
        "consent_event",
        "consent",
        "subject_binding",
        "clock_mark",
        "member_statement",
    ):
        op.drop_table(table)
