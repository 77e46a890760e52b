"""The sandbox's past: made up alike from a seed, told by the exchange's own tables, and in no log."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select

from clients.sandbox import cast
from concordat import v1
from concordat.v1 import Role
from concordat.v1 import StatisticsMeasure as M
from concordat.v1 import StatisticsTable as T
from exchange.supervision.orders.oversight import oversight_of
from exchange.supervision.settings import SupervisionSettings
from exchange.supervision.statistics.office import StatisticsOffice
from exchange.supervision.statistics.periods import Period
from exchange.tables import listing, listing_source, log_opening, log_queue
from tests.builders import Federation
from tests.vault_builders import exchange_engine, to_newest_schema
from tools.made_up_listings import changes
from tools.made_up_past import DAY, Cast, bad_day, requests, starts
from tools.sandbox_past import PastError, require_new_sandbox, tell_standing, write

NOW = datetime(2026, 6, 17, 9, 30, tzinfo=UTC)
WHO = Cast(("alder-bank", "birch-card"), (cast.LENDER, cast.OTHER_LENDER), cast.REGULATOR)
FAILS = WHO.providers[-1]


@pytest.fixture(scope="module")
def past(office: StatisticsOffice) -> Iterator[Connection]:
    engine = exchange_engine("sqlite://")
    to_newest_schema(engine)
    with engine.begin() as connection:
        write(connection, WHO, NOW)
        tell_standing(connection, office, WHO, NOW)
        yield connection
    engine.dispose()


@pytest.fixture(scope="module")
def office() -> StatisticsOffice:
    federation = Federation()
    for name in WHO.providers:
        federation.enrol(name, Role.ROLE_PROVIDER, Role.ROLE_FURNISHER, version=2)
    return StatisticsOffice(SupervisionSettings(), federation.directory)


def told(office: StatisticsOffice, past: Connection, period: Period) -> Mapping[int, v1.Statistics]:
    return {each.table: each for each in office.read(past, period, NOW)}


def cell(told: v1.Statistics, measure: int, member: str) -> v1.StatisticsCell:
    (found,) = [
        cell
        for row in told.rows
        for cell in row.cells
        if row.member == member and cell.measure == measure
    ]
    return found


def test_it_begins_with_two_whole_months_and_ends_with_yesterday() -> None:
    days = starts(NOW)
    assert (days[0], days[-1]) == (
        datetime(2026, 4, 1, tzinfo=UTC),
        datetime(2026, 6, 16, tzinfo=UTC),
    )
    assert starts(datetime(2026, 3, 1, tzinfo=UTC))[0] == datetime(2026, 1, 1, tzinfo=UTC)
    assert bad_day(days).weekday() == 2
    assert timedelta(4) < NOW - bad_day(days) < timedelta(12)


def test_the_same_seed_makes_the_same_up_and_another_another() -> None:
    def made(seed: int) -> tuple[object, object]:
        day, chance = starts(NOW)[-1], random.Random(seed)
        return list(requests(day, WHO, chance)), list(changes(day, WHO.providers, chance))

    assert made(1) == made(1) != made(2)


def test_every_day_of_a_month_tells_of_traffic_providers_and_revocations(
    office: StatisticsOffice, past: Connection
) -> None:
    for back in range(1, 31):
        day = told(office, past, Period.day((NOW - back * DAY).date().isoformat()))
        assert any(row.cells[0].count for row in day[T.STATISTICS_TABLE_QUERIES].rows), back
        assert day[T.STATISTICS_TABLE_REFUSALS].rows[-1].cells[0].count, back
        assert day[T.STATISTICS_TABLE_VIEW_LATENCY].rows, back
        assert day[T.STATISTICS_TABLE_CONSENT_EVENTS].rows, back
        assert day[T.STATISTICS_TABLE_CONSENT_DELAY].rows, back
        assert cell(day[T.STATISTICS_TABLE_PROVIDERS], M.STATISTICS_MEASURE_SCORED, FAILS).count


def test_one_provider_fails_on_one_day(office: StatisticsOffice, past: Connection) -> None:
    bad = bad_day(starts(NOW))
    day = told(office, past, Period.day(bad.date().isoformat()))[T.STATISTICS_TABLE_PROVIDERS]
    assert cell(day, M.STATISTICS_MEASURE_TIMED_OUT, FAILS).count >= 20
    assert cell(day, M.STATISTICS_MEASURE_P99, FAILS).up_to_ms >= 1000
    assert not cell(day, M.STATISTICS_MEASURE_TIMED_OUT, WHO.providers[0]).count


def test_two_months_tell_of_listings_disputes_signals_outcomes_and_look_ups(
    office: StatisticsOffice, past: Connection
) -> None:
    for name in ("2026-04", "2026-05"):
        month = told(office, past, Period.month(name))
        furnisher, lender = WHO.providers[0], WHO.lenders[1]
        assert cell(month[T.STATISTICS_TABLE_LISTINGS], M.STATISTICS_MEASURE_FILED, furnisher).count
        raised = cell(month[T.STATISTICS_TABLE_DISPUTES], M.STATISTICS_MEASURE_DISPUTED, furnisher)
        assert raised.count >= 10
        signals = month[T.STATISTICS_TABLE_FISHING]
        assert cell(signals, M.STATISTICS_MEASURE_SIGNAL_ONE_SUBJECT, lender).count
        due = cell(month[T.STATISTICS_TABLE_OUTCOMES], M.STATISTICS_MEASURE_OUTCOMES_DUE, lender)
        assert due.count
        look_ups = M.STATISTICS_MEASURE_LOOK_UPS
        assert cell(month[T.STATISTICS_TABLE_CASES], look_ups, WHO.regulator).count


def test_yesterday_tells_how_listings_stood_and_none_of_them_is_kept(
    office: StatisticsOffice, past: Connection
) -> None:
    yesterday = told(office, past, Period.day_before(NOW))[T.STATISTICS_TABLE_LISTINGS_BY_STATE]
    effective = M.STATISTICS_MEASURE_STANDS_EFFECTIVE
    larger, smaller = (cell(yesterday, effective, each).count for each in WHO.providers)
    assert larger > smaller > 100
    assert cell(yesterday, M.STATISTICS_MEASURE_STANDS_UNDER_REVIEW, WHO.providers[0]).count
    for table in (listing, listing_source):
        assert past.execute(select(func.count()).select_from(table)).scalar_one() == 0


def test_oversight_and_statistics_tell_the_same_of_how_disputes_ended(
    office: StatisticsOffice, past: Connection
) -> None:
    disputes = told(office, past, Period.month("2026-05"))[T.STATISTICS_TABLE_DISPUTES]
    for each in oversight_of(past, (), 10, NOW).furnishers:
        decided = cell(disputes, M.STATISTICS_MEASURE_DECIDED, each.furnisher)
        assert each.decided == decided.count > 0


def test_nothing_that_is_made_up_is_in_the_log(past: Connection) -> None:
    for table in (log_queue, log_opening):
        assert past.execute(select(func.count()).select_from(table)).scalar_one() == 0


def test_no_other_federation_and_no_exchange_with_a_past_gets_one(past: Connection) -> None:
    with pytest.raises(PastError, match="no sandbox"):
        require_new_sandbox(past, Federation().anchors)
    with pytest.raises(PastError, match="past already"):
        require_new_sandbox(past, Federation(name=cast.FEDERATION).anchors)
