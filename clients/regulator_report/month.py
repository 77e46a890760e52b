"""A month as it was read: its own tables, and those of its days put together. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from clients.regulator_report.grid import Grid, grid_of, length_words
from clients.regulator_report.wording import COLUMNS, TABLES, table_name
from concordat import v1
from concordat.v1 import StatisticsMeasure as M
from concordat.v1 import StatisticsTable as T

PROVIDER_MEASURES = (
    M.STATISTICS_MEASURE_SCORED,
    M.STATISTICS_MEASURE_NO_RECORD,
    M.STATISTICS_MEASURE_PROVIDER_REFUSED,
    M.STATISTICS_MEASURE_TIMED_OUT,
    M.STATISTICS_MEASURE_UNREACHABLE,
    M.STATISTICS_MEASURE_INVALID,
)


@dataclass(frozen=True, slots=True)
class Month:
    """The statistics of a month, and of those of its days that are kept."""

    name: str  # 2026-10
    tables: Mapping[int, v1.Statistics]
    days: Mapping[str, Mapping[int, v1.Statistics]]  # by date, oldest first

    @property
    def smallest(self) -> int:
        """The smallest cell that all of its tables are told with, the days' too."""
        every = (self.tables, *self.days.values())
        return max((each.smallest_cell for tables in every for each in tables.values()), default=10)

    def daily(self, table: int) -> list[tuple[str, v1.Statistics]]:
        """Return a table of each day that has one."""
        return [(day, tables[table]) for day, tables in self.days.items() if table in tables]


def days_of(month: str) -> list[str]:
    """Return the dates of a month."""
    first = date.fromisoformat(f"{month}-01")
    days = (first + timedelta(days=nth) for nth in range(31))
    return [day.isoformat() for day in days if day.month == first.month]


def month_of(
    name: str, tables: Iterable[v1.Statistics], days: Mapping[str, Iterable[v1.Statistics]]
) -> Month:
    """Return a month of what was read of it and of its days."""
    by_day = {day: _by_table(some) for day, some in days.items()}
    return Month(name, _by_table(tables), by_day)


def _by_table(tables: Iterable[v1.Statistics]) -> dict[int, v1.Statistics]:
    return {each.table: each for each in tables}


def all_days(month: Month, table: int) -> Grid:
    """Return the tables of all days as one, with the day before each row: what a file holds."""
    grids = [grid_of(each) for _, each in month.daily(table)]
    heads = list(dict.fromkeys(head for grid in grids for head in grid.heads))
    rows = [
        [grid.period, *(dict(zip(grid.heads, row, strict=True)).get(head, "") for head in heads)]
        for grid in grids
        for row in grid.rows
    ]
    title, about = TABLES[table]
    return Grid(table, table_name(table), title, about, ["day", *heads], rows, month.name)


def told_by_day(month: Month, table: int, measure: int) -> list[int | None]:
    """Return of each day what its rows tell in all of a measure; None where they tell nothing of it."""
    nothing = v1.Statistics()
    return [told_sum(tables.get(table, nothing), measure) for tables in month.days.values()]


def told_sum(told: v1.Statistics, measure: int) -> int | None:
    """Return the counts of a measure as they are told, added up; the total's where there is one."""
    cells = [
        (row.total, cell.count)
        for row in told.rows
        for cell in row.cells
        if cell.measure == measure and cell.WhichOneof("told") == "count"
    ]
    totals = [count for total, count in cells if total]
    return totals[0] if totals else sum(count for _, count in cells) if cells else None


def times_by_day(month: Month, table: int, measure: int) -> dict[str, list[int | None]]:
    """Return by member, or "" for all, the bounds of a time on each day, milliseconds."""
    found: dict[str, list[int | None]] = {}
    for nth, tables in enumerate(month.days.values()):
        for row in tables[table].rows if table in tables else ():
            cells = [cell for cell in row.cells if cell.measure == measure]
            if cells and cells[0].WhichOneof("told"):
                values = found.setdefault(row.member, [None] * len(month.days))
                values[nth] = cells[0].up_to_ms or cells[0].above_ms
    return dict(sorted(found.items()))


def traffic_grid(month: Month) -> Grid:
    """Return requests and refusals, a row a day: of what the tables of the day tell."""
    measures = (M.STATISTICS_MEASURE_ANSWERED, M.STATISTICS_MEASURE_UNANSWERED)
    columns = [
        *(told_by_day(month, T.STATISTICS_TABLE_QUERIES, each) for each in measures),
        told_by_day(month, T.STATISTICS_TABLE_REFUSALS, M.STATISTICS_MEASURE_REFUSED),
    ]
    rows = [
        [day, *(_words(each, month.smallest) for each in counts)]
        for day, *counts in zip(month.days, *columns, strict=True)
    ]
    heads = ["day", *(COLUMNS[each] for each in measures), "refused"]
    about = "Of all lenders and purposes: what the tables of each day tell, added up."
    table = T.STATISTICS_TABLE_QUERIES
    return Grid(table, "traffic", "Requests by day", about, heads, rows, month.name)


def times_grid(month: Month, table: int) -> Grid:
    """Return within which time 99 of 100 were done, a row a day and a column a member."""
    found = times_by_day(month, table, M.STATISTICS_MEASURE_P99)
    untold = f"fewer than {month.smallest}*"
    rows = [
        [day, *(untold if value is None else length_words(value) for value in values)]
        for day, *values in zip(month.days, *found.values(), strict=True)
    ]
    title, about = TABLES[table]
    heads = ["day", *(name or "all" for name in found)]
    name = f"{table_name(table)}-by-day"
    return Grid(table, name, f"{title}: 99 % within", about, heads, rows, month.name)


def by_member(told: v1.Statistics, measures: Sequence[int]) -> dict[str, list[int | None]]:
    """Return by member the counts of measures as far as they are told."""
    found: dict[str, list[int | None]] = {}
    for row in told.rows:
        if row.member:
            counts: dict[int, int] = {
                cell.measure: cell.count for cell in row.cells if cell.WhichOneof("told") == "count"
            }
            found[row.member] = [counts.get(each) for each in measures]
    return found


def providers_grid(month: Month) -> Grid:
    """Return what came of asking providers in all days of the month: what is told of each, added up."""
    told = [each for _, each in month.daily(T.STATISTICS_TABLE_PROVIDERS)]
    rows = [
        [member, *(_added(told, member, each, month.smallest) for each in PROVIDER_MEASURES)]
        for member in sorted({row.member for each in told for row in each.rows})
    ]
    heads = ["member", *(COLUMNS[each] for each in PROVIDER_MEASURES)]
    title, about = TABLES[T.STATISTICS_TABLE_PROVIDERS]
    about = f"{about} What the tables of each day tell, added up."
    table = T.STATISTICS_TABLE_PROVIDERS
    return Grid(table, "providers-in-all", title, about, heads, rows, month.name)


def _added(told: Sequence[v1.Statistics], member: str, measure: int, smallest: int) -> str:
    """Return a provider's cells of all days as one, in words."""
    cells = [
        cell
        for each in told
        for row in each.rows
        for cell in row.cells
        if row.member == member and cell.measure == measure
    ]
    kinds = [cell.WhichOneof("told") for cell in cells]
    if "count" in kinds:
        return f"{sum(cell.count for cell in cells):,}"
    if "few" in kinds:
        return f"1 to {smallest - 1} on {kinds.count('few')} days"
    return "none" if kinds and None not in kinds else _words(None, smallest)


def _words(count: int | None, smallest: int) -> str:
    return f"fewer than {smallest}*" if count is None else f"{count:,}"
