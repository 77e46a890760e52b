"""What a table is made of: the connection, the period, the members, the smallest cell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Select, case

from concordat import v1
from exchange.supervision.statistics import table
from exchange.supervision.statistics.buckets import BOUNDS_MS
from exchange.supervision.statistics.counting import Series
from exchange.supervision.statistics.periods import Period

_MILLISECOND = timedelta(milliseconds=1) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Sources:
    """What a table of one period is made of."""

    connection: Connection
    period: Period
    smallest: int
    members: Mapping[int, Sequence[str]]  # all that ever were licensed, by role
    budget: int | None = None  # look-ups in cases that all regulators may make in a month
    current: bool = True  # whether what stands now may be told as what stood at the period's end

    def of(self, *roles: v1.Role.ValueType) -> list[str]:
        """Return the members of any of these roles."""
        return sorted({each for role in roles for each in self.members.get(role, ())})

    def counted(self, series: Series) -> dict[str, dict[int, int]]:
        """Return what was counted in the period, by key and cell."""
        return table.counted(self.connection, series, self.period.days)

    def rows(self, query: Select[*tuple[Any, ...]]) -> Sequence[Any]:
        """Return the rows of a query."""
        return self.connection.execute(query).all()

    def within(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return whether a time lies in the period."""
        start, end = self.period.micros
        return (column >= start) & (column < end)


Maker: TypeAlias = Callable[[Sources], list[v1.StatisticsRow]]
"""What makes the rows of a table."""


def bucket_column(micros: ColumnElement[Any]) -> ColumnElement[int]:
    """Return the bucket of a length of time in microseconds, as ``buckets.bucket_of`` has it."""
    ends = [(micros <= bound * _MILLISECOND, place) for place, bound in enumerate(BOUNDS_MS)]
    return case(*ends, else_=len(BOUNDS_MS))
