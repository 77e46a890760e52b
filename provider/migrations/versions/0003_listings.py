"""What is filed: listings, the outbox of filings and events, a court's last sync."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "listing",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("filing_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("debt", sa.LargeBinary(32), nullable=False),
        sa.Column("creditor", sa.String(64), nullable=False),
        sa.Column("reference", sa.String(128), nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("basis", sa.SmallInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("delinquent_since", sa.BigInteger, nullable=False),
        sa.Column("evidence_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("source_ends_at", sa.BigInteger),
        sa.Column("listing_id", sa.LargeBinary(16)),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("noticed_at", sa.BigInteger),
        sa.Column("effective_from", sa.BigInteger),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("told_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "listing_open_debt",
        "listing",
        ["debt"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("listing_by_debt", "listing", ["debt"])
    op.create_index("listing_by_reference", "listing", ["reference"])
    op.create_table(
        "outbox",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("filing_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("statement_id", sa.LargeBinary(16), nullable=False),
        sa.Column("action", sa.SmallInteger, nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.SmallInteger, nullable=False),
        sa.Column("message", sa.String(500), nullable=False),
        sa.Column("settled_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("outbox_due", "outbox", ["state", "due_at", "statement_id"])
    op.create_table(
        "mirror_sync",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("read_at", sa.BigInteger, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("synced_at", sa.BigInteger, nullable=False),
        sa.Column("live_until", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for table in ("mirror_sync", "outbox", "listing"):
        op.drop_table(table)
