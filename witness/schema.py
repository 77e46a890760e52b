"""The witness's tables: where each log stands, what speaks against it, and what it holds in custody.

``cosigned_at``, ``seen_at`` and ``opens_at`` are seconds since the Unix epoch, the unit of a cosignature. A log's
checkpoints are public; a deposit is encrypted, under a tag that tells nobody whom it is about.
"""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table

metadata = MetaData()

# One row a log: the latest checkpoint cosigned, as the log signed it, and the cosignature's line.
latest = Table(
    "latest",
    metadata,
    Column("origin", String(255), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("cosignature", LargeBinary, nullable=False),
    Column("cosigned_at", BigInteger, nullable=False),
)

# Pairs of checkpoints that one log signed and that do not go together; see ``witness.rules.Suspicion``.
evidence = Table(
    "evidence",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),  # over all that follows, save the time
    Column("origin", String(255), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("kept_note", LargeBinary),  # none where the offered note speaks against itself
    Column("offered_note", LargeBinary, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Index("evidence_origin", "origin", "kind"),
)

# Deferred notices, encrypted: this custodian's part of each; see ``witness.custody``.
custody_deposit = Table(
    "custody_deposit",
    metadata,
    Column("tag", LargeBinary(32), primary_key=True),
    Column("deposit_id", LargeBinary(16), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("opens_at", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("receipt", LargeBinary, nullable=False),
    Index("custody_deposit_by_time", "opens_at"),
)

# The latest binding that each subject who collected came with: an older key collects nothing more.
custody_binding = Table(
    "custody_binding",
    metadata,
    Column("tag", LargeBinary(32), primary_key=True),
    Column("version", BigInteger, nullable=False),
)
