"""Being heard: contests and disputes, their limits, what is shown meanwhile, and who decides.

Limits are computed by hand from the rules' table of profiles. A listing is noticed on 1 June 2026.
"""

from datetime import datetime
from typing import Any

import pytest

from concordat import v1
from concordat.v1 import ListingMark, ListingState, Reason
from exchange.listings.machine import Actor, Listing, Party, mark_of, next_due
from tests.builders import DAY
from tests.listing_builders import (
    APPEAL,
    BUYER,
    CONTEST,
    CORRECT,
    COURT,
    EXTEND,
    FURNISHER,
    MICRO,
    OPEN_REVIEW,
    OWN,
    PARTIES,
    RECONFIRM,
    RECTIFIED,
    REVIEW,
    REVIEWER,
    SECOND_APPEAL_BODY,
    SECOND_REVIEWER,
    SETTLE,
    STATE,
    UNVERIFIABLE,
    UPHELD,
    WITHDRAW,
    act,
    appealed,
    at_of,
    contested,
    correction,
    day,
    dispute_id_of,
    disputed,
    due_of,
    effective,
    joined,
    listing_filing,
    noticed,
    profile,
    refuses,
    ruled,
    run_timers,
    settled,
    under_appeal,
    under_review,
)

NOTICED, CONTESTED = ListingState.LISTING_STATE_NOTICED, ListingState.LISTING_STATE_CONTESTED
EFFECTIVE, SETTLED = ListingState.LISTING_STATE_EFFECTIVE, ListingState.LISTING_STATE_SETTLED
UNDER_REVIEW = ListingState.LISTING_STATE_UNDER_REVIEW
IN_APPEAL, WITHDRAWN = ListingState.LISTING_STATE_APPEAL, ListingState.LISTING_STATE_WITHDRAWN
NAMES = ("eu", "us", "cn", "in", "uk")
FILED = day(2026, 6, 1)
JUNE_11 = day(2026, 6, 11)
SEPTEMBER_1 = day(2026, 9, 1)


def hidden(listing: Listing) -> bool:
    """Tell whether the open dispute hides the listing."""
    assert listing.dispute is not None
    return listing.dispute.suppresses


def in_force(name: str = "eu", *, court: bool = False) -> Listing:
    return effective(name, at=FILED, court=court)


# Contests before effect -------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("court", [False, True])
def test_what_is_contested_takes_no_effect_while_it_is(name: str, court: bool) -> None:
    listing = disputed(noticed(name, at=FILED, court=court), at=JUNE_11)
    assert listing.state == CONTESTED
    over = at_of(listing.effective_from)
    listing = act(listing, RECONFIRM, at=min(over, due_of(listing) - DAY))
    synced = {COURT: due_of(listing) - DAY}
    waiting = run_timers(listing, at=due_of(listing) - MICRO, synced=synced)
    assert (waiting.state, mark_of(waiting)) == (CONTESTED, None)


def test_a_contest_that_is_rejected_within_the_notice_period_goes_back_to_it() -> None:
    listing = ruled(disputed(noticed(at=FILED), at=JUNE_11), at=JUNE_11 + DAY)
    assert (listing.state, listing.effective_at, listing.dispute) == (NOTICED, None, None)
    assert listing.effective_from == day(2026, 7, 1)
    # and takes effect only when that is over, and reconfirmed as any other
    listing = act(listing, RECONFIRM, at=day(2026, 6, 30))
    assert run_timers(listing, at=day(2026, 7, 1) - MICRO).state == NOTICED
    assert run_timers(listing, at=day(2026, 7, 1)).state == EFFECTIVE


def test_a_contest_that_is_rejected_after_the_notice_period_takes_effect_by_the_ruling() -> None:
    listing = disputed(noticed(at=FILED), at=JUNE_11)
    for decided, state in (
        (day(2026, 7, 1) - MICRO, NOTICED),
        (day(2026, 7, 1), EFFECTIVE),
        (day(2026, 7, 11) - MICRO, EFFECTIVE),
    ):
        after = ruled(listing, at=decided)
        assert after.state == state
        assert after.effective_at == (decided if state == EFFECTIVE else None)


def test_it_can_be_contested_until_the_moment_it_takes_effect() -> None:
    """The period may be over: what waits to be reconfirmed is not in force."""
    waiting = run_timers(noticed(at=FILED), at=day(2026, 7, 20))
    assert waiting.state == NOTICED
    assert disputed(waiting, at=day(2026, 7, 20)).state == CONTESTED


