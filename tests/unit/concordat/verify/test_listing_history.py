"""A subject's own listings, checked: nobody's step is believed but that of who signed it."""

import hashlib
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.statements import digest_of, seal
from concordat.v1 import ListingState, Role
from concordat.verify.listing_account import InboxRequests, KnownOfListing
from concordat.verify.listing_history import CheckedListing, ListingAccountBroken
from exchange.listings.machine import Actor, Party
from tests.builders import EXCHANGE, REGULATOR, Federation, signer
from tests.listing_builders import (
    APPEAL_BODY,
    BUYER,
    CORRECT,
    COURT,
    END_REVIEW,
    EXPIRE,
    EXTEND,
    FURNISHER,
    OPEN_REVIEW,
    OWN,
    PROLONG,
    RECONFIRM,
    RECTIFIED,
    REJECTED,
    REPAIR,
    REVIEWER,
    SECOND_APPEAL_BODY,
    SECOND_REVIEWER,
    SETTLE,
    STATE,
    TAKE_EFFECT,
    TIME_OUT,
    UNVERIFIABLE,
    UPHELD,
    WITHDRAW,
    correction,
    digest,
    listing_event,
    money,
    notice_proof,
    settlement,
)
from tests.own_listing_builders import Story, a_story, enrol_judges

MALLORY = signer("mallory")
WORDS = v1.SubjectWords(text="I was in hospital.", language="en")


def in_force(**fields: Any) -> Story:
    return a_story(**fields).filed().noticed().effective().later(days=1)


def ruled_upon(story: Story | None = None) -> Story:
    return (story or in_force()).disputed().later(days=2).ruled(REJECTED)


STORIES: dict[str, Callable[[], Story]] = {
    "just filed": lambda: a_story().filed(),
    "noticed": lambda: a_story().filed().noticed(),
    "in force": in_force,
    "a judgment in force": lambda: in_force(court=True),
    "contested, rejected within the notice period": lambda: (
        a_story().filed().noticed().later(days=1).disputed().later(days=1).ruled(REJECTED)
    ),
    "contested, rejected after it": lambda: (
        a_story().filed().noticed().later(days=29).disputed().later(days=3).ruled(REJECTED)
    ),
    "upheld": lambda: in_force().disputed().later(days=1).ruled(UPHELD),
    "rectified": lambda: _rectified(in_force().disputed().later(days=1)),
    "unverifiable debt": lambda: in_force().disputed().ruled(UNVERIFIABLE),
    "unverifiable judgment, heard on appeal": lambda: (
        in_force(court=True)
        .disputed()
        .ruled(UNVERIFIABLE)
        .later(days=1)
        .ruled(REJECTED, by=Party(Actor.APPEAL, SECOND_APPEAL_BODY))
    ),
    "a judgment's review times out, and its appeal": lambda: (
        in_force(court=True).disputed().timed_out().timed_out()
    ),
    "a debt's review times out": lambda: in_force().disputed().timed_out(),
    "extended, then appealed and rejected": lambda: (
        in_force()
        .disputed()
        .later(days=2)
        .event(EXTEND)
        .later(days=31)
        .ruled(REJECTED)
        .later(days=1)
        .appealed()
        .later(days=1)
        .ruled(REJECTED)
    ),
    "settled by its subject": lambda: in_force().event(SETTLE, by=Party(Actor.SUBJECT)),
    "settled, and the settlement struck out": lambda: _struck_out(
        in_force()
        .event(SETTLE, by=Party(Actor.SUBJECT))
        .event(OPEN_REVIEW, ground=v1.DisputeGround.DISPUTE_GROUND_SETTLEMENT_DENIED)
    ),
    "settled while disputed": lambda: (
        in_force().disputed().later(days=1).event(SETTLE, by=Party(Actor.SUBJECT)).ruled(REJECTED)
    ),
    "repaired": lambda: in_force(name=OWN).event(SETTLE).later(days=190).event(REPAIR),
    "expired": lambda: in_force().expired(),
    "prolonged": lambda: in_force(name=OWN, court=True).event(PROLONG),
    "withdrawn": lambda: in_force().event(WITHDRAW),
    "struck out before its effect": lambda: (
        a_story()
        .filed()
        .noticed()
        .event(
            WITHDRAW,
            by=Party(Actor.REVIEWER, REVIEWER),
            withdrawal=v1.WithdrawalCode.WITHDRAWAL_CODE_STRUCK_OUT,
        )
    ),
    "with a second source, the first withdrawn": lambda: (
        in_force().filed(BUYER, amount=money(40_000)).event(WITHDRAW)
    ),
    "a review of the regulator's own motion": lambda: (
        in_force()
        .event(OPEN_REVIEW, by=Party(Actor.REGULATOR, REGULATOR))
        .later(days=1)
        .ruled(REJECTED)
    ),
    "a review that an order opened, ended by obeying it": lambda: (
        in_force()
        .event(OPEN_REVIEW, by=Party(Actor.REGULATOR, REGULATOR))
        .later(days=1)
        .event(CORRECT)
        .event(END_REVIEW)
    ),
    "with words": lambda: in_force().event(STATE).event(STATE, words=v1.SubjectWords()),
    "corrected by its source": lambda: _corrected(in_force()),
}


