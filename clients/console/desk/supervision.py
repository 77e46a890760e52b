"""Disputes with their clocks, listings by what became of them, signals of fishing: aggregates alone."""

from collections.abc import Sequence

from starlette.responses import Response

from clients.console.base import Visit
from clients.console.base.charts import Chart
from clients.console.base.formats import moment, number, period
from clients.console.desk.office import Office
from clients.console.desk.officers import Officer
from clients.console.desk.table_bars import Bars
from clients.console.desk.words import Shown, shortfall, statistics_table, untold
from clients.language import tr
from clients.regulator_report.grid import period_of
from clients.regulator_report.wording import COLUMNS, TABLES
from concordat import v1
from concordat.clock import from_timestamp
from concordat.v1 import StatisticsMeasure as M
from concordat.v1 import StatisticsTable as T

_MONTHS = 12
_SIGNALS = (
    M.STATISTICS_MEASURE_SIGNAL_NO_MATCH,
    M.STATISTICS_MEASURE_SIGNAL_OTHERS_CONSENTS,
    M.STATISTICS_MEASURE_SIGNAL_ONE_SUBJECT,
    M.STATISTICS_MEASURE_SIGNAL_OUT_OF_HOURS,
    M.STATISTICS_MEASURE_SIGNAL_MISSING_OUTCOMES,
)
_DRAWN_STATES = (
    M.STATISTICS_MEASURE_STANDS_EFFECTIVE,
    M.STATISTICS_MEASURE_STANDS_CONTESTED,
    M.STATISTICS_MEASURE_STANDS_UNDER_REVIEW,
)
_CLOCKS = ("open_over_10_days", "open_3_to_10_days", "open_under_3_days")
_AFTER = ("decided", "upheld")


def disputes(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show each furnisher's open disputes by days left, and how they ended."""
    del officer
    read = office.reader.read_oversight()
    lead = tr(
        "As of {moment}, the same all day. Counts are rounded; small ones are not told.",
        moment=moment(read.as_of),
    )
    raised = Bars(
        T.STATISTICS_TABLE_DISPUTES,
        (M.STATISTICS_MEASURE_DISPUTED,),
        tr("Disputes raised, by who filed the listing"),
    )
    kinds = (T.STATISTICS_TABLE_DISPUTES,)
    return _page(office, visit, tr("Disputes"), lead, [_clocks(read)], kinds, raised)


def _clocks(read: v1.ReadOversightResponse) -> Shown:
    month = period(from_timestamp(read.month_from).strftime("%Y-%m"))
    heads = [
        tr("furnisher"),
        tr("open, more than 10 days left"),
        tr("3 to 10 days"),
        tr("under 3 days"),
        tr("overdue"),
        tr("decided in {month}", month=month),
        tr("upheld"),
        tr("ran out"),
        tr("orders overdue"),
    ]
    rows = [_furnisher(each, read.smallest_cell) for each in read.furnishers]
    caption = tr("Open disputes by furnisher, and their clocks")
    return Shown(caption, heads, rows, range(1, len(heads)))


def _furnisher(told: v1.FurnisherOversight, smallest: int) -> list[str]:
    counts = {
        name: number(getattr(told, name)) if told.HasField(name) else untold(smallest)  # type: ignore[arg-type]  # the names of fields
        for name in (*_CLOCKS, *_AFTER)
    }
    return [
        told.furnisher,
        *(counts[name] for name in _CLOCKS),
        shortfall(told.open_overdue, smallest),
        *(counts[name] for name in _AFTER),
        shortfall(told.ran_out, smallest),
        shortfall(told.orders_overdue, smallest),
    ]


def listings(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show listings by the states they stand in, and by what became of them; contests, notices, recalls."""
    del officer
    standing = office.reading.latest(T.STATISTICS_TABLE_LISTINGS_BY_STATE)
    lead = tr("Aggregates alone: no page here, and no call, lists people.")
    kinds = (
        T.STATISTICS_TABLE_LISTINGS,
        T.STATISTICS_TABLE_CONTESTS,
        T.STATISTICS_TABLE_NOTICES,
        T.STATISTICS_TABLE_RECALLS,
        T.STATISTICS_TABLE_EXPIRED_VISIBLE,
    )
    measures = (M.STATISTICS_MEASURE_FILED,)
    filed = Bars(kinds[0], measures, tr("Listings filed, by who filed them"))
    measures = (M.STATISTICS_MEASURE_EFFECTIVE,)
    effective = Bars(kinds[0], measures, tr("Listings that took effect, by who filed them"))
    states = [_standing(standing)]
    return _page(
        office,
        visit,
        tr("Listings"),
        lead,
        states,
        kinds,
        filed,
        effective,
        before=_standing_charts(standing),
    )


def _standing(told: v1.Statistics | None) -> Shown:
    if told is not None:
        return statistics_table(told)
    title, about = TABLES[T.STATISTICS_TABLE_LISTINGS_BY_STATE]
    return Shown(tr(title), (), (), about=tr(about))


def _standing_charts(told: v1.Statistics | None) -> list[Chart]:
    """Return bars of the states that are asked about most, on the day that a table is of."""
    if told is None:
        return []
    day = period(period_of(told))
    titles = {
        state: tr(
            "Listings {state} when {day} was closed, by who filed them",
            state=tr(COLUMNS[state]),
            day=day,
        )
        for state in _DRAWN_STATES
    }
    return [Bars(told.table, (state,), title).chart(told) for state, title in titles.items()]


def fishing(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show lenders whose use looks like fishing, and outcomes that they owe."""
    del officer
    lead = tr("A signal is a reason to ask the lender, and no finding.")
    kinds = (T.STATISTICS_TABLE_FISHING, T.STATISTICS_TABLE_OUTCOMES)
    seen = Bars(kinds[0], _SIGNALS, tr("Signals newly seen, by lender"))
    return _page(office, visit, tr("Signals of fishing"), lead, [], kinds, seen)


def _page(  # what a page of a month's tables is made of
    office: Office,
    visit: Visit,
    heading: str,
    lead: str,
    first: list[Shown],
    kinds: Sequence[int],
    *drawn: Bars,
    before: Sequence[Chart] = (),
) -> Response:
    months = office.reading.months(_MONTHS)
    asked = visit.asked("month")
    month = asked if asked in months else months[0]
    found = office.reading.month(month)
    tables = [
        statistics_table(found[kind]) if kind in found else _nothing(kind, month) for kind in kinds
    ]
    charts = [*before, *(bars.chart(found[bars.table]) for bars in drawn if bars.table in found)]
    options = [(name, period(name)) for name in months]
    return visit.page(
        "figures.html",
        heading=heading,
        lead=lead,
        charts=[each for each in charts if each.rows],
        tables=[*first, *tables],
        choice=("month", tr("Month"), options, month),
    )


def _nothing(kind: int, month: str) -> Shown:
    title, about = TABLES[kind]
    return Shown(f"{tr(title)}, {period(month)}", (), (), about=tr(about))
