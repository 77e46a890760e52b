"""Which reports were given, and which erasures were done, lately. Nothing of what they said about anybody."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    Table,
    delete,
    insert,
    select,
)

from concordat.clock import to_micros
from exchange.schema import metadata
from exchange.vault.columns import subject_ref
from exchange.vault.sealing import seal, unseal

# Kept for two days, for the limit of a day.
report_given = Table(
    "report_given",
    metadata,
    subject_ref(primary_key=True),
    Column("request_digest", LargeBinary(32), primary_key=True),
    Column("given_at", BigInteger, nullable=False),  # its first page
    Index("report_given_by_time", "given_at"),
)

# Kept for two days, so that a request that is repeated is answered as it was.
erasure_done = Table(
    "erasure_done",
    metadata,
    subject_ref(primary_key=True),
    Column("request_id", LargeBinary(16), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("done_at", BigInteger, nullable=False),
    Column("outcome", LargeBinary, nullable=False),  # the signed ErasureOutcome, sealed
    Index("erasure_done_by_time", "done_at"),
)


def given_since(connection: Connection, ref: bytes, after: datetime) -> dict[bytes, int]:
    """Return the digests of the requests that a subject's reports were given to after a time, and when."""
    query = select(report_given.c.request_digest, report_given.c.given_at).where(
        report_given.c.subject_ref == ref, report_given.c.given_at > to_micros(after)
    )
    return {row.request_digest: row.given_at for row in connection.execute(query)}


def give(connection: Connection, ref: bytes, request_digest: bytes, at: datetime) -> None:
    """Put a report on record."""
    row = {"subject_ref": ref, "request_digest": request_digest, "given_at": to_micros(at)}
    connection.execute(insert(report_given).values(**row))


def done(connection: Connection, ref: bytes, request_id: bytes) -> tuple[bytes, bytes] | None:
    """Return the digest of the erasure request with this id, and its outcome; None where there is none."""
    query = select(erasure_done.c.digest, erasure_done.c.outcome).where(
        erasure_done.c.subject_ref == ref, erasure_done.c.request_id == request_id
    )
    row = connection.execute(query).first()
    outcome = None if row is None else unseal(connection, ref, row.outcome)
    return None if row is None or outcome is None else (row.digest, outcome)


def keep_done(
    connection: Connection,
    ref: bytes,
    request_id: bytes,
    digest: bytes,
    outcome: bytes,
    at: datetime,
) -> None:
    """Put an erasure on record."""
    connection.execute(
        insert(erasure_done).values(
            subject_ref=ref,
            request_id=request_id,
            digest=digest,
            done_at=to_micros(at),
            outcome=seal(connection, ref, outcome),
        )
    )


def forget(connection: Connection, before: datetime) -> None:
    """Delete what is from before a time."""
    connection.execute(delete(report_given).where(report_given.c.given_at < to_micros(before)))
    connection.execute(delete(erasure_done).where(erasure_done.c.done_at < to_micros(before)))
