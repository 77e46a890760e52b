"""The tables of a provider's own database.

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
    Column("lender", String(64)),  # null where the request did not verify: a forgery accuses nobody
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
