"""The witness's tables: where each log stands, and what speaks against it.

``cosigned_at`` and ``seen_at`` are seconds since the Unix epoch, the unit of a cosignature. Nothing here
is personal: a log's checkpoints are public.
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
