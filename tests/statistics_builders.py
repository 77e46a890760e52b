"""Statistics as an exchange tells them, for tests of what is made of them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from concordat import v1
from concordat.clock import to_timestamp
from concordat.v1 import StatisticsMeasure as M
from concordat.v1 import StatisticsTable as T
from tests.builders import LENDER, PROVIDERS, REGULATOR
from tests.listing_builders import FURNISHER

MONTH = "2026-10"
OTHER_REGULATOR = "other-regulator"


def cell(measure: M.ValueType, **told: Any) -> v1.StatisticsCell:
    return v1.StatisticsCell(measure=measure, **told)


def table_of(kind: T.ValueType, period: str, *rows: v1.StatisticsRow) -> v1.Statistics:
    """Return a table of a day or month, by its name."""
    month = len(period) == len(MONTH)
    first = date.fromisoformat(f"{period}-01" if month else period)
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = (start + timedelta(days=31)).replace(day=1) if month else start + timedelta(days=1)
    return v1.Statistics(
        table=kind,
        period_from=to_timestamp(start),
        period_until=to_timestamp(end),
        made_at=to_timestamp(end + timedelta(minutes=10)),
        smallest_cell=10,
        rows=rows,
    )


def row(*cells: v1.StatisticsCell, **keys: Any) -> v1.StatisticsRow:
    return v1.StatisticsRow(cells=cells, **keys)


def day_tables(day: str, answered: int) -> list[v1.Statistics]:
    """Return three tables of a day."""
    credit = v1.Purpose.PURPOSE_CREDIT_APPLICATION
    queries = row(
        cell(M.STATISTICS_MEASURE_ANSWERED, count=answered),
        cell(M.STATISTICS_MEASURE_UNANSWERED),
        cell(M.STATISTICS_MEASURE_REFUSED),
        member=LENDER,
        purpose=credit,
    )
    times = (
        cell(M.STATISTICS_MEASURE_P50, up_to_ms=50),
        cell(M.STATISTICS_MEASURE_P99, up_to_ms=500 + answered % 3 * 500),
    )
    provider = row(
        cell(M.STATISTICS_MEASURE_SCORED, count=answered),
        cell(M.STATISTICS_MEASURE_NO_RECORD),
        cell(M.STATISTICS_MEASURE_TIMED_OUT, few=True),
        cell(M.STATISTICS_MEASURE_INVALID, none=True),
        *times,
        member=PROVIDERS[0],
    )
    return [
        table_of(T.STATISTICS_TABLE_QUERIES, day, queries),
        table_of(T.STATISTICS_TABLE_VIEW_LATENCY, day, row(*times, member=LENDER)),
        table_of(T.STATISTICS_TABLE_PROVIDERS, day, provider),
    ]


def standing_table(day: str) -> v1.Statistics:
    """Return how listings stood on a day."""
    stand = row(
        cell(M.STATISTICS_MEASURE_STANDS_DRAFT),
        cell(M.STATISTICS_MEASURE_STANDS_EFFECTIVE, count=130),
        cell(M.STATISTICS_MEASURE_STANDS_UNDER_REVIEW, count=20),
        member=FURNISHER,
    )
    return table_of(T.STATISTICS_TABLE_LISTINGS_BY_STATE, day, stand)


def month_tables(article: str = "Art. 12(1)") -> list[v1.Statistics]:
    """Return the tables of listings, disputes and case look-ups of October 2026."""
    listings = row(
        cell(M.STATISTICS_MEASURE_FILED, count=120),
        cell(M.STATISTICS_MEASURE_EFFECTIVE, count=80),
        cell(M.STATISTICS_MEASURE_ENDED),
        member=FURNISHER,
    )
    disputes = row(
        cell(M.STATISTICS_MEASURE_DISPUTED, count=40),
        cell(M.STATISTICS_MEASURE_DECIDED, count=30),
        cell(M.STATISTICS_MEASURE_UPHELD, count=10),
        cell(M.STATISTICS_MEASURE_UPHELD_RATE, rate_ppm=333_333),
        cell(M.STATISTICS_MEASURE_OVERDUE, few=True),
        member=FURNISHER,
    )
    look_ups = M.STATISTICS_MEASURE_LOOK_UPS
    refused = M.STATISTICS_MEASURE_REFUSED
    cases = [
        row(cell(look_ups, count=30), legal_article=article),
        row(cell(look_ups, count=60), cell(refused, few=True), member=REGULATOR),
        row(cell(look_ups, count=990), cell(refused, none=True), member=OTHER_REGULATOR),
        row(
            cell(look_ups, count=1050),
            cell(refused, few=True),
            cell(M.STATISTICS_MEASURE_NOTICES_DELIVERED, count=20),
            cell(M.STATISTICS_MEASURE_BUDGET, setting=2000),
            total=True,
        ),
    ]
    return [
        table_of(T.STATISTICS_TABLE_LISTINGS, MONTH, listings),
        table_of(T.STATISTICS_TABLE_DISPUTES, MONTH, disputes),
        table_of(T.STATISTICS_TABLE_NOTICES, MONTH),
        table_of(T.STATISTICS_TABLE_CASES, MONTH, *cases),
    ]


def whole_month() -> dict[str, list[v1.Statistics]]:
    """Return October 2026 and all of its days but one, by period."""
    days = [f"{MONTH}-{nth:02}" for nth in range(1, 32) if nth != 7]
    told = {day: day_tables(day, 100 + 10 * nth) for nth, day in enumerate(days)}
    return {MONTH: month_tables(), **told}
