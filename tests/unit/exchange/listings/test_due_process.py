"""From filing to each end: what happens to a listing is signed, logged, and shown to its subject.

Each road is walked through the servicers, on signed statements. What the log then has of it is compared with
what is expected, entry by entry, and with the steps that the subject is shown, which must hold by themselves.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.statements import digest_of, seal
from concordat.v1 import (
    DisputeGround,
    DisputeStage,
    ListingAction,
    ListingActKind,
    ListingState,
    RulingOutcome,
    WithdrawalCode,
)
from concordat.verify.consent import open_binding
from concordat.verify.listing_history import check_listing
from exchange.listings.profile import Span
from exchange.settings import ListingsSettings
from tests.builders import DAY, REGULATOR, Federation, signer
from tests.exchange_builders import ExchangeDesk
from tests.listing_builders import (
    APPEAL_BODY,
    COURT,
    OWN,
    OWN_PROFILE,
    REVIEWER,
    digest,
    money,
    prolongation,
    settlement,
)
from tests.listing_desk import OTHER_FURNISHER, ListingDesk

CONTEST = DisputeStage.DISPUTE_STAGE_CONTEST
REVIEW = DisputeStage.DISPUTE_STAGE_REVIEW
APPEAL = DisputeStage.DISPUTE_STAGE_APPEAL
UPHELD = RulingOutcome.RULING_OUTCOME_UPHELD
RECTIFIED = RulingOutcome.RULING_OUTCOME_RECTIFIED
REJECTED = RulingOutcome.RULING_OUTCOME_REJECTED
UNVERIFIABLE = RulingOutcome.RULING_OUTCOME_UNVERIFIABLE

FILED = ["FILED alder-bank DRAFT"]
NOTICED = [*FILED, "NOTICE_SERVED exchange NOTICED"]
IN_FORCE = [*NOTICED, "RECONFIRM alder-bank NOTICED", "TAKE_EFFECT exchange EFFECTIVE"]
COURT_FILED = ["FILED county-court DRAFT", "NOTICE_SERVED exchange NOTICED"]
COURT_IN_FORCE = [*COURT_FILED, "TAKE_EFFECT exchange EFFECTIVE"]
DISPUTED = [*IN_FORCE, "DISPUTED subject UNDER_REVIEW"]
REJECTION = [*DISPUTED, "RULED ombuds-one EFFECTIVE"]
APPEALED = [*REJECTION, "DISPUTED subject APPEAL"]

Road = tuple[Callable[[ListingDesk], bytes], list[str]]
ROADS: dict[str, Road] = {}


def road(*entries: str) -> Callable[[Callable[[ListingDesk], bytes]], Callable[..., bytes]]:
    """Declare a road: it returns the listing; ``entries`` are what the log must have of it."""

    def declare(walk: Callable[[ListingDesk], bytes]) -> Callable[[ListingDesk], bytes]:
        ROADS[walk.__name__] = (walk, list(entries))
        return walk

    return declare


def noticed(desk: ListingDesk) -> bytes:
    listing_id = desk.file().listing_id
    desk.read_inbox()
    return listing_id


def disputed(desk: ListingDesk) -> tuple[bytes, bytes]:
    listing_id = desk.in_force()
    dispute_id, answer = desk.dispute(listing_id, REVIEW)
    assert answer.state == ListingState.LISTING_STATE_UNDER_REVIEW
    assert from_timestamp(answer.decide_by) == desk.federation.at + 30 * DAY
    return listing_id, dispute_id


def appealed(desk: ListingDesk) -> tuple[bytes, bytes]:
    listing_id, dispute_id = disputed(desk)
    ruling_id, _ = desk.rule(listing_id, dispute_id, REJECTED)
    appeal_id, answer = desk.dispute(listing_id, APPEAL, ruling_id=ruling_id)
    assert from_timestamp(answer.decide_by) == desk.federation.at + 15 * DAY
    return listing_id, appeal_id


# Before the effect ------------------------------------------------------------------------------


@road(*FILED)
def a_notice_that_nobody_read_lets_nothing_take_effect(desk: ListingDesk) -> bytes:
    listing_id = desk.file().listing_id
    desk.pass_time(365 * DAY)
    return listing_id


@road(*FILED, "EXPIRE exchange EXPIRED")
def a_draft_ends_with_its_time(desk: ListingDesk) -> bytes:
    listing_id = desk.file().listing_id
    desk.pass_time(6 * 366 * DAY)
    return listing_id


@road(*NOTICED)
def a_listing_that_is_not_reconfirmed_waits(desk: ListingDesk) -> bytes:
    listing_id = noticed(desk)
    desk.pass_time(31 * DAY)
    return listing_id


@road(*IN_FORCE)
def a_listing_that_waits_takes_effect_once_it_is_reconfirmed(desk: ListingDesk) -> bytes:
    listing_id = noticed(desk)
    desk.pass_time(90 * DAY)
    assert desk.reconfirm(listing_id).state == ListingState.LISTING_STATE_EFFECTIVE
    return listing_id


@road(*FILED, "WITHDRAW alder-bank WITHDRAWN")
def a_draft_is_withdrawn(desk: ListingDesk) -> bytes:
    listing_id = desk.file().listing_id
    desk.withdraw(listing_id)
    return listing_id


@road(*NOTICED, "WITHDRAW alder-bank WITHDRAWN")
def a_debt_paid_before_its_effect_is_withdrawn(desk: ListingDesk) -> bytes:
    listing_id = noticed(desk)
    desk.withdraw(listing_id, code=WithdrawalCode.WITHDRAWAL_CODE_PAID)
    return listing_id


@road(*NOTICED, "WITHDRAW ombuds-one WITHDRAWN")
def a_reviewer_strikes_out_what_should_never_take_effect(desk: ListingDesk) -> bytes:
    listing_id = noticed(desk)
    event = desk.event(
        listing_id,
        ListingAction.LISTING_ACTION_WITHDRAW,
        REVIEWER,
        withdrawal=WithdrawalCode.WITHDRAWAL_CODE_STRUCK_OUT,
    )
    request = v1.SubmitReviewEventRequest(event=seal(event, signer(REVIEWER)))
    desk.call(desk.reviews.SubmitReviewEvent, request, REVIEWER)
    return listing_id


@road(*NOTICED, "DISPUTED subject CONTESTED", "RULED ombuds-one WITHDRAWN")
def a_contest_is_upheld(desk: ListingDesk) -> bytes:
    listing_id = noticed(desk)
    dispute_id, answer = desk.dispute(listing_id, CONTEST)
    assert answer.state == ListingState.LISTING_STATE_CONTESTED
    desk.pass_time(5 * DAY)
    desk.rule(listing_id, dispute_id, UPHELD)
    return listing_id


@road(*NOTICED, "DISPUTED subject CONTESTED", "RULED ombuds-one NOTICED")
def a_contest_rejected_within_the_period_leaves_the_rest_of_it(desk: ListingDesk) -> bytes:
    listing_id = noticed(desk)
    dispute_id, _ = desk.dispute(listing_id, CONTEST)
    desk.pass_time(5 * DAY)
    desk.rule(listing_id, dispute_id, REJECTED)
    return listing_id


@road(*NOTICED, "DISPUTED subject CONTESTED", "RULED ombuds-one EFFECTIVE")
def a_contest_rejected_after_the_period_lets_it_take_effect(desk: ListingDesk) -> bytes:
    listing_id = noticed(desk)
    desk.pass_time(20 * DAY)
    dispute_id, _ = desk.dispute(listing_id, CONTEST)
    desk.pass_time(15 * DAY)
    desk.rule(listing_id, dispute_id, REJECTED)
    return listing_id


@road(*NOTICED, "DISPUTED subject CONTESTED", "TIME_OUT exchange WITHDRAWN")
def a_contest_that_nobody_decides_withdraws_a_private_debt(desk: ListingDesk) -> bytes:
    listing_id = noticed(desk)
    desk.dispute(listing_id, CONTEST)
    desk.pass_time(30 * DAY)
    return listing_id


# After it ---------------------------------------------------------------------------------------


@road(*IN_FORCE, "EXPIRE exchange EXPIRED")
def a_listing_in_force_expires(desk: ListingDesk) -> bytes:
    listing_id = desk.in_force()
    desk.pass_time(6 * 366 * DAY)
    return listing_id


@road(*IN_FORCE, "WITHDRAW alder-bank WITHDRAWN")
def a_furnisher_takes_back_what_is_in_force(desk: ListingDesk) -> bytes:
    listing_id = desk.in_force()
    desk.withdraw(listing_id)
    return listing_id


@road(*IN_FORCE, "SETTLE alder-bank SETTLED", "EXPIRE exchange EXPIRED")
def a_settled_listing_ends_three_years_after(desk: ListingDesk) -> bytes:
    listing_id = desk.in_force()
    paid = desk.federation.at
    assert desk.settle(listing_id).expires_at == to_timestamp(Span(months=36).after(paid))
    desk.pass_time(Span(months=36).after(paid) - paid)
    return listing_id


@road(*IN_FORCE, "SETTLE subject SETTLED")
def a_subject_settles_with_its_receipt(desk: ListingDesk) -> bytes:
    listing_id = desk.in_force()
    settle = ListingAction.LISTING_ACTION_SETTLE
    desk.subject_says(listing_id, settle, settlement=settlement(desk.federation.at))
    return listing_id


@road(*IN_FORCE, "STATE subject EFFECTIVE", "STATE subject EFFECTIVE")
def a_subject_says_its_own_words_and_takes_them_back(desk: ListingDesk) -> bytes:
    listing_id, state = desk.in_force(), ListingAction.LISTING_ACTION_STATE
    desk.subject_says(listing_id, state, words=v1.SubjectWords(text="I was ill.", language="en"))
    desk.subject_says(listing_id, state, words=v1.SubjectWords())
    return listing_id


@road(*IN_FORCE, "CORRECT alder-bank EFFECTIVE")
def a_furnisher_corrects_the_amount(desk: ListingDesk) -> bytes:
    listing_id = desk.in_force()
    corrected = desk.own().listings[0].facts
    corrected.amount.minor -= 1
    corrected.evidence_hash = digest("the corrected evidence")
    action = ListingAction.LISTING_ACTION_CORRECT
    (result,) = desk.say(desk.event(listing_id, action, "alder-bank", correction=corrected))
    assert result.standing.version == 2
    return listing_id


@road(*REJECTION)
def a_dispute_is_rejected(desk: ListingDesk) -> bytes:
    listing_id, dispute_id = disputed(desk)
    desk.rule(listing_id, dispute_id, REJECTED)
    return listing_id


@road(*DISPUTED, "RULED ombuds-one WITHDRAWN")
def a_dispute_is_upheld(desk: ListingDesk) -> bytes:
    listing_id, dispute_id = disputed(desk)
    desk.rule(listing_id, dispute_id, UPHELD)
    return listing_id


@road(*DISPUTED, "RULED ombuds-one EFFECTIVE")
def a_dispute_rectifies_the_amount(desk: ListingDesk) -> bytes:
    listing_id, dispute_id = disputed(desk)
    facts = desk.own().listings[0].facts
    facts.amount.CopyFrom(money(20_000))
    _, standing = desk.rule(listing_id, dispute_id, RECTIFIED, correction=facts)
    assert standing.version == 2
    return listing_id


@road(*DISPUTED, "RULED ombuds-one WITHDRAWN")
def a_dispute_whose_facts_cannot_be_verified_withdraws_a_private_debt(desk: ListingDesk) -> bytes:
    listing_id, dispute_id = disputed(desk)
    desk.rule(listing_id, dispute_id, UNVERIFIABLE)
    return listing_id


@road(*DISPUTED, "TIME_OUT exchange WITHDRAWN")
def a_dispute_that_nobody_decides_withdraws_a_private_debt(desk: ListingDesk) -> bytes:
    listing_id, _ = disputed(desk)
    desk.pass_time(30 * DAY)
    return listing_id


@road(*DISPUTED, "EXTEND ombuds-one UNDER_REVIEW", "TIME_OUT exchange WITHDRAWN")
def more_time_is_taken_once_and_runs_out(desk: ListingDesk) -> bytes:
    listing_id, dispute_id = disputed(desk)
    extension = v1.ReasonedExtension(dispute_id=dispute_id, reasons="The archive is abroad.")
    action = ListingAction.LISTING_ACTION_EXTEND
    event = desk.event(listing_id, action, REVIEWER, extension=extension)
    request = v1.SubmitReviewEventRequest(event=seal(event, signer(REVIEWER)))
    desk.call(desk.reviews.SubmitReviewEvent, request, REVIEWER)
    desk.pass_time(89 * DAY)
    assert desk.state(listing_id) == ListingState.LISTING_STATE_UNDER_REVIEW
    desk.pass_time(DAY)
    return listing_id


@road(*IN_FORCE, "OPEN_REVIEW regulator UNDER_REVIEW", "RULED ombuds-one WITHDRAWN")
def the_regulator_opens_a_review_that_a_reviewer_decides(desk: ListingDesk) -> bytes:
    listing_id = desk.in_force()
    desk.open_review(listing_id, REGULATOR)
    dispute_id = desk.own().listings[0].dispute_id
    desk.rule(listing_id, dispute_id, UPHELD)
    return listing_id


@road(*APPEALED, "RULED tribunal-one WITHDRAWN")
def an_appeal_is_upheld(desk: ListingDesk) -> bytes:
    listing_id, appeal_id = appealed(desk)
    desk.rule(listing_id, appeal_id, UPHELD, APPEAL_BODY)
    return listing_id


@road(*APPEALED, "RULED tribunal-one EFFECTIVE")
def an_appeal_is_rejected(desk: ListingDesk) -> bytes:
    listing_id, appeal_id = appealed(desk)
    desk.rule(listing_id, appeal_id, REJECTED, APPEAL_BODY)
    return listing_id


@road(*APPEALED, "TIME_OUT exchange WITHDRAWN")
def an_appeal_that_nobody_decides_withdraws_a_private_debt(desk: ListingDesk) -> bytes:
    listing_id, _ = appealed(desk)
    desk.pass_time(15 * DAY)
    return listing_id


@road(
    *IN_FORCE,
    "SETTLE subject SETTLED",
    "OPEN_REVIEW ombuds-one UNDER_REVIEW",
    "RULED ombuds-one EFFECTIVE",
)
def a_settlement_that_is_not_proved_is_struck_out(desk: ListingDesk) -> bytes:
    listing_id = desk.in_force()
    settle = ListingAction.LISTING_ACTION_SETTLE
    desk.subject_says(listing_id, settle, settlement=settlement(desk.federation.at))
    action, ground = (
        ListingAction.LISTING_ACTION_OPEN_REVIEW,
        DisputeGround.DISPUTE_GROUND_SETTLEMENT_DENIED,
    )
    event = desk.event(listing_id, action, REVIEWER, ground=ground)
    request = v1.SubmitReviewEventRequest(event=seal(event, signer(REVIEWER)))
    desk.call(desk.reviews.SubmitReviewEvent, request, REVIEWER)
    facts = desk.own().listings[0].facts
    desk.rule(listing_id, event.event_id, RECTIFIED, correction=facts, not_settled=True)
    return listing_id


# Courts -----------------------------------------------------------------------------------------


@road(*COURT_IN_FORCE, "WITHDRAW county-court WITHDRAWN")
def a_judgment_that_left_its_register_is_withdrawn(desk: ListingDesk) -> bytes:
    listing_id = desk.in_force(court=True)
    gone = WithdrawalCode.WITHDRAWAL_CODE_GONE_FROM_REGISTER
    desk.withdraw(listing_id, COURT, gone)
    return listing_id


@road(
    *COURT_IN_FORCE,
    "DISPUTED subject UNDER_REVIEW",
    "TIME_OUT exchange APPEAL",
    "TIME_OUT exchange EFFECTIVE",
)
def a_judgment_that_nobody_decides_on_goes_to_the_appeal_body_and_then_stands(
    desk: ListingDesk,
) -> bytes:
    listing_id = desk.in_force(court=True)
    desk.dispute(listing_id, REVIEW)
    desk.pass_time(30 * DAY)
    assert desk.state(listing_id) == ListingState.LISTING_STATE_APPEAL
    desk.pass_time(15 * DAY)
    return listing_id


@road(*IN_FORCE, "JOINED elm-telecom EFFECTIVE", "WITHDRAW alder-bank EFFECTIVE")
def a_debt_that_is_sold_stays_one_listing(desk: ListingDesk) -> bytes:
    listing_id = desk.in_force()
    assert desk.file(source=OTHER_FURNISHER).listing_id == listing_id
    desk.withdraw(listing_id, code=WithdrawalCode.WITHDRAWAL_CODE_SOLD)
    assert list(desk.own().listings[0].sources) == [OTHER_FURNISHER]
    return listing_id


# The roads, walked ------------------------------------------------------------------------------


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    yield desk
    desk.close()


@pytest.mark.parametrize("name", ROADS)
def test_what_happens_is_logged_and_shown_to_the_subject(desk: ListingDesk, name: str) -> None:
    walk, expected = ROADS[name]
    listing_id = walk(desk)
    require_walked(desk, listing_id, expected)


def test_a_court_prolongs_its_entry_by_its_own_order_and_only_so_far() -> None:
    desk = ListingDesk(profile="cn")
    listing_id = desk.in_force(court=True)
    ends = from_timestamp(desk.own().listings[0].expires_at)

    def prolonged(months: int) -> v1.ListingResult:
        order = prolongation(Span(months=months).after(ends))
        action = ListingAction.LISTING_ACTION_PROLONG
        (result,) = desk.say(desk.event(listing_id, action, COURT, prolongation=order))
        return result

    assert prolonged(37).HasField("refusal")
    standing = prolonged(36).standing
    assert from_timestamp(standing.expires_at) == Span(months=36).after(ends)
    require_walked(desk, listing_id, [*COURT_IN_FORCE, "PROLONG county-court EFFECTIVE"])
    desk.close()


def test_a_settled_listing_is_repaired_by_the_profiles_rule_with_no_application(
    tmp_path: Path,
) -> None:
    desk = own_desk(tmp_path)
    listing_id = desk.in_force()
    desk.settle(listing_id)
    desk.pass_time(Span(months=6).after(desk.federation.at) - desk.federation.at)
    assert desk.shown() == []
    end = ["SETTLE alder-bank SETTLED", "REPAIR exchange REPAIRED"]
    require_walked(desk, listing_id, [*IN_FORCE, *end])
    desk.close()


def own_desk(folder: Path) -> ListingDesk:
    """Return a desk whose members have a profile of the operator's own."""
    (folder / f"{OWN}.toml").write_text(OWN_PROFILE)
    settings = ListingsSettings(profiles=folder)
    return ListingDesk(ExchangeDesk(Federation(), listings_settings=settings), OWN)


