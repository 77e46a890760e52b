"""The database's part in sequencing, a transaction each: lease, assignment, publication. See ``Sequencer``.

An entry gets its index in the transaction that takes it from the queue, under the lock of the state. So
whatever dies when, and even should two processes both believe that they sequence, no index is given twice
and the tree that either signs is of the same entries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from concordat import v1
from concordat.clock import from_micros, to_micros, to_timestamp
from concordat.trust.commitment import (
    NO_ENTRY,
    commitment_of,
    link_commitment,
    new_salts,
    record_commitment,
)
from concordat.trust.merkle import EMPTY_ROOT
from exchange.log import table
from exchange.log.table import Head, Opening, Waiting
from exchange.log.tile_store import TileStore

MAX_BATCH = 1024
_NO_HEAD = Head(0, NO_ENTRY)


class LeaseLostError(Exception):
    """Another process sequences the log now."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to sequence, until another process takes it."""

    holder: str
    epoch: int
    seconds: float

    def until(self, at: datetime) -> int:
        """Return when it ends if renewed at ``at``, microseconds."""
        return to_micros(at) + int(self.seconds * 1_000_000)


@dataclass(frozen=True, slots=True)
class Signed:
    """The latest signed checkpoint."""

    size: int
    root: bytes
    note: bytes  # empty before the first
    unwitnessed_since: datetime | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries that have their index, in its order, and wait for a checkpoint."""

    openings: list[Opening]

    @property
    def entries(self) -> list[bytes]:
        """The leaves."""
        return [opening.entry for opening in self.openings]


def take_lease(connection: Connection, holder: str, seconds: float, at: datetime) -> Lease | None:
    """Take the lease if it is free, run out, or the holder's own; None if another process has it."""
    row = table.state(connection, lock=True)
    if row is None:
        table.begin(connection, EMPTY_ROOT)
        row = table.state(connection, lock=True)
    assert row is not None  # noqa: S101 - begun above
    if row.lease_until > to_micros(at) and row.holder != holder:
        return None
    lease = Lease(holder, row.epoch + 1, seconds)
    table.set_state(connection, holder=holder, epoch=lease.epoch, lease_until=lease.until(at))
    return lease


def require_lease(connection: Connection, lease: Lease, *, lock: bool = False) -> Row[Any]:
    """Return the state, locked if asked; raise ``LeaseLostError`` if another process has the lease.

    It is not renewed: whoever changes the state renews it with the change.
    """
    row = table.state(connection, lock=lock)
    if row is None or row.epoch != lease.epoch:
        raise LeaseLostError
    return row


def renew_lease(connection: Connection, lease: Lease, at: datetime) -> None:
    """Renew the lease; raise ``LeaseLostError`` if another process has it."""
    require_lease(connection, lease, lock=True)
    table.set_state(connection, lease_until=lease.until(at))


def give_up_lease(connection: Connection, lease: Lease) -> None:
    """Let another process have it at once."""
    row = table.state(connection, lock=True)
    if row is not None and row.epoch == lease.epoch:
        table.set_state(connection, lease_until=0)


def signed(connection: Connection) -> Signed:
    """Return the latest signed checkpoint; that of an empty log before the first."""
    row = table.state(connection)
    if row is None:
        return Signed(0, EMPTY_ROOT, b"", None)
    since = None if row.unwitnessed_since is None else from_micros(row.unwitnessed_since)
    return Signed(row.size, row.root, row.checkpoint, since)


def assign(connection: Connection, lease: Lease, at: datetime) -> Batch | None:
    """Take what waits from the queue and give it indexes; None where nothing waits.

    Log time is ``at``, or that of the last entry where the clock has stepped back. What has an index and
    is in no checkpoint comes first: the answer to an earlier call may have been lost after it was
    durable. Raises ``LeaseLostError``.
    """
    if not table.anything_waits(connection):
        return None
    state = require_lease(connection, lease, lock=True)
    if state.next_index > state.size:
        table.set_state(connection, lease_until=lease.until(at))
        return pending(connection, state.size)
    rows = table.waiting(connection, MAX_BATCH)
    if not rows:
        return None
    now = max(to_micros(at), state.latest_time)
    heads = table.heads(connection, {row.subject_ref for row in rows})
    openings = _open_all(rows, heads, state.next_index, now)
    table.dequeue(connection, [row.queue_id for row in rows])
    table.add_openings(connection, openings)
    table.set_state(
        connection,
        next_index=state.next_index + len(openings),
        latest_time=now,
        lease_until=lease.until(at),
    )
    return Batch(openings)


def _open_all(
    rows: Sequence[Waiting], heads: dict[bytes, Head], first_index: int, now: int
) -> list[Opening]:
    """Make each draft an entry: salted, and linked to the subject's entry before."""
    logged_at = to_timestamp(from_micros(now))
    openings: list[Opening] = []
    salts = iter(new_salts(2 * len(rows)))
    for index, row in enumerate(rows, first_index):
        head = heads.get(row.subject_ref, _NO_HEAD)
        salt, link_salt, sequence = next(salts), next(salts), head.sequence + 1
        # What nobody can open any more keeps its place, under a commitment to nothing.
        of_record = salt if row.record is None else record_commitment(row.record, salt)
        commitment = commitment_of(of_record, link_commitment(sequence, head.commitment, link_salt))
        entry = v1.LogEntry(
            kind=row.kind, logged_at=logged_at, record_id=row.record_id, commitment=commitment
        )
        openings.append(
            Opening(
                subject_ref=row.subject_ref,
                sequence=sequence,
                record_id=row.record_id,
                leaf_index=index,
                entry=entry.SerializeToString(deterministic=True),
                logged_at=now,
                commitment=commitment,
                previous=head.commitment,
                link_salt=link_salt,
                record_commitment=of_record,
                record=row.record,
                salt=None if row.record is None else salt,
                sealed_for=row.sealed_for,
            )
        )
        heads[row.subject_ref] = Head(sequence, commitment)
    return openings


def pending(connection: Connection, size: int) -> Batch | None:
    """Return what has an index and is in no checkpoint, which is of ``size``: what a process left that died."""
    openings = table.openings_from(connection, size)
    return Batch(openings) if openings else None


def publish(
    connection: Connection,
    lease: Lease,
    tiles: TileStore,
    *,
    size: int,
    root: bytes,
    note: bytes,
    witnessed: bool,
    at: datetime,
) -> Signed:
    """Record a signed checkpoint and make it public; raise ``LeaseLostError``, ``TileStoreError``.

    Public first and recorded after, under one lock: should this die between the two, the batch is still
    on record and the next checkpoint is at least as large.
    """
    state = require_lease(connection, lease, lock=True)
    since = None
    if not witnessed:
        since = to_micros(at) if state.unwitnessed_since is None else state.unwitnessed_since
    tiles.publish(connection, note)
    table.set_state(
        connection,
        size=size,
        root=root,
        checkpoint=note,
        unwitnessed_since=since,
        lease_until=lease.until(at),
    )
    return Signed(size, root, note, None if since is None else from_micros(since))
