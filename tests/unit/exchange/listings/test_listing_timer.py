"""The timer: all that is due is done, once, whatever stands in the way of one listing."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from concordat.v1 import ListingState
from exchange.listings import machine, timer
from tests.builders import DAY
from tests.listing_builders import digest
from tests.listing_desk import ListingDesk

EXPIRED = ListingState.LISTING_STATE_EXPIRED


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    yield desk
    desk.close()


def run(desk: ListingDesk) -> int:
    """Run one round."""
    office, at = desk.desk.listings.office, desk.federation.at
    return desk.desk.store.run(lambda connection: timer.run_due(connection, office, at))


def test_what_is_due_is_done_in_rounds_until_nothing_is(
    desk: ListingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timer, "AT_ONCE", 50)
    desk.file_all(*(desk.filing(debt_commitment=digest(f"debt {n}")) for n in range(120)))
    desk.federation.at += 7 * 366 * DAY
    assert [run(desk) for _ in range(4)] == [50, 50, 20, 0]
    assert {each.state for each in desk.own().listings} == {EXPIRED}


def test_what_waits_to_be_reconfirmed_is_not_looked_at_every_second(desk: ListingDesk) -> None:
    desk.file()
    desk.read_inbox()
    desk.federation.at += 31 * DAY
    assert [run(desk) for _ in range(2)] == [1, 0]
    desk.federation.at += 300 * DAY
    assert run(desk) == 0
    desk.federation.at += 7 * 366 * DAY
    assert run(desk) == 1


def test_one_listing_that_cannot_be_moved_holds_up_no_other(
    desk: ListingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = desk.file_all(*(desk.filing(debt_commitment=digest(f"debt {n}")) for n in range(3)))
    stuck = results[1].standing.listing_id
    desk.federation.at += 7 * 366 * DAY
    tick = machine.tick

    def failing(listing: machine.Listing, *rest: Any) -> Any:
        if listing.listing_id == stuck:
            raise KeyError("its profile is gone")
        return tick(listing, *rest)

    monkeypatch.setattr(machine, "tick", failing)
    assert [run(desk) for _ in range(2)] == [3, 0]
    states = {each.listing_id: each.state for each in desk.own().listings}
    assert states.pop(stuck) == ListingState.LISTING_STATE_DRAFT
    assert set(states.values()) == {EXPIRED}
    monkeypatch.undo()
    desk.federation.at += timedelta(hours=1)
    assert run(desk) == 1
    assert desk.state(stuck) == EXPIRED


def test_an_exchange_that_stops_as_a_listing_changes_does_stop(desk: ListingDesk) -> None:
    book = desk.desk.listings.book

    async def stop_as_it_wakes() -> None:
        task = asyncio.create_task(book.follow())
        while not book._wake._waiters:  # noqa: ASYNC110 - it is this which is waited for
            await asyncio.sleep(0.001)
        book.nudge()
        await asyncio.sleep(0)  # it is awake, and has not gone on yet
        task.cancel()
        await asyncio.wait({task}, timeout=3)
        assert task.cancelled()

    asyncio.run(stop_as_it_wakes())
