"""Statistics as a regulator reads them: made once, the same for everybody, and on record."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from concordat import v1
from concordat.clock import to_micros
from concordat.ids import new_id
from concordat.trust.envelope import validate
from concordat.v1 import Purpose, SupervisionKind
from concordat.v1 import StatisticsMeasure as M
from concordat.v1 import StatisticsTable as T
from exchange.listings.machine.listing import LIVE
from exchange.supervision.orders import oversight
from exchange.supervision.orders.oversight import Period
from exchange.supervision.settings import SupervisionSettings
from exchange.supervision.statistics import counting, table
from exchange.supervision.statistics.counting import Series
from exchange.supervision.statistics.office import StatisticsOffice
from exchange.supervision.statistics.periods import Period as StatisticsPeriod
from exchange.supervision.statistics.sources import Sources
from exchange.supervision.statistics.standing import STATES, listings_by_state
from exchange.supervision.statistics.table import statistics_count, statistics_told
from exchange.tables import access_entry, listing, listing_told, log_queue
from tests.builders import DAY, LENDER, PROVIDERS, REGULATOR
from tests.exchange_builders import ExchangeDesk
from tests.exchange_services import ExchangeServices, reason_of
from tests.listing_builders import FURNISHER
from tests.listing_desk import OTHER_FURNISHER, ListingDesk

CONTEST = v1.DisputeStage.DISPUTE_STAGE_CONTEST


@pytest.fixture
def services() -> Iterator[ExchangeServices]:
    services = ExchangeServices(ExchangeDesk())
    yield services
    services.close()


@pytest.fixture
def listings() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    yield desk
    desk.close()


def read(services: ExchangeServices, **period: str) -> dict[int, v1.Statistics]:
    request = v1.ReadStatisticsRequest(**period)
    validate(request)
    answer = services.call(services.supervision.ReadStatistics, request, REGULATOR)
    validate(answer)
    return {each.table: each for each in answer.tables}


def day_of(services: ExchangeServices) -> str:
    return services.federation.at.date().isoformat()


def cells(told: v1.Statistics, member: str = "") -> dict[int, v1.StatisticsCell]:
    """Return the cells of a member's row, or with "" of the total's."""
    (row,) = [row for row in told.rows if row.member == member and row.total == (not member)]
    return {cell.measure: cell for cell in row.cells}


def enter(
    services: ExchangeServices,
    many: int,
    lender: str = LENDER,
    refusal: int = 0,
    at: datetime | None = None,
) -> None:
    """Put so many requests on record, released at once where they were let in."""
    moment = to_micros(at or services.federation.at)
    rows = [
        {
            "subject_ref": bytes([nth]) * 32,
            "access_id": new_id(),
            "lender": lender,
            "consent_id": bytes(16),
            "request_digest": bytes(32),
            "purpose": Purpose.PURPOSE_CREDIT_APPLICATION,
            "disclosure": 1,
            "recorded_at": moment,
            "refusal": refusal,
            "counted": not refusal,
            "released_at": None if refusal else moment,
            "threshold": 0,
        }
        for nth in range(many)
    ]
    services.desk.store.run(lambda c: c.execute(access_entry.insert(), rows))


# Days -------------------------------------------------------------------------------------------


def test_views_are_counted_with_their_providers_and_how_long_they_took(
    services: ExchangeServices,
) -> None:
    for nth in range(12):
        services.desk.ask(services.desk.grant(services.federation.subject(f"person {nth}")))
    day = day_of(services)
    services.federation.at += DAY
    told = read(services, day=day)
    (row,) = told[T.STATISTICS_TABLE_QUERIES].rows
    assert (row.member, row.purpose) == (LENDER, Purpose.PURPOSE_CREDIT_APPLICATION)
    assert row.cells[0] == v1.StatisticsCell(measure=M.STATISTICS_MEASURE_ANSWERED, count=10)
    provider = cells(told[T.STATISTICS_TABLE_PROVIDERS], PROVIDERS[0])
    assert provider[M.STATISTICS_MEASURE_SCORED].count == 10
    assert provider[M.STATISTICS_MEASURE_TIMED_OUT].none
    assert provider[M.STATISTICS_MEASURE_P99].up_to_ms > 0
    assert cells(told[T.STATISTICS_TABLE_VIEW_LATENCY], LENDER)[M.STATISTICS_MEASURE_P50].up_to_ms
    assert cells(told[T.STATISTICS_TABLE_CONSENT_DELAY])[M.STATISTICS_MEASURE_P50].up_to_ms == 1


def test_a_view_that_is_read_again_is_counted_once(services: ExchangeServices) -> None:
    granted = services.desk.grant()
    request = services.federation.view_request(granted)
    for _ in range(3):
        services.desk.ask(granted, request)
    counted = services.desk.store.run(lambda c: table.counted(c, Series.VIEW_LATENCY, (0, 99_999)))
    assert sum(counted[LENDER].values()) == 1


def test_a_revocation_is_counted_by_how_long_it_took_and_nothing_else(
    services: ExchangeServices,
) -> None:
    granted = services.desk.grant()
    kind = v1.ConsentEventKind.CONSENT_EVENT_KIND_REVOKE
    event = services.federation.consent_event(granted, kind)
    services.tell(event, granted.person)
    columns = statistics_count.c
    query = select(columns.series, columns.key, columns["count"])
    rows = services.desk.store.run(lambda c: c.execute(query).all())
    assert [tuple(row) for row in rows] == [(Series.CONSENT_EVENT_LATENCY, "", 1)]


def test_refusals_by_reason_hide_one_more_as_their_total_is_told(
    services: ExchangeServices,
) -> None:
    for refusal, many in ((30, 3), (31, 40), (32, 60)):
        enter(services, many, refusal=refusal)
    day = day_of(services)
    services.federation.at += DAY
    told = read(services, day=day)[T.STATISTICS_TABLE_REFUSALS]
    assert [(row.reason, row.total, row.cells[0].count) for row in told.rows] == [
        (32, False, 60),
        (0, True, 100),
    ]


def test_a_day_that_is_not_over_and_what_is_no_day_are_refused(
    services: ExchangeServices,
) -> None:
    today = day_of(services)
    assert reason_of(lambda: read(services, day=today)) == "PERIOD_NOT_OVER"
    assert reason_of(lambda: read(services, month=today[:7])) == "PERIOD_NOT_OVER"
    assert reason_of(lambda: read(services, day="2026-02-30")) == "PERIOD_NOT_OVER"


def test_what_was_told_stays_whatever_is_erased_or_comes_late(services: ExchangeServices) -> None:
    enter(services, 30)
    at, day = services.federation.at, day_of(services)
    services.federation.at += DAY
    before = read(services, day=day)
    services.desk.store.run(lambda c: c.execute(delete(access_entry)))
    assert read(services, day=day) == before
    enter(services, 60, at=at)
    services.federation.at += 30 * DAY
    assert read(services, day=day) == before


def test_two_processes_tell_the_same(services: ExchangeServices) -> None:
    enter(services, 30)
    day = day_of(services)
    services.federation.at += DAY
    before = read(services, day=day)
    services.desk.store.run(lambda c: c.execute(delete(access_entry)))
    other = StatisticsOffice(SupervisionSettings(smallest_cell=50), services.federation.directory)
    services.supervision._office = other
    assert read(services, day=day) == before


def test_the_timer_makes_yesterday_and_last_month_and_forgets_after_36_months(
    services: ExchangeServices,
) -> None:
    office, store = services.statistics, services.desk.store
    at = services.federation.at
    store.run(lambda c: office.keep_up(c, at))
    periods = set(store.run(lambda c: c.execute(select(statistics_told.c.period)).scalars().all()))
    assert periods == {(at - DAY).date().isoformat(), f"{at - 30 * DAY:%Y-%m}"}
    store.run(lambda c: counting.count(c, [(at, [(Series.FISHING, LENDER, 40)])]))
    late = at + 37 * 31 * DAY
    store.run(lambda c: office.keep_up(c, late))
    kept = set(store.run(lambda c: c.execute(select(statistics_told.c.period)).scalars().all()))
    assert not kept & periods
    assert store.run(lambda c: c.execute(select(statistics_count)).all()) == []


def test_what_the_timer_made_in_a_job_that_was_rolled_back_is_made_by_the_next(
    services: ExchangeServices,
) -> None:
    office, engine = services.statistics, services.desk.engine
    for _ in range(2):
        with engine.connect() as connection:  # never committed
            office.keep_up(connection, services.federation.at)
            made = connection.execute(select(statistics_told.c.period)).all()
        assert made


def test_what_was_never_made_is_not_made_long_after(services: ExchangeServices) -> None:
    day = day_of(services)
    services.federation.at += 70 * DAY
    assert read(services, day=day) == {}


def test_each_reading_is_logged(services: ExchangeServices) -> None:
    services.desk.book.stop()
    read(services, day=(services.federation.at - DAY).date().isoformat())
    (row,) = services.desk.store.run(lambda c: c.execute(select(log_queue)).all())
    act = v1.LogRecord.FromString(row.record).supervision
    assert (act.regulator, act.kind) == (REGULATOR, SupervisionKind.SUPERVISION_KIND_STATISTICS)
    assert row.subject_ref == b""


# How listings stand -----------------------------------------------------------------------------


def standing(listings: ListingDesk) -> dict[int, int]:
    """Return how many of the furnisher's listings stand in which state (nothing is suppressed)."""
    at = listings.federation.at
    made = listings.desk.store.run(
        lambda c: listings_by_state(Sources(c, StatisticsPeriod.day_before(at), 1, {}))
    )
    return {
        cell.measure: cell.count for row in made if row.member == FURNISHER for cell in row.cells
    }