@pytest.mark.parametrize("stage", [REVIEW, APPEAL])
def test_what_is_not_in_force_is_contested_not_disputed(stage: Any) -> None:
    ruling_id = bytes(16) if stage == APPEAL else b""
    with refuses():
        disputed(noticed(at=FILED), at=JUNE_11, stage=stage, ruling_id=ruling_id)
    with refuses():
        disputed(in_force(), at=SEPTEMBER_1, stage=CONTEST)


# Limits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("eu", day(2026, 10, 1)),  # thirty days
        ("us", day(2026, 10, 1)),
        ("cn", day(2026, 9, 21)),  # twenty
        ("in", day(2026, 10, 1)),
        ("uk", day(2026, 9, 29)),  # twenty-eight
    ],
)
@pytest.mark.parametrize("court", [False, True])
def test_each_jurisdiction_has_its_limit_and_a_ruling_after_it_is_none(
    name: str, limit: datetime, court: bool
) -> None:
    listing = disputed(in_force(name, court=court), at=SEPTEMBER_1)
    assert due_of(listing) == limit == next_due(listing, profile(name))
    assert ruled(listing, at=limit - MICRO).state == EFFECTIVE
    for outcome in (UPHELD, RECTIFIED, UNVERIFIABLE):
        with refuses():
            ruled(listing, outcome, at=limit)
    with refuses():
        ruled(listing, at=limit)


@pytest.mark.parametrize(("name", "limit"), [("eu", day(2026, 11, 30)), ("us", day(2026, 10, 16))])
def test_more_time_is_taken_once_where_the_law_has_it(name: str, limit: datetime) -> None:
    """Sixty days from 1 October are over on 30 November; fifteen on the 16th."""
    listing = disputed(in_force(name), at=SEPTEMBER_1)
    longer = act(listing, EXTEND, at=day(2026, 9, 30))
    assert due_of(longer) == limit
    with refuses():
        act(longer, EXTEND, at=day(2026, 9, 30))
    assert ruled(longer, at=limit - MICRO).state == EFFECTIVE
    assert run_timers(longer, at=limit).state == WITHDRAWN


@pytest.mark.parametrize("name", ["cn", "in", "uk"])
def test_no_more_time_is_taken_where_the_law_has_none(name: str) -> None:
    with refuses():
        act(disputed(in_force(name), at=SEPTEMBER_1), EXTEND, at=SEPTEMBER_1)


def test_a_limit_that_is_over_is_not_extended_because_the_timer_is_late() -> None:
    listing = disputed(in_force(), at=SEPTEMBER_1)
    assert act(listing, EXTEND, at=day(2026, 10, 1) - MICRO).state == UNDER_REVIEW
    with refuses():
        act(listing, EXTEND, at=day(2026, 10, 1))


def test_only_who_decides_takes_more_time_and_only_for_this_dispute() -> None:
    listing = disputed(in_force(), at=SEPTEMBER_1)
    with refuses(Reason.REASON_LISTING_UNKNOWN):
        act(listing, EXTEND, at=SEPTEMBER_1, by=Party(Actor.REVIEWER, SECOND_REVIEWER))
    elsewhere = dispute_id_of(disputed(in_force(), at=SEPTEMBER_1))
    other = v1.ReasonedExtension(dispute_id=elsewhere, reasons="because")
    with refuses(Reason.REASON_LISTING_UNKNOWN):
        act(listing, EXTEND, at=SEPTEMBER_1, extension=other)


def test_an_appeal_has_fifteen_days_and_no_more_time() -> None:
    listing = under_appeal(at=FILED)
    decided = at_of(listing.effective_at) + 2 * DAY
    assert due_of(listing) == decided + 15 * DAY
    with refuses():
        act(listing, EXTEND, at=decided)
    with refuses():
        act(listing, EXTEND, at=decided, by=PARTIES[Actor.APPEAL])


# Hidden or marked -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_disputed_private_debt_is_shown_to_nobody_in_any_jurisdiction(name: str) -> None:
    for listing in (under_review(name, at=FILED), under_appeal(name, at=FILED)):
        assert hidden(listing)
        assert mark_of(listing) is None
    paid = disputed(settled(name, at=FILED), at=SEPTEMBER_1)
    assert mark_of(paid) is None


