"""The registrar's tables. No identity number is in any of them.

Times are microseconds since the Unix epoch, UTC; ``day`` counts days since then. Tables about a
subject carry ``subject_ref`` in every key, so that they distribute by it.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

from concordat.store.members import member_statement_table

metadata = MetaData()

binding = Table(
    "binding",
    metadata,
    Column("subject_ref", LargeBinary(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("public_key", LargeBinary(32), nullable=False),
    Column("bound_at", BigInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("sequence", BigInteger),  # of those that took over from another; NULL for a first one
    Index("binding_by_sequence", "sequence", unique=True),
)

used_code = Table(
    "used_code",
    metadata,
    Column("subject_ref", LargeBinary(32), primary_key=True),
    Column("code_digest", LargeBinary(32), primary_key=True),  # keyed: tells nothing of the code
    Column("version", Integer, nullable=False),  # of the binding that it was used for
    Column("used_at", BigInteger, nullable=False),
)

quota_use = Table(
    "quota_use",
    metadata,
    Column("member_id", String(64), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("evaluated", BigInteger, nullable=False),
)

# One row: the latest time lived through, so that no clock set back revives an expired code.
clock_mark = Table(
    "clock_mark",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
)

member_statement = member_statement_table(metadata)
