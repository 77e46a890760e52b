"""ListingService for one subject at a time: what a lender is told, of whom, and what it is not."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.rpc.errors import name_of
from concordat.trust.envelope import validate
from concordat.v1 import (
    DataCategory,
    DisputeStage,
    FlagKind,
    ListingAction,
    ListingMark,
    Reason,
    ReleaseResult,
    Role,
)
from concordat.verify.listing_answer import verify_listing_answer
from tests.builders import DAY, EXCHANGE, LENDER
from tests.exchange_services import reason_of
from tests.listing_builders import (
    FURNISHER,
    correction,
    digest,
    filed,
)
from tests.listing_desk import LISTINGS, ListingDesk

SCORE = DataCategory.DATA_CATEGORY_SCORE
FLAGS = DataCategory.DATA_CATEGORY_FLAGS
BOTH = [DataCategory.DATA_CATEGORY_LISTINGS, FLAGS]
FREEZE, ALERT = FlagKind.FLAG_KIND_FREEZE, FlagKind.FLAG_KIND_FRAUD_ALERT
REVIEW = DisputeStage.DISPUTE_STAGE_REVIEW
STATE = ListingAction.LISTING_ACTION_STATE
OTHER_LENDER = "second-lender"


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    yield desk
    desk.close()


def told(response: v1.CheckListingsResponse) -> v1.ListingAnswer:
    return v1.ListingAnswer.FromString(response.answer.payload)


# What is told -----------------------------------------------------------------------------------


def test_a_lender_verifies_offline_what_it_is_told(desk: ListingDesk) -> None:
    desk.in_force()
    granted = desk.consent(data_categories=BOTH)
    ask = desk.federation.ask(granted)
    response = desk.check(granted, ask.request)
    validate(response)
    verified = verify_listing_answer(
        ask,
        response,
        exchange=desk.federation.member(EXCHANGE),
        lender=desk.federation.member(LENDER),
        anchors=desk.federation.anchors,
        at=desk.federation.at,
    )
    (shown,) = verified.answer.listings.listings
    assert shown.mark == ListingMark.LISTING_MARK_EFFECTIVE
    assert not verified.answer.flags.frozen
    release = verified.release.record.release
    assert release.listings == 1
    assert release.result == ReleaseResult.RELEASE_RESULT_LISTINGS_ONLY


def test_no_more_is_told_than_the_consent_covers(desk: ListingDesk) -> None:
    desk.in_force()
    only = told(desk.check(desk.consent()))
    assert len(only.listings.listings) == 1
    assert not only.HasField("flags")
    flags = told(desk.check(desk.consent(data_categories=[FLAGS])))
    assert flags.HasField("flags")
    assert not flags.HasField("listings")
    score = desk.consent(data_categories=[SCORE])
    assert reason_of(lambda: desk.check(score)) == "PURPOSE_NOT_ALLOWED"
    fraud = desk.consent(data_categories=LISTINGS, purpose=v1.Purpose.PURPOSE_FRAUD_FLAGS)
    assert reason_of(lambda: desk.check(fraud)) == "PURPOSE_NOT_ALLOWED"


def test_the_oldest_delinquency_comes_first_by_the_dates_on_record(desk: ListingDesk) -> None:
    at = desk.federation.at
    listings = {}
    for days in (120, 200, 150):
        filing = desk.filing(
            debt_commitment=digest(f"{days} days"),
            delinquent_since=to_timestamp(at - days * DAY),
            late=v1.LateFilingCode.LATE_FILING_CODE_JOINED_LATER,
        )
        (result,) = desk.file_all(filing)
        listings[days] = result.standing.listing_id
    desk.read_inbox()
    desk.pass_time(28 * DAY)
    for listing_id in listings.values():
        desk.reconfirm(listing_id)
    desk.pass_time(2 * DAY)
    since = [from_timestamp(each.delinquent_since).date() for each in desk.shown()]
    assert since == [(at - days * DAY).date() for days in (200, 150, 120)]
    # Corrected at another process, as it were: the memory still has the date of before.
    desk.refresh()
    facts = correction(
        filed(), delinquent_since=to_timestamp(at - 300 * DAY), evidence_hash=digest("newer")
    )
    desk.say(
        desk.event(listings[120], ListingAction.LISTING_ACTION_CORRECT, FURNISHER, correction=facts)
    )
    answer = asyncio.run(desk.desk.listings.lookout.shown([desk.subject.ref], desk.federation.at))
    order = [entry.listing_id for entry in answer[0].entries]
    assert order == [listings[120], listings[200], listings[150]]


def test_a_court_entry_is_marked_while_it_is_disputed() -> None:
    desk = ListingDesk(profile="us")
    listing_id = desk.in_force(court=True)
    desk.dispute(listing_id, REVIEW)
    desk.sync(desk.filing(court=True).debt_commitment)
    (shown,) = desk.shown()
    assert shown.mark == ListingMark.LISTING_MARK_EFFECTIVE_DISPUTED
    desk.close()


def test_the_subjects_own_words_go_with_every_answer_that_shows_the_listing(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    words = v1.SubjectWords(text="我已还清。 I was in hospital.", language="zh-Hans")
    desk.subject_says(listing_id, STATE, words=words)
    assert [each.words for each in desk.shown()] == [words]
    (hit,) = desk.screen(desk.periodic()).hits
    assert hit.listings.listings[0].words == words
    granted = desk.consent(data_categories=[SCORE, *LISTINGS])
    request = desk.federation.view_request(granted)
    verified = desk.desk.verify(granted, request, desk.desk.ask(granted, request))
    assert verified.view.listings.listings[0].words == words
    desk.subject_says(listing_id, STATE, words=v1.SubjectWords())
    assert not desk.shown()[0].HasField("words")


def test_sixty_four_listings_are_told_at_most_and_the_newest_are_left_out(
    desk: ListingDesk,
) -> None:
    at = desk.federation.at
    filings = [
        desk.filing(
            debt_commitment=digest(f"debt {n}"),
            delinquent_since=to_timestamp(at - (120 + n) * DAY),
            late=v1.LateFilingCode.LATE_FILING_CODE_JOINED_LATER,
        )
        for n in range(70)
    ]
    results = desk.file_all(*filings)
    desk.read_inbox()
    desk.pass_time(28 * DAY)
    desk.say(
        *(
            desk.event(r.standing.listing_id, ListingAction.LISTING_ACTION_RECONFIRM, FURNISHER)
            for r in results
        )
    )
    desk.pass_time(2 * DAY)
    shown = desk.shown()
    assert len(shown) == 64
    assert from_timestamp(shown[0].delinquent_since).date() == (at - 189 * DAY).date()
    assert from_timestamp(shown[-1].delinquent_since).date() == (at - 126 * DAY).date()


# Who may ask, and again -------------------------------------------------------------------------


def test_the_same_request_again_is_read_again_under_one_access_and_uses_nothing(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    granted = desk.consent()
    request = desk.federation.view_request(granted)
    first, again = (told(desk.check(granted, request)) for _ in range(2))
    assert first.access_id == again.access_id
    assert desk.desk.uses(granted) == 1
    assert reason_of(lambda: desk.check(granted)) == "CONSENT_EXHAUSTED"
    # What was struck out meanwhile is gone from the second reading too.
    desk.withdraw(listing_id)
    assert told(desk.check(granted, request)).listings.listings == []


def test_the_same_request_id_with_other_bytes_is_refused(desk: ListingDesk) -> None:
    granted = desk.consent()
    request_id = new_id()
    later = to_timestamp(desk.federation.at + timedelta(seconds=30))
    desk.check(granted, desk.federation.view_request(granted, request_id=request_id))
    other = desk.federation.view_request(granted, request_id=request_id, expires_at=later)
    assert reason_of(lambda: desk.check(granted, other)) == "REPLAYED_WITH_OTHER_BYTES"


def test_a_request_is_its_own_lenders_alone(desk: ListingDesk) -> None:
    desk.enrol(OTHER_LENDER, Role.ROLE_LENDER)
    granted = desk.consent()
    signed_by_another = desk.federation.view_request(granted, signed_by=OTHER_LENDER)
    names_another = desk.federation.view_request(granted, lender=OTHER_LENDER)
    elsewhere = desk.federation.view_request(granted, federation="other.concordat")

    def asked(request: v1.Envelope, caller: str = LENDER) -> str:
        message = v1.CheckListingsRequest(ask=desk.federation.ask(granted, request))
        return reason_of(partial(desk.call, desk.listings.CheckListings, message, caller))

    assert asked(signed_by_another) == "SIGNATURE_INVALID"
    assert asked(signed_by_another, OTHER_LENDER) == "CALLER_NOT_SIGNER"
    assert asked(elsewhere) == "WRONG_FEDERATION"
    # Another lender's own request under a consent that names somebody else.
    assert asked(names_another, OTHER_LENDER) == "CONSENT_WRONG_RECIPIENT"
    assert desk.desk.uses(granted) == 0


def test_nothing_is_told_without_a_consent_of_that_very_subject(desk: ListingDesk) -> None:
    desk.in_force()
    bob = desk.consent(desk.federation.subject("bob"))
    request = desk.federation.view_request(bob, subject_ref=desk.subject.ref)
    assert reason_of(lambda: desk.check(bob, request)) == "CONSENT_MISMATCH"
    never_granted = desk.federation.consent(desk.subject, data_categories=LISTINGS)
    assert reason_of(lambda: desk.check(never_granted)) == "CONSENT_UNKNOWN"
    # Each attempt is in the subject's chain.
    refusals = [record.refusal.reason for record in desk.history() if record.HasField("refusal")]
    assert refusals == [Reason.REASON_CONSENT_MISMATCH, Reason.REASON_CONSENT_UNKNOWN]


def test_a_memory_that_is_not_current_tells_nothing(desk: ListingDesk) -> None:
    desk.in_force()
    granted = desk.consent()
    desk.refresh()
    desk.desk.listings.book._current_at = time.monotonic() - 1.1
    message = v1.CheckListingsRequest(ask=desk.federation.ask(granted))
    check = partial(desk.call, desk.listings.CheckListings, message, LENDER)
    assert reason_of(check) == "LISTINGS_STALE"


# Freeze and alert -------------------------------------------------------------------------------


def test_a_freeze_is_answered_as_frozen_and_lifting_it_counts_at_once(desk: ListingDesk) -> None:
    desk.in_force()
    desk.flag(FREEZE, placed=True, sequence=1)
    assert reason_of(desk.shown) == "SUBJECT_FROZEN"
    only_flags = told(desk.check(desk.consent(data_categories=[FLAGS])))
    assert only_flags.flags.frozen
    assert not only_flags.HasField("listings")
    view = desk.consent(data_categories=[SCORE])
    refused = desk.desk.ask(view)
    assert isinstance(refused, Refusal)
    assert refused.reason == Reason.REASON_SUBJECT_FROZEN
    assert desk.desk.links.sent == []  # no provider heard of it
    desk.flag(FREEZE, placed=False, sequence=2)
    assert len(desk.shown()) == 1


def test_a_fraud_alert_is_in_every_answer_that_covers_flags(desk: ListingDesk) -> None:
    desk.flag(ALERT, placed=True, sequence=1)
    assert told(desk.check(desk.consent(data_categories=BOTH))).flags.fraud_alert
    assert list(desk.screen(desk.periodic(data_categories=BOTH)).alerts) == [0]
    assert list(desk.screen(desk.periodic(data_categories=LISTINGS)).alerts) == []
    granted = desk.consent(data_categories=[SCORE, FLAGS])
    request = desk.federation.view_request(granted)
    verified = desk.desk.verify(granted, request, desk.desk.ask(granted, request))
    assert verified.view.flags.fraud_alert
    desk.flag(ALERT, placed=False, sequence=2)
    assert not told(desk.check(desk.consent(data_categories=BOTH))).flags.fraud_alert


Meanwhile = Callable[[ListingDesk, bytes], object]
MEANWHILE: dict[str, tuple[Meanwhile, str]] = {
    "the subject freezes its record": (
        lambda desk, _: desk.flag(FREEZE, placed=True, sequence=1),
        "SUBJECT_FROZEN",
    ),
    "the subject puts up an alert": (
        lambda desk, _: desk.flag(ALERT, placed=True, sequence=1),
        "LISTINGS_STALE",
    ),
    "the listing is withdrawn": (
        lambda desk, listing_id: desk.withdraw(listing_id),
        "LISTINGS_STALE",
    ),
    "the listing is disputed": (
        lambda desk, listing_id: desk.dispute(listing_id, REVIEW),
        "LISTINGS_STALE",
    ),
    "the debt is settled": (
        lambda desk, listing_id: desk.settle(listing_id),
        "LISTINGS_STALE",
    ),
    "the subject says something": (
        lambda desk, listing_id: desk.subject_says(
            listing_id, STATE, words=v1.SubjectWords(text="Mind this.", language="en")
        ),
        "LISTINGS_STALE",
    ),
}


@pytest.mark.parametrize("what", MEANWHILE)
@pytest.mark.parametrize("when", ["after it was let in", "after it was signed"])
def test_what_changes_before_the_release_is_never_told(
    desk: ListingDesk, what: str, when: str
) -> None:
    act, reason = MEANWHILE[what]
    listing_id = desk.in_force()
    granted = desk.consent(data_categories=[SCORE, *BOTH])
    before_release = desk.desk.accesses.released
    before_lookup = desk.desk.listings.lookout.shown
    step = "released" if when == "after it was signed" else "shown"

    async def meanwhile(*args: Any) -> Any:
        await asyncio.to_thread(act, desk, listing_id)
        return await (before_release if step == "released" else before_lookup)(*args)

    holder = desk.desk.accesses if step == "released" else desk.desk.listings.lookout
    object.__setattr__(holder, step, meanwhile)
    result = desk.desk.ask(granted)
    outcome = name_of(result.reason) if isinstance(result, Refusal) else ""
    if step == "released" or reason == "SUBJECT_FROZEN" or "alert" in what:
        assert outcome == reason
    else:  # looked up after the change, so that the answer has it already
        assert outcome == ""
    if outcome:
        releases = [r for r in desk.history() if r.WhichOneof("act") == "release"]
        assert releases == []
        assert desk.retractions() == []


@pytest.mark.parametrize("what", MEANWHILE)
def test_a_check_tells_what_is_on_record_and_not_what_the_memory_found(
    desk: ListingDesk, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    act, _ = MEANWHILE[what]
    listing_id = desk.in_force()
    granted = desk.consent(data_categories=BOTH)
    look = desk.desk.listings.book.shown

    def look_and_then(*args: Any) -> Any:
        found = look(*args)
        thread = threading.Thread(target=act, args=(desk, listing_id))
        thread.start()
        thread.join()
        assert found
        return found

    monkeypatch.setattr(desk.desk.listings.book, "shown", look_and_then)
    if "freezes" in what:
        assert reason_of(lambda: desk.check(granted)) == "SUBJECT_FROZEN"
        return
    answer = told(desk.check(granted))
    monkeypatch.undo()
    assert answer.listings == told(desk.check(desk.consent(data_categories=BOTH))).listings
    assert answer.flags.fraud_alert == ("alert" in what)


def test_a_view_that_waits_for_its_providers_tells_no_listing_struck_out_meanwhile(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    granted = desk.consent(data_categories=[SCORE, *LISTINGS])
    honest = desk.desk.links.honest(FURNISHER)

    async def slow(message: v1.RequestScoresRequest) -> Any:
        await asyncio.to_thread(desk.withdraw, listing_id)
        return await honest(message)

    desk.desk.links.answers[FURNISHER] = slow
    request = desk.federation.view_request(granted)
    verified = desk.desk.verify(granted, request, desk.desk.ask(granted, request))
    assert verified.view.listings.listings == []
    assert verified.view.complete.full.points
