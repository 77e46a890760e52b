"""Traffic, refusals and times over the days that are told: lines with gaps, and the tables behind them."""

from collections.abc import Sequence

from starlette.responses import Response

from clients.console.base import Visit
from clients.console.base.charts import Chart, Told
from clients.console.base.formats import number, period
from clients.console.desk.office import Office
from clients.console.desk.officers import Officer
from clients.console.desk.series import gap_chart
from clients.console.desk.words import Shown, statistics_table, untold
from clients.language import tr
from clients.regulator_report.grid import length_words
from clients.regulator_report.month import Month, times_by_day, told_by_day
from clients.regulator_report.wording import COLUMNS, TABLES
from concordat.v1 import StatisticsMeasure as M
from concordat.v1 import StatisticsTable as T

SPANS = (7, 14, 30)
_DEFAULT_SPAN = "14"


def traffic(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show requests that were answered, let in without an answer, and refused."""
    del officer
    span, told = _told(office, visit)
    asked, refused = T.STATISTICS_TABLE_QUERIES, T.STATISTICS_TABLE_REFUSALS
    charts = [
        _counts(told, asked, M.STATISTICS_MEASURE_ANSWERED, tr("Requests answered, by day")),
        _counts(told, refused, M.STATISTICS_MEASURE_REFUSED, tr("Requests refused, by day")),
    ]
    heading, lead = tr("Traffic and refusals"), tr("All lenders and purposes together.")
    tables = _latest(told, asked, refused)
    return _page(visit, heading, lead, span, charts, tables)


def latency(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show how long views and providers took."""
    del officer
    span, told = _told(office, visit)
    views, providers = T.STATISTICS_TABLE_VIEW_LATENCY, T.STATISTICS_TABLE_PROVIDERS
    charts = [
        _times(told, views, tr("Views: the slowest lender's 99 % within, by day")),
        _times(told, providers, tr("Providers: the slowest one's 99 % within, by day")),
    ]
    lead = tr("Times are the ends of buckets; 99 of 100 took no longer.")
    return _page(visit, tr("Latency"), lead, span, charts, _latest(told, views, providers))


def revocations(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show how soon a subject's revocation or pause was in force, and how soon consents were used."""
    del officer
    span, told = _told(office, visit)
    events, delay = T.STATISTICS_TABLE_CONSENT_EVENTS, T.STATISTICS_TABLE_CONSENT_DELAY
    charts = [_times(told, events, tr("From signing to in force: 99 % within, by day"))]
    lead = tr("A revocation must hold within a second of reaching the exchange.")
    tables = _latest(told, events, delay)
    return _page(visit, tr("Revocations"), lead, span, charts, tables)


def _told(office: Office, visit: Visit) -> tuple[int, Month]:
    asked = visit.asked("days") or _DEFAULT_SPAN
    span = next((each for each in SPANS if str(each) == asked), int(_DEFAULT_SPAN))
    return span, office.reading.days(span)


def _page(  # what a page of figures is made of
    visit: Visit,
    heading: str,
    lead: str,
    span: int,
    charts: Sequence[Chart],
    tables: Sequence[Shown],
) -> Response:
    options = [(str(each), tr("{number} days", number=each)) for each in SPANS]
    return visit.page(
        "figures.html",
        heading=heading,
        lead=lead,
        charts=charts,
        tables=tables,
        choice=("days", tr("How far back"), options, str(span)),
    )


def _counts(told: Month, table: int, measure: int, title: str) -> Chart:
    values = told_by_day(told, table, measure)
    points = [
        (period(name), value, untold(told.smallest) if value is None else number(value))
        for name, value in zip(told.days, values, strict=True)
    ]
    return _chart(f"t{table}m{measure}", title, tr(COLUMNS[measure]), points)


def _times(told: Month, table: int, title: str) -> Chart:
    by_member = times_by_day(told, table, M.STATISTICS_MEASURE_P99)
    points = []
    for nth, name in enumerate(told.days):
        found = [values[nth] for values in by_member.values()]
        value = max((each for each in found if each is not None), default=None)
        figure = untold(told.smallest) if value is None else length_words(value)
        points.append((period(name), value, figure))
    return _chart(f"t{table}p99", title, tr(COLUMNS[M.STATISTICS_MEASURE_P99]), points)


def _chart(name: str, title: str, head: str, points: list[tuple[str, int | None, str]]) -> Chart:
    gaps = sum(value is None for _, value, _ in points)
    description = tr(
        "A line over {days} days; {gaps} of them tell no number and are left open.",
        days=len(points),
        gaps=gaps,
    )
    rows = [(day, figure) for day, _, figure in points]
    return gap_chart(Told(name, title, description, (tr("day"), head), rows), points)


def _latest(told: Month, *kinds: int) -> list[Shown]:
    """Return the tables of the latest day that has them; an empty one where no day has."""
    shown = []
    for kind in kinds:
        found = told.daily(kind)
        if found:
            shown.append(statistics_table(found[-1][1]))
        else:
            title, about = TABLES[kind]
            shown.append(Shown(tr(title), (), (), about=tr(about)))
    return shown
