"""How members did on days that are over, out of the statistics as they are told, and nothing beside. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from clients.console.base.charts import Chart, Told
from clients.console.base.formats import number, period
from clients.console.desk.series import NARROW, gap_chart
from clients.console.desk.words import NOTHING, ROLES, Shown, cell_words, untold
from clients.language import tr
from clients.regulator_report.month import Month
from clients.regulator_report.wording import COLUMNS
from concordat import v1
from concordat.v1 import Role
from concordat.v1 import StatisticsMeasure as M
from concordat.v1 import StatisticsTable as T

_ANSWERS = (
    M.STATISTICS_MEASURE_SCORED,
    M.STATISTICS_MEASURE_NO_RECORD,
    M.STATISTICS_MEASURE_FROZEN,
    M.STATISTICS_MEASURE_PROVIDER_REFUSED,
)
_FAILURES = (
    M.STATISTICS_MEASURE_TIMED_OUT,
    M.STATISTICS_MEASURE_UNREACHABLE,
    M.STATISTICS_MEASURE_INVALID,
)
_TIMES = (M.STATISTICS_MEASURE_P50, M.STATISTICS_MEASURE_P99)

Cells = Mapping[int, v1.StatisticsCell]


@dataclass(frozen=True, slots=True)
class Availability:
    """How much of what was asked was answered, in percent: so much, or ``at_least`` so much."""

    percent: int
    at_least: bool

    def __str__(self) -> str:
        """Return it in words."""
        share = f"{self.percent}%"
        return tr("at least {share}", share=share) if self.at_least else share


def availability(cells: Cells, smallest: int) -> Availability | None:
    """Return how available a provider was by its cells; None where they tell too little.

    Counts are rounded, and few is not told how few. So it is the least that it can have been, to the percent
    below; exact where no answer failed.
    """
    answered = sum(_least(cells[each], smallest) for each in _ANSWERS if each in cells)
    failed = [_most(cells.get(each), smallest) for each in _FAILURES]
    if not answered or None in failed:
        return None
    lost = sum(each for each in failed if each)
    return Availability(answered * 100 // (answered + lost), at_least=lost > 0)


def _least(cell: v1.StatisticsCell, smallest: int) -> int:
    """Return the smallest count that a cell can stand for."""
    if cell.WhichOneof("told") != "count":
        return 0
    return max(cell.count - smallest // 2, smallest)


def _most(cell: v1.StatisticsCell | None, smallest: int) -> int | None:
    """Return the largest count of failings that a cell can stand for."""
    kind = cell.WhichOneof("told") if cell is not None else None
    if cell is None or kind is None:
        return None
    if kind == "count":
        return cell.count + smallest - smallest // 2 - 1
    return smallest - 1 if kind == "few" else 0


def last_day(told: Month) -> str:
    """Return the latest day of which anything is told; empty where there is none."""
    return max((day for day, tables in told.days.items() if tables), default="")


def health_table(told: Month) -> Shown:
    """Return how each provider and lender did on the last day that is told."""
    day = last_day(told)
    tables = told.days.get(day, {})
    heads = [
        tr("member"),
        tr("asked, or asking, as"),
        tr("answered"),
        tr("refused"),
        tr("available"),
        *(tr(COLUMNS[each]) for each in _TIMES),
    ]
    rows = [*_providers(tables), *_lenders(tables)]
    about = tr(
        "Available: how much of what a provider was asked it answered, in whatever way. As counts are rounded, "
        "it is the least that it can have been. Members with other roles are in no table of a day."
    )
    caption = (
        tr("Health on {day}, the last day that is told", day=period(day)) if day else tr("Health")
    )
    return Shown(caption, heads, rows, range(2, len(heads)), about)


def _providers(tables: Mapping[int, v1.Statistics]) -> Iterator[list[str]]:
    told = tables.get(T.STATISTICS_TABLE_PROVIDERS, v1.Statistics())
    for row in told.rows:
        cells = _cells([row])
        yield [
            row.member,
            tr(ROLES[Role.ROLE_PROVIDER]),
            _sum([row], _ANSWERS, told.smallest_cell),
            _sum([row], (M.STATISTICS_MEASURE_PROVIDER_REFUSED,), told.smallest_cell),
            str(availability(cells, told.smallest_cell) or untold(told.smallest_cell)),
            *_times(cells, told.smallest_cell),
        ]


def _lenders(tables: Mapping[int, v1.Statistics]) -> Iterator[list[str]]:
    asked = tables.get(T.STATISTICS_TABLE_QUERIES, v1.Statistics())
    views = tables.get(T.STATISTICS_TABLE_VIEW_LATENCY, v1.Statistics())
    smallest = max(asked.smallest_cell, views.smallest_cell)
    for lender in sorted({row.member for row in (*asked.rows, *views.rows)}):
        rows = [row for row in asked.rows if row.member == lender]
        yield [
            lender,
            tr(ROLES[Role.ROLE_LENDER]),
            _sum(rows, (M.STATISTICS_MEASURE_ANSWERED,), smallest),
            _sum(rows, (M.STATISTICS_MEASURE_REFUSED,), smallest),
            NOTHING,
            *_times(_cells([row for row in views.rows if row.member == lender]), smallest),
        ]


def _sum(rows: Sequence[v1.StatisticsRow], measures: Sequence[int], smallest: int) -> str:
    """Return the counts that are told, added up; as not told where none is."""
    counts = [
        cell.count
        for row in rows
        for cell in row.cells
        if cell.measure in measures and cell.WhichOneof("told") == "count"
    ]
    return number(sum(counts)) if counts else untold(smallest)


def _times(cells: Cells, smallest: int) -> list[str]:
    return [cell_words(cells[each], smallest) if each in cells else NOTHING for each in _TIMES]


def _cells(rows: Sequence[v1.StatisticsRow]) -> Cells:
    return {cell.measure: cell for row in rows for cell in row.cells}


def availability_charts(told: Month) -> list[Chart]:
    """Return a line of each provider's availability over the days; none where no day tells of any."""
    daily = [
        (day, tables.get(T.STATISTICS_TABLE_PROVIDERS, v1.Statistics()))
        for day, tables in told.days.items()
    ]
    providers = sorted({row.member for _, table in daily for row in table.rows})
    return [_line(provider, daily, told.smallest) for provider in providers]


def _line(provider: str, daily: Sequence[tuple[str, v1.Statistics]], smallest: int) -> Chart:
    points: list[tuple[str, int | None, str]] = []
    for day, table in daily:
        rows = [row for row in table.rows if row.member == provider]
        found = availability(_cells(rows), table.smallest_cell)
        points.append(
            (period(day), found.percent if found else None, str(found or untold(smallest)))
        )
    told = Told(
        f"available-{provider}",
        provider,
        tr(
            "A line over {days} days, from 0 % to 100 %; a day that tells too little is left open.",
            days=len(points),
        ),
        (tr("day"), tr("available")),
        [(day, figure) for day, _, figure in points],
    )
    return gap_chart(told, points, most=100, width=NARROW)
