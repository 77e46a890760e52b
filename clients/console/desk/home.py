"""The first page: the regulator's own case look-ups, before anything about others."""

from starlette.responses import Response

from clients.console.base import Visit
from clients.console.base.formats import number, period
from clients.console.desk.journal import Act
from clients.console.desk.office import Office
from clients.console.desk.officers import Officer
from clients.console.desk.words import NOTHING, Shown, cell_words, statistics_table
from clients.language import tr
from clients.sdk.cases import case_of
from concordat import v1
from concordat.clock import from_timestamp
from concordat.v1 import StatisticsMeasure as M
from concordat.v1 import StatisticsTable as T

LOOK_UP = "case-look-up"
_MONTHS = 6
_TOLD = (
    M.STATISTICS_MEASURE_LOOK_UPS,
    M.STATISTICS_MEASURE_REFUSED,
    M.STATISTICS_MEASURE_NOTICES_DUE,
    M.STATISTICS_MEASURE_NOTICES_DELIVERED,
    M.STATISTICS_MEASURE_BUDGET,
)


def show(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show how often this regulator and all looked people up, and who of them was told."""
    months = office.reading.months(_MONTHS)
    told = {name: office.reading.month(name).get(T.STATISTICS_TABLE_CASES) for name in months}
    latest = next((each for each in told.values() if each is not None), None)
    return visit.page(
        "home.html",
        officer=officer,
        here_now=_here(office),
        by_month=_by_month(told),
        latest=statistics_table(latest) if latest is not None else None,
    )


def _here(office: Office) -> list[tuple[str, str]]:
    """Return what this desk itself knows of the month that runs."""
    at = office.now()
    acts = [each for each in office.journal.read() if each.act == LOOK_UP]
    this_month = [each for each in acts if each.at.startswith(at.strftime("%Y-%m"))]
    cases = [case_of(each) for each in office.cases.all()]
    due = [each for each in cases if from_timestamp(each.notice_at) <= at]
    return [
        (tr("Look-ups asked for at this desk, this month"), number(_begun(this_month))),
        (tr("Cases kept at this desk"), number(len(cases))),
        (tr("Of those, past the date by which their subject is told"), number(len(due))),
    ]


def _begun(acts: list[Act]) -> int:
    return sum(each.outcome == "begun" for each in acts)


def _by_month(told: dict[str, v1.Statistics | None]) -> Shown:
    heads = [
        tr("month"),
        tr("look-ups"),
        tr("refused"),
        tr("notices due"),
        tr("notices delivered"),
        tr("budget of the month"),
    ]
    rows = [[period(name), *_totals(table)] for name, table in told.items() if table is not None]
    caption = tr("Case look-ups of all regulators, by month")
    return Shown(caption, heads, rows, range(1, len(heads)))


def _totals(told: v1.Statistics) -> list[str]:
    """Return the figures of a month's last row, which is of all; dashes where it tells none."""
    total = next((row for row in told.rows if row.total), None)
    if total is None:
        return [NOTHING] * len(_TOLD)
    cells = {cell.measure: cell for cell in total.cells}
    return [
        cell_words(cells[each], told.smallest_cell) if each in cells else NOTHING for each in _TOLD
    ]
