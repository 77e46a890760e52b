"""Erasing what opens old entries. The log stays as it is; the entry then says nothing to anybody."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from concordat.clock import to_micros
from concordat.v1 import ErasureBasis
from exchange.log import records, table
from exchange.views import table as accesses

AT_ONCE = 256
KEEP_DAYS = 2190


def erase_expired(connection: Connection, now: datetime, days: int) -> int:
    """Erase the openings older than ``days``, at most 256; log the erasure; return how many.

    The access entry that an opening stood for goes with it. What opened before is a random number from
    then on, except to those who kept their receipt.
    """
    before = to_micros(now - timedelta(days=days))
    rows = table.older_openings(connection, before, AT_ONCE)
    if rows:
        erase(
            connection,
            [(row.subject_ref, row.sequence, row.record_id) for row in rows],
            ErasureBasis.ERASURE_BASIS_RETENTION_OVER,
            now,
        )
    return len(rows)


def erase(
    connection: Connection,
    entries: list[tuple[bytes, int, bytes]],
    basis: ErasureBasis.ValueType,
    now: datetime,
) -> None:
    """Erase the openings of ``entries`` (subject_ref, sequence, record_id), and log that it was done."""
    draft = records.erasure([record_id for _, _, record_id in entries], basis, now)
    places = [(subject, sequence) for subject, sequence, _ in entries]
    table.erase(connection, places, draft.record_id)
    accesses.forget(connection, [(subject, record_id) for subject, _, record_id in entries])
    table.enqueue(connection, [draft])
