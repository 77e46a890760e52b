"""The report of a month: one page of HTML that prints, its plots, and its tables as CSV."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from markupsafe import Markup

from clients.regulator_report import plots
from clients.regulator_report.grid import Grid, cell_words, grid_of
from clients.regulator_report.month import (
    Month,
    all_days,
    by_member,
    providers_grid,
    times_by_day,
    times_grid,
    told_by_day,
    traffic_grid,
)
from clients.regulator_report.plots import Series, environment
from clients.regulator_report.wording import COLUMNS, TABLES
from concordat import v1
from concordat.v1 import StatisticsMeasure as M
from concordat.v1 import StatisticsTable as T

_BY_DAY = (
    T.STATISTICS_TABLE_QUERIES,
    T.STATISTICS_TABLE_REFUSALS,
    T.STATISTICS_TABLE_VIEW_LATENCY,
    T.STATISTICS_TABLE_PROVIDERS,
    T.STATISTICS_TABLE_CONSENT_EVENTS,
    T.STATISTICS_TABLE_CONSENT_DELAY,
    T.STATISTICS_TABLE_LISTINGS_BY_STATE,
)
_TIMES = (
    T.STATISTICS_TABLE_VIEW_LATENCY,
    T.STATISTICS_TABLE_PROVIDERS,
    T.STATISTICS_TABLE_CONSENT_EVENTS,
    T.STATISTICS_TABLE_CONSENT_DELAY,
)
_BARS: Mapping[int, Sequence[int]] = {
    T.STATISTICS_TABLE_LISTINGS_BY_STATE: (
        M.STATISTICS_MEASURE_STANDS_EFFECTIVE,
        M.STATISTICS_MEASURE_STANDS_CONTESTED,
        M.STATISTICS_MEASURE_STANDS_UNDER_REVIEW,
    ),
    T.STATISTICS_TABLE_LISTINGS: (
        M.STATISTICS_MEASURE_FILED,
        M.STATISTICS_MEASURE_EFFECTIVE,
        M.STATISTICS_MEASURE_ENDED,
    ),
    T.STATISTICS_TABLE_DISPUTES: (
        M.STATISTICS_MEASURE_DISPUTED,
        M.STATISTICS_MEASURE_DECIDED,
        M.STATISTICS_MEASURE_UPHELD,
    ),
    T.STATISTICS_TABLE_OUTCOMES: (
        M.STATISTICS_MEASURE_OUTCOMES_DUE,
        M.STATISTICS_MEASURE_OUTCOMES_MISSING,
        M.STATISTICS_MEASURE_OUTCOMES_UNREVIEWED,
    ),
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Part:
    """A table of the report, with its plot where it has one."""

    grid: Grid
    plot: Markup | None = None


@dataclass(frozen=True, slots=True)
class OwnLookUps:
    """The regulator's own look-ups in cases: what the first page begins with."""

    regulator: str
    own: Sequence[tuple[str, str]]
    everyone: Sequence[tuple[str, str]]
    articles: Sequence[tuple[str, str]]


def own_look_ups(month: Month, regulator: str) -> OwnLookUps:
    """Return what the table of case look-ups tells of a regulator, of all, and of articles."""
    told = month.tables.get(T.STATISTICS_TABLE_CASES, v1.Statistics())
    own = next((row for row in told.rows if row.member == regulator), v1.StatisticsRow())
    total = next((row for row in told.rows if row.total), v1.StatisticsRow())
    return OwnLookUps(
        regulator,
        _facts(own, month.smallest),
        [*_facts(total, month.smallest), *_left(total, month.smallest)],
        [
            (row.legal_article, cell_words(row.cells[0], month.smallest))
            for row in told.rows
            if row.legal_article
        ],
    )


def _facts(row: v1.StatisticsRow, smallest: int) -> list[tuple[str, str]]:
    return [(COLUMNS[cell.measure], cell_words(cell, smallest)) for cell in row.cells]


