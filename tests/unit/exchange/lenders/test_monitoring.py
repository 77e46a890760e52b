"""Who has a periodic consent hears of changes; nobody else does, and nothing is lost over restarts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.v1 import ConsentEventKind, DataCategory, DisputeStage, FlagKind, RulingOutcome
from exchange.lenders import change_table, listening, servicer
from exchange.lenders.servicer import LenderServicer
from exchange.log.book import LogBook
from exchange.tables import lender_change
from tests.builders import AT, DAY, LENDER, Granted
from tests.exchange_builders import put_on_record
from tests.exchange_services import NO_CONTEXT, reason_of
from tests.lender_builders import OTHER_LENDER, DutyDesk, kind_of

PAUSE = ConsentEventKind.CONSENT_EVENT_KIND_PAUSE
RESUME = ConsentEventKind.CONSENT_EVENT_KIND_RESUME
REVOKE = ConsentEventKind.CONSENT_EVENT_KIND_REVOKE


@pytest.fixture
def desk() -> Iterator[DutyDesk]:
    made = DutyDesk()
    yield made
    made.close()


def say(desk: DutyDesk, granted: Granted, kind: ConsentEventKind.ValueType, sequence: int) -> None:
    desk.tell(desk.federation.consent_event(granted, kind, sequence), granted.person)


def monitored(desk: DutyDesk, **fields: Any) -> Granted:
    """Return a periodic consent that outlives what it takes to list somebody."""
    return desk.periodic(**fields)


# Listings -----------------------------------------------------------------------------------------


def test_a_listing_that_takes_effect_is_told_and_nothing_of_what_it_says(desk: DutyDesk) -> None:
    granted = monitored(desk)
    desk.in_force()
    (change,) = (c for c in desk.changes()[0] if kind_of(c) == "LISTING_IN_FORCE")
    assert (change.subject_ref, change.consent_id) == (
        desk.subject.ref,
        granted.consent.consent_id,
    )
    assert change.at.ToDatetime() <= desk.federation.at.replace(tzinfo=None)
    told = [each.monitoring for each in desk.history() if each.HasField("monitoring")]
    assert [(each.lender, each.consent_id) for each in told] == [
        (LENDER, granted.consent.consent_id)
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"data_categories": [DataCategory.DATA_CATEGORY_SCORE]},
        {"mode": v1.ConsentMode.CONSENT_MODE_ONCE, "frequency": None, "max_uses": 1},
        {"valid_from": to_timestamp(AT + 60 * DAY)},
        {"valid_until": to_timestamp(AT + 10 * DAY)},
    ],
    ids=["no listings", "once", "not yet", "expired"],
)
def test_without_a_consent_that_allows_it_no_listing_is_told(
    desk: DutyDesk, fields: dict[str, Any]
) -> None:
    monitored(desk, **fields)
    desk.in_force()
    assert "LISTING_IN_FORCE" not in desk.kinds()


def test_another_lenders_subject_is_never_told(desk: DutyDesk) -> None:
    monitored(desk)
    desk.in_force()
    assert desk.changes(lender=OTHER_LENDER) == ([], 1)
    monitored(desk, recipient=OTHER_LENDER, person=desk.federation.subject("bob"))
    assert desk.kinds(lender=OTHER_LENDER) == []


def test_while_paused_or_after_the_end_nothing_of_listings_is_told(desk: DutyDesk) -> None:
    paused, revoked = monitored(desk), monitored(desk)
    say(desk, paused, PAUSE, 1)
    say(desk, revoked, REVOKE, 1)
    desk.in_force()
    assert desk.kinds() == ["CONSENT_PAUSED", "CONSENT_ENDED"]
    say(desk, paused, RESUME, 2)
    assert desk.kinds() == ["CONSENT_PAUSED", "CONSENT_ENDED", "CONSENT_RESUMED"]


def test_a_suppressed_listing_goes_silently_and_is_told_when_it_comes_back(desk: DutyDesk) -> None:
    monitored(desk)
    listing_id = desk.in_force()
    _, cursor = desk.changes()
    dispute_id, _ = desk.dispute(listing_id, DisputeStage.DISPUTE_STAGE_REVIEW)
    assert desk.shown() == []
    assert desk.kinds(cursor) == []
    desk.rule(listing_id, dispute_id, RulingOutcome.RULING_OUTCOME_REJECTED)
    assert desk.kinds(cursor) == ["LISTING_IN_FORCE"]
    _, cursor = desk.changes(cursor)
    desk.settle(listing_id)
    desk.withdraw(listing_id)
    assert desk.kinds(cursor) == []


def test_while_frozen_no_listing_is_told_and_when_thawed_it_is(desk: DutyDesk) -> None:
    monitored(desk)
    desk.flag(FlagKind.FLAG_KIND_FREEZE, placed=True, sequence=1)
    desk.in_force()
    assert desk.kinds() == []
    desk.flag(FlagKind.FLAG_KIND_FREEZE, placed=False, sequence=2)
    assert desk.kinds() == ["LISTING_IN_FORCE"]


def revoked(desk: DutyDesk, granted: Granted, _listing_id: bytes) -> None:
    say(desk, granted, REVOKE, 1)


def paused(desk: DutyDesk, granted: Granted, _listing_id: bytes) -> None:
    say(desk, granted, PAUSE, 1)


def frozen(desk: DutyDesk, _granted: Granted, _listing_id: bytes) -> None:
    desk.flag(FlagKind.FLAG_KIND_FREEZE, placed=True, sequence=1)


def upheld(desk: DutyDesk, _granted: Granted, listing_id: bytes) -> None:
    dispute_id, _ = desk.dispute(listing_id, DisputeStage.DISPUTE_STAGE_REVIEW)
    desk.rule(listing_id, dispute_id, RulingOutcome.RULING_OUTCOME_UPHELD)


@pytest.mark.parametrize("meanwhile", [revoked, paused, frozen, upheld])
def test_who_reads_late_or_again_is_told_of_no_listing_that_it_may_not_hear_of_by_now(
    desk: DutyDesk, meanwhile: Callable[[DutyDesk, Granted, bytes], None]
) -> None:
    granted = monitored(desk)
    listing_id = desk.in_force()
    told, last = desk.changes()
    assert "LISTING_IN_FORCE" in map(kind_of, told)
    meanwhile(desk, granted, listing_id)
    again, cursor = desk.changes()
    assert "LISTING_IN_FORCE" not in map(kind_of, again)
    assert cursor >= last  # it is passed over, not waited for


def test_a_whole_page_that_may_not_be_told_is_no_silence(
    desk: DutyDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = monitored(desk)
    desk.in_force()
    (listed,) = (c.cursor for c in desk.changes()[0] if kind_of(c) == "LISTING_IN_FORCE")
    say(desk, granted, REVOKE, 1)
    monkeypatch.setattr("exchange.lenders.servicer.AT_ONCE", 1)
    assert desk.kinds(listed - 1) == ["CONSENT_ENDED"]


def test_a_consent_holds_although_its_key_was_replaced(desk: DutyDesk) -> None:
    monitored(desk)
    desk.subject = desk.federation.subject(
        "ada", version=2, not_after=to_timestamp(AT + 4000 * DAY)
    )
    desk.in_force()
    assert "LISTING_IN_FORCE" in desk.kinds()


def test_nothing_is_told_before_its_entry_is_in_the_log(
    desk: DutyDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitored(desk)
    desk.tidy()
    desk.in_force()

    def closed(_book: LogBook, _at: object) -> None:
        raise Refusal(v1.Reason.REASON_LOG_UNAVAILABLE)

    with monkeypatch.context() as patched:
        patched.setattr(LogBook, "require_open", closed)
        before, cursor = desk.changes()
        assert [kind_of(each) for each in before] == ["REVIEW_DUE"]
    assert desk.kinds(cursor) == ["LISTING_IN_FORCE"]


# Consents -----------------------------------------------------------------------------------------


def test_the_end_of_a_consent_is_told_once_however_it_comes(desk: DutyDesk) -> None:
    expiring = monitored(desk, valid_until=to_timestamp(AT + DAY))
    spent = monitored(desk, max_uses=1)
    revoked = monitored(desk)
    desk.screen(spent)
    say(desk, revoked, REVOKE, 1)
    desk.federation.at += 2 * DAY
    desk.tidy()
    desk.tidy()
    ended = [c.consent_id for c in desk.changes()[0] if kind_of(c) == "CONSENT_ENDED"]
    assert ended == [each.consent.consent_id for each in (spent, revoked, expiring)]


def test_a_review_is_due_at_once_and_again_when_the_frequency_allows(desk: DutyDesk) -> None:
    granted = monitored(desk)
    desk.tidy()
    ((change,), cursor) = desk.changes()
    assert (kind_of(change), change.consent_id) == ("REVIEW_DUE", granted.consent.consent_id)
    desk.screen(granted)
    desk.federation.at += 89 * DAY
    desk.tidy()
    assert desk.changes(cursor) == ([], cursor)
    desk.federation.at += DAY
    desk.tidy()
    desk.tidy()
    assert [kind_of(each) for each in desk.changes(cursor)[0]] == ["REVIEW_DUE"]


def test_reviews_are_spread_over_the_period_and_put_off_where_uses_were_spent_at_once(
    desk: DutyDesk,
) -> None:
    granted = desk.federation.periodic(desk.subject, uses=2)
    put_on_record(desk.federation, desk.desk.store, granted)
    desk.tidy()
    cursor = desk.changes()[1]
    for _ in range(2):
        assert isinstance(desk.desk.ask(granted), v1.RequestViewResponse)
        desk.federation.at += timedelta(hours=1)
    desk.federation.at += timedelta(hours=12)  # half a day after the second, no day after the first
    desk.tidy()
    assert desk.changes(cursor)[0] == []
    desk.federation.at += timedelta(hours=10)
    desk.tidy()
    assert [kind_of(each) for each in desk.changes(cursor)[0]] == ["REVIEW_DUE"]


def test_no_review_of_a_paused_consent_is_due_before_it_is_resumed(desk: DutyDesk) -> None:
    granted = monitored(desk)
    say(desk, granted, PAUSE, 1)
    desk.tidy()
    assert [kind_of(each) for each in desk.changes()[0]] == ["CONSENT_PAUSED"]
    say(desk, granted, RESUME, 2)
    desk.tidy()
    kinds = [kind_of(each) for each in desk.changes()[0]]
    assert kinds == ["CONSENT_PAUSED", "CONSENT_RESUMED", "REVIEW_DUE"]


# Streams ------------------------------------------------------------------------------------------


Watching = Callable[[AsyncIterator[v1.WatchChangesResponse], Awaitable[Any]], Awaitable[None]]


def watch(desk: DutyDesk, then: Watching, lender: str = LENDER) -> None:
    """Run ``then`` on a lender's stream once it is silent: the stream, and its next message to be awaited."""

    async def run() -> None:
        desk.let_in(lender)
        stream = desk.lenders.WatchChanges(v1.WatchChangesRequest(), NO_CONTEXT)
        assert not (await anext(stream)).changes
        following = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            await then(stream, following)

    asyncio.run(run())
    assert listening._listeners == {}


