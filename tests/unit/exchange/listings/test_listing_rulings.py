"""What becomes of a dispute: rulings, appeals, and what was not decided in time.

Limits are computed by hand from the rules' table of profiles. A listing is noticed on 1 June 2026.
"""

from typing import Any

import pytest

from concordat.clock import to_timestamp
from concordat.v1 import DisputeGround, ListingState, Reason, RetractionCause
from exchange.listings.machine import Actor, Listing, Party, mark_of, next_due, recall_cause
from exchange.listings.machine.listing import State
from tests.builders import DAY
from tests.listing_builders import (
    APPEAL_BODY,
    COURT,
    MICRO,
    OPEN_REVIEW,
    OWN,
    PARTIES,
    RECONFIRM,
    RECTIFIED,
    REVIEWER,
    SECOND_APPEAL_BODY,
    SETTLE,
    UNVERIFIABLE,
    UPHELD,
    WITHDRAW,
    act,
    appealed,
    contested,
    correction,
    day,
    dispute_id_of,
    dispute_of,
    disputed,
    due_of,
    effective,
    joined,
    judgment_filing,
    money,
    noticed,
    old_judgment,
    profile,
    refuses,
    ruled,
    run_timers,
    settled,
    since,
    under_appeal,
    under_review,
)

NOTICED, CONTESTED = ListingState.LISTING_STATE_NOTICED, ListingState.LISTING_STATE_CONTESTED
EFFECTIVE, SETTLED = ListingState.LISTING_STATE_EFFECTIVE, ListingState.LISTING_STATE_SETTLED
UNDER_REVIEW = ListingState.LISTING_STATE_UNDER_REVIEW
IN_APPEAL, WITHDRAWN = ListingState.LISTING_STATE_APPEAL, ListingState.LISTING_STATE_WITHDRAWN
EXPIRED = ListingState.LISTING_STATE_EXPIRED
NAMES = ("eu", "us", "cn", "in", "uk")
FILED = day(2026, 6, 1)
JUNE_11 = day(2026, 6, 11)
SEPTEMBER_1 = day(2026, 9, 1)
DENIED = DisputeGround.DISPUTE_GROUND_SETTLEMENT_DENIED


def in_force(name: str = "eu", *, court: bool = False) -> Listing:
    return effective(name, at=FILED, court=court)


# Rulings ----------------------------------------------------------------------------------------


def open_everywhere() -> list[Listing]:
    """Return a listing with an open dispute in every state that has one, private and of a court."""
    found = []
    for court in (False, True):
        given: dict[str, Any] = {"at": FILED, "court": court}
        found += [
            contested("us", **given),
            under_review("us", **given),
            under_appeal("us", **given),
            disputed(settled("us", **given), at=SEPTEMBER_1),
            appealed(ruled(contested("us", **given), at=FILED + 2 * DAY), at=FILED + 3 * DAY),
        ]
    return found


@pytest.mark.parametrize("listing", open_everywhere())
def test_what_is_upheld_is_gone_at_once_and_lenders_hear_of_it(listing: Listing) -> None:
    after = ruled(listing, UPHELD, at=due_of(listing) - MICRO)
    assert (after.state, after.dispute, mark_of(after)) == (WITHDRAWN, None, None)
    assert recall_cause(listing, after) == RetractionCause.RETRACTION_CAUSE_WITHDRAWN


@pytest.mark.parametrize("listing", open_everywhere())
def test_what_is_rejected_is_where_it_was(listing: Listing) -> None:
    after = ruled(listing, at=due_of(listing) - MICRO)
    was = listing.back_to
    if listing.state == CONTESTED:  # on 2 June for thirty days: the notice period is over first
        was = EFFECTIVE
    assert (after.state, after.dispute, after.back_to) == (was, None, None)
    assert (after.amount, after.expires_at) == (listing.amount, listing.expires_at)
    assert recall_cause(listing, after) is None


@pytest.mark.parametrize("listing", open_everywhere())
def test_what_is_rectified_is_better_for_the_subject_and_told(listing: Listing) -> None:
    at = due_of(listing) - MICRO
    less = correction(listing, amount=money(listing.amount - 1, "USD"))
    after = ruled(listing, RECTIFIED, at=at, correction=less)
    assert (after.amount, after.version) == (listing.amount - 1, listing.version + 1)
    assert recall_cause(listing, after) == RetractionCause.RETRACTION_CAUSE_CORRECTED
    for worse in (
        {"amount": money(listing.amount + 1, "USD")},
        {"amount": money(listing.amount - 1, "EUR")},
        {"delinquent_since": to_timestamp(listing.delinquent_since + MICRO)},
    ):
        with refuses(Reason.REASON_CORRECTION_NOT_FAVOURABLE):
            ruled(listing, RECTIFIED, at=at, correction=correction(listing, **worse))


