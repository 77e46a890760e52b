"""What lenders said came of accesses, and how many outcomes each owes.

Counts are about lenders, not subjects: on a distributed database ``outcome_duty`` stays on one node.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    bindparam,
    delete,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from concordat.ids import new_id
from exchange.schema import metadata
from exchange.vault.columns import subject_ref

# The latest event of each access that has one; the log has the digests of those before.
outcome_event = Table(
    "outcome_event",
    metadata,
    subject_ref(primary_key=True),
    Column("access_id", LargeBinary(16), primary_key=True),
    Column("lender", String(64), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("unreviewed", Boolean, nullable=False),  # not granted, and no person reviewed it (R17)
    Column("received_at", BigInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),  # sealed
    Index("outcome_event_by_time", "received_at"),
)

# Counted in rows of each process, so that none waits for another; one process's may be below zero.
outcome_duty = Table(
    "outcome_duty",
    metadata,
    Column("lender", String(64), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # of the access, since 1970, UTC
    Column("process", String(32), primary_key=True),
    Column("due", BigInteger, nullable=False),  # accesses that went out and need an outcome
    Column("told", BigInteger, nullable=False),  # of those: with an event
    Column("unreviewed", BigInteger, nullable=False),  # events of accesses of that day, flagged
    Index("outcome_duty_by_day", "day"),
)

Key = tuple[bytes, bytes]  # subject_ref, access_id
Day = tuple[str, int]  # lender, day

_PROCESS = new_id().hex()
_EVENT, _DUTY = outcome_event.c, outcome_duty.c
_COUNTS = ("due", "told", "unreviewed")
_OF_SUBJECTS = select(outcome_event).where(
    _EVENT.subject_ref.in_(bindparam("refs", expanding=True))
)
_OF_ACCESSES = _OF_SUBJECTS.where(_EVENT.access_id.in_(bindparam("ids", expanding=True)))
_SUMS = [func.sum(_DUTY[name]).label(name) for name in _COUNTS]
_BY_LENDER = (
    select(_DUTY.lender, *_SUMS)
    .where(_DUTY.day >= bindparam("since"), _DUTY.day < bindparam("until"))
    .group_by(_DUTY.lender)
)
_OPEN_DAYS = (
    select(_DUTY.day)
    .where(_DUTY.lender == bindparam("name"), _DUTY.day <= bindparam("last"))
    .group_by(_DUTY.day)
    .having(func.sum(_DUTY.due) > func.sum(_DUTY.told))
    .order_by(_DUTY.day)
)


def _putting(insert: Callable[[Table], Any]) -> Any:
    statement = insert(outcome_event)
    names = ("lender", "sequence", "digest", "unreviewed", "received_at", "envelope")
    return statement.on_conflict_do_update(
        index_elements=list(outcome_event.primary_key),
        set_={name: statement.excluded[name] for name in names},
    )


def _adding(insert: Callable[[Table], Any]) -> Any:
    statement = insert(outcome_duty)
    sums = {name: _DUTY[name] + statement.excluded[name] for name in _COUNTS}
    return statement.on_conflict_do_update(index_elements=list(outcome_duty.primary_key), set_=sums)


_PUT = {"sqlite": _putting(sqlite.insert), "postgresql": _putting(postgresql.insert)}
_ADD = {"sqlite": _adding(sqlite.insert), "postgresql": _adding(postgresql.insert)}


def events_of(connection: Connection, keys: Sequence[Key]) -> dict[Key, Row[*tuple[Any, ...]]]:
    """Return the latest event of each access that has one."""
    if not keys:
        return {}
    wanted = {"refs": sorted({ref for ref, _ in keys}), "ids": [each for _, each in keys]}
    return {
        (row.subject_ref, row.access_id): row for row in connection.execute(_OF_ACCESSES, wanted)
    }


def events_about(connection: Connection, ref: bytes) -> dict[bytes, Row[*tuple[Any, ...]]]:
    """Return the latest event of each access to a subject's data, by access id."""
    return {row.access_id: row for row in connection.execute(_OF_SUBJECTS, {"refs": [ref]})}


def put(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Keep events, each in place of the one before."""
    if rows:
        connection.execute(_PUT[connection.dialect.name], list(rows))


def forget_accesses(connection: Connection, ref: bytes, access_ids: Sequence[bytes]) -> None:
    """Delete the events of these accesses to a subject's data."""
    goes = delete(outcome_event).where(_EVENT.subject_ref == ref, _EVENT.access_id.in_(access_ids))
    connection.execute(goes)


def add(connection: Connection, counts: Mapping[Day, Sequence[int]]) -> None:
    """Add to how many outcomes were ``due``, ``told`` and ``unreviewed``, by lender and day."""
    rows = [
        {"lender": lender, "day": day, "process": _PROCESS, **dict(zip(_COUNTS, some, strict=True))}
        for (lender, day), some in sorted(counts.items())
        if any(some)
    ]
    if rows:
        connection.execute(_ADD[connection.dialect.name], rows)


def counts_by_lender(
    connection: Connection, since: int, until: int
) -> Iterable[Row[*tuple[Any, ...]]]:
    """Return (lender, due, told, unreviewed) of the days from ``since`` until before ``until``."""
    return connection.execute(_BY_LENDER, {"since": since, "until": until}).all()


def open_days(connection: Connection, lender: str, last: int) -> list[int]:
    """Return the days, up to ``last``, of which a lender owes outcomes."""
    return list(connection.execute(_OPEN_DAYS, {"name": lender, "last": last}).scalars())


def forget_days(connection: Connection, before: int) -> None:
    """Delete the counts of days before ``before``."""
    connection.execute(delete(outcome_duty).where(_DUTY.day < before))


def forget_events(connection: Connection, before: int) -> None:
    """Delete events that were taken in before a time."""
    connection.execute(delete(outcome_event).where(_EVENT.received_at < before))
