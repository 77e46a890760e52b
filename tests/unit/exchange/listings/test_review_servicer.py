"""ReviewService: who decides what, independently, in time, once; and what a reviewer is shown."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from concordat import v1
from concordat.clock import from_timestamp
from concordat.ids import new_id
from concordat.statements import seal
from concordat.trust.envelope import validate
from concordat.trust.errors import StatementMalformedError
from concordat.trust.sealed import SealingKey, open_sealed
from concordat.trust.sealed import seal as seal_evidence
from concordat.v1 import (
    DisputeGround,
    DisputeStage,
    ListingAction,
    ListingState,
    Role,
    RulingOutcome,
)
from tests.builders import DAY, REGULATOR, signer
from tests.exchange_services import reason_of
from tests.listing_builders import (
    APPEAL_BODY,
    COURT,
    FURNISHER,
    REVIEWER,
    SECOND_APPEAL_BODY,
    digest,
)
from tests.listing_desk import OTHER_FURNISHER, OTHER_REVIEWER, ListingDesk

CONTEST = DisputeStage.DISPUTE_STAGE_CONTEST
REVIEW = DisputeStage.DISPUTE_STAGE_REVIEW
APPEAL = DisputeStage.DISPUTE_STAGE_APPEAL
UPHELD = RulingOutcome.RULING_OUTCOME_UPHELD
REJECTED = RulingOutcome.RULING_OUTCOME_REJECTED
EXTEND = ListingAction.LISTING_ACTION_EXTEND
OPEN_REVIEW = ListingAction.LISTING_ACTION_OPEN_REVIEW
UNDER_REVIEW = ListingState.LISTING_STATE_UNDER_REVIEW


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    yield desk
    desk.close()


def queue(desk: ListingDesk, reviewer: str = REVIEWER, most: int = 200) -> list[v1.ReviewSummary]:
    request = v1.ListReviewsRequest(most=most)
    return list(desk.call(desk.reviews.ListReviews, request, reviewer).reviews)


def review(desk: ListingDesk, dispute_id: bytes, reviewer: str = REVIEWER) -> v1.GetReviewResponse:
    request = v1.GetReviewRequest(dispute_id=dispute_id)
    response = desk.call(desk.reviews.GetReview, request, reviewer)
    validate(response)
    return response


def say(
    desk: ListingDesk,
    listing_id: bytes,
    action: ListingAction.ValueType,
    by: str,
    **particulars: Any,
) -> str:
    """Submit a reviewer's event; return why it is refused, "" where it is not."""
    event = desk.event(listing_id, action, by, **particulars)
    request = v1.SubmitReviewEventRequest(event=seal(event, signer(by)))
    return reason_of(partial(desk.call, desk.reviews.SubmitReviewEvent, request, by))


def more_time(dispute_id: bytes) -> v1.ReasonedExtension:
    return v1.ReasonedExtension(dispute_id=dispute_id, reasons="The archive is abroad.")


# The queue --------------------------------------------------------------------------------------


def test_a_reviewer_sees_the_disputes_that_name_it_the_nearest_deadline_first(
    desk: ListingDesk,
) -> None:
    first = desk.in_force(debt_commitment=digest("first"))
    second = desk.in_force(debt_commitment=digest("second"))
    third = desk.in_force(debt_commitment=digest("third"))
    disputes = []
    for listing_id in (second, first):
        disputes.append(desk.dispute(listing_id, REVIEW)[0])
        desk.pass_time(DAY)
    desk.dispute(third, REVIEW, reviewer=OTHER_REVIEWER)
    found = queue(desk)
    assert [each.dispute_id for each in found] == disputes
    assert [each.listing_id for each in found] == [second, first]
    assert [each.dispute_id for each in queue(desk, most=1)] == disputes[:1]
    assert [each.listing_id for each in queue(desk, OTHER_REVIEWER)] == [third]
    assert queue(desk, APPEAL_BODY) == []