def test_a_listing_stands_in_one_state_at_a_time_and_in_none_once_it_ended(
    listings: ListingDesk,
) -> None:
    listing_id = listings.file().listing_id
    seen = [standing(listings)]
    listings.read_inbox()
    seen.append(standing(listings))
    dispute, _ = listings.dispute(listing_id, CONTEST)
    seen.append(standing(listings))
    assert [[measure for measure, count in each.items() if count] for each in seen] == [
        [M.STATISTICS_MEASURE_STANDS_DRAFT],
        [M.STATISTICS_MEASURE_STANDS_NOTICED],
        [M.STATISTICS_MEASURE_STANDS_CONTESTED],
    ]
    listings.rule(listing_id, dispute, v1.RulingOutcome.RULING_OUTCOME_UPHELD)
    assert not any(standing(listings).values())


def test_every_state_but_the_ends_is_told() -> None:
    assert STATES.keys() == LIVE


# Months -----------------------------------------------------------------------------------------


def month_after(services: ExchangeServices) -> dict[int, v1.Statistics]:
    """Return the tables of the current month, once it is over."""
    at = services.federation.at
    services.federation.at = (at.replace(day=1) + 32 * DAY).replace(day=1, hour=1)
    return read(services, month=f"{at:%Y-%m}")


def counted(services: ExchangeServices) -> dict[int, int]:
    """Return what was counted of the furnisher's listings so far."""
    found = services.desk.store.run(lambda c: table.counted(c, Series.LISTING, (0, 99_999)))
    return found.get(FURNISHER, {})


