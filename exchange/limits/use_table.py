"""What each lender asked.

Each process counts in rows of its own, so that none waits for another; whoever reads adds them up. The
table is about lenders, not subjects: on a distributed database it stays on one node.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    Select,
    String,
    Table,
    bindparam,
    delete,
    func,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite

from concordat.clock import from_micros, to_micros
from exchange.limits.admission import MINUTE, Bucket, LetIn, start_of
from exchange.limits.rules import DAY, HOUR, ONE_SUBJECT_WITHIN, WEEK, Tally
from exchange.schema import metadata
from exchange.views.table import access_entry

# Hours are kept for eight days, minutes for two hours.
lender_use = Table(
    "lender_use",
    metadata,
    Column("lender", String(64), primary_key=True),
    Column("seconds", Integer, primary_key=True, autoincrement=False),  # 60 or 3600
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("process", String(32), primary_key=True),
    Column("asked", Integer, nullable=False),  # as in ``rules.Tally``
    Column("refused", Integer, nullable=False),
    Column("answered", Integer, nullable=False),
    Column("no_match", Integer, nullable=False),
    Column("refused_consent", Integer, nullable=False),
    Column("repeated", Integer, nullable=False),
    Index("lender_use_by_time", "seconds", "start"),
)

A_MINUTE, AN_HOUR = 60, 3600
_KEEP = {A_MINUTE: 2 * HOUR, AN_HOUR: 8 * DAY}
_COUNTS = ("asked", "refused", "answered", "no_match", "refused_consent", "repeated")
_USE = lender_use.c


def _asked_since(seconds: int, since: str) -> Select[tuple[int, int, int]]:
    return (
        select(_USE.seconds, _USE.start, func.sum(_USE.asked).label("asked"))
        .where(
            _USE.lender == bindparam("lender"),
            _USE.seconds == seconds,
            _USE.start > bindparam(since),
        )
        .group_by(_USE.seconds, _USE.start)
    )


_LET_IN = union_all(_asked_since(A_MINUTE, "minutes"), _asked_since(AN_HOUR, "hours"))
_DAY = (
    select(_USE.lender, _USE.start, *(func.sum(_USE[name]).label(name) for name in _COUNTS))
    .where(_USE.seconds == AN_HOUR, _USE.start > bindparam("since"))
    .group_by(_USE.lender, _USE.start)
)
_WEEK = (
    select(
        _USE.lender,
        func.sum(_USE.asked + _USE.refused).label("attempts"),
        func.min(_USE.start).label("first"),
    )
    .where(_USE.seconds == AN_HOUR, _USE.start > bindparam("since"))
    .group_by(_USE.lender)
)
_FORGET = delete(lender_use).where(
    _USE.seconds == bindparam("kind"), _USE.start < bindparam("before")
)
_REPEATED = (
    select(access_entry.c.subject_ref)
    .where(
        access_entry.c.subject_ref.in_(bindparam("refs", expanding=True)),
        access_entry.c.lender == bindparam("name"),
        access_entry.c.recorded_at > bindparam("since"),
        access_entry.c.counted,
    )
    .group_by(access_entry.c.subject_ref)
    .having(func.count(access_entry.c.consent_id.distinct()) > bindparam("most"))
)


def _adding(insert: Callable[[Table], Any]) -> Any:
    statement = insert(lender_use)
    sums = {name: _USE[name] + statement.excluded[name] for name in _COUNTS}
    return statement.on_conflict_do_update(index_elements=list(lender_use.primary_key), set_=sums)


_ADD = {"sqlite": _adding(sqlite.insert), "postgresql": _adding(postgresql.insert)}


@dataclass(frozen=True, slots=True)
class Week:
    """A lender's last 168 hours: its attempts, and when the first hour with any began."""

    attempts: int
    first: datetime


def add(connection: Connection, process: str, lender: str, at: datetime, tally: Tally) -> None:
    """Add to what a lender did in the current minute and hour."""
    counts = {name: getattr(tally, name) for name in _COUNTS}
    rows = [
        {
            "lender": lender,
            "seconds": seconds,
            "start": to_micros(start_of(at, timedelta(seconds=seconds))),
            "process": process,
            **counts,
        }
        for seconds in (A_MINUTE, AN_HOUR)
    ]
    connection.execute(_ADD[connection.dialect.name], rows)


def let_in(connection: Connection, lender: str, at: datetime, *, hour: bool) -> LetIn:
    """Return what was let in lately; the minutes before the current one only where ``hour`` says so."""
    minute = start_of(at, MINUTE)
    since = to_micros(minute - (HOUR if hour else MINUTE))
    day = to_micros(start_of(at, HOUR) - DAY)
    rows = connection.execute(_LET_IN, {"lender": lender, "minutes": since, "hours": day})
    buckets: dict[int, list[Bucket]] = {A_MINUTE: [], AN_HOUR: []}
    for row in sorted(rows, key=lambda row: int(row.start)):
        buckets[row.seconds].append((from_micros(row.start), int(row.asked)))
    minutes = buckets[A_MINUTE]
    return LetIn([each for each in minutes if each[0] >= minute], minutes, buckets[AN_HOUR])


def last_day(
    connection: Connection, at: datetime
) -> Mapping[str, Sequence[tuple[datetime, Tally]]]:
    """Return each lender's hours, the current one and the 23 before it: their starts and counts."""
    since = to_micros(start_of(at, HOUR) - DAY)
    found: dict[str, list[tuple[datetime, Tally]]] = {}
    for lender, start, *counts in connection.execute(_DAY, {"since": since}):
        found.setdefault(lender, []).append((from_micros(start), Tally(*counts)))
    return found


def last_week(connection: Connection, at: datetime) -> Mapping[str, Week]:
    """Return each lender's last 168 hours, the current one included."""
    since = to_micros(start_of(at, HOUR) - WEEK)
    rows = connection.execute(_WEEK, {"since": since})
    return {row.lender: Week(int(row.attempts), from_micros(row.first)) for row in rows}


def forget(connection: Connection, at: datetime) -> None:
    """Delete what no rule looks back to any more."""
    for seconds, kept in _KEEP.items():
        connection.execute(_FORGET, {"kind": seconds, "before": to_micros(at - kept)})


def repeated(
    connection: Connection, lender: str, refs: Sequence[bytes], at: datetime, most: int
) -> int:
    """Return of how many subjects a lender used more than ``most`` consents within 30 days, these included."""
    since = to_micros(at - ONE_SUBJECT_WITHIN)
    rows = connection.execute(
        _REPEATED, {"refs": list(set(refs)), "name": lender, "since": since, "most": most}
    )
    return len(rows.all())