@pytest.mark.parametrize(
    ("name", "shown"), [("eu", False), ("us", True), ("cn", True), ("in", True), ("uk", True)]
)
def test_a_disputed_court_entry_is_shown_with_a_mark_where_the_profile_marks(
    name: str, shown: bool
) -> None:
    disputed_mark = ListingMark.LISTING_MARK_EFFECTIVE_DISPUTED if shown else None
    for listing in (
        under_review(name, at=FILED, court=True),
        under_appeal(name, at=FILED, court=True),
    ):
        assert mark_of(listing) == disputed_mark
    paid = act(under_review(name, at=FILED, court=True), SETTLE, at=SEPTEMBER_1)
    settled_mark = ListingMark.LISTING_MARK_SETTLED_DISPUTED if shown else None
    assert mark_of(paid) == settled_mark


def test_what_is_in_force_is_shown_and_nothing_before_or_after() -> None:
    assert mark_of(in_force()) == ListingMark.LISTING_MARK_EFFECTIVE
    assert mark_of(settled(at=FILED)) == ListingMark.LISTING_MARK_SETTLED
    gone = act(in_force(), WITHDRAW, at=SEPTEMBER_1)
    for listing in (noticed(at=FILED), contested(at=FILED), gone):
        assert mark_of(listing) is None
    rejected = ruled(under_review(at=FILED), at=SEPTEMBER_1 - 60 * DAY)
    assert mark_of(rejected) == ListingMark.LISTING_MARK_EFFECTIVE


def test_an_appeal_before_effect_shows_nothing_even_where_the_profile_marks() -> None:
    heard = ruled(contested(OWN, at=FILED), at=FILED + 2 * DAY)
    listing = appealed(heard, at=FILED + 3 * DAY)
    assert (listing.state, listing.back_to, hidden(listing)) == (IN_APPEAL, NOTICED, False)
    assert mark_of(listing) is None


# Repeated disputes (invariant 9) ----------------------------------------------------------------


@pytest.mark.parametrize("evidence", [(), ("one letter",), ("one letter", "another")])
def test_a_dispute_that_brings_nothing_new_is_refused_and_changes_nothing(
    evidence: tuple[str, ...],
) -> None:
    listing = disputed(in_force(), at=SEPTEMBER_1, evidence=("one letter", "another"))
    listing = ruled(listing, at=SEPTEMBER_1 + DAY)
    with refuses(Reason.REASON_DISPUTE_REPEATED):
        disputed(listing, at=SEPTEMBER_1 + 2 * DAY, evidence=evidence)
    assert mark_of(listing) == ListingMark.LISTING_MARK_EFFECTIVE
    again = disputed(listing, at=SEPTEMBER_1 + 2 * DAY, evidence=(*evidence, "a third"))
    assert again.state == UNDER_REVIEW


def test_what_a_contest_or_an_appeal_brought_is_not_new_in_a_dispute() -> None:
    listing = disputed(noticed(at=FILED), at=JUNE_11, evidence=("at first",))
    listing = ruled(listing, at=day(2026, 7, 2))
    listing = appealed(listing, at=day(2026, 7, 3), evidence=("in appeal",))
    listing = ruled(listing, at=day(2026, 7, 4))
    assert listing.state == EFFECTIVE
    for evidence in ((), ("at first",), ("in appeal",)):
        with refuses(Reason.REASON_DISPUTE_REPEATED):
            disputed(listing, at=SEPTEMBER_1, evidence=evidence)
    assert disputed(listing, at=SEPTEMBER_1, evidence=("later",)).state == UNDER_REVIEW


def test_one_dispute_is_open_at_a_time_and_no_second_one_resets_its_clock() -> None:
    listing = disputed(in_force(), at=SEPTEMBER_1)
    for stage in (CONTEST, REVIEW):
        with refuses():
            disputed(listing, at=SEPTEMBER_1 + DAY, stage=stage, evidence=("new",))
    with refuses():
        appealed(listing, at=SEPTEMBER_1 + DAY)
    for actor in (Actor.REVIEWER, Actor.REGULATOR):
        with refuses():
            act(listing, OPEN_REVIEW, at=SEPTEMBER_1 + DAY, by=PARTIES[actor])


@pytest.mark.parametrize("court", [False, True])
def test_nothing_a_source_says_hides_shows_or_delays_what_is_disputed(court: bool) -> None:
    listing = disputed(in_force("us", court=court), at=SEPTEMBER_1)
    after = act(listing, RECONFIRM, at=SEPTEMBER_1 + DAY)
    after = act(after, CORRECT, at=SEPTEMBER_1 + DAY, correction=correction(listing))
    after = joined(after, listing_filing("us", source=BUYER, at=SEPTEMBER_1), SEPTEMBER_1)
    assert (after.dispute, after.state) == (listing.dispute, listing.state)
    assert mark_of(after) == mark_of(listing)