def test_a_listing_is_counted_as_filed_faced_and_effective(listings: ListingDesk) -> None:
    listings.in_force()
    assert counted(listings) == {
        M.STATISTICS_MEASURE_FILED: 1,
        M.STATISTICS_MEASURE_EFFECTIVE: 1,
        M.STATISTICS_MEASURE_FACED: 1,
    }


def test_a_contested_listing_is_counted_with_its_ruling(listings: ListingDesk) -> None:
    listing_id = listings.file().listing_id
    listings.read_inbox()
    dispute, _ = listings.dispute(listing_id, CONTEST)
    listings.rule(listing_id, dispute, v1.RulingOutcome.RULING_OUTCOME_UPHELD)
    assert counted(listings) == {
        M.STATISTICS_MEASURE_FILED: 1,
        M.STATISTICS_MEASURE_FACED: 1,
        M.STATISTICS_MEASURE_CONTESTED: 1,
        M.STATISTICS_MEASURE_DISPUTED: 1,
        M.STATISTICS_MEASURE_DECIDED: 1,
        M.STATISTICS_MEASURE_UPHELD: 1,
        M.STATISTICS_MEASURE_ENDED: 1,
    }


@pytest.mark.parametrize(
    "outcome",
    [
        v1.RulingOutcome.RULING_OUTCOME_REJECTED,
        v1.RulingOutcome.RULING_OUTCOME_UPHELD,
        v1.RulingOutcome.RULING_OUTCOME_UNVERIFIABLE,
    ],
)
def test_what_oversight_tells_too_is_the_same_number_so_that_no_difference_is_left(
    listings: ListingDesk, outcome: v1.RulingOutcome.ValueType
) -> None:
    listing_id = listings.in_force()
    other = listings.file(source=OTHER_FURNISHER)  # joins the listing of the same debt
    assert other.listing_id == listing_id
    dispute, _ = listings.dispute(listing_id, v1.DisputeStage.DISPUTE_STAGE_REVIEW)
    listings.rule(listing_id, dispute, outcome)
    found = listings.desk.store.run(lambda c: table.counted(c, Series.LISTING, (0, 99_999)))
    period = Period.at(listings.federation.at + 31 * DAY)
    overseen = listings.desk.store.run(lambda c: oversight._ended_disputes(c, period))
    assert set(overseen) == {FURNISHER, OTHER_FURNISHER}
    for member, told in overseen.items():
        assert told == tuple(found[member].get(measure, 0) for measure in oversight._ENDED)


def test_a_dispute_whose_time_runs_out_is_overdue(listings: ListingDesk) -> None:
    listing_id = listings.file().listing_id
    listings.read_inbox()
    listings.dispute(listing_id, CONTEST)
    listings.pass_time(31 * DAY)
    assert counted(listings)[M.STATISTICS_MEASURE_OVERDUE] == 1
    told = month_after(listings)[T.STATISTICS_TABLE_DISPUTES]
    assert cells(told, FURNISHER)[M.STATISTICS_MEASURE_OVERDUE].few