def _rectified(story: Story) -> Story:
    return story.ruled(RECTIFIED, correction=correction(story.now, amount=money(40_000)))


def _struck_out(story: Story) -> Story:
    facts = correction(story.now)
    return story.later(days=1).ruled(RECTIFIED, correction=facts, not_settled=True)


def _corrected(story: Story) -> Story:
    earlier = to_timestamp(story.now.delinquent_since - timedelta(days=20))
    return story.event(CORRECT, correction=correction(story.now, delinquent_since=earlier))


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_an_honest_account_holds(story: Callable[[], Story]) -> None:
    told = story()
    checked = told.check()
    assert checked.problems == ()
    checked.require_sound()
    assert [step.step.sequence for step in checked.steps] == list(range(1, len(told.steps) + 1))


MOVES: list[Callable[[Story], Story]] = [
    lambda story: story.filed(BUYER, court=False),
    lambda story: story.filed(COURT, court=True),
    lambda story: story.noticed(),
    lambda story: story.event(TAKE_EFFECT),
    lambda story: story.event(RECONFIRM),
    lambda story: story.event(STATE),
    lambda story: story.event(SETTLE),
    lambda story: story.event(SETTLE, by=Party(Actor.SUBJECT)),
    lambda story: story.event(CORRECT),
    lambda story: story.event(OPEN_REVIEW),
    lambda story: story.event(
        OPEN_REVIEW, ground=v1.DisputeGround.DISPUTE_GROUND_SETTLEMENT_DENIED
    ),
    lambda story: story.event(EXTEND),
    lambda story: story.event(OPEN_REVIEW, by=Party(Actor.REGULATOR, REGULATOR)),
    lambda story: story.event(END_REVIEW),
    lambda story: story.event(WITHDRAW),
    lambda story: story.event(TIME_OUT),
    lambda story: story.event(REPAIR),
    lambda story: story.event(EXPIRE),
    lambda story: story.event(PROLONG),
    lambda story: story.disputed(evidence=(str(len(story.steps)),)),
    lambda story: story.disputed(reviewer=SECOND_REVIEWER, evidence=(str(len(story.steps)),)),
    lambda story: story.appealed(),
    lambda story: story.ruled(REJECTED),
    lambda story: story.ruled(UPHELD),
    lambda story: story.ruled(UNVERIFIABLE),
    _rectified,
    _struck_out,
]


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_exchanges_machine_allows_holds(seed: int) -> None:
    """The subject's rules are read from the same page as the exchange's, and must not accuse it falsely."""
    dice = random.Random(seed)
    story = a_story(name=dice.choice(["eu", "cn", OWN]), court=dice.random() < 0.4).filed()
    for _ in range(60):
        try:
            dice.choice(MOVES)(story)
        except (Refusal, AssertionError):
            story.later(days=dice.choice([0, 1, 10, 31]))
            continue
        assert story.check().problems == ()
    assert len(story.steps) > 1


# The exchange lies ------------------------------------------------------------------------------