def _left(total: v1.StatisticsRow, smallest: int) -> list[tuple[str, str]]:
    """Return what is left of the budget, as far as the look-ups are told."""
    cells = {cell.measure: cell for cell in total.cells}
    made = cells.get(M.STATISTICS_MEASURE_LOOK_UPS, v1.StatisticsCell())
    budget = cells.get(M.STATISTICS_MEASURE_BUDGET, v1.StatisticsCell()).setting
    words = {
        "none": f"{budget:,}",
        "few": f"at least {max(budget - smallest + 1, 0):,}",
        "count": f"about {max(budget - made.count, 0):,}",
    }
    told = made.WhichOneof("told") or ""
    return [("left of it", words[told])] if budget and told in words else []


def parts_of(month: Month) -> Iterator[Part]:
    """Yield the tables of the report in their order, each with its plot."""
    days = [day[-2:] for day in month.days]
    if days:
        yield Part(traffic_grid(month), _traffic_plot(month, days))
        for table in _TIMES:
            grid = times_grid(month, table)
            yield Part(grid, _times_plot(month, table, days, grid.title))
        yield Part(providers_grid(month))
        yield from _standing(month)
    for kind, told in sorted(month.tables.items()):
        if kind != T.STATISTICS_TABLE_CASES:
            yield Part(grid_of(told), _bars_plot(told, month.smallest))


def _standing(month: Month) -> Iterator[Part]:
    """Yield how listings stood on the last day of the month that tells it."""
    told = [each for _, each in month.daily(T.STATISTICS_TABLE_LISTINGS_BY_STATE) if each.rows]
    if told:
        grid = grid_of(told[-1])
        dated = replace(grid, title=f"{grid.title}, {grid.period}")
        yield Part(dated, _bars_plot(told[-1], month.smallest))


def _traffic_plot(month: Month, days: Sequence[str]) -> Markup:
    queries = T.STATISTICS_TABLE_QUERIES
    measures = (M.STATISTICS_MEASURE_ANSWERED, M.STATISTICS_MEASURE_UNANSWERED)
    series = [Series(COLUMNS[each], told_by_day(month, queries, each)) for each in measures]
    refused = told_by_day(month, T.STATISTICS_TABLE_REFUSALS, M.STATISTICS_MEASURE_REFUSED)
    return plots.lines("Requests by day", days, [*series, Series("refused", refused)])


def _times_plot(month: Month, table: int, days: Sequence[str], title: str) -> Markup | None:
    found = times_by_day(month, table, M.STATISTICS_MEASURE_P99)
    if not found:
        return None
    series = [Series(name or "all", values) for name, values in found.items()]
    return plots.lines(title, days, series, unit="ms")


def _bars_plot(told: v1.Statistics, smallest: int) -> Markup | None:
    measures = _BARS.get(told.table, ())
    members = by_member(told, measures)
    if not any(value is not None for values in members.values() for value in values):
        return None
    series = [
        Series(COLUMNS[each], [values[nth] for values in members.values()])
        for nth, each in enumerate(measures)
    ]
    title, _ = TABLES[told.table]
    return plots.bars(title, list(members), series, f"not told, or fewer than {smallest}")


def write_report(
    folder: Path, month: Month, regulator: str, federation: str, read_at: datetime
) -> list[Path]:
    """Write ``report.html``, ``tables/*.csv`` and ``figures/*.svg`` into a folder; return them all."""
    parts = list(parts_of(month))
    page = (
        environment()
        .get_template("report.html")
        .render(
            month=month.name,
            federation=federation,
            cases=own_look_ups(month, regulator),
            smallest=month.smallest,
            read_at=f"{read_at:%Y-%m-%d %H:%M} UTC",
            days=len(month.days),
            parts=parts,
        )
    )
    files = {folder / "report.html": page}
    files |= {
        folder / "figures" / f"{part.grid.name}.svg": str(part.plot) for part in parts if part.plot
    }
    files |= {folder / "tables" / f"{grid.name}.csv": csv_of(grid) for grid in _grids(month)}
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return sorted(files)


def _grids(month: Month) -> Iterator[Grid]:
    yield from (all_days(month, table) for table in _BY_DAY if month.daily(table))
    yield from (grid_of(told) for told in month.tables.values())


def csv_of(grid: Grid) -> str:
    """Return a table as CSV; no cell of it is a formula to a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["period", *grid.heads])
    for row in grid.rows:
        writer.writerow([grid.period, *(_plain(cell) for cell in row)])
    return out.getvalue()


def _plain(cell: str) -> str:
    if cell.replace(",", "").isdecimal():
        return cell.replace(",", "")
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
