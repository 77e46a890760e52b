"""Many rows by one statement, at little more than what the database takes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter

from sqlalchemy import Connection, Delete, Dialect, Insert, Update

Statement = Insert | Update | Delete


def execute_many(
    connection: Connection, statement: Statement, rows: Sequence[Mapping[str, object]]
) -> None:
    """Run a statement once for each row; as ``Connection.execute``, for values that need no conversion.

    All rows have the same names, at least two; ``statement`` is one that is kept, as it is compiled once.
    With none nothing is run. SQLAlchemy's own making of parameters, row by row, costs more than SQLite takes
    to write them; a driver that is handed names gets them through SQLAlchemy.
    """
    if not rows:
        return
    sql, names = _compiled(statement, connection.dialect, tuple(rows[0]))
    if not names:
        connection.execute(statement, rows)
        return
    connection.exec_driver_sql(sql, list(map(itemgetter(*names), rows)))


@lru_cache(maxsize=256)
def _compiled(
    statement: Statement, dialect: Dialect, names: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """Return the SQL and the names of its parameters in order; none where SQLAlchemy has to make them."""
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    order = tuple(compiled.positiontup or ())
    return compiled.string, order if set(order) == set(names) and len(order) > 1 else ()