def only(checked: CheckedListing) -> str:
    """Return the one problem found."""
    (problem,) = checked.problems
    return problem


def test_a_state_that_no_step_leads_to_is_found() -> None:
    story = in_force().disputed().later(days=1).ruled(UPHELD)
    own = story.own()
    own.state = ListingState.LISTING_STATE_EFFECTIVE
    assert only(story.check(own)) == "it is told as effective, and its steps lead to withdrawn"


def test_a_ruling_shown_with_another_outcome_is_found() -> None:
    story = in_force().disputed().later(days=1).ruled(UPHELD)
    own = story.own()
    own.state = own.steps[-1].state = ListingState.LISTING_STATE_EFFECTIVE
    sequence = len(story.steps)
    assert only(story.check(own)) == (
        f"step {sequence}: it leads to withdrawn, and is shown with effective"
    )


def test_a_listing_that_is_shown_to_lenders_and_must_not_be_is_found() -> None:
    story = in_force()
    shown = story.own().shown
    own = story.disputed().own()
    assert not own.HasField("shown")
    own.shown.CopyFrom(shown)
    assert only(story.check(own)) == "lenders are shown it, and it is under review"
    early = a_story().filed()
    own = early.own()
    own.shown.CopyFrom(shown)
    assert early.check(own).faults == (
        "lenders are shown it, and it is draft",
        "lenders are shown it, and no notice and effect of it are on record",
    )
    late = in_force()
    own = late.own()
    late.at = late.now.expires_at
    assert only(late.check(own)) == "lenders are shown it after its end"


def test_a_step_left_out_is_found_by_its_number() -> None:
    story = ruled_upon()
    own = story.own()
    del own.steps[4]  # the dispute
    assert "a step is left out or moved" in story.check(own).steps[4].fault


def test_a_step_left_out_is_found_however_the_rest_is_numbered() -> None:
    story = ruled_upon()
    own = story.own()
    del own.steps[4]
    for place, step in enumerate(own.steps, 1):
        step.sequence = place
    assert "a ruling is not possible in state effective" in story.check(own).steps[4].fault


def test_a_harmless_step_left_out_is_found_by_the_wallet_that_sent_it() -> None:
    story = in_force().event(STATE).event(STATE, words=v1.SubjectWords())
    own = story.own()
    sent = frozenset(digest_of(step.statement) for step in own.steps[-2:])
    del own.steps[-2]
    own.steps[-1].sequence -= 1
    assert story.check(own).problems == ()  # nothing else shows it
    known = KnownOfListing(sent=sent)
    assert only(story.check(own, known)) == (
        "1 of your own statements, which the exchange took in, are left out"
    )


def test_a_step_left_off_the_end_is_found_by_the_wallet_that_saw_it() -> None:
    story = in_force()
    before = story.own()
    story.event(WITHDRAW)
    seen = KnownOfListing(steps=tuple(digest_of(step.statement) for step in story.own().steps))
    assert story.check(known=seen).problems == ()
    assert only(story.check(before, seen)) == (
        "the first 5 steps are not those that you were shown before"
    )


def test_steps_in_another_order_are_found() -> None:
    story = in_force().event(STATE).later(days=1).event(RECONFIRM)
    own = story.own()
    first, second = v1.ListingStep(), v1.ListingStep()
    first.CopyFrom(own.steps[-2])
    second.CopyFrom(own.steps[-1])
    first.sequence, second.sequence = second.sequence, first.sequence
    del own.steps[-2:]
    own.steps.extend([second, first])
    assert "earlier than the step before it" in story.check(own).steps[-1].fault


@pytest.mark.parametrize("by", [SECOND_REVIEWER, APPEAL_BODY, FURNISHER, EXCHANGE])
def test_a_ruling_by_another_than_was_asked_is_found(by: str) -> None:
    story = ruled_upon()
    own = story.own()
    ruling = v1.Ruling.FromString(own.steps[-1].statement.payload)
    ruling.reviewer = by
    own.steps[-1].statement.CopyFrom(seal(ruling, signer(by)))
    assert f"{by} decided, and {REVIEWER} was asked" in story.check(own).steps[-1].fault