def test_a_ruling_is_on_the_dispute_that_is_open_and_no_other() -> None:
    listing = disputed(in_force(), at=SEPTEMBER_1)
    with refuses(Reason.REASON_LISTING_UNKNOWN):
        ruled(listing, at=SEPTEMBER_1, dispute_id=bytes(16))
    first = dispute_id_of(listing)
    listing = ruled(listing, at=SEPTEMBER_1)
    listing = disputed(listing, at=SEPTEMBER_1 + DAY, evidence=("new",))
    with refuses(Reason.REASON_LISTING_UNKNOWN):  # the old ruling, again
        ruled(listing, UPHELD, at=SEPTEMBER_1 + DAY, dispute_id=first)


# A settlement that is denied --------------------------------------------------------------------


def settlement_denied(listing: Listing | None = None) -> Listing:
    paid = act(listing or in_force(), SETTLE, at=SEPTEMBER_1, by=PARTIES[Actor.SUBJECT])
    return act(paid, OPEN_REVIEW, at=SEPTEMBER_1 + DAY, ground=DENIED)


def test_a_settlement_that_is_not_proved_is_struck_out_and_prolongs_nothing() -> None:
    listing = settlement_denied()
    assert listing.expires_at == day(2029, 9, 1)  # three years after it was said to be settled
    after = ruled(listing, RECTIFIED, at=SEPTEMBER_1 + 2 * DAY, not_settled=True)
    assert (after.state, after.settled_at) == (EFFECTIVE, None)
    assert after.expires_at == day(2029, 9, 1)
    assert not after.closed
    # The subject may appeal, and may prove a payment again.
    assert appealed(after, at=SEPTEMBER_1 + 3 * DAY).state == IN_APPEAL
    assert act(after, SETTLE, at=SEPTEMBER_1 + 3 * DAY).state == SETTLED


def test_no_dispute_of_the_subjects_own_costs_it_its_settlement() -> None:
    paid = act(in_force(), SETTLE, at=SEPTEMBER_1)
    listing = disputed(paid, at=SEPTEMBER_1, ground=DisputeGround.DISPUTE_GROUND_AMOUNT)
    with refuses():
        ruled(listing, RECTIFIED, at=SEPTEMBER_1, not_settled=True)
    assert ruled(listing, RECTIFIED, at=SEPTEMBER_1).state == SETTLED


def test_a_settlement_is_struck_out_only_where_there_is_one() -> None:
    listing = act(in_force(), OPEN_REVIEW, at=SEPTEMBER_1, ground=DENIED)
    with refuses():
        ruled(listing, RECTIFIED, at=SEPTEMBER_1, not_settled=True)


# Appeals ----------------------------------------------------------------------------------------


def test_a_ruling_is_appealed_within_ten_days() -> None:
    decided = ruled(disputed(in_force(), at=SEPTEMBER_1), at=SEPTEMBER_1)
    assert appealed(decided, at=day(2026, 9, 11) - MICRO).state == IN_APPEAL
    with refuses(Reason.REASON_APPEAL_TOO_LATE):
        appealed(decided, at=day(2026, 9, 11))


def test_a_ruling_is_appealed_once_and_the_appeals_own_not_at_all() -> None:
    decided = ruled(disputed(in_force(), at=SEPTEMBER_1), at=SEPTEMBER_1)
    final = ruled(appealed(decided, at=SEPTEMBER_1), at=SEPTEMBER_1)
    for reviewer in (APPEAL_BODY, SECOND_APPEAL_BODY):
        with refuses():
            appealed(final, at=SEPTEMBER_1, reviewer=reviewer, evidence=("new",))
    assert decided.ruling is not None
    with refuses():  # nor the first ruling once more
        appealed(final, at=SEPTEMBER_1, ruling_id=decided.ruling.ruling_id)


def test_an_appeal_names_the_last_ruling() -> None:
    first = ruled(disputed(in_force(), at=SEPTEMBER_1), at=SEPTEMBER_1)
    second = ruled(disputed(first, at=SEPTEMBER_1, evidence=("new",)), at=SEPTEMBER_1)
    assert first.ruling is not None
    with refuses():
        appealed(second, at=SEPTEMBER_1, ruling_id=first.ruling.ruling_id)
    with refuses():
        appealed(in_force(), at=SEPTEMBER_1)
    assert appealed(second, at=SEPTEMBER_1).state == IN_APPEAL


