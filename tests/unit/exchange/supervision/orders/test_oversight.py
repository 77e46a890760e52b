"""Oversight: disputes and orders by furnisher, as of midnight, told so that no single event shows."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, select

from concordat import v1
from concordat.clock import from_timestamp
from concordat.v1 import (
    DisputeStage,
    Extent,
    LogEntryKind,
    OrderStage,
    RulingOutcome,
    SupervisionKind,
)
from exchange.listings.ledger import Office
from exchange.log import table as log
from exchange.supervision.orders import watch
from exchange.supervision.orders.as_told import Counts, shortfall, told_of
from exchange.supervision.orders.oversight import Period, oversight_of
from exchange.supervision.orders.table import correction_order, oversight_told
from exchange.supervision.orders.watch import Overseer, watch_orders
from exchange.supervision.statistics.periods import SETTLES_IN
from tests.builders import DAY, REGULATOR
from tests.listing_builders import FURNISHER
from tests.listing_desk import ListingDesk
from tests.orders_desk import OrdersDesk

REVIEW = DisputeStage.DISPUTE_STAGE_REVIEW
NONE, FEW, COUNTED = Extent.EXTENT_NONE, Extent.EXTENT_FEW, Extent.EXTENT_COUNTED


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    yield desk
    desk.close()


@pytest.fixture
def orders(desk: ListingDesk) -> OrdersDesk:
    return OrdersDesk(desk)


# What is told -----------------------------------------------------------------------------------


def test_small_counts_are_suppressed_and_others_rounded() -> None:
    told = told_of("bank", Counts(open=(43, 9, 0, 0), decided=52, upheld=27, given=12), 10)
    assert told.open_over_10_days == 40
    assert not told.HasField("open_3_to_10_days")
    assert not told.HasField("open_under_3_days")
    assert (told.decided, told.upheld, told.orders_given) == (50, 30, 10)
    assert not told.HasField("orders_complied")


def test_who_won_is_not_told_where_either_side_is_small() -> None:
    for upheld in (0, 9, 43, 52):
        assert not told_of("bank", Counts(decided=52, upheld=upheld), 10).HasField("upheld")


def test_a_members_own_failings_are_told_as_none_few_or_about_how_many() -> None:
    assert [
        (each.extent, each.count) for each in (shortfall(n, 10) for n in (0, 1, 9, 10, 27))
    ] == [
        (NONE, 0),
        (FEW, 0),
        (FEW, 0),
        (COUNTED, 10),
        (COUNTED, 30),
    ]


def test_the_period_is_the_last_whole_month_before_the_last_midnight() -> None:
    period = Period.at(datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC))
    assert period.midnight == datetime(2026, 1, 1, tzinfo=UTC)
    assert period.month_from == datetime(2025, 12, 1, tzinfo=UTC)
    assert period.month_until == datetime(2026, 1, 1, tzinfo=UTC)


# At the exchange --------------------------------------------------------------------------------


def exactly(desk: ListingDesk, at: datetime) -> dict[str, tuple[int, ...]]:
    """Return the open disputes of each furnisher as told to nobody: with cells of one."""
    answer = desk.desk.store.run(lambda c: oversight_of(c, [FURNISHER], 1, at))
    return {
        each.furnisher: (
            each.open_over_10_days,
            each.open_3_to_10_days,
            each.open_under_3_days,
            each.open_overdue.count,
        )
        for each in answer.furnishers
    }


def ended(desk: ListingDesk, at: datetime) -> dict[str, tuple[int, ...]]:
    """Return how disputes ended in the month before ``at``: decided, of those upheld, run out."""
    answer = desk.desk.store.run(lambda c: oversight_of(c, [FURNISHER], 1, at))
    return {
        each.furnisher: (each.decided, each.upheld, each.ran_out.count)
        for each in answer.furnishers
    }


def test_reading_before_and_after_a_new_dispute_gives_equal_bytes_all_day(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.in_force()
    desk.federation.at = desk.federation.at.replace(hour=1)
    before = orders.oversight()
    desk.dispute(listing_id, REVIEW)
    desk.federation.at += timedelta(hours=5)
    after = orders.oversight()
    assert after.SerializeToString() == before.SerializeToString()
    assert from_timestamp(before.as_of) == desk.federation.at.replace(hour=0, minute=0, second=0)
    read = [
        record
        for record in desk.entries()
        if record.kind == LogEntryKind.LOG_ENTRY_KIND_SUPERVISION
    ]
    assert len(read) == 2


def test_disputes_are_counted_by_the_time_that_is_left_at_midnight(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    desk.dispute(listing_id, REVIEW)
    raised = desk.federation.at
    told = [exactly(desk, raised + days * DAY) for days in (0, 1, 21, 28, 31)]
    assert [each[FURNISHER] for each in told] == [
        (0, 0, 0, 0),  # raised after that midnight
        (1, 0, 0, 0),
        (0, 1, 0, 0),
        (0, 0, 1, 0),
        (0, 0, 0, 1),
    ]


def test_rulings_and_disputes_that_ran_out_are_counted_for_the_sources_of_the_listing(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    first, second = desk.in_force(), b""
    dispute_id, _ = desk.dispute(first, REVIEW)
    desk.rule(first, dispute_id, RulingOutcome.RULING_OUTCOME_REJECTED)
    dispute_id, _ = desk.dispute(first, REVIEW, evidence=["new"])
    desk.rule(first, dispute_id, RulingOutcome.RULING_OUTCOME_UPHELD)
    assert ended(desk, desk.federation.at + 31 * DAY) == {FURNISHER: (2, 1, 0)}
    second = desk.in_force(debt_commitment=bytes(31) + b"2")
    desk.dispute(second, REVIEW)
    desk.pass_time(31 * DAY)
    assert ended(desk, desk.federation.at + 31 * DAY) == {FURNISHER: (0, 0, 1)}


def test_what_was_under_way_at_midnight_is_counted_as_the_statistics_count_it(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    ruled = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    listing_id = desk.in_force()
    desk.federation.at = ruled - DAY
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    midnight = ruled + timedelta(seconds=1)
    early = desk.desk.store.run(lambda c: oversight_of(c, [FURNISHER], 1, midnight))
    assert from_timestamp(early.as_of) == midnight - DAY
    desk.federation.at = ruled  # in another process, which was slower than this one's timer
    desk.rule(listing_id, dispute_id, RulingOutcome.RULING_OUTCOME_REJECTED)
    assert ended(desk, midnight + SETTLES_IN) == {FURNISHER: (1, 0, 0)}


def test_overdue_orders_are_told_the_next_day_and_no_longer_once_obeyed(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.in_force()
    orders.give(listing_id)

    def overdue() -> Extent.ValueType:
        told = {each.furnisher: each for each in orders.oversight().furnishers}
        return told[FURNISHER].orders_overdue.extent

    assert overdue() == NONE
    orders.pass_time(11 * DAY)
    assert overdue() == FEW
    desk.withdraw(listing_id)
    assert overdue() == FEW  # as of midnight
    orders.pass_time(DAY)
    assert overdue() == NONE


def test_the_timer_counts_disputes_and_finds_what_is_overdue(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    order = orders.give(desk.in_force())
    desk.federation.at += 11 * DAY
    inner, office = desk.desk, desk.desk.listings.office

    async def run_a_moment() -> None:
        watching = asyncio.create_task(
            watch_orders(inner.store, office, desk.overseer, inner.clock)
        )
        while orders_in(desk) != [OrderStage.ORDER_STAGE_OVERDUE]:  # noqa: ASYNC110 - another thread's
            await asyncio.sleep(0.005)
        watching.cancel()

    asyncio.run(asyncio.wait_for(run_a_moment(), 10))
    assert orders.read(order.order_id).overdue
    kept = inner.store.run(lambda c: c.execute(select(oversight_told)).all())
    assert len(kept) == 1


def test_the_timer_reads_what_is_told_once_a_day(
    desk: ListingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner, read, rounds = desk.desk, list[datetime](), list[datetime]()
    monkeypatch.setattr(watch, "EVERY_SECONDS", 0)

    class Reading(Overseer):
        def read(self, connection: Connection, at: datetime) -> v1.ReadOversightResponse:
            read.append(at)
            if len(read) == 1:
                raise OSError("the database is away")
            return super().read(connection, at)

    def overdue(_: Connection, __: Office, now: datetime) -> int:
        rounds.append(now)
        desk.federation.at += timedelta(hours=7)
        return 0

    monkeypatch.setattr(watch, "run_overdue", overdue)

    async def run_some_days() -> None:
        overseer = Reading(desk.federation.directory, 10)
        watching = asyncio.create_task(
            watch_orders(inner.store, inner.listings.office, overseer, inner.clock)
        )
        while len(rounds) < 12:  # noqa: ASYNC110 - another thread's
            await asyncio.sleep(0.002)
        watching.cancel()

    asyncio.run(asyncio.wait_for(run_some_days(), 10))
    days = {at.date() for at in rounds[:12]}
    assert len(days) == 4
    assert [at.date() for at in read[1:5]] == sorted(days)


def orders_in(desk: ListingDesk) -> list[int]:
    query = select(correction_order.c.stage)
    return list(desk.desk.store.run(lambda c: c.execute(query).scalars().all()))


def test_each_reading_names_the_regulator_in_the_log(desk: ListingDesk, orders: OrdersDesk) -> None:
    orders.oversight()
    (entry,) = desk.entries()
    (opening,) = desk.desk.store.run(lambda c: log.openings_from(c, 0))
    assert opening.record is not None
    record = v1.LogRecord.FromString(opening.record)
    assert entry.record_id == record.record_id
    act = record.supervision
    assert (act.regulator, act.kind) == (REGULATOR, SupervisionKind.SUPERVISION_KIND_OVERSIGHT)
