"""The tables of a node's own database: a provider's, a furnisher's or a court's.

Every key of a table about subjects starts with ``subject_ref``. Times are microseconds since the
Unix epoch. Where a column holds an enum, it holds the number that the protos give it.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    text,
)

from concordat.store.members import member_statement_table

METADATA = MetaData()

SCORE = Table(
    "score",
    METADATA,
    Column("subject_ref", LargeBinary(32), primary_key=True),
    Column("score", Integer, nullable=False),  # on the licensed scale
    Column("as_of", BigInteger, nullable=False),  # the time that the score describes
    Column("model_version", String(64), nullable=False),
    Column("reasons", String(80), nullable=False),  # codes separated by ";", the costliest first
    sqlite_with_rowid=False,
)

# One row for each request about a subject, however often it is repeated: what a use is counted by.
ACCESS = Table(
    "access",
    METADATA,
    Column("subject_ref", LargeBinary(32), primary_key=True),
    Column("request_digest", LargeBinary(32), primary_key=True),
    Column("request_id", LargeBinary(16), nullable=False),
    # Null where the request did not verify: a forgery accuses nobody. Empty where the person itself asked.
    Column("lender", String(64)),
    Column("purpose", SmallInteger, nullable=False),
    Column("consent_id", LargeBinary(16), nullable=False),  # empty where the consent did not parse
    Column("outcome", SmallInteger, nullable=False),  # provider.store.journal.Outcome
    Column("reason", SmallInteger, nullable=False),  # of a refusal, else 0
    Column("at", BigInteger, nullable=False),  # first released, or else first refused
    Column("statement_digest", LargeBinary(32)),  # of the latest statement released
    Column(
        "receipt", LargeBinary
    ),  # LogReceipt: that the exchange logged the access; kept as proof
    Index("access_by_consent", "subject_ref", "consent_id", "outcome", "at"),
    sqlite_with_rowid=False,
)

# The latest event of each consent that the subject told this provider of.
CONSENT_EVENT = Table(
    "consent_event",
    METADATA,
    Column("subject_ref", LargeBinary(32), primary_key=True),
    Column("consent_id", LargeBinary(16), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# The newest version of a subject's key binding that was seen, where it is above the first.
BINDING = Table(
    "binding",
    METADATA,
    Column("subject_ref", LargeBinary(32), primary_key=True),
    Column("version", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The latest time on record (one row), so that a clock set back across a restart un-expires nothing.
CLOCK_MARK = Table(
    "clock_mark",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
)

MEMBER_STATEMENT = member_statement_table(METADATA)

# What this member filed. A debt has one row that has not ended, and one for each listing of it that has.
LISTING = Table(
    "listing",
    METADATA,
    Column("subject_ref", LargeBinary(32), primary_key=True),
    Column("filing_id", LargeBinary(16), primary_key=True),  # the same until it ends
    Column("debt", LargeBinary(32), nullable=False),  # its commitment
    Column("creditor", String(64), nullable=False),  # the original one
    Column("reference", String(128), nullable=False),  # the original creditor's
    Column("kind", SmallInteger, nullable=False),
    Column("basis", SmallInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column(
        "amount", BigInteger, nullable=False
    ),  # minor units; this and the next after corrections
    Column("delinquent_since", BigInteger, nullable=False),
    Column("evidence_hash", LargeBinary(32), nullable=False),
    Column("source_ends_at", BigInteger),  # of a judgment
    Column("listing_id", LargeBinary(16)),  # from here on what the exchange told; null before
    Column("state", SmallInteger, nullable=False),  # 0 before
    Column("version", Integer, nullable=False),  # 0 before
    Column("noticed_at", BigInteger),
    Column("effective_from", BigInteger),
    Column("expires_at", BigInteger),
    Column("told_at", BigInteger),
    Column(
        "ended_at", BigInteger
    ),  # when it was known to have ended, or to be no more this member's
    Index(
        "listing_open_debt",
        "debt",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index("listing_by_debt", "debt"),
    Index("listing_by_reference", "reference"),
    sqlite_with_rowid=False,
)

# Everything that was said of a listing, in order, as it is carried: the filing (sequence 0), then events.
OUTBOX = Table(
    "outbox",
    METADATA,
    Column("subject_ref", LargeBinary(32), primary_key=True),
    Column("filing_id", LargeBinary(16), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("statement_id", LargeBinary(16), nullable=False),  # filing_id or event_id
    Column("action", SmallInteger, nullable=False),  # 0 for the filing, else ListingAction
    Column("envelope", LargeBinary, nullable=False),  # unsigned while it waits for its listing_id
    Column("state", SmallInteger, nullable=False),  # provider.store.outbox.Delivery
    Column("made_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),  # sent no earlier
    Column("attempts", Integer, nullable=False),
    Column("reason", SmallInteger, nullable=False),  # of the last refusal or failure, else 0
    Column("message", String(500), nullable=False),  # what the exchange said of it
    Column("settled_at", BigInteger),  # taken or refused for good
    Index("outbox_due", "state", "due_at", "statement_id"),
    sqlite_with_rowid=False,
)

# Of a court: the register as it was last found the same at the exchange (one row).
MIRROR_SYNC = Table(
    "mirror_sync",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("read_at", BigInteger, nullable=False),  # as the register says
    Column("entries", Integer, nullable=False),
    Column("synced_at", BigInteger, nullable=False),
    Column("live_until", BigInteger, nullable=False),  # unless it syncs again
)