@pytest.fixture
def never_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servicer, "LOOK_SECONDS", 60.0)


def test_what_is_committed_here_is_told_at_once_and_not_at_the_next_look(
    desk: DutyDesk, never_looking: None
) -> None:
    granted = monitored(desk)

    async def paused(_: object, following: Awaitable[Any]) -> None:
        await asyncio.to_thread(say, desk, granted, PAUSE, 1)
        assert [kind_of(each) for each in (await following).changes] == ["CONSENT_PAUSED"]

    watch(desk, paused)


def test_what_another_lender_is_told_wakes_nobody_else_and_stopping_everybody(
    desk: DutyDesk, never_looking: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = monitored(desk)

    async def paused(_: object, following: Awaitable[Any]) -> None:
        monkeypatch.setattr(change_table, "read", pytest.fail)
        await asyncio.to_thread(say, desk, granted, PAUSE, 1)
        await asyncio.sleep(0.05)
        desk.stopping.set()
        with pytest.raises(StopAsyncIteration):
            await following

    watch(desk, paused, OTHER_LENDER)


def test_what_another_process_wrote_is_found_by_looking(
    desk: DutyDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = monitored(desk)
    monkeypatch.setattr(servicer, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(change_table, "written", lambda _: None)  # it was not written here

    async def paused(_: object, following: Awaitable[Any]) -> None:
        await asyncio.to_thread(say, desk, granted, PAUSE, 1)
        assert [kind_of(each) for each in (await following).changes] == ["CONSENT_PAUSED"]

    watch(desk, paused)


def test_silence_is_never_longer_than_a_heartbeat_whenever_it_was_looked_last(
    desk: DutyDesk, never_looking: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servicer, "HEARTBEAT_SECONDS", 0.2)

    async def woken(_: object, following: Awaitable[Any]) -> None:
        listening.written([LENDER])  # of which nothing comes, as where it was rolled back
        assert not (await following).changes

    watch(desk, woken)


# Cursors ------------------------------------------------------------------------------------------


def test_a_stream_goes_on_where_it_was_after_a_restart(desk: DutyDesk) -> None:
    granted = monitored(desk)
    for sequence in range(1, 7):
        say(desk, granted, PAUSE if sequence % 2 else RESUME, sequence)
    all_, last = desk.changes()
    assert [each.cursor for each in all_] == list(range(2, 8))
    book = desk.desk.book
    desk.lenders = LenderServicer(
        desk.federation.anchors, desk.desk.store, book, desk.desk.clock.now
    )
    for each in all_:
        rest, cursor = desk.changes(each.cursor)
        assert rest == all_[each.cursor - 1 :]
        assert cursor == last


def test_a_cursor_that_is_too_old_or_of_another_exchange_is_refused(desk: DutyDesk) -> None:
    granted = monitored(desk)
    say(desk, granted, PAUSE, 1)
    _, cursor = desk.changes()
    assert reason_of(lambda: desk.changes(cursor + 1)) == "CURSOR_UNKNOWN"
    desk.federation.at += 91 * DAY
    desk.tidy()
    say(desk, granted, RESUME, 2)
    assert reason_of(lambda: desk.changes(1)) == "CURSOR_UNKNOWN"
    assert desk.kinds(cursor) == ["CONSENT_RESUMED"]
    assert desk.kinds() == ["CONSENT_RESUMED"]  # who begins anew gets what is kept


def test_who_is_erased_is_told_of_no_more_and_nobody_elses_changes_are_lost(desk: DutyDesk) -> None:
    bob = desk.federation.subject("bob")
    ada, other = monitored(desk), monitored(desk, person=bob)
    say(desk, ada, PAUSE, 1)
    say(desk, other, PAUSE, 1)
    goes = lender_change.delete().where(lender_change.c.subject_ref == desk.subject.ref)
    assert desk.desk.store.run(lambda c: c.execute(goes).rowcount) == 1
    told, _ = desk.changes()
    assert [each.subject_ref for each in told] == [bob.ref]