def test_a_rejected_contest_is_appealed_before_effect_and_waits_for_it() -> None:
    """Whatever the notice period does meanwhile: nothing takes effect under appeal, or by it."""
    listing = ruled(disputed(noticed(at=FILED), at=JUNE_11), at=day(2026, 6, 20))
    listing = appealed(listing, at=day(2026, 6, 25))
    listing = act(listing, RECONFIRM, at=day(2026, 6, 30))
    assert run_timers(listing, at=day(2026, 7, 2)).state == IN_APPEAL
    back = ruled(listing, at=day(2026, 7, 2))
    assert (back.state, back.effective_at) == (NOTICED, None)
    assert run_timers(back, at=day(2026, 7, 2)).effective_at == day(2026, 7, 2)
    with refuses():  # a settlement, too, has to wait until there is something in force to settle
        act(listing, SETTLE, at=day(2026, 7, 1))


# What was not decided (R12, invariant 6) --------------------------------------------------------


def test_a_private_debt_whose_dispute_was_not_decided_in_time_is_withdrawn() -> None:
    for name in NAMES:
        for listing in (
            contested(name, at=FILED),
            under_review(name, at=FILED),
            under_appeal(name, at=FILED),
            act(in_force(name), OPEN_REVIEW, at=SEPTEMBER_1),
            act(in_force(name), OPEN_REVIEW, at=SEPTEMBER_1, by=PARTIES[Actor.REGULATOR]),
        ):
            limit = due_of(listing)
            assert run_timers(listing, at=limit - MICRO).state == listing.state
            after = run_timers(listing, at=limit)
            assert (after.state, after.dispute) == (WITHDRAWN, None)
            assert not after.closed


def test_a_private_debt_that_could_not_be_verified_is_withdrawn() -> None:
    for listing in (contested(at=FILED), under_review(at=FILED), under_appeal(at=FILED)):
        after = ruled(listing, UNVERIFIABLE, at=due_of(listing) - MICRO)
        assert (after.state, after.dispute) == (WITHDRAWN, None)


@pytest.mark.parametrize("decided", [False, True])
def test_a_court_entry_that_was_not_decided_goes_to_the_appeal_body_then_back(
    decided: bool,
) -> None:
    for name in NAMES:
        listing = disputed(in_force(name, court=True), at=SEPTEMBER_1)
        shown, limit = mark_of(listing), due_of(listing)
        if decided:
            listing = ruled(listing, UNVERIFIABLE, at=limit - MICRO)
            limit -= MICRO
        else:
            listing = run_timers(listing, at=limit)
        assert (listing.state, mark_of(listing)) == (IN_APPEAL, shown)
        assert due_of(listing) == limit + 15 * DAY
        for body in (APPEAL_BODY, SECOND_APPEAL_BODY):  # any of them, but no reviewer
            by = Party(Actor.APPEAL, body)
            assert ruled(listing, UPHELD, at=limit, by=by).state == WITHDRAWN
        with refuses():
            ruled(listing, at=limit, by=PARTIES[Actor.REVIEWER])
        # An appeal that is not decided either: the register stands until the court changes it.
        back = run_timers(listing, at=limit + 15 * DAY)
        assert (back.state, back.dispute) == (EFFECTIVE, None)
        unverified = ruled(listing, UNVERIFIABLE, at=limit)
        assert (unverified.state, unverified.dispute) == (EFFECTIVE, None)


def test_a_contested_court_entry_that_was_not_decided_takes_no_effect_by_it() -> None:
    """It goes up, and comes back to its notice: no timeout puts anything in force."""
    listing = disputed(noticed("us", at=FILED, court=True), at=JUNE_11)
    up = run_timers(listing, at=day(2026, 7, 11), synced={COURT: day(2026, 7, 11)})
    assert (up.state, up.back_to, mark_of(up)) == (IN_APPEAL, NOTICED, None)
    end = day(2026, 7, 26)
    unsynced = run_timers(up, at=end)
    assert (unsynced.state, unsynced.effective_at) == (NOTICED, None)
    # Only when its register is found the same does it take effect, as any other.
    assert run_timers(up, at=end, synced={COURT: end}).state == EFFECTIVE
    assert ruled(up, at=end - DAY).state == NOTICED


