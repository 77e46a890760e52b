"""Many rows by one statement, at little more than what the database takes."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Update

Statement = Insert | Update | Delete
Convert = Callable[[Any], Any]


def execute_many(
    connection: Connection, statement: Statement, rows: Sequence[Mapping[str, object]]
) -> None:
    """Run a statement once for each row, as ``Connection.execute``.

    All rows have the same names, at least two; ``statement`` is one that is kept, as it is compiled once.
    With none nothing is run. SQLAlchemy's own making of parameters, row by row, costs more than SQLite takes
    to write them; a driver that is handed names gets them through SQLAlchemy.
    """
    if not rows:
        return
    sql, names, conversions = _compiled(statement, connection.dialect, tuple(rows[0]))
    if not names:
        connection.execute(statement, rows)
        return
    values = list(map(itemgetter(*names), rows))
    connection.exec_driver_sql(sql, _converted(values, conversions) if conversions else values)


def _converted(
    values: list[tuple[Any, ...]], conversions: Sequence[tuple[int, Convert]]
) -> list[tuple[Any, ...]]:
    """Return rows whose values at some places are converted as their columns' types demand."""
    columns: list[Any] = list(zip(*values, strict=True))
    for place, convert in conversions:
        columns[place] = map(convert, columns[place])
    return list(zip(*columns, strict=True))


@lru_cache(maxsize=256)
def _compiled(
    statement: Statement, dialect: Dialect, names: tuple[str, ...]
) -> tuple[str, tuple[str, ...], tuple[tuple[int, Convert], ...]]:
    """Return the SQL, the names of its parameters in order, and which of them are converted how.

    No names where SQLAlchemy has to make the parameters.
    """
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    order = tuple(compiled.positiontup or ())
    if set(order) != set(names) or len(order) < 2:  # noqa: PLR2004 - one alone is no tuple
        return compiled.string, (), ()
    conversions = []
    for place, name in enumerate(order):
        convert = compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)
        if convert is not None:
            conversions.append((place, convert))
    return compiled.string, order, tuple(conversions)
