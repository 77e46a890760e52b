"""The log's tables: the durable queue, the openings, the state, tiles.

Openings are the subject's and are keyed by ``subject_ref``; the other tables stay on one node.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    Select,
    String,
    Table,
    Update,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
    union_all,
    update,
)

from concordat import v1
from concordat.store.bulk import execute_many
from concordat.store.lookup import Lookup
from concordat.v1 import LogEntryKind
from exchange.log.records import Draft
from exchange.schema import metadata
from exchange.vault.columns import subject_ref
from exchange.vault.sealing import seal_many, unseal_each

# What waits to be sequenced, in order. Written in the transaction of the act that it stands for.
log_queue = Table(
    "log_queue",
    metadata,
    Column(
        "queue_id",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("record_id", LargeBinary(16), nullable=False),
    Column("kind", Integer, nullable=False),
    subject_ref(nullable=False),
    Column("record", LargeBinary, nullable=False),  # sealed
    subject_ref("sealed_for"),  # whose key seals it; NULL for the subject's, or nobody's
)

# What opens an entry, in the order of the subject's chain. Erasing one clears record and salt. Entries
# about no person stand under an empty subject_ref.
log_opening = Table(
    "log_opening",
    metadata,
    subject_ref(primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("record_id", LargeBinary(16), nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("logged_at", BigInteger, nullable=False),
    Column("commitment", LargeBinary(32), nullable=False),
    Column("previous", LargeBinary(32), nullable=False),
    Column("link_salt", LargeBinary(32), nullable=False),
    Column("record_commitment", LargeBinary(32), nullable=False),
    Column("record", LargeBinary),  # sealed, as is the salt
    Column("salt", LargeBinary),
    Column("erased_under", LargeBinary(16)),  # record id of the erasure that cleared the two before
    subject_ref(
        "sealed_for"
    ),  # whose key seals record and salt; NULL for the subject's, or nobody's
    Index("log_opening_by_record", "subject_ref", "record_id", unique=True),
    Index("log_opening_by_index", "leaf_index"),
)
# For erasing what is old enough: those that still can be opened, by time.
Index(
    "log_opening_by_time",
    log_opening.c.logged_at,
    postgresql_where=log_opening.c.record.is_not(None),
    sqlite_where=log_opening.c.record.is_not(None),
)

# One row: how far the log is, who sequences it, and when it was last seen by enough witnesses.
log_state = Table(
    "log_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("holder", String(64), nullable=False),  # of the sequencer's lease
    Column(
        "epoch", BigInteger, nullable=False
    ),  # grows with each new holder: fences the one before
    Column("lease_until", BigInteger, nullable=False),
    Column("next_index", BigInteger, nullable=False),  # entries that have an index
    Column("size", BigInteger, nullable=False),  # entries in the latest signed checkpoint
    Column("root", LargeBinary(32), nullable=False),
    Column("checkpoint", LargeBinary, nullable=False),  # the note; empty before the first
    Column("latest_time", BigInteger, nullable=False),  # of the last entry
    Column("unwitnessed_since", BigInteger),  # NULL while the witnesses' quorum is there
)

# Tiles and bundles by path, where they are kept in the database.
log_tile = Table(
    "log_tile",
    metadata,
    Column("path", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

Key = tuple[bytes, bytes]  # subject_ref, record_id
_WALKED = 500  # entries that are read at once


class Opening(NamedTuple):
    """A row of ``log_opening``; its columns say what is what."""

    subject_ref: bytes
    sequence: int
    record_id: bytes
    leaf_index: int
    entry: bytes
    logged_at: int
    commitment: bytes
    previous: bytes
    link_salt: bytes
    record_commitment: bytes
    record: bytes | None
    salt: bytes | None
    erased_under: bytes | None = None
    sealed_for: bytes | None = None

    @property
    def key(self) -> Key:
        """What it is found by."""
        return self.subject_ref, self.record_id

    @property
    def sealed_under(self) -> bytes:
        """Whose key seals what opens it; empty where it is about no person."""
        return self.sealed_for or self.subject_ref


class Waiting(NamedTuple):
    """A row of ``log_queue``, its record as it reads; None where its key is erased."""

    queue_id: int
    record_id: bytes
    kind: LogEntryKind.ValueType
    subject_ref: bytes
    record: bytes | None
    sealed_for: bytes | None


_ENQUEUE = insert(log_queue)
_WAITING = select(log_queue).order_by(log_queue.c.queue_id).limit(bindparam("most"))
_DEQUEUE = delete(log_queue).where(log_queue.c.queue_id == bindparam("id_"))
_OPEN = insert(log_opening)


def _heads(wanted: ColumnElement[bool]) -> Select[Any]:
    newest = (
        select(log_opening.c.subject_ref, func.max(log_opening.c.sequence))
        .where(wanted)
        .group_by(log_opening.c.subject_ref)
    )
    columns = (log_opening.c.subject_ref, log_opening.c.sequence, log_opening.c.commitment)
    return select(*columns).where(tuple_(*columns[:2]).in_(newest))


_HEADS = Lookup(_heads, log_opening.c.subject_ref)
_BY_RECORD = Lookup(
    lambda wanted: select(log_opening).where(wanted),
    log_opening.c.subject_ref,
    log_opening.c.record_id,
)
_ANYTHING_WAITS = union_all(
    select(log_queue.c.queue_id).limit(1).subquery().select(),
    select(log_state.c.id).where(log_state.c.next_index > log_state.c.size),
)
_STATE = select(log_state)
_LOCK_STATE = select(log_state).with_for_update()


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a subject's chain."""

    sequence: int
    commitment: bytes


