"""What a regulator may do on a day besides what has a budget: neither log nor disk is filled in its name.

A faulty program of a regulator's, or whoever holds its key, is stopped until midnight (UTC). About no person.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from sqlalchemy import Column, Connection, Integer, String, Table, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from concordat.refusal import Refusal
from concordat.v1 import Reason
from exchange.drift.table import day_of, start_of_day
from exchange.schema import metadata


class Bounded(IntEnum):
    """What is bounded. Kept in the database: never number one anew."""

    ORDER = 1  # given
    REFUSED_LOOK_UP = 2  # in a case; or held by nobody, and then its repeats are none more


PER_DAY = {Bounded.ORDER: 100, Bounded.REFUSED_LOOK_UP: 100}
"""How many there may be of each regulator, in a day (UTC)."""

regulator_day = Table(
    "regulator_day",
    metadata,
    Column("regulator", String(64), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # since 1970, UTC
    Column("what", Integer, primary_key=True, autoincrement=False),  # Bounded
    Column("count", Integer, nullable=False),
)

_C = regulator_day.c
_COUNTED = (
    select(_C["count"])
    .where(
        _C.regulator == bindparam("regulator"),
        _C.day == bindparam("day"),
        _C.what == bindparam("what"),
    )
    .with_for_update()
)


def require(connection: Connection, regulator: str, what: Bounded, at: datetime) -> None:
    """Raise ``Refusal`` (REASON_QUOTA_EXCEEDED) where there were as many as there may be in a day.

    Nobody else counts until the transaction ends.
    """
    key = {"regulator": regulator, "day": day_of(at), "what": what}
    most = PER_DAY[what]
    if (connection.execute(_COUNTED, key).scalar_one_or_none() or 0) >= most:
        raise Refusal(
            Reason.REASON_QUOTA_EXCEEDED,
            f"{most} a day: {what.name}",
            retry_after=start_of_day(day_of(at) + 1) - at,
        )


def count(connection: Connection, regulator: str, what: Bounded, at: datetime) -> int:
    """Count one more; return how many there are on the day."""
    row = {"regulator": regulator, "day": day_of(at), "what": what, "count": 1}
    return int(connection.execute(_ADD[connection.dialect.name], row).scalar_one())


def forget(connection: Connection, at: datetime) -> None:
    """Delete the counts of days that are over; those of yesterday may still be counted in."""
    connection.execute(delete(regulator_day).where(_C.day < day_of(at - timedelta(days=1))))


def _added() -> dict[str, Any]:
    statements: dict[str, Any] = {}
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert)):
        statement: Any = insert(regulator_day)
        statements[name] = statement.on_conflict_do_update(
            index_elements=list(regulator_day.primary_key), set_={"count": _C["count"] + 1}
        ).returning(_C["count"])
    return statements


_ADD = _added()
