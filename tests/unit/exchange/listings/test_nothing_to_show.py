"""Never listed, and listed but not shown: one answer, byte for byte, whatever the reason."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.v1 import (
    DataCategory,
    DisputeStage,
    RulingOutcome,
)
from exchange.listings.profile import Span
from exchange.settings import ListingsSettings
from tests.builders import DAY, Federation, Subject
from tests.exchange_builders import ExchangeDesk
from tests.listing_builders import (
    OWN,
    OWN_PROFILE,
)
from tests.listing_desk import ListingDesk

SCORE = DataCategory.DATA_CATEGORY_SCORE
FLAGS = DataCategory.DATA_CATEGORY_FLAGS
BOTH = [DataCategory.DATA_CATEGORY_LISTINGS, FLAGS]
CONTEST = DisputeStage.DISPUTE_STAGE_CONTEST
REVIEW = DisputeStage.DISPUTE_STAGE_REVIEW
APPEAL = DisputeStage.DISPUTE_STAGE_APPEAL


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    yield desk
    desk.close()


def told(response: v1.CheckListingsResponse) -> v1.ListingAnswer:
    return v1.ListingAnswer.FromString(response.answer.payload)


Way = Callable[[ListingDesk], object]
HIDDEN: dict[str, Way] = {}


def hidden(way: Way) -> Way:
    """Declare a way in which a subject comes to have a listing that nobody is shown."""
    HIDDEN[way.__name__] = way
    return way


@hidden
def draft(desk: ListingDesk) -> None:
    desk.file()


@hidden
def noticed(desk: ListingDesk) -> None:
    desk.file()
    desk.read_inbox()


@hidden
def waiting_to_be_reconfirmed(desk: ListingDesk) -> None:
    noticed(desk)
    desk.pass_time(60 * DAY)


@hidden
def contested(desk: ListingDesk) -> None:
    listing_id = desk.file().listing_id
    desk.read_inbox()
    desk.dispute(listing_id, CONTEST)


@hidden
def suppressed_while_under_review(desk: ListingDesk) -> None:
    desk.dispute(desk.in_force(), REVIEW)


@hidden
def suppressed_while_under_appeal(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    rejected = RulingOutcome.RULING_OUTCOME_REJECTED
    ruling_id, _ = desk.rule(listing_id, dispute_id, rejected)
    desk.dispute(listing_id, APPEAL, ruling_id=ruling_id)


@hidden
def withdrawn_before_its_effect(desk: ListingDesk) -> None:
    desk.withdraw(desk.file().listing_id)


@hidden
def withdrawn(desk: ListingDesk) -> None:
    desk.withdraw(desk.in_force())


@hidden
def struck_out_by_a_ruling(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    desk.rule(listing_id, dispute_id, RulingOutcome.RULING_OUTCOME_UPHELD)


@hidden
def timed_out(desk: ListingDesk) -> None:
    desk.dispute(desk.in_force(), REVIEW)
    desk.pass_time(30 * DAY)


@hidden
def expired(desk: ListingDesk) -> None:
    desk.in_force()
    desk.pass_time(7 * 366 * DAY)


@hidden
def past_its_end_and_no_timer_ran(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    (own,) = desk.own().listings
    assert own.listing_id == listing_id
    desk.federation.at = from_timestamp(own.expires_at)


@hidden
def of_a_stale_register(desk: ListingDesk) -> None:
    desk.in_force(court=True)
    desk.pass_time(DAY)


@hidden
def settled_and_expired(desk: ListingDesk) -> None:
    desk.settle(desk.in_force())
    desk.pass_time(Span(months=36).after(desk.federation.at) - desk.federation.at)


@hidden
def repaired(desk: ListingDesk) -> None:
    desk.settle(desk.in_force())
    desk.pass_time(Span(months=6).after(desk.federation.at) - desk.federation.at)
    (own,) = desk.own().listings
    assert own.state == v1.ListingState.LISTING_STATE_REPAIRED


def listing_answer(desk: ListingDesk, person: Subject) -> tuple[bytes, int, bytes]:
    """Return a check's answer without what differs between any two, its length, and the log's word of it."""
    response = desk.check(desk.consent(person, data_categories=BOTH))
    answer = told(response)
    for field in ("answer_id", "request_digest", "consent_digest", "access_id", "subject_ref"):
        answer.ClearField(field)
    release = v1.LogRecord.FromString(response.release.opening.record)
    release.ClearField("record_id")
    release.ClearField("subject_ref")
    release.release.ClearField("access_id")
    release.release.ClearField("view_digest")
    size = len(response.answer.SerializeToString())
    return answer.SerializeToString(deterministic=True), size, release.SerializeToString()


def screen_answer(desk: ListingDesk, person: Subject) -> bytes:
    answer = desk.screen(desk.periodic(person, data_categories=BOTH))
    answer.ClearField("request_digest")
    answer.ClearField("access_ids")
    return answer.SerializeToString(deterministic=True)


def view(desk: ListingDesk, person: Subject) -> bytes:
    granted = desk.consent(person, data_categories=[SCORE, *BOTH])
    request = desk.federation.view_request(granted)
    response = desk.desk.ask(granted, request)
    told = desk.desk.verify(granted, request, response).view
    for field in (
        "view_id",
        "request_digest",
        "consent_digest",
        "binding_digest",
        "consent_status_digest",
        "subject_ref",
        "receipt",
        "providers",  # digests of statements about another subject
    ):
        told.ClearField(field)
    return told.SerializeToString(deterministic=True)


@pytest.mark.parametrize("way", HIDDEN)
def test_never_listed_and_not_shown_are_one_answer_byte_for_byte(way: str, tmp_path: Path) -> None:
    desk = own_desk(tmp_path) if way == "repaired" else ListingDesk()
    HIDDEN[way](desk)
    never = desk.federation.subject("bob", not_after=to_timestamp(desk.federation.at + 300 * DAY))
    for answer in (listing_answer, screen_answer, view):
        assert answer(desk, desk.subject) == answer(desk, never)
    desk.close()


def test_what_is_shown_is_another_answer(desk: ListingDesk) -> None:
    # Else the test above would prove nothing.
    desk.in_force()
    bob = desk.federation.subject("bob")
    for answer in (listing_answer, screen_answer, view):
        assert answer(desk, desk.subject) != answer(desk, bob)


def own_desk(folder: Path) -> ListingDesk:
    (folder / f"{OWN}.toml").write_text(OWN_PROFILE)
    settings = ListingsSettings(profiles=folder)
    return ListingDesk(ExchangeDesk(Federation(), listings_settings=settings), OWN)
