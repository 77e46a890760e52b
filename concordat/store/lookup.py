"""Looking many rows up by their keys at once, with statements that are built once and use the key's index.

``(a, b) IN ((?, ?), (?, ?))`` is what SQLAlchemy makes of a list of keys: anew at every execution, which costs
more than the look-up, and in a form for which SQLite reads the whole table as soon as there are two keys.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    column,
    text,
    tuple_,
)
from sqlalchemy.types import TypeDecorator

_AT_ONCE = 4096  # keys: below what databases take of parameters in one statement


class Lookup:
    """A SELECT of the rows that have one of many keys."""

    def __init__(
        self, make: Callable[[ColumnElement[bool]], Select[*tuple[Any, ...]]], *columns: Column[Any]
    ) -> None:
        """``make`` returns the SELECT for the condition that ``columns`` are one of the keys."""
        self._make = cache(lambda size: make(_among(columns, size)))

    def run(
        self, connection: Connection, keys: Iterable[Sequence[object]], **others: object
    ) -> list[Row[*tuple[Any, ...]]]:
        """Return the rows of ``keys`` (one value for each column); ``others`` are further parameters.

        Where the SELECT has an order, it is that of each 4,096 keys. Keys are looked up sorted, so that two
        who lock rows lock them in the same order.
        """
        wanted = sorted({tuple(key) for key in keys})
        rows: list[Row[*tuple[Any, ...]]] = []
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            size = 1 << (len(some) - 1).bit_length()
            some += some[-1:] * (size - len(some))  # so that few lengths, and few statements, do
            values = {
                f"key{n}_{m}": part for n, key in enumerate(some) for m, part in enumerate(key)
            }
            rows += connection.execute(self._make(size), {**values, **others}).all()
        return rows


def _among(columns: Sequence[Column[Any]], size: int) -> ColumnElement[bool]:
    """Return the condition that ``columns`` are one of ``size`` keys."""
    names = [f"part{m}" for m in range(len(columns))]
    parts = ", ".join(names)
    keys = ", ".join(
        "(" + ", ".join(f":key{n}_{m}" for m in range(len(columns))) + ")" for n in range(size)
    )
    wanted = text(f"WITH wanted({parts}) AS (VALUES {keys}) SELECT {parts} FROM wanted")  # noqa: S608
    converted = [
        bindparam(f"key{n}_{m}", type_=of.type)
        for m, of in enumerate(columns)
        if isinstance(of.type, TypeDecorator)
        for n in range(size)
    ]
    return tuple_(*columns).in_(wanted.bindparams(*converted).columns(*map(column, names)))