def test_a_timeout_leaves_no_private_source_beside_a_court() -> None:
    """Else a furnisher whose debt nobody verified would stay behind the court's entry."""
    mixed = joined(in_force("us"), judgment_filing("us", at=FILED), FILED)
    for up in (
        run_timers(disputed(mixed, at=SEPTEMBER_1), at=day(2026, 10, 1)),
        ruled(disputed(mixed, at=SEPTEMBER_1), UNVERIFIABLE, at=SEPTEMBER_1),
    ):
        assert (up.state, up.court) == (IN_APPEAL, COURT)
        back = run_timers(up, at=day(2026, 10, 16))
        assert (back.state, back.court) == (EFFECTIVE, COURT)
        assert act(back, WITHDRAW, at=day(2026, 10, 17)).state == WITHDRAWN
        with refuses(Reason.REASON_LISTING_NOT_OWN):
            act(back, RECONFIRM, at=day(2026, 10, 17), by=PARTIES[Actor.FURNISHER])
    rejected = ruled(disputed(mixed, at=SEPTEMBER_1), at=SEPTEMBER_1)
    undecided = run_timers(appealed(rejected, at=SEPTEMBER_1), at=day(2026, 9, 16))
    assert (undecided.state, undecided.court) == (EFFECTIVE, COURT)


def test_a_court_that_joins_a_disputed_debt_does_not_bring_it_back_into_view() -> None:
    listing = disputed(in_force("us"), at=SEPTEMBER_1)
    listing = joined(listing, judgment_filing("us", at=SEPTEMBER_1), SEPTEMBER_1)
    up = run_timers(listing, at=day(2026, 10, 1))
    assert (up.state, mark_of(up)) == (IN_APPEAL, None)


def test_the_last_source_leaving_ends_the_dispute_with_the_listing() -> None:
    for listing in (contested(at=FILED), under_review(at=FILED), under_appeal(at=FILED)):
        after = act(listing, WITHDRAW, at=due_of(listing) - DAY)
        assert (after.state, after.dispute, after.back_to) == (WITHDRAWN, None, None)


def test_an_end_that_comes_during_a_dispute_ends_it() -> None:
    late = day(2031, 5, 20)  # the debt, of 1 June 2025, ends on 1 June 2031
    listing = disputed(effective(at=FILED, **since(day(2025, 6, 1))), at=late)
    assert next_due(listing, profile()) == day(2031, 6, 1)
    after = run_timers(listing, at=day(2031, 6, 1))
    assert (after.state, after.dispute, mark_of(after)) == (EXPIRED, None, None)


# Settled and disputed ---------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["review", "appeal"])
def test_what_the_profile_ends_after_settlement_ends_though_it_is_disputed(stage: str) -> None:
    """Who disputes must not be shown longer than who does not."""
    listing = act(effective(OWN, at=FILED), SETTLE, at=SEPTEMBER_1)
    repair = day(2027, 3, 1)  # six months after settlement
    assert next_due(listing, profile(OWN)) == repair
    listing = disputed(listing, at=repair - 2 * DAY)
    if stage == "appeal":
        listing = appealed(ruled(listing, at=repair - DAY), at=repair - DAY)
    assert next_due(listing, profile(OWN)) == repair
    assert mark_of(run_timers(listing, at=repair - MICRO)) is not None
    after = run_timers(listing, at=repair)
    assert (after.state, after.dispute) == (ListingState.LISTING_STATE_REPAIRED, None)


def test_what_is_disputed_and_not_settled_is_not_repaired() -> None:
    listing = disputed(effective(OWN, at=FILED, court=True, **old_judgment(FILED)), at=SEPTEMBER_1)
    up = run_timers(listing, at=due_of(listing))
    assert up.state == IN_APPEAL
    assert run_timers(up, at=due_of(up)).state == EFFECTIVE


@pytest.mark.parametrize(
    ("start", "states"),
    [(noticed(at=FILED), {CONTESTED}), (in_force(), {UNDER_REVIEW})],
)
def test_what_is_raised_stands_with_everything_that_decides_it(
    start: Listing, states: set[State]
) -> None:
    said = dispute_of(start, at=SEPTEMBER_1, evidence=("a", "b"))
    after = disputed(start, at=SEPTEMBER_1, evidence=("a", "b"), dispute_id=said.dispute_id)
    assert after.dispute is not None
    assert after.state in states
    assert after.dispute.dispute_id == said.dispute_id
    assert (after.dispute.reviewer, after.dispute.ground) == (REVIEWER, said.ground)
    assert (after.disputes, after.heard) == (1, frozenset(said.evidence_hashes))
    assert after.back_to == start.state