def test_the_contest_rate_is_told_where_neither_part_is_small(services: ExchangeServices) -> None:
    at = services.federation.at

    def count(faced: int, contested: int) -> None:
        acts = [(Series.LISTING, FURNISHER, int(M.STATISTICS_MEASURE_FACED))] * faced
        acts += [(Series.LISTING, FURNISHER, int(M.STATISTICS_MEASURE_CONTESTED))] * contested
        services.desk.store.run(lambda c: counting.count(c, [(at, acts)]))

    count(80, 21)
    told = cells(month_after(services)[T.STATISTICS_TABLE_CONTESTS])
    assert told[M.STATISTICS_MEASURE_CONTEST_RATE].rate_ppm == 250_000
    at = services.federation.at
    count(80, 75)
    told = cells(month_after(services)[T.STATISTICS_TABLE_CONTESTS])
    assert told[M.STATISTICS_MEASURE_FACED].count == 80
    assert told[M.STATISTICS_MEASURE_CONTESTED].WhichOneof("told") is None
    assert told[M.STATISTICS_MEASURE_CONTEST_RATE].WhichOneof("told") is None


def test_no_listing_that_was_shown_had_ended(listings: ListingDesk) -> None:
    listing_id = listings.in_force()
    for _ in range(2):
        assert len(listings.shown()) == 1
    listings.federation.at += timedelta(hours=1)
    listings.settle(listing_id)
    listings.shown()
    listings.withdraw(listing_id)
    told = cells(month_after(listings)[T.STATISTICS_TABLE_EXPIRED_VISIBLE])
    assert told[M.STATISTICS_MEASURE_SHOWN_ENDED].none


@pytest.mark.parametrize("what", ["past its end", "before its effect", "after it was withdrawn"])
def test_a_listing_that_was_shown_and_should_not_have_been_is_found(
    listings: ListingDesk, what: str
) -> None:
    listing_id = listings.in_force()
    listings.shown()
    at = listings.federation.at
    if what == "after it was withdrawn":
        listings.withdraw(listing_id)
    store = listings.desk.store
    shift = {
        "past its end": update(listing).values(expires_at=to_micros(at - DAY)),
        "before its effect": update(listing).values(effective_at=to_micros(at + DAY)),
        "after it was withdrawn": update(listing_told).values(told_at=to_micros(at) + 1),
    }
    store.run(lambda c: c.execute(shift[what]))
    told = cells(month_after(listings)[T.STATISTICS_TABLE_EXPIRED_VISIBLE])
    assert told[M.STATISTICS_MEASURE_SHOWN_ENDED].few


def test_a_recall_that_nobody_acknowledges_is_told_of_its_lender(listings: ListingDesk) -> None:
    listing_id = listings.in_force()
    listings.shown()
    listings.federation.at = listings.federation.at.replace(day=5)
    listings.withdraw(listing_id)
    told = month_after(listings)[T.STATISTICS_TABLE_RECALLS]
    assert cells(told, LENDER)[M.STATISTICS_MEASURE_UNACKNOWLEDGED].few


def test_signals_and_the_regulators_own_look_ups_are_told_as_none_few_or_rounded(
    services: ExchangeServices,
) -> None:
    at = services.federation.at
    look_up = (Series.CASE, REGULATOR, int(M.STATISTICS_MEASURE_LOOK_UPS))
    article = (Series.CASE_ARTICLE, "Art. 5", int(M.STATISTICS_MEASURE_LOOK_UPS))
    other = (Series.CASE_ARTICLE, "Art. 6", int(M.STATISTICS_MEASURE_LOOK_UPS))
    third = (Series.CASE_ARTICLE, "Art. 7", int(M.STATISTICS_MEASURE_LOOK_UPS))
    signal = (Series.FISHING, LENDER, int(M.STATISTICS_MEASURE_SIGNAL_NO_MATCH))
    acts = [look_up] * 73 + [article] * 40 + [other] * 30 + [third] * 3 + [signal]
    services.desk.store.run(lambda c: counting.count(c, [(at, acts)]))
    told = month_after(services)
    fishing = cells(told[T.STATISTICS_TABLE_FISHING], LENDER)
    assert fishing[M.STATISTICS_MEASURE_SIGNAL_NO_MATCH].few
    assert fishing[M.STATISTICS_MEASURE_SIGNAL_ONE_SUBJECT].none
    cases = told[T.STATISTICS_TABLE_CASES]
    own = cells(cases, REGULATOR)
    assert own[M.STATISTICS_MEASURE_LOOK_UPS].count == 70
    assert own[M.STATISTICS_MEASURE_REFUSED].none
    articles = [row.legal_article for row in cases.rows if row.legal_article]
    assert articles == ["Art. 5"]  # the smaller goes with the small one
    (total,) = [row for row in cases.rows if row.total]
    assert total.cells[-1].setting == SupervisionSettings().case_look_ups_per_month