def test_a_ruling_that_its_reviewer_did_not_sign_is_found() -> None:
    story = ruled_upon()
    own = story.own()
    ruling = v1.Ruling.FromString(own.steps[-1].statement.payload)
    own.steps[-1].statement.CopyFrom(seal(ruling, signer(EXCHANGE)))
    assert "is not one that may sign this" in story.check(own).steps[-1].fault


def test_a_ruling_by_no_reviewer_is_found() -> None:
    story = in_force().disputed(reviewer=BUYER).later(days=1).ruled(REJECTED)
    assert story.check().steps[-1].fault == f"{BUYER} is not licensed to do that"


def test_an_appeal_that_the_first_reviewer_decides_is_found() -> None:
    story = ruled_upon().later(days=1).appealed()
    own = story.own()
    ruling = v1.Ruling.FromString(own.steps[-2].statement.payload)
    ruling.dispute_id = own.dispute_id
    at = to_timestamp(story.at)
    step = v1.ListingStep(
        sequence=len(own.steps) + 1,
        statement=seal(ruling, signer(REVIEWER)),
        at=at,
        state=ListingState.LISTING_STATE_EFFECTIVE,
    )
    own.steps.append(step)
    fault = story.check(own).steps[-1].fault
    assert f"{REVIEWER} is not licensed to do that" in fault
    assert f"{REVIEWER} decided, and {APPEAL_BODY} was asked" in fault


def test_a_ruling_on_another_dispute_is_found() -> None:
    first = ruled_upon()
    story = in_force().disputed(evidence=("x",)).later(days=2)
    own = story.own()
    replayed = v1.ListingStep()
    replayed.CopyFrom(first.steps[-1])
    own.steps.append(replayed)
    own.state = replayed.state
    assert "on another dispute" in story.check(own).steps[-1].fault


BENT: dict[str, tuple[int, dict[str, Any], Any, str]] = {
    "a filing that its source did not sign": (0, {}, MALLORY, "not one that may sign this"),
    "about somebody else": (0, {"subject_ref": digest("bob")}, None, "about somebody else"),
    "of another federation": (0, {"federation": "other"}, None, "a statement of 'other'"),
    "an event of another listing": (2, {"listing_id": bytes(16)}, None, "about another listing"),
    "an effect that the exchange did not sign": (3, {}, MALLORY, "not one that may sign this"),
    "words that the subject did not sign": (4, {}, MALLORY, "not one that may sign this"),
}


@pytest.mark.parametrize("case", BENT.values(), ids=BENT)
def test_a_step_of_nobodys_is_found(case: tuple[int, dict[str, Any], Any, str]) -> None:
    place, fields, by, fault = case
    story = in_force().event(STATE)
    own = story.own()
    kind = v1.ListingFiling if place == 0 else v1.ListingEvent
    statement = kind.FromString(own.steps[place].statement.payload)
    for name, value in fields.items():
        setattr(statement, name, value)
    signers = [FURNISHER, EXCHANGE, FURNISHER, EXCHANGE]
    by = by or signer(signers[place])
    own.steps[place].statement.CopyFrom(seal(statement, by))
    checked = story.check(own)
    assert fault in checked.steps[place].fault
    assert [step.step.sequence for step in checked.steps if step.fault] == [place + 1]
    with pytest.raises(ListingAccountBroken, match=fault):
        checked.require_sound()


def test_the_exchange_can_not_act_as_a_source_or_a_subject() -> None:
    story = in_force()
    for action, actor in ((WITHDRAW, EXCHANGE), (SETTLE, EXCHANGE), (STATE, EXCHANGE)):
        told = in_force()
        by = Party(Actor.SUBJECT) if action != WITHDRAW else None
        told.event(action, by=by)
        own = told.own()
        event = v1.ListingEvent.FromString(own.steps[-1].statement.payload)
        event.actor = actor
        own.steps[-1].statement.CopyFrom(seal(event, signer(EXCHANGE)))
        assert told.check(own).steps[-1].fault
    assert story.check().problems == ()


