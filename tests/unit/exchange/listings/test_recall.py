"""Recall (R14): whoever was told of a listing hears of its change, and has to acknowledge that."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from concordat import v1
from concordat.clock import from_timestamp
from concordat.statements import digest_of
from concordat.v1 import (
    DataCategory,
    DisputeStage,
    ListingAction,
    ListingActKind,
    RetractionCause,
    Role,
    RulingOutcome,
)
from concordat.verify.retraction import require_retraction_of, verify_retraction
from exchange.listings import recall
from exchange.listings.table import listing_told
from tests.builders import DAY, EXCHANGE, LENDER
from tests.exchange_services import reason_of
from tests.listing_builders import (
    FURNISHER,
    correction,
    digest,
    filed,
    money,
)
from tests.listing_desk import LISTINGS, ListingDesk

SCORE = DataCategory.DATA_CATEGORY_SCORE
REVIEW = DisputeStage.DISPUTE_STAGE_REVIEW
OTHER_LENDER = "second-lender"


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    yield desk
    desk.close()


def told(response: v1.CheckListingsResponse) -> v1.ListingAnswer:
    return v1.ListingAnswer.FromString(response.answer.payload)


def test_each_answer_of_the_past_six_months_is_recalled_and_no_older_one(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    answers = []
    for days in (0, 1, 182):
        desk.pass_time(days * DAY)
        answers.append(digest_of(desk.check().answer))
    desk.withdraw(listing_id)
    recalled = desk.retractions()
    # The first is 183 days old by now.
    assert {each.answer_digest for each in recalled} == set(answers[1:])
    assert {each.cause for each in recalled} == {RetractionCause.RETRACTION_CAUSE_WITHDRAWN}
    due = from_timestamp(recalled[0].acknowledge_by)
    assert due == desk.federation.at + recall.ACKNOWLEDGE_WITHIN


def test_views_and_screenings_are_recalled_like_checks(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    granted = desk.consent(data_categories=[SCORE, *LISTINGS])
    answer = desk.desk.ask(granted)
    assert isinstance(answer, v1.RequestViewResponse)
    (screened,) = desk.screen_all(desk.screen_request(desk.periodic()))
    desk.withdraw(listing_id)
    expected = {digest_of(answer.view), digest_of(screened.answer)}
    assert {each.answer_digest for each in desk.retractions()} == expected


def test_a_retraction_names_the_place_in_the_answer_and_verifies_offline(
    desk: ListingDesk,
) -> None:
    first = desk.in_force(debt_commitment=digest("older"))
    second = desk.in_force(debt_commitment=digest("newer"))
    response = desk.check()
    desk.withdraw(second)
    (envelope,) = desk.recalls()
    fed = desk.federation
    verified = verify_retraction(
        envelope, exchange=fed.member(EXCHANGE), lender=LENDER, anchors=fed.anchors, at=fed.at
    )
    recalled = require_retraction_of(
        verified.message,
        answer_digest=digest_of(response.answer),
        subject_ref=desk.subject.ref,
        listings=told(response).listings,
        answered_at=fed.at,
    )
    assert recalled == told(response).listings.listings[1]
    assert verified.message.position == 1
    assert desk.state(first) == v1.ListingState.LISTING_STATE_EFFECTIVE


def test_a_correction_and_a_settlement_are_told_to_those_who_were_told(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    desk.check()
    facts = correction(filed(), amount=money(50_000))
    action = ListingAction.LISTING_ACTION_CORRECT
    desk.say(desk.event(listing_id, action, FURNISHER, correction=facts))
    desk.settle(listing_id)
    assert [each.cause for each in desk.retractions()] == [
        RetractionCause.RETRACTION_CAUSE_CORRECTED,
        RetractionCause.RETRACTION_CAUSE_SETTLED,
    ]


def test_what_merely_ends_or_is_disputed_is_not_recalled(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    desk.check()
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    desk.rule(listing_id, dispute_id, RulingOutcome.RULING_OUTCOME_REJECTED)
    desk.pass_time(7 * 366 * DAY)
    assert desk.retractions() == []


def test_an_acknowledgement_is_kept_once_and_is_its_own_lenders(desk: ListingDesk) -> None:
    desk.enrol(OTHER_LENDER, Role.ROLE_LENDER)
    listing_id = desk.in_force()
    desk.check()
    desk.withdraw(listing_id)
    (envelope,) = desk.recalls()
    assert desk.recalls(OTHER_LENDER) == []
    refused = partial(desk.acknowledge, envelope, OTHER_LENDER)
    assert reason_of(refused) == "LISTING_UNKNOWN"
    altered = v1.Retraction.FromString(envelope.payload)
    altered.position = 5
    forged = v1.Envelope(payload=altered.SerializeToString(), payload_type=envelope.payload_type)
    assert reason_of(partial(desk.acknowledge, forged)) == "LISTING_UNKNOWN"
    for _ in range(2):
        desk.acknowledge(envelope)
    assert desk.recalls() == []
    (recipient,) = desk.own().listings[0].recipients
    assert recipient.lender == LENDER
    assert recipient.recalled
    assert from_timestamp(recipient.acknowledged_at) == desk.federation.at
    acts = [r.listing for r in desk.history() if r.WhichOneof("act") == "listing"][-2:]
    assert [(act.kind, act.actor) for act in acts] == [
        (ListingActKind.LISTING_ACT_KIND_RETRACTED, LENDER),
        (ListingActKind.LISTING_ACT_KIND_ACKNOWLEDGED, LENDER),
    ]
    assert acts[0].digest == digest_of(envelope)


def test_what_is_not_acknowledged_in_time_is_reported_by_lender(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    desk.check()
    desk.check()
    desk.withdraw(listing_id)
    now = desk.federation.at

    def overdue(days: int) -> list[tuple[Any, ...]]:
        at = now + days * DAY
        return [tuple(row) for row in desk.desk.store.run(lambda c: recall.overdue(c, at))]

    assert overdue(2) == []
    ((lender, count, due),) = overdue(3)
    assert (lender, count) == (LENDER, 2)
    assert due == (now + 3 * DAY).timestamp() * 1_000_000
    desk.acknowledge(desk.recalls()[0])
    assert overdue(3)[0][1] == 1


def test_two_thousand_answers_are_recalled_by_one_withdrawal(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    desk.check()
    rows = [
        {
            "subject_ref": desk.subject.ref,
            "listing_id": listing_id,
            "answer_digest": digest(f"answer {n}"),
            "lender": LENDER,
            "position": 0,
            "told_at": int(desk.federation.at.timestamp() * 1_000_000),
        }
        for n in range(2000)
    ]
    desk.desk.store.run(lambda c: c.execute(listing_told.insert(), rows))
    desk.withdraw(listing_id)
    assert len(desk.recalls()) == 200  # a page; the next come as these are acknowledged
    late = desk.federation.at + 4 * DAY
    (row,) = desk.desk.store.run(lambda c: recall.overdue(c, late))
    assert tuple(row)[:2] == (LENDER, 2001)