def enqueue(connection: Connection, drafts: Sequence[Draft]) -> None:
    """Queue drafts; they are durable with the transaction, and sequenced in this order."""
    said = [(draft.sealed_for or draft.subject_ref, draft.record) for draft in drafts]
    rows = [
        {
            "record_id": draft.record_id,
            "kind": draft.kind,
            "subject_ref": draft.subject_ref,
            "record": sealed,
            "sealed_for": draft.sealed_for or None,
        }
        for draft, sealed in zip(drafts, seal_many(connection, said), strict=True)
    ]
    execute_many(connection, _ENQUEUE, rows)


def waiting(connection: Connection, most: int) -> list[Waiting]:
    """Return the oldest queued drafts, at most ``most``."""
    found = _waiting(connection, most)
    if any(row.record is None for row in found):
        # Erased; or sealed anew by an erasure that was committed after the rows were read, before the keys.
        found = _waiting(connection, most)
    return found


def _waiting(connection: Connection, most: int) -> list[Waiting]:
    rows = [Waiting(*row) for row in connection.execute(_WAITING, {"most": most})]
    sealed = [(row.sealed_for or row.subject_ref, row.record) for row in rows]
    opened = unseal_each(connection, sealed)
    return [row._replace(record=record) for row, record in zip(rows, opened, strict=True)]


def anything_waits(connection: Connection) -> bool:
    """Tell whether the queue holds anything, or an entry has an index and is in no checkpoint."""
    return connection.execute(_ANYTHING_WAITS).first() is not None


def dequeue(connection: Connection, queue_ids: Iterable[int]) -> None:
    """Take drafts from the queue."""
    connection.execute(_DEQUEUE, [{"id_": queue_id} for queue_id in queue_ids])


def heads(connection: Connection, refs: Iterable[bytes]) -> dict[bytes, Head]:
    """Return the last entry of each subject's chain that has one."""
    rows = _HEADS.run(connection, ((ref,) for ref in refs))
    return {row.subject_ref: Head(row.sequence, row.commitment) for row in rows}


def add_openings(connection: Connection, openings: Sequence[Opening]) -> None:
    """Keep the openings of entries that have just got their index."""
    there = [each for each in openings if each.record is not None and each.salt is not None]
    said = [(each.sealed_under, part or b"") for each in there for part in (each.record, each.salt)]
    sealed = iter(seal_many(connection, said))
    rows = [opening._asdict() for opening in openings]
    for opening, row in zip(openings, rows, strict=True):
        if opening.record is not None and opening.salt is not None:
            row["record"], row["salt"] = next(sealed), next(sealed)
    execute_many(connection, _OPEN, rows)


def openings(connection: Connection, keys: Iterable[Key]) -> list[Opening]:
    """Return the openings among ``keys`` that were sequenced."""
    return _unsealed(connection, _BY_RECORD.run(connection, keys))


