"""How far each lender is limited. On a distributed database the table stays on one node."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Integer,
    Row,
    String,
    Table,
    bindparam,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from concordat.clock import from_micros, to_micros
from exchange.limits.rules import Level, Signal, Standing
from exchange.schema import metadata

lender_limit = Table(
    "lender_limit",
    metadata,
    Column("lender", String(64), primary_key=True),
    Column("level", Integer, nullable=False),  # ``rules.Level``
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger),
    Column("signals", JSON, nullable=False),  # name of each to the time since which it is seen
)

_LIMIT = lender_limit.c
# Sorted, so that two processes that lock them lock them in the same order.
_LIMITED = select(lender_limit).order_by(_LIMIT.lender)
_HOLD = select(_LIMIT.lender).where(_LIMIT.lender == bindparam("name")).with_for_update()


def _setting(insert: Callable[[Table], Any]) -> Any:
    statement = insert(lender_limit)
    names = ("level", "since", "until", "signals")
    return statement.on_conflict_do_update(
        index_elements=[_LIMIT.lender], set_={name: statement.excluded[name] for name in names}
    )


_SET = {"sqlite": _setting(sqlite.insert), "postgresql": _setting(postgresql.insert)}


def standings(connection: Connection, *, hold: bool = False) -> dict[str, Standing]:
    """Return the standing of each lender that ever was limited; with ``hold``, for this transaction."""
    rows = connection.execute(_LIMITED.with_for_update() if hold else _LIMITED)
    return {row.lender: _standing(row) for row in rows}


def hold(connection: Connection, lender: str) -> None:
    """Wait until no other process lets in asks of a limited lender, and let none until this commits."""
    connection.execute(_HOLD, {"name": lender})


def put(connection: Connection, lender: str, standing: Standing) -> None:
    """Keep a lender's standing."""
    row = {
        "lender": lender,
        "level": standing.level,
        "since": to_micros(standing.since),
        "until": None if standing.until is None else to_micros(standing.until),
        "signals": {signal.value: to_micros(at) for signal, at in standing.signals.items()},
    }
    connection.execute(_SET[connection.dialect.name], row)


def _standing(row: Row[Any]) -> Standing:
    return Standing(
        Level(row.level),
        from_micros(row.since),
        None if row.until is None else from_micros(row.until),
        {Signal(name): from_micros(at) for name, at in row.signals.items()},
    )
