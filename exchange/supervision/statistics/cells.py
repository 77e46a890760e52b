"""Cells and rows of tables: which numbers are told, and how. Pure.

The rule (docs/statistics.md): a count below the smallest cell is not told; others are rounded to its multiples.
Where a total is told too, or another table tells it, ``suppression.told`` hides one more. Keys are those of lists
that hold for the table whatever was counted, zeros too, so that nothing is learnt from whether a row is there.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from concordat import v1
from concordat.v1 import StatisticsMeasure as M
from exchange.supervision.statistics.buckets import BOUNDS_MS, P50, P99, quantile
from exchange.supervision.suppression import rounded, told

Cell = v1.StatisticsCell
Measure: TypeAlias = M.ValueType


def count_cell(measure: Measure, count: int | None) -> Cell:
    """Return a count that was rounded; None for one that is suppressed."""
    return Cell(measure=measure) if count is None else Cell(measure=measure, count=count)


def lone_cell(measure: Measure, count: int, smallest: int) -> Cell:
    """Return a count that no total is told of."""
    return count_cell(measure, rounded(count, smallest) if count >= smallest else None)


def failing_cell(measure: Measure, count: int, smallest: int) -> Cell:
    """Return a count of a member's own failings: none, few, or rounded."""
    if count == 0:
        return Cell(measure=measure, none=True)
    if count < smallest:
        return Cell(measure=measure, few=True)
    return Cell(measure=measure, count=rounded(count, smallest))


def rate_cell(measure: Measure, part: int | None, whole: int | None) -> Cell:
    """Return the rate of two counts as they are told; suppressed where one of them is."""
    if part is None or not whole:
        return Cell(measure=measure)
    return Cell(measure=measure, rate_ppm=min(part, whole) * 1_000_000 // whole)


def time_cells(buckets: Mapping[int, int], smallest: int) -> list[Cell]:
    """Return the median and the 99th percentile as ends of buckets; suppressed below the smallest cell."""
    return [
        _time_cell(M.STATISTICS_MEASURE_P50, buckets, P50, smallest),
        _time_cell(M.STATISTICS_MEASURE_P99, buckets, P99, smallest),
    ]


def _time_cell(measure: Measure, buckets: Mapping[int, int], per_mille: int, smallest: int) -> Cell:
    if sum(buckets.values()) < smallest:
        return Cell(measure=measure)
    place = quantile(buckets, per_mille)
    if place < len(BOUNDS_MS):
        return Cell(measure=measure, up_to_ms=BOUNDS_MS[place])
    return Cell(measure=measure, above_ms=BOUNDS_MS[-1])


def column(measure: Measure, counts: Sequence[int], smallest: int) -> tuple[list[Cell], Cell]:
    """Return the cells of a column whose total is told, and the total's."""
    cells = [count_cell(measure, each) for each in told(counts, smallest)]
    return cells, lone_cell(measure, sum(counts), smallest)


def by_member(
    members: Sequence[str], columns: Sequence[tuple[Sequence[Cell], Cell | None]]
) -> list[v1.StatisticsRow]:
    """Return a row for each member, and the total where a column has one."""
    rows = [
        v1.StatisticsRow(member=member, cells=[cells[place] for cells, _ in columns])
        for place, member in enumerate(members)
    ]
    totals = [total for _, total in columns if total is not None]
    return [*rows, v1.StatisticsRow(total=True, cells=totals)] if totals else rows


def failings(
    measure: Measure, members: Sequence[str], counts: Mapping[str, int], smallest: int
) -> tuple[list[Cell], None]:
    """Return the cells of a column of members' own failings, of which no total is told."""
    return [failing_cell(measure, counts.get(member, 0), smallest) for member in members], None


def worth_telling(rows: Iterable[v1.StatisticsRow]) -> list[v1.StatisticsRow]:
    """Return the rows in which anything is told."""
    return [row for row in rows if any(cell.WhichOneof("told") for cell in row.cells)]


def names(known: Iterable[str], *found: Iterable[Any]) -> list[str]:
    """Return the members that a table has rows of: all that are known, and whoever was counted besides."""
    return sorted({*known, *(each for some in found for each in some if each)})