def require_walked(desk: ListingDesk, listing_id: bytes, expected: list[str]) -> None:
    """Fail unless log and own listing tell exactly what is expected, and the same statements."""
    acts = [record.listing for record in desk.history() if record.WhichOneof("act") == "listing"]
    acts = [act for act in acts if act.listing_id == listing_id]
    moves = [act for act in acts if act.kind < ListingActKind.LISTING_ACT_KIND_RETRACTED]
    assert [told(act) for act in moves] == expected
    own = next(each for each in desk.own().listings if each.listing_id == listing_id)
    assert [(digest_of(step.statement), step.state) for step in own.steps] == [
        (act.digest, act.state) for act in moves
    ]
    assert [step.sequence for step in own.steps] == list(range(1, len(expected) + 1))
    fed = desk.federation
    binding = open_binding(desk.subject.binding, fed.anchors, fed.at)
    check_listing(own, fed.directory, binding, at=fed.at).require_sound()


def told(act: v1.ListingAct) -> str:
    what = ListingActKind.Name(act.kind).removeprefix("LISTING_ACT_KIND_")
    if what == "EVENT":
        what = ListingAction.Name(act.action).removeprefix("LISTING_ACTION_")
    state = ListingState.Name(act.state).removeprefix("LISTING_STATE_")
    return f"{what} {act.actor or 'subject'} {state}"