def _unsealed(connection: Connection, rows: Iterable[Row[*tuple[Any, ...]]]) -> list[Opening]:
    """Return openings as they read; one whose key is erased opens nothing."""
    found = [Opening(*row) for row in rows]
    sealed = [(each.sealed_under, part) for each in found for part in (each.record, each.salt)]
    parts = iter(unseal_each(connection, sealed))
    return [each._replace(record=next(parts), salt=next(parts)) for each in found]


def chain(
    connection: Connection, subject_ref: bytes, after: int, size: int, most: int
) -> list[Opening]:
    """Return a subject's entries in a log of ``size``, in the order of its chain, from after ``after``."""
    return _unsealed(connection, _chained(connection, subject_ref, after, size, most))


def walk(
    connection: Connection,
    subject_ref: bytes,
    size: int,
    after: int = 0,
    kinds: Container[int] | None = None,
) -> Iterator[tuple[Opening, v1.LogRecord]]:
    """Yield all of them that still open, with their records; of some kinds only, where that is asked for."""
    while rows := _chained(connection, subject_ref, after, size, _WALKED):
        after = rows[-1].sequence
        if kinds is not None:  # what is not asked for is not unsealed
            rows = [row for row in rows if v1.LogEntry.FromString(row.entry).kind in kinds]
        for opening in _unsealed(connection, rows):
            if opening.record is not None:
                yield opening, v1.LogRecord.FromString(opening.record)


def _chained(
    connection: Connection, subject_ref: bytes, after: int, size: int, most: int
) -> Sequence[Row[*tuple[Any, ...]]]:
    query = (
        select(log_opening)
        .where(
            log_opening.c.subject_ref == subject_ref,
            log_opening.c.sequence > after,
            log_opening.c.leaf_index < size,
        )
        .order_by(log_opening.c.sequence)
        .limit(most)
    )
    return connection.execute(query).all()


def chain_end(connection: Connection, subject_ref: bytes, size: int) -> Head | None:
    """Return the last of a subject's entries in a log of ``size``; None where there is none."""
    query = (
        select(log_opening.c.sequence, log_opening.c.commitment)
        .where(log_opening.c.subject_ref == subject_ref, log_opening.c.leaf_index < size)
        .order_by(log_opening.c.sequence.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else Head(row.sequence, row.commitment)


def older_openings(
    connection: Connection, before: int, most: int
) -> Sequence[Row[bytes, int, bytes]]:
    """Return whose openings are from before a time (microseconds) and not erased yet."""
    query = (
        select(log_opening.c.subject_ref, log_opening.c.sequence, log_opening.c.record_id)
        .where(log_opening.c.logged_at < before, log_opening.c.record.is_not(None))
        .order_by(log_opening.c.logged_at)
        .limit(most)
    )
    return connection.execute(query).all()


def erase(connection: Connection, places: Iterable[tuple[bytes, int]], erasure_id: bytes) -> None:
    """Clear record and salt of the entries at these (subject_ref, sequence), under that erasure."""
    connection.execute(
        update(log_opening)
        .where(
            log_opening.c.subject_ref == bindparam("key_ref"),
            log_opening.c.sequence == bindparam("key_sequence"),
        )
        .values(record=None, salt=None, erased_under=erasure_id),
        [{"key_ref": ref, "key_sequence": sequence} for ref, sequence in places],
    )


def openings_from(connection: Connection, index: int) -> list[Opening]:
    """Return the openings of the entries that have an index from ``index`` on, in order."""
    query = (
        select(log_opening)
        .where(log_opening.c.leaf_index >= index)
        .order_by(log_opening.c.leaf_index)
    )
    return _unsealed(connection, connection.execute(query))


def state(connection: Connection, *, lock: bool = False) -> Row[Any] | None:
    """Return the log's state, locked until the transaction ends if asked; None before the first entry."""
    return connection.execute(_LOCK_STATE if lock else _STATE).first()


def begin(connection: Connection, root: bytes) -> None:
    """Put the state of an empty log on record."""
    connection.execute(
        insert(log_state).values(
            id=1,
            holder="",
            epoch=0,
            lease_until=0,
            next_index=0,
            size=0,
            root=root,
            checkpoint=b"",
            latest_time=0,
        )
    )


def set_state(connection: Connection, **values: object) -> None:
    """Change the state; the caller holds its lock."""
    connection.execute(_setting(tuple(values)), {f"new_{k}": v for k, v in values.items()})


@cache
def _setting(names: tuple[str, ...]) -> Update:
    return update(log_state).values({name: bindparam(f"new_{name}") for name in names})
