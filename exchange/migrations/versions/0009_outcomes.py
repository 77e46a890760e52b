"""What lenders said came of accesses, and changes that they subscribe to."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_index("access_entry_by_lender", "access_entry", ["lender", "recorded_at"])
    _duties()
    _changes()


def _duties() -> None:
    op.create_table(
        "outcome_event",
        sa.Column("subject_ref", sa.LargeBinary(48), primary_key=True),
        sa.Column("access_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("lender", sa.String(64), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("unreviewed", sa.Boolean, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )
    op.create_index("outcome_event_by_time", "outcome_event", ["received_at"])
    op.create_table(
        "outcome_duty",
        sa.Column("lender", sa.String(64), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("process", sa.String(32), primary_key=True),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("told", sa.BigInteger, nullable=False),
        sa.Column("unreviewed", sa.BigInteger, nullable=False),
    )


def _changes() -> None:
    op.create_table(
        "periodic_consent",
        sa.Column("subject_ref", sa.LargeBinary(48), primary_key=True),
        sa.Column("consent_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("lender", sa.String(64), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("listings", sa.Boolean, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("period", sa.BigInteger, nullable=False),
        sa.Column("valid_from", sa.BigInteger, nullable=False),
        sa.Column("valid_until", sa.BigInteger, nullable=False),
        sa.Column("binding_version", sa.Integer, nullable=False),
        sa.Column("review_at", sa.BigInteger),
    )
    op.create_index("periodic_consent_by_review", "periodic_consent", ["active", "review_at"])
    op.create_index("periodic_consent_by_end", "periodic_consent", ["valid_until"])
    op.create_table(
        "lender_cursor",
        sa.Column("lender", sa.String(64), primary_key=True),
        sa.Column("latest", sa.BigInteger, nullable=False),
        sa.Column("forgotten", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "lender_change",
        sa.Column("lender", sa.String(64), primary_key=True),
        sa.Column("cursor", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("subject_ref", sa.LargeBinary(48), primary_key=True),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("consent_id", sa.LargeBinary(16), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("record_id", sa.LargeBinary(16), nullable=False),
    )
    op.create_index("lender_change_by_time", "lender_change", ["at"])