def test_a_review_of_the_regulators_own_motion_is_in_every_reviewers_queue(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    desk.open_review(listing_id, REGULATOR)
    for reviewer in (REVIEWER, OTHER_REVIEWER):
        (summary,) = queue(desk, reviewer)
        shown = review(desk, summary.dispute_id, reviewer)
        assert shown.summary == summary
        assert not shown.HasField("dispute")
        assert len(shown.filings) == 1


def test_a_reviewer_is_shown_the_dispute_the_filings_and_the_evidence_sealed_to_it(
    desk: ListingDesk,
) -> None:
    key = SealingKey.generate()
    listing_id = desk.in_force()
    desk.file(source=OTHER_FURNISHER)
    desk.file(court=True)
    desk.withdraw(listing_id, OTHER_FURNISHER)
    dispute_id = new_id()
    sealed = seal_evidence(key.public_key, b"the receipt itself", dispute_id)
    desk.dispute(
        listing_id,
        REVIEW,
        dispute_id=dispute_id,
        attachments=[v1.SealedAttachment(sealed=sealed)],
    )
    shown = review(desk, dispute_id)
    assert v1.Dispute.FromString(shown.dispute.payload).dispute_id == dispute_id
    sources = [v1.ListingFiling.FromString(each.payload).source for each in shown.filings]
    assert sources == [FURNISHER, COURT]
    (attachment,) = shown.attachments
    assert open_sealed(key, attachment.sealed, dispute_id) == b"the receipt itself"
    assert shown.standing.state == UNDER_REVIEW
    assert shown.facts == desk.own().listings[0].facts
    assert not shown.HasField("ruling")


def test_an_appeal_body_is_shown_the_ruling_that_is_appealed(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    ruling_id, _ = desk.rule(listing_id, dispute_id, REJECTED)
    appeal_id, _ = desk.dispute(listing_id, APPEAL, ruling_id=ruling_id)
    shown = review(desk, appeal_id, APPEAL_BODY)
    assert v1.Ruling.FromString(shown.ruling.payload).ruling_id == ruling_id
    assert queue(desk) == []


def test_a_dispute_that_names_another_is_not_shown_nor_decided(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    for other in (OTHER_REVIEWER, APPEAL_BODY):
        assert reason_of(partial(review, desk, dispute_id, other)) == "LISTING_UNKNOWN"
    assert reason_of(partial(review, desk, new_id())) == "LISTING_UNKNOWN"
    ruled = partial(desk.rule, listing_id, dispute_id, UPHELD)
    assert reason_of(partial(ruled, reviewer=OTHER_REVIEWER)) == "LISTING_UNKNOWN"
    assert reason_of(partial(ruled, reviewer=APPEAL_BODY)) == "LISTING_TRANSITION_REFUSED"
    assert desk.state(listing_id) == UNDER_REVIEW


def test_what_is_decided_is_shown_no_more(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    desk.rule(listing_id, dispute_id, REJECTED)
    assert queue(desk) == []
    assert reason_of(partial(review, desk, dispute_id)) == "LISTING_UNKNOWN"


# Deciding ---------------------------------------------------------------------------------------


def test_a_ruling_is_its_own_signers_alone(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    given: dict[str, Any] = {
        "ruling_id": new_id(),
        "federation": desk.federation.name,
        "reviewer": REVIEWER,
        "subject_ref": desk.subject.ref,
        "listing_id": listing_id,
        "dispute_id": dispute_id,
        "outcome": UPHELD,
        "reasons": "Paid.",
        "decided_at": desk.own().listings[0].decide_by,
    }

    def ruled(signed_by: str, caller: str, **bent: Any) -> str:
        ruling = v1.Ruling(**(given | {"decided_at": desk.own().listings[0].steps[-1].at} | bent))
        request = v1.SubmitRulingRequest(ruling=seal(ruling, signer(signed_by)))
        return reason_of(partial(desk.call, desk.reviews.SubmitRuling, request, caller))

    assert ruled(OTHER_REVIEWER, REVIEWER) == "SIGNATURE_INVALID"
    assert ruled(REVIEWER, OTHER_REVIEWER) == "SIGNATURE_INVALID"
    assert ruled(OTHER_REVIEWER, OTHER_REVIEWER) == "CALLER_NOT_SIGNER"
    assert ruled(REVIEWER, REVIEWER, federation="other.concordat") == "WRONG_FEDERATION"
    assert ruled(REVIEWER, REVIEWER, decided_at=given["decided_at"]) == "STATEMENT_NOT_FRESH"
    assert ruled(REVIEWER, REVIEWER, subject_ref=digest("nobody")) == "LISTING_UNKNOWN"
    assert ruled(REVIEWER, REVIEWER, reasons="\x1b[2J") == "MESSAGE_INVALID"
    assert desk.state(listing_id) == UNDER_REVIEW
    assert ruled(REVIEWER, REVIEWER) == ""


def test_the_same_ruling_again_changes_nothing_and_with_other_bytes_is_refused(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    ruling_id = new_id()
    rule = partial(desk.rule, listing_id, dispute_id)
    first = rule(REJECTED, ruling_id=ruling_id)
    entries = len(desk.history())
    assert rule(REJECTED, ruling_id=ruling_id) == first
    assert reason_of(partial(rule, UPHELD, ruling_id=ruling_id)) == "REPLAYED_WITH_OTHER_BYTES"
    assert reason_of(partial(rule, UPHELD)) == "LISTING_TRANSITION_REFUSED"
    assert len(desk.history()) == entries


def test_nobody_decides_after_the_limit(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    dispute_id, answer = desk.dispute(listing_id, REVIEW)
    desk.federation.at = from_timestamp(answer.decide_by)  # no timer has run
    assert (
        reason_of(partial(desk.rule, listing_id, dispute_id, REJECTED))
        == "LISTING_TRANSITION_REFUSED"
    )
    desk.pass_time(0 * DAY)
    assert desk.state(listing_id) == ListingState.LISTING_STATE_WITHDRAWN


def test_more_time_is_taken_once_with_reasons_and_by_who_decides(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    dispute_id, answer = desk.dispute(listing_id, REVIEW)
    wanted = more_time(dispute_id)
    refused = say(desk, listing_id, EXTEND, OTHER_REVIEWER, extension=wanted)
    assert refused == "LISTING_UNKNOWN"
    assert say(desk, listing_id, EXTEND, REVIEWER, extension=more_time(new_id())) == (
        "LISTING_UNKNOWN"
    )
    assert say(desk, listing_id, EXTEND, REVIEWER, extension=wanted) == ""
    (summary,) = queue(desk)
    assert summary.extended
    assert from_timestamp(summary.due_at) == from_timestamp(answer.decide_by) + 60 * DAY
    again = say(desk, listing_id, EXTEND, REVIEWER, extension=wanted)
    assert again == "LISTING_TRANSITION_REFUSED"


def test_no_reasons_no_ruling_and_no_more_time(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    with pytest.raises(StatementMalformedError, match="reasons"):
        desk.rule(listing_id, dispute_id, UPHELD, reasons="")
    silent = v1.ReasonedExtension(dispute_id=dispute_id)
    with pytest.raises(StatementMalformedError, match="reasons"):
        say(desk, listing_id, EXTEND, REVIEWER, extension=silent)


# Independence -----------------------------------------------------------------------------------


def test_a_source_never_decides_even_after_it_left(desk: ListingDesk) -> None:
    # A court may be a reviewer too; of what it filed itself it is none.
    desk.enrol(COURT + "-bench", Role.ROLE_COURT, Role.ROLE_REVIEWER)
    listing_id = desk.file(court=True, source=COURT + "-bench").listing_id
    desk.file()
    desk.withdraw(
        listing_id,
        COURT + "-bench",
        v1.WithdrawalCode.WITHDRAWAL_CODE_GONE_FROM_REGISTER,
    )
    desk.read_inbox()
    named = partial(desk.dispute, listing_id, CONTEST, reviewer=COURT + "-bench")
    assert reason_of(named) == "REVIEWER_NOT_INDEPENDENT"
    ground = DisputeGround.DISPUTE_GROUND_INELIGIBLE
    desk.pass_time(28 * DAY)
    desk.reconfirm(listing_id)
    desk.pass_time(3 * DAY)
    opened = say(desk, listing_id, OPEN_REVIEW, COURT + "-bench", ground=ground)
    assert opened == "REVIEWER_NOT_INDEPENDENT"
    desk.open_review(listing_id, REGULATOR)
    dispute_id = desk.own().listings[0].dispute_id
    ruled = partial(desk.rule, listing_id, dispute_id, REJECTED, COURT + "-bench")
    assert reason_of(ruled) == "REVIEWER_NOT_INDEPENDENT"


def test_a_dispute_is_decided_by_none_but_a_reviewer_and_an_appeal_by_an_appeal_body(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    for reviewer in (FURNISHER, REGULATOR, APPEAL_BODY, "nobody-known"):
        named = partial(desk.dispute, listing_id, REVIEW, reviewer=reviewer)
        assert reason_of(named) == "REVIEWER_NOT_INDEPENDENT"
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    ruling_id, _ = desk.rule(listing_id, dispute_id, REJECTED)
    appeal = partial(desk.dispute, listing_id, APPEAL, ruling_id=ruling_id)
    assert reason_of(partial(appeal, reviewer=REVIEWER)) == "REVIEWER_NOT_INDEPENDENT"
    appeal_id, _ = appeal()
    for by in (REVIEWER, SECOND_APPEAL_BODY):
        if by == SECOND_APPEAL_BODY:
            desk.enrol(by, Role.ROLE_APPEAL)
        ruled = reason_of(partial(desk.rule, listing_id, appeal_id, UPHELD, by))
        assert ruled in {"LISTING_TRANSITION_REFUSED", "LISTING_UNKNOWN"}


def test_a_suspended_reviewer_cannot_be_chosen(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    desk.federation.suspend(REVIEWER)
    assert reason_of(partial(desk.dispute, listing_id, REVIEW)) == "REVIEWER_NOT_INDEPENDENT"


def test_no_licence_lets_one_member_review_and_furnish_or_hear_appeals(
    desk: ListingDesk,
) -> None:
    for pair in (
        (Role.ROLE_REVIEWER, Role.ROLE_APPEAL),
        (Role.ROLE_REVIEWER, Role.ROLE_FURNISHER),
        (Role.ROLE_APPEAL, Role.ROLE_FURNISHER),
    ):
        with pytest.raises(Exception, match="exclude each other"):
            desk.federation.licence("two-hats", *pair)


def test_a_regulator_opens_a_review_and_does_nothing_else(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    struck_out = v1.WithdrawalCode.WITHDRAWAL_CODE_STRUCK_OUT
    for action, particulars in (
        (ListingAction.LISTING_ACTION_WITHDRAW, {"withdrawal": struck_out}),
        (EXTEND, {"extension": more_time(new_id())}),
        (ListingAction.LISTING_ACTION_RECONFIRM, {}),
        (ListingAction.LISTING_ACTION_EXPIRE, {}),
    ):
        refused = say(desk, listing_id, action, REGULATOR, **particulars)
        assert refused == "LISTING_TRANSITION_REFUSED"
    ground = DisputeGround.DISPUTE_GROUND_FRAUD
    assert say(desk, listing_id, OPEN_REVIEW, REGULATOR, ground=ground) == ""
    dispute_id = desk.own().listings[0].dispute_id
    ruled = partial(desk.rule, listing_id, dispute_id, UPHELD, REGULATOR)
    assert reason_of(ruled) == "ROLE_NOT_ALLOWED"


def test_nobody_opens_a_review_of_what_is_not_in_force_or_not_there(desk: ListingDesk) -> None:
    ground = DisputeGround.DISPUTE_GROUND_INELIGIBLE
    listing_id = desk.file().listing_id
    refused = say(desk, listing_id, OPEN_REVIEW, REVIEWER, ground=ground)
    assert refused == "LISTING_TRANSITION_REFUSED"
    assert say(desk, new_id(), OPEN_REVIEW, REVIEWER, ground=ground) == "LISTING_UNKNOWN"


# Being heard ------------------------------------------------------------------------------------


def test_a_repeated_dispute_without_new_evidence_neither_hides_nor_resets_anything(
    desk: ListingDesk,
) -> None:
    listing_id = desk.in_force()
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    desk.rule(listing_id, dispute_id, REJECTED)
    assert reason_of(partial(desk.dispute, listing_id, REVIEW)) == "DISPUTE_REPEATED"
    none = partial(desk.dispute, listing_id, REVIEW, evidence=())
    assert reason_of(none) == "DISPUTE_REPEATED"
    assert len(desk.shown()) == 1
    desk.dispute(listing_id, REVIEW, evidence=["receipt", "a letter found since"])
    assert desk.shown() == []


def test_an_appeal_lies_once_in_time_against_the_last_ruling(desk: ListingDesk) -> None:
    listing_id = desk.in_force()
    dispute_id, _ = desk.dispute(listing_id, REVIEW)
    ruling_id, _ = desk.rule(listing_id, dispute_id, REJECTED)
    (own,) = desk.own().listings
    assert from_timestamp(own.appeal_until) == desk.federation.at + 10 * DAY
    appeal = partial(desk.dispute, listing_id, APPEAL)
    assert reason_of(partial(appeal, ruling_id=new_id())) == "LISTING_TRANSITION_REFUSED"
    desk.pass_time(10 * DAY)
    assert reason_of(partial(appeal, ruling_id=ruling_id)) == "APPEAL_TOO_LATE"
    assert not desk.own().listings[0].HasField("appeal_until")


def test_a_judgment_that_nobody_decided_is_any_appeal_bodys_to_decide(desk: ListingDesk) -> None:
    listing_id = desk.in_force(court=True)
    desk.dispute(listing_id, REVIEW)
    desk.pass_time(30 * DAY)
    (summary,) = queue(desk, APPEAL_BODY)
    assert summary.stage == APPEAL
    shown = review(desk, summary.dispute_id, APPEAL_BODY)
    assert not shown.HasField("ruling")
    desk.rule(listing_id, summary.dispute_id, UPHELD, APPEAL_BODY)
    assert desk.state(listing_id) == ListingState.LISTING_STATE_WITHDRAWN
