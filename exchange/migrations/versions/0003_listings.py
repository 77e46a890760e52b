"""Listings: their states, sources, steps, recalls; inboxes, flags and contacts; limits of lenders."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("consent") as batch:
        batch.add_column(
            sa.Column("binding_version", sa.Integer, nullable=False, server_default="0")
        )
        batch.add_column(sa.Column("granted_at", sa.BigInteger, nullable=False, server_default="0"))
    with op.batch_alter_table("consent") as batch:
        batch.alter_column("binding_version", server_default=None)
        batch.alter_column("granted_at", server_default=None)
    op.create_table(
        "court_sync",
        sa.Column("court", sa.String(64), primary_key=True),
        sa.Column("synced_at", sa.BigInteger, nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "filing_seen",
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("filing_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("subject_ref", sa.LargeBinary(32), nullable=False),
        sa.Column("listing_id", sa.LargeBinary(16), nullable=False),
    )
    op.create_table(
        "inbox_message",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("listing_id", sa.LargeBinary(16), nullable=False),
        sa.Column("sent_at", sa.BigInteger, nullable=False),
        sa.Column("text", sa.String(8000), nullable=False),
        sa.Column("fetched_at", sa.BigInteger),
        sa.Column("fetched_by", sa.LargeBinary(32)),
    )
    op.create_table(
        "lender_limit",
        sa.Column("lender", sa.String(64), primary_key=True),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("signals", sa.JSON, nullable=False),
    )
    op.create_table(
        "lender_use",
        sa.Column("lender", sa.String(64), primary_key=True),
        sa.Column("seconds", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("process", sa.String(32), primary_key=True),
        sa.Column("asked", sa.Integer, nullable=False),
        sa.Column("refused", sa.Integer, nullable=False),
        sa.Column("answered", sa.Integer, nullable=False),
        sa.Column("no_match", sa.Integer, nullable=False),
        sa.Column("refused_consent", sa.Integer, nullable=False),
        sa.Column("repeated", sa.Integer, nullable=False),
    )
    op.create_index("lender_use_by_time", "lender_use", ["seconds", "start"])
    op.create_table(
        "listing",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("listing_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("debt", sa.LargeBinary(32), nullable=False),
        sa.Column("profile", sa.String(32), nullable=False),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("back_to", sa.Integer),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("delinquent_since", sa.BigInteger, nullable=False),
        sa.Column("evidence_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("filed_at", sa.BigInteger, nullable=False),
        sa.Column("delivered_at", sa.BigInteger),
        sa.Column("effective_from", sa.BigInteger),
        sa.Column("effective_at", sa.BigInteger),
        sa.Column("settled_at", sa.BigInteger),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("prolonged_from", sa.BigInteger),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("withdrawal", sa.Integer, nullable=False),
        sa.Column("disputes", sa.Integer, nullable=False),
        sa.Column("heard", sa.LargeBinary, nullable=False),
        sa.Column("evidence", sa.LargeBinary, nullable=False),
        sa.Column("dispute_id", sa.LargeBinary(16)),
        sa.Column("dispute_stage", sa.Integer),
        sa.Column("dispute_ground", sa.Integer),
        sa.Column("dispute_reviewer", sa.String(64)),
        sa.Column("dispute_due_at", sa.BigInteger),
        sa.Column("dispute_suppresses", sa.Boolean),
        sa.Column("dispute_extended", sa.Boolean),
        sa.Column("ruling_id", sa.LargeBinary(16)),
        sa.Column("ruling_reviewer", sa.String(64)),
        sa.Column("ruled_at", sa.BigInteger),
        sa.Column("ruling_appealed", sa.Boolean),
        sa.Column("words", sa.String(2000)),
        sa.Column("words_language", sa.String(35)),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("basis", sa.Integer, nullable=False),
        sa.Column("mark", sa.Integer, nullable=False),
        sa.Column("court", sa.String(64), nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_index("listing_by_court", "listing", ["court", "state"])
    op.create_index("listing_by_debt", "listing", ["subject_ref", "debt"])
    op.create_index("listing_by_due", "listing", ["due_at"])
    op.create_index("listing_by_reviewer", "listing", ["dispute_reviewer", "dispute_due_at"])
    op.create_index("listing_by_revision", "listing", ["revision"])
    op.create_table(
        "listing_debt",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("debt", sa.LargeBinary(32), primary_key=True),
        sa.Column("listing_id", sa.LargeBinary(16), nullable=False),
    )
    op.create_table(
        "listing_revision",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "listing_source",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("listing_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("filing_id", sa.LargeBinary(16), nullable=False),
        sa.Column("court", sa.Boolean, nullable=False),
        sa.Column("basis", sa.Integer, nullable=False),
        sa.Column("reconfirmed_at", sa.BigInteger, nullable=False),
        sa.Column("live", sa.Boolean, nullable=False),
    )
    op.create_index("listing_source_by_source", "listing_source", ["source", "filing_id"])
    op.create_table(
        "listing_step",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("listing_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("statement_id", sa.LargeBinary(16), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Integer, nullable=False),
    )
    op.create_index(
        "listing_step_by_id",
        "listing_step",
        ["subject_ref", "listing_id", "statement_id"],
        unique=True,
    )
    op.create_table(
        "listing_told",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("listing_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("answer_digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("lender", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("told_at", sa.BigInteger, nullable=False),
        sa.Column("retraction_id", sa.LargeBinary(16)),
    )
    op.create_index("listing_told_by_time", "listing_told", ["told_at"])
    op.create_table(
        "notice_mail",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("message_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("listing_id", sa.LargeBinary(16), nullable=False),
        sa.Column("enqueued_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try_at", sa.BigInteger),
        sa.Column("accepted_at", sa.BigInteger),
        sa.Column("evidence", sa.LargeBinary),
        sa.Column("failure", sa.String(200)),
    )
    op.create_index("notice_mail_by_time", "notice_mail", ["next_try_at"])
    op.create_table(
        "retraction",
        sa.Column("lender", sa.String(64), primary_key=True),
        sa.Column("retraction_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("subject_ref", sa.LargeBinary(32), nullable=False),
        sa.Column("listing_id", sa.LargeBinary(16), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger),
        sa.Column("acknowledgement", sa.LargeBinary),
    )
    op.create_index("retraction_by_due", "retraction", ["acknowledged_at", "due_at"])
    op.create_index("retraction_by_listing", "retraction", ["subject_ref", "listing_id"])
    op.create_table(
        "sealed_attachment",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("dispute_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "subject_contact",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "subject_flag",
        sa.Column("subject_ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("frozen", sa.Boolean, nullable=False),
        sa.Column("fraud_alert", sa.Boolean, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )
