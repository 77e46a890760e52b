"""The exchange's tables in one place for Alembic; each capability declares its own.

Tables about a subject carry ``subject_ref`` in every key, so that they distribute by it. Times are
microseconds since the Unix epoch, UTC. No table holds a score.
"""

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table

from concordat.store.members import member_statement_table

metadata = MetaData()

member_statement = member_statement_table(metadata)

# One row: the latest time this exchange has lived through, so that no clock set back revives the expired.
clock_mark = Table(
    "clock_mark",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
)