def test_the_exchange_can_not_end_the_subjects_own_dispute_as_an_order_that_was_obeyed() -> None:
    story = in_force().disputed()
    own, dispute = story.own(), story.now.dispute
    assert dispute is not None
    ended = story.now.back_to
    event = listing_event(story.now, END_REVIEW, at=story.at, by=Party(Actor.EXCHANGE, EXCHANGE))
    assert event.review_id == dispute.dispute_id
    own.steps.add(
        sequence=len(own.steps) + 1,
        statement=seal(event, signer(EXCHANGE)),
        at=own.steps[-1].at,
        state=ended,
    )
    assert "no order opened the review" in story.check(own).steps[-1].fault


def test_a_source_can_not_do_what_is_the_exchanges() -> None:
    story = a_story().filed().noticed().later(days=31).event(RECONFIRM).event(TAKE_EFFECT)
    own = story.own()
    event = v1.ListingEvent.FromString(own.steps[-1].statement.payload)
    event.actor = FURNISHER
    own.steps[-1].statement.CopyFrom(seal(event, signer(FURNISHER)))
    assert only(story.check(own)) == f"step 4: {FURNISHER} did what only the exchange can do"


def test_bytes_that_are_no_statement_about_a_listing_are_found() -> None:
    story = in_force()
    own = story.own()
    own.steps[2].statement.CopyFrom(story.person.binding)
    own.steps[3].statement.payload = b"\xff"
    checked = story.check(own)
    assert checked.steps[2].fault == "it is no statement about a listing"
    assert "no ListingEvent" in checked.steps[3].fault
    assert checked.steps[2].statement is None


def test_a_signer_that_nobody_knows_is_found() -> None:
    story = in_force()
    federation = Federation()  # without the furnisher's role
    story.federation = federation
    faults = [step.fault for step in story.check().steps if step.fault]
    assert set(faults) == {f"{FURNISHER} is not licensed to do that"}


def test_a_step_from_the_future_is_found() -> None:
    story = in_force()
    own = story.own()
    story.at -= timedelta(days=10)
    assert story.check(own).problems == ("its last step lies in the future",)


def test_a_listing_without_a_history_is_found() -> None:
    story = in_force()
    own = story.own()
    del own.steps[:]
    assert story.check(own).problems == ("nothing shows how it came about",)


WORSE: dict[str, tuple[Callable[[v1.OwnListing], object], str]] = {
    "a larger amount": (
        lambda own: own.facts.amount.MergeFrom(v1.Money(minor=own.facts.amount.minor + 1)),
        "the amount on record is more than its sources signed",
    ),
    "another currency": (
        lambda own: own.facts.amount.MergeFrom(v1.Money(currency="USD")),
        "the amount on record is more than its sources signed",
    ),
    "a later date": (
        lambda own: own.facts.delinquent_since.FromSeconds(
            own.facts.delinquent_since.seconds + 86400
        ),
        "the date on record is later than its sources signed",
    ),
    "another source": (
        lambda own: own.sources.append(BUYER),
        "its sources are not those that its steps leave",
    ),
    "other words": (
        lambda own: own.words.MergeFrom(v1.SubjectWords(text="It is all true.", language="en")),
        "your own words are not the ones that you signed last",
    ),
    "another ruling": (
        lambda own: setattr(own, "ruling_id", bytes(16)),
        "the last ruling is not the one in its steps",
    ),
    "a dispute that nobody raised": (
        lambda own: setattr(own, "dispute_id", bytes(16)),
        "the open dispute is not the one that its steps lead to",
    ),
}


@pytest.mark.parametrize("case", WORSE.values(), ids=WORSE)
def test_facts_that_nobody_signed_are_found(
    case: tuple[Callable[[v1.OwnListing], object], str],
) -> None:
    bend, fault = case
    story = in_force()
    own = story.own()
    bend(own)
    assert only(story.check(own)) == fault


def test_an_end_that_moves_away_is_found() -> None:
    story = in_force()
    ends = story.now.expires_at
    own = story.own()
    own.expires_at.CopyFrom(to_timestamp(ends + timedelta(days=365)))
    assert story.check(own).problems == ()  # the profile is not known here
    moved = only(story.check(own, KnownOfListing(expires_at=ends)))
    assert moved.startswith("its end has moved from ")
    prolonged = in_force(name=OWN, court=True)
    known = KnownOfListing(expires_at=prolonged.now.expires_at)
    assert prolonged.event(PROLONG).check(known=known).problems == ()