def test_the_subjects_own_words_and_payment_leave_its_dispute_alone() -> None:
    listing = disputed(in_force(), at=SEPTEMBER_1)
    after = act(listing, STATE, at=SEPTEMBER_1 + DAY)
    after = act(after, SETTLE, at=SEPTEMBER_1 + DAY, by=PARTIES[Actor.SUBJECT])
    assert (after.dispute, after.state, after.back_to) == (listing.dispute, UNDER_REVIEW, SETTLED)
    assert ruled(after, at=SEPTEMBER_1 + 2 * DAY).state == SETTLED


# Independence (invariant 3) ---------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["contest", "review"])
def test_no_source_past_or_present_is_asked_to_judge(stage: str) -> None:
    listing = noticed(at=FILED) if stage == "contest" else in_force()
    listing = joined(listing, listing_filing(source=BUYER, at=FILED), FILED)
    left = act(listing, WITHDRAW, at=FILED, by=Party(Actor.FURNISHER, BUYER))
    for each, reviewer in ((listing, FURNISHER), (listing, BUYER), (left, BUYER)):
        with refuses(Reason.REASON_REVIEWER_NOT_INDEPENDENT):
            disputed(each, at=SEPTEMBER_1, reviewer=reviewer)


def test_a_reviewer_that_became_a_source_meanwhile_decides_nothing() -> None:
    listing = disputed(in_force(), at=SEPTEMBER_1)
    listing = joined(listing, listing_filing(source=REVIEWER, at=SEPTEMBER_1), SEPTEMBER_1)
    with refuses(Reason.REASON_REVIEWER_NOT_INDEPENDENT):
        ruled(listing, at=SEPTEMBER_1 + DAY)
    assert run_timers(listing, at=day(2026, 10, 1)).state == WITHDRAWN


def test_only_the_reviewer_that_the_subject_chose_decides() -> None:
    listing = disputed(in_force(), at=SEPTEMBER_1)
    with refuses(Reason.REASON_LISTING_UNKNOWN):
        ruled(listing, at=SEPTEMBER_1, by=Party(Actor.REVIEWER, SECOND_REVIEWER))
    appeal = under_appeal(at=FILED)
    at = at_of(appeal.effective_at) + 3 * DAY
    with refuses(Reason.REASON_LISTING_UNKNOWN):
        ruled(appeal, at=at, by=Party(Actor.APPEAL, SECOND_APPEAL_BODY))


def test_an_appeal_is_never_decided_by_who_made_the_ruling() -> None:
    """Not even where one member came to hold both parts."""
    both = Party(Actor.APPEAL, REVIEWER)
    rejected = ruled(disputed(in_force(), at=SEPTEMBER_1), at=SEPTEMBER_1)
    with refuses(Reason.REASON_REVIEWER_NOT_INDEPENDENT):
        appealed(rejected, at=SEPTEMBER_1, reviewer=REVIEWER)
    escalated = ruled(
        disputed(in_force("us", court=True), at=SEPTEMBER_1), UNVERIFIABLE, at=SEPTEMBER_1
    )
    assert escalated.state == IN_APPEAL
    with refuses(Reason.REASON_REVIEWER_NOT_INDEPENDENT):
        ruled(escalated, at=SEPTEMBER_1, by=both)
    assert ruled(escalated, at=SEPTEMBER_1).state == EFFECTIVE


def test_a_review_that_the_regulator_opens_is_decided_by_any_reviewer_but_no_source() -> None:
    opened = act(in_force(), OPEN_REVIEW, at=SEPTEMBER_1, by=PARTIES[Actor.REGULATOR])
    assert (
        ruled(opened, at=SEPTEMBER_1, by=Party(Actor.REVIEWER, SECOND_REVIEWER)).state == EFFECTIVE
    )
    with refuses(Reason.REASON_REVIEWER_NOT_INDEPENDENT):
        ruled(opened, at=SEPTEMBER_1, by=Party(Actor.REVIEWER, FURNISHER))


def test_a_review_that_a_reviewer_opens_is_its_own_to_decide() -> None:
    opened = act(in_force(), OPEN_REVIEW, at=SEPTEMBER_1)
    with refuses(Reason.REASON_LISTING_UNKNOWN):
        ruled(opened, at=SEPTEMBER_1, by=Party(Actor.REVIEWER, SECOND_REVIEWER))
    decided = ruled(opened, at=SEPTEMBER_1)
    # and the subject, who did not ask for it, may appeal as from any other
    assert appealed(decided, at=SEPTEMBER_1 + DAY).state == IN_APPEAL
