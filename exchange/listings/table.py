"""The tables of the listings. Those about a subject carry ``subject_ref`` in every key."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from exchange.schema import metadata
from exchange.vault.columns import subject_ref

# One row a listing: a value of ``machine.Listing``, and what it is found by.
listing = Table(
    "listing",
    metadata,
    subject_ref(primary_key=True),
    Column("listing_id", LargeBinary(16), primary_key=True),
    Column("debt", LargeBinary(32), nullable=False),  # the debt commitment
    Column("profile", String(32), nullable=False),
    Column("state", Integer, nullable=False),  # ListingState
    Column("back_to", Integer),  # ListingState a dispute returns it to
    Column("currency", String(3), nullable=False),
    Column("amount", BigInteger, nullable=False),  # minor units
    Column("delinquent_since", BigInteger, nullable=False),
    Column("evidence_hash", LargeBinary(32), nullable=False),
    Column("filed_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger),
    Column("effective_from", BigInteger),
    Column("effective_at", BigInteger),
    Column("settled_at", BigInteger),
    Column("expires_at", BigInteger, nullable=False),
    Column("prolonged_from", BigInteger),
    Column("version", Integer, nullable=False),
    Column("withdrawal", Integer, nullable=False),  # WithdrawalCode
    Column("disputes", Integer, nullable=False),
    Column("heard", LargeBinary, nullable=False),  # evidence hashes, 32 bytes each, ascending
    Column("evidence", LargeBinary, nullable=False),  # likewise, of filings and corrections
    Column("dispute_id", LargeBinary(16)),  # the open dispute, and what is known of it
    Column("dispute_stage", Integer),
    Column("dispute_ground", Integer),
    Column("dispute_reviewer", String(64)),
    Column("dispute_due_at", BigInteger),
    Column("dispute_suppresses", Boolean),
    Column("dispute_extended", Boolean),
    Column("ruling_id", LargeBinary(16)),  # the last ruling
    Column("ruling_reviewer", String(64)),
    Column("ruled_at", BigInteger),
    Column("ruling_appealed", Boolean),
    Column("words", LargeBinary),  # the subject's own, a SubjectWords, sealed
    Column("steps", Integer, nullable=False),  # how many there are in listing_step
    Column("kind", Integer, nullable=False),  # ListingKind
    Column("basis", Integer, nullable=False),  # ListingBasis
    Column("mark", Integer, nullable=False),  # ListingMark; 0 where no lender sees it
    Column("court", String(64), nullable=False),  # whose register it must be found in, or empty
    Column("due_at", BigInteger),  # when the timer looks at it next; NULL once it has ended
    Column("revision", BigInteger, nullable=False),  # of all listings, at its last change
    Index("listing_by_due", "due_at"),
    Index("listing_by_revision", "revision"),
    Index("listing_by_debt", "subject_ref", "debt"),
    Index("listing_by_reviewer", "dispute_reviewer", "dispute_due_at"),
    Index("listing_by_court", "court", "state"),
)

listing_source = Table(
    "listing_source",
    metadata,
    subject_ref(primary_key=True),
    Column("listing_id", LargeBinary(16), primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("place", Integer, nullable=False),  # the order in which they joined
    Column("filing_id", LargeBinary(16), nullable=False),
    Column("court", Boolean, nullable=False),
    Column("basis", Integer, nullable=False),
    Column("reconfirmed_at", BigInteger, nullable=False),
    Column("live", Boolean, nullable=False),
    Index("listing_source_by_source", "source", "filing_id"),
)

# Filings by their source's id, so that a repeated one is known. Distributed by source.
filing_seen = Table(
    "filing_seen",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("filing_id", LargeBinary(16), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    subject_ref(nullable=False),
    Column("listing_id", LargeBinary(16), nullable=False),
)

# One row a debt: locked by whoever files it, so that it never has two live listings.
listing_debt = Table(
    "listing_debt",
    metadata,
    subject_ref(primary_key=True),
    Column("debt", LargeBinary(32), primary_key=True),
    Column("listing_id", LargeBinary(16), nullable=False),  # the latest
)

# Everything that happened to a listing: the signed statement that caused it.
listing_step = Table(
    "listing_step",
    metadata,
    subject_ref(primary_key=True),
    Column("listing_id", LargeBinary(16), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("statement_id", LargeBinary(16), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("envelope", LargeBinary, nullable=False),  # sealed
    Column("at", BigInteger, nullable=False),
    Column("state", Integer, nullable=False),  # after it
    Index("listing_step_by_id", "subject_ref", "listing_id", "statement_id", unique=True),
)

# Evidence that only the chosen reviewer can open.
sealed_attachment = Table(
    "sealed_attachment",
    metadata,
    subject_ref(primary_key=True),
    Column("dispute_id", LargeBinary(16), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column(
        "sealed", LargeBinary, nullable=False
    ),  # to the reviewer, and again under the subject's key
)

# Who was told of a listing, in which answer: whom a retraction must reach (R14).
listing_told = Table(
    "listing_told",
    metadata,
    subject_ref(primary_key=True),
    Column("listing_id", LargeBinary(16), primary_key=True),
    Column("answer_digest", LargeBinary(32), primary_key=True),
    Column("lender", String(64), nullable=False),
    Column("position", Integer, nullable=False),
    Column("told_at", BigInteger, nullable=False),
    Column("retraction_id", LargeBinary(16)),  # the latest that was sent for it
    Index("listing_told_by_time", "told_at"),
)

# What lenders have to acknowledge. Distributed by lender.
retraction = Table(
    "retraction",
    metadata,
    Column("lender", String(64), primary_key=True),
    Column("retraction_id", LargeBinary(16), primary_key=True),
    subject_ref(nullable=False),
    Column("listing_id", LargeBinary(16), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("envelope", LargeBinary, nullable=False),  # sealed
    Column("issued_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("acknowledged_at", BigInteger),
    Column("acknowledgement", LargeBinary),  # sealed
    Index("retraction_by_due", "acknowledged_at", "due_at"),
    Index("retraction_by_listing", "subject_ref", "listing_id"),
)

# When each court's register was last found the same as its listings here.
court_sync = Table(
    "court_sync",
    metadata,
    Column("court", String(64), primary_key=True),
    Column("synced_at", BigInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)

# One row: grows with every change of a listing. Its lock puts all changes in one order, so that whoever
# reads up to a revision has missed none before it.
listing_revision = Table(
    "listing_revision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)