def test_a_judgment_that_outlives_its_register_is_found() -> None:
    story = a_story(court=True)
    ends = story.at + timedelta(days=300)
    story.filed(source_ends_at=to_timestamp(ends))
    assert story.check().problems == ()
    own = story.own()
    own.expires_at.CopyFrom(to_timestamp(ends + timedelta(seconds=1)))
    assert only(story.check(own)) == "it ends later than the register's entry that it mirrors"


# Notices ----------------------------------------------------------------------------------------


def test_a_notice_that_the_wallet_never_fetched_is_found() -> None:
    story = a_story().filed().later(days=1).noticed()
    since = story.at - timedelta(days=30)
    mine = InboxRequests(since, frozenset({digest("the subject's request")}))
    assert story.check(inbox=mine).problems == ()
    assert only(story.check(inbox=InboxRequests(since))) == (
        "step 2: the exchange says that you fetched the notice; this wallet did not"
    )


def test_a_notice_from_before_the_wallet_remembers_is_not_held_against_the_exchange() -> None:
    story = a_story().filed().later(days=1).noticed()
    assert story.check(inbox=InboxRequests(story.at)).problems == ()


def test_another_notice_than_the_one_in_the_inbox_is_found() -> None:
    text = "You owe us."
    story = a_story().filed()
    proof = notice_proof(story.at)
    proof.notice_hash = hashlib.sha256(text.encode()).digest()
    story.noticed(notice=proof)
    honest = KnownOfListing(notices=frozenset({proof.notice_hash}))
    assert story.check(known=honest).problems == ()
    other = KnownOfListing(notices=frozenset({digest("You owe them.")}))
    assert only(story.check(known=other)) == (
        "step 2: the notice that was served is not the one in your inbox"
    )


# Keys over time ---------------------------------------------------------------------------------


def test_what_a_member_signed_before_its_licence_was_renewed_still_holds() -> None:
    story = in_force()
    renewed = story.federation.at + timedelta(days=200)
    start, end = to_timestamp(renewed), to_timestamp(renewed + timedelta(days=300))
    for name, roles in (
        (FURNISHER, (Role.ROLE_PROVIDER, Role.ROLE_FURNISHER)),
        (EXCHANGE, (Role.ROLE_EXCHANGE,)),
    ):
        key = v1.SigningKey(public_key=signer(name).public_key, not_before=start, not_after=end)
        story.federation.enrol(name, *roles, version=9, keys=[key], not_before=start, not_after=end)
    story.at = renewed + timedelta(days=1)
    assert story.check().problems == ()


def test_what_a_key_signed_after_its_end_does_not_hold() -> None:
    story = in_force()
    start = to_timestamp(story.federation.at - timedelta(days=30))
    end = to_timestamp(story.federation.at + timedelta(days=2))
    key = v1.SigningKey(public_key=signer(EXCHANGE).public_key, not_before=start, not_after=end)
    story.federation.enrol(EXCHANGE, Role.ROLE_EXCHANGE, version=9, keys=[key])
    assert "was not valid at" in only(story.check())


def test_a_settlement_before_anything_was_in_force_is_found() -> None:
    story = a_story().filed().noticed()
    own = story.own()
    event = v1.ListingEvent(
        event_id=bytes(16),
        federation=story.federation.name,
        subject_ref=story.person.ref,
        listing_id=own.listing_id,
        action=SETTLE,
        decided_at=to_timestamp(story.at),
        settlement=settlement(story.at),
    )
    own.steps.append(
        v1.ListingStep(
            sequence=3,
            statement=seal(event, story.person.signer),
            at=to_timestamp(story.at),
            state=own.state,
        )
    )
    assert only(story.check(own)) == "step 3: settle is not possible in state noticed"


def test_a_federation_of_its_own_enrols_judges() -> None:
    federation = Federation()
    enrol_judges(federation)
    assert len(federation.member(REVIEWER).licence.sealing_key) == 32
