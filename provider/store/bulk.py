"""Looking many subjects up at once, with statements that are built once.

SQLAlchemy's own lists in IN are expanded anew at every execution, which costs more than the look-up
itself. Here a list is padded with its last key to the next power of two, so that few statements do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Column, ColumnElement, Connection, Row, Select, bindparam

MAX_KEYS = 16_384
NO_OTHER: Mapping[str, object] = {}


def among(column: Column[Any], size: int, which: int = 0) -> ColumnElement[bool]:
    """Return the condition that ``column`` is one of the ``size`` keys of list number ``which``."""
    names: list[BindParameter[Any]] = [bindparam(f"key{which}_{n}") for n in range(size)]
    return column.in_(names)


class Lookup:
    """A SELECT by one or more lists of keys."""

    def __init__(self, make: Callable[[int], Select[*tuple[Any, ...]]]) -> None:
        """``make`` returns the SELECT for a length of list; see ``among``."""
        self._make = cache(make)

    def run(
        self,
        connection: Connection,
        *lists: Sequence[bytes],
        other: Mapping[str, object] = NO_OTHER,
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        """Return the rows for ``lists``, each of at most 16,384 keys, and ``other`` parameters."""
        longest = max(len(keys) for keys in lists)
        if not longest:
            return []
        size = 1 << (longest - 1).bit_length()
        parameters = dict(other)
        for which, keys in enumerate(lists):
            padded = [*keys, *[keys[-1]] * (size - len(keys))]
            parameters.update((f"key{which}_{n}", key) for n, key in enumerate(padded))
        return connection.execute(self._make(size), parameters).all()


def bound(rows: Iterable[NamedTuple]) -> list[dict[str, object]]:
    """Return rows as parameters of an UPDATE of many rows.

    Each name has a ``_`` before it: SQLAlchemy keeps the columns' own names for what is set.
    """
    return [{f"_{name}": value for name, value in row._asdict().items()} for row in rows]
