"""What is counted for statistics, and the tables as they were told. About no person."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from concordat.clock import to_micros
from exchange.schema import metadata
from exchange.views.table import access_entry

KEEP_TOLD = timedelta(days=36 * 31)
KEEP_COUNTS = timedelta(days=100)  # longer than a month, and than it is caught up with

Counted = tuple[int, str, int]
"""What is counted (``counting.Series``), the member or legal article that it is of or "", and the cell of it."""

# Each process counts in rows of its own, so that none waits for another. On one node.
statistics_count = Table(
    "statistics_count",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # since 1970, UTC
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("key", String(80), primary_key=True),  # the member, or the legal article
    Column("cell", Integer, primary_key=True, autoincrement=False),
    Column("process", String(32), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

statistics_told = Table(
    "statistics_told",
    metadata,
    Column("period", String(10), primary_key=True),  # 2026-10-31, or 2026-10
    Column("table", Integer, primary_key=True, autoincrement=False),  # StatisticsTable
    Column("until", BigInteger, nullable=False),  # the period's end
    Column("statistics", LargeBinary, nullable=False),  # Statistics, as it is told
)

# What a day's requests are counted by, once.
Index("access_entry_by_time", access_entry.c.recorded_at)

_COUNT, _TOLD = statistics_count.c, statistics_told.c
_COUNTED = (
    select(_COUNT["key"], _COUNT.cell, func.sum(_COUNT["count"]).label("total"))
    .where(
        _COUNT.series == bindparam("series"),
        _COUNT.day >= bindparam("first"),
        _COUNT.day < bindparam("end"),
    )
    .group_by(_COUNT["key"], _COUNT.cell)
)
_DIALECTS: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def _adding(name: str) -> Any:
    statement: Any = _DIALECTS[name](statistics_count)
    return statement.on_conflict_do_update(
        index_elements=list(statistics_count.primary_key),
        set_={"count": _COUNT["count"] + statement.excluded["count"]},
    )


_ADD = {name: _adding(name) for name in _DIALECTS}
_KEEP = {
    name: insert(statistics_told).on_conflict_do_nothing() for name, insert in _DIALECTS.items()
}


def add(connection: Connection, process: str, counts: Mapping[tuple[int, Counted], int]) -> None:
    """Add to what a process counted, by day and what is counted."""
    rows = [
        {
            "day": day,
            "series": series,
            "key": key,
            "cell": cell,
            "process": process,
            "count": count,
        }
        for (day, (series, key, cell)), count in sorted(counts.items())
    ]
    if rows:
        connection.execute(_ADD[connection.dialect.name], rows)


def counted(
    connection: Connection, series: int, days: tuple[int, int]
) -> dict[str, dict[int, int]]:
    """Return what was counted on the days from the first until before the second: by key and cell."""
    first, end = days
    found: dict[str, dict[int, int]] = {}
    for row in connection.execute(_COUNTED, {"series": series, "first": first, "end": end}):
        found.setdefault(row.key, {})[row.cell] = int(row.total)
    return found


def told(connection: Connection, period: str) -> dict[int, bytes]:
    """Return the tables of a period as they were told, by StatisticsTable."""
    query = select(_TOLD["table"], _TOLD.statistics).where(_TOLD.period == period)
    return {table: bytes(statistics) for table, statistics in connection.execute(query)}


def keep(
    connection: Connection, period: str, until: datetime, tables: Iterable[tuple[int, bytes]]
) -> None:
    """Keep tables of a period; one that another process kept before stays as it is."""
    rows = [
        {"period": period, "table": table, "until": to_micros(until), "statistics": statistics}
        for table, statistics in tables
    ]
    if rows:
        connection.execute(_KEEP[connection.dialect.name], rows)


def forget(connection: Connection, at: datetime) -> None:
    """Delete what was told for 36 months, and counts that no table will be made of any more."""
    connection.execute(delete(statistics_told).where(_TOLD.until < to_micros(at - KEEP_TOLD)))
    day = timedelta(days=1) // timedelta(microseconds=1)
    oldest = to_micros(at - KEEP_COUNTS) // day
    connection.execute(delete(statistics_count).where(_COUNT.day < oldest))
