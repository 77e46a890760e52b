"""How long a listing lasts, and that nothing makes it last longer (R10, R11).

Dates are computed by hand from the rules' table of profiles, never with the code's own arithmetic.
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.v1 import ListingKind, ListingState, Reason
from exchange.listings.machine import Actor, Listing, Party
from exchange.listings.machine.listing import ENDS
from exchange.listings.profile import Span
from tests.builders import DAY
from tests.listing_builders import (
    CORRECT,
    FURNISHER,
    MICRO,
    OWN,
    PARTIES,
    PROLONG,
    SECOND,
    SETTLE,
    WITHDRAW,
    act,
    at_of,
    correction,
    day,
    effective,
    filed,
    joined,
    judgment_filing,
    listing_filing,
    money,
    prolongation,
    refused,
    refuses,
    register_until,
    ruled,
    run_timers,
    settled,
    settlement,
    since,
    under_review,
)

NAMES = ("eu", "us", "cn", "in", "uk")
WITHDRAWN = ListingState.LISTING_STATE_WITHDRAWN
EXPIRED = ListingState.LISTING_STATE_EXPIRED
OVERDUE = day(2024, 2, 29)  # a leap day
ENTERED = day(2025, 8, 31)
FILED = day(2026, 6, 1)


# R10, R11: how long it lasts --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("eu", day(2030, 2, 28)),  # six years
        ("us", day(2031, 8, 27)),  # seven years, to 28 February 2031, and 180 days
        ("cn", day(2031, 2, 28)),  # seven years
        ("in", day(2031, 2, 28)),
        ("uk", day(2030, 2, 28)),
    ],
)
def test_a_debt_ends_counted_from_its_first_delinquency(name: str, end: datetime) -> None:
    listing = filed(name, at=FILED, **since(OVERDUE))
    assert listing.expires_at == end
    # Nothing that happens to it moves that.
    listing = effective(name, at=FILED, **since(OVERDUE))
    listing = ruled(
        under_review(name, at=FILED, **since(OVERDUE)), at=at_of(listing.effective_at) + 2 * DAY
    )
    assert listing.expires_at == end
    assert run_timers(listing, at=end - MICRO).state == listing.state
    assert run_timers(listing, at=end).state == EXPIRED


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("eu", day(2031, 8, 31)),
        ("us", day(2032, 8, 31)),
        ("cn", day(2027, 8, 31)),
        ("in", day(2032, 8, 31)),
        ("uk", day(2031, 8, 31)),
    ],
)
def test_a_judgment_ends_counted_from_its_entry_and_no_later_than_its_register(
    name: str, end: datetime
) -> None:
    entered = since(ENTERED)
    assert (
        filed(name, at=FILED, court=True, **entered, **register_until(day(2040, 1, 1))).expires_at
        == end
    )
    sooner = end - DAY
    assert (
        filed(name, at=FILED, court=True, **entered, **register_until(sooner)).expires_at == sooner
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_is_too_old_is_not_filed(name: str) -> None:
    end = filed(name, at=FILED, **since(OVERDUE)).expires_at
    assert filed(name, at=end - SECOND, **since(OVERDUE)).expires_at == end
    assert refused(name, at=end, **since(OVERDUE)) == Reason.REASON_LISTING_OBSOLETE


def test_a_judgment_that_its_register_shows_no_more_is_not_filed() -> None:
    over = {**since(ENTERED), **register_until(FILED)}
    assert refused(at=FILED, court=True, **over) == Reason.REASON_LISTING_OBSOLETE


@pytest.mark.parametrize(
    ("name", "paid", "end"),
    [
        ("eu", day(2026, 9, 1), day(2029, 9, 1)),  # three years after settlement
        ("cn", day(2026, 1, 15), day(2031, 1, 15)),  # five years after the end of the default
        ("cn", day(2026, 9, 1), day(2031, 2, 28)),  # which are over only after the cap of seven
        ("us", day(2026, 9, 1), day(2031, 8, 27)),  # no sooner for being settled
        ("in", day(2026, 9, 1), day(2031, 2, 28)),
        ("uk", day(2026, 9, 1), day(2030, 2, 28)),
    ],
)
def test_a_settled_debt_ends_sooner_where_the_profile_says(
    name: str, paid: datetime, end: datetime
) -> None:
    listing = effective(name, at=FILED, **since(OVERDUE))
    listing = act(listing, SETTLE, at=day(2026, 10, 1), settlement=settlement(paid))
    assert (listing.settled_at, listing.expires_at) == (paid, end)


def test_what_a_source_reports_as_paid_long_ago_may_end_at_once() -> None:
    listing = effective(at=day(2029, 10, 1), **since(OVERDUE))
    listing = act(listing, SETTLE, at=day(2029, 12, 1), settlement=settlement(day(2026, 9, 1)))
    assert run_timers(listing, at=day(2029, 12, 1)).state == EXPIRED


def test_a_subjects_claim_of_payment_counts_from_when_it_is_made() -> None:
    """Else it could date a settlement back and end its listing by its word alone."""
    listing = effective(at=FILED, **since(OVERDUE))
    said = day(2026, 10, 1)
    listing = act(
        listing, SETTLE, at=said, by=PARTIES[Actor.SUBJECT], settlement=settlement(day(2024, 6, 1))
    )
    assert (listing.settled_at, listing.expires_at) == (said, day(2029, 10, 1))


@pytest.mark.parametrize("paid", [day(2024, 2, 28), day(2026, 10, 2)])
def test_a_payment_before_the_debt_or_after_now_is_refused(paid: datetime) -> None:
    listing = effective(at=FILED, **since(OVERDUE))
    for actor in (Actor.FURNISHER, Actor.SUBJECT):
        with refuses(Reason.REASON_STATEMENT_NOT_FRESH):
            act(
                listing, SETTLE, at=day(2026, 10, 1), by=PARTIES[actor], settlement=settlement(paid)
            )


@pytest.mark.parametrize(
    ("paid", "state"),
    [(day(2026, 6, 30), WITHDRAWN), (day(2026, 7, 1), ListingState.LISTING_STATE_SETTLED)],
)
def test_a_british_judgment_paid_within_a_calendar_month_is_removed(
    paid: datetime, state: ListingState.ValueType
) -> None:
    listing = effective(
        "uk", at=day(2026, 5, 31), court=True, delinquent_since=to_timestamp(day(2026, 5, 31))
    )
    said = day(2026, 8, 1)
    listing = run_timers(act(listing, SETTLE, at=said, settlement=settlement(paid)), at=said)
    assert listing.state == state
    assert listing.closed


@pytest.mark.parametrize("amount", [50_000, 50_001])
def test_an_operators_rule_for_small_debts_is_for_small_debts(amount: int) -> None:
    listing = settled(OWN, at=FILED, amount=money(amount, "ATL"))
    due = Span(months=6).after(at_of(listing.settled_at))
    assert run_timers(listing, at=due - MICRO).state == ListingState.LISTING_STATE_SETTLED
    repaired = run_timers(listing, at=due).state == ListingState.LISTING_STATE_REPAIRED
    assert repaired == (amount == 50_000)
    # What is corrected to a small one is one.
    if not repaired:
        less = correction(listing, amount=money(50_000, "ATL"))
        assert run_timers(act(listing, CORRECT, at=due, correction=less), at=due).state in ENDS


# Prolongation -----------------------------------------------------------------------------------


def chinese_judgment() -> Listing:
    """Return a judgment entered on 31 August 2025 in force; it ends on 31 August 2027."""
    return effective("cn", at=FILED, court=True, **since(ENTERED))


def until(listing: Listing, end: datetime, at: datetime | None = None, **more: Any) -> Listing:
    when = at or at_of(listing.effective_at) + DAY
    return act(listing, PROLONG, at=when, prolongation=prolongation(end), **more)


def test_a_chinese_court_prolongs_its_entry_by_three_years_in_all() -> None:
    listing = chinese_judgment()
    once = until(listing, day(2028, 8, 31))
    twice = until(once, day(2030, 8, 31))
    assert (once.expires_at, twice.expires_at) == (day(2028, 8, 31), day(2030, 8, 31))
    for each in (listing, once, twice):
        with refuses():
            until(each, day(2030, 8, 31) + SECOND)
    for sooner in (day(2027, 8, 31), day(2027, 8, 30)):
        with refuses():
            until(listing, sooner)


def test_an_entry_that_is_over_is_not_prolonged_even_before_the_timer_says_so() -> None:
    with refuses():
        until(chinese_judgment(), day(2028, 8, 31), at=day(2027, 8, 31))


@pytest.mark.parametrize("name", ["eu", "us", "in", "uk"])
def test_no_other_profile_lets_a_court_prolong(name: str) -> None:
    listing = effective(
        name, at=FILED, court=True, **since(ENTERED), **register_until(day(2028, 1, 1))
    )
    with refuses():
        until(listing, day(2028, 6, 1))


def test_nobody_prolongs_a_private_debt_not_even_with_a_court_beside_it() -> None:
    debt = effective("cn", at=FILED, **since(day(2025, 1, 1)))
    with refuses():
        until(debt, day(2032, 1, 1), by=Party(Actor.COURT, FURNISHER))
    mixed = joined(debt, judgment_filing("cn", at=FILED, **since(ENTERED)), FILED)
    with refuses():
        until(mixed, day(2027, 6, 1), by=PARTIES[Actor.COURT])


def test_a_correction_of_the_entrys_date_takes_the_order_with_it_and_its_limit() -> None:
    """Prolonging, correcting and prolonging again gives no more than three years after the true end."""
    listing = until(chinese_judgment(), day(2030, 8, 31))
    at = at_of(listing.effective_at) + 2 * DAY
    listing = act(
        listing,
        CORRECT,
        at=at,
        correction=correction(listing, delinquent_since=to_timestamp(day(2025, 2, 28))),
    )
    assert listing.expires_at == day(2027, 2, 28)
    assert until(listing, day(2030, 2, 28), at=at).expires_at == day(2030, 2, 28)
    with refuses():
        until(listing, day(2030, 2, 28) + SECOND, at=at)


def test_a_foreign_courts_longer_life_is_no_start_for_a_prolongation() -> None:
    """An Indian court's entry of seven years joins a Chinese debt: China's rule adds to two years at most."""
    listing = effective("cn", at=FILED, **since(day(2026, 1, 1)))
    foreign = judgment_filing(
        "in", at=FILED, **since(day(2026, 1, 1)), **register_until(day(2040, 1, 1))
    )
    listing = joined(listing, foreign, FILED, "in")
    alone = act(listing, WITHDRAW, at=day(2026, 8, 1), by=PARTIES[Actor.FURNISHER])
    assert alone.expires_at == day(2033, 1, 1)
    with refuses():
        until(alone, day(2033, 1, 2), at=day(2026, 8, 2))


def test_the_time_of_an_order_goes_with_the_court_that_made_it() -> None:
    listing = until(chinese_judgment(), day(2030, 8, 31))
    at = at_of(listing.effective_at) + 2 * DAY
    mixed = joined(listing, listing_filing("cn", at=at, **since(ENTERED)), at)
    assert mixed.expires_at == day(2030, 8, 31)
    alone = act(mixed, WITHDRAW, at=at, by=PARTIES[Actor.COURT])
    assert alone.kind == ListingKind.LISTING_KIND_DEBT
    assert alone.expires_at == day(2027, 8, 31)


# Corrections ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "worse",
    [
        {"amount": money(100_001)},
        {"amount": money(1, "USD")},
        {"delinquent_since": to_timestamp(OVERDUE + MICRO)},
    ],
)
def test_a_correction_against_the_subject_is_refused(worse: dict[str, Any]) -> None:
    listing = effective(at=FILED, **since(OVERDUE))
    assert listing.amount == 100_000
    at = at_of(listing.effective_at)
    with refuses(Reason.REASON_CORRECTION_NOT_FAVOURABLE):
        act(listing, CORRECT, at=at, correction=correction(listing, **worse))


def test_a_correction_moves_the_anchor_only_back_and_the_end_with_it() -> None:
    listing = effective(at=FILED, **since(OVERDUE))
    at = at_of(listing.effective_at)
    earlier = correction(listing, delinquent_since=to_timestamp(day(2022, 10, 31)), amount=money(1))
    after = act(listing, CORRECT, at=at, correction=earlier)
    assert (after.delinquent_since, after.amount) == (day(2022, 10, 31), 1)
    assert (after.expires_at, after.version) == (day(2028, 10, 31), 2)
    with refuses(Reason.REASON_CORRECTION_NOT_FAVOURABLE):  # not back to what it was
        act(after, CORRECT, at=at, correction=correction(listing))


def test_a_correction_prolongs_nothing_that_settlement_or_the_register_had_shortened() -> None:
    paid = settled(at=FILED, **since(OVERDUE))
    end = paid.expires_at
    assert end < day(2029, 12, 1)
    at = at_of(paid.settled_at) + DAY
    same = act(paid, CORRECT, at=at, correction=correction(paid))
    moved = act(
        paid,
        CORRECT,
        at=at,
        correction=correction(paid, delinquent_since=to_timestamp(OVERDUE - DAY)),
    )
    assert same.expires_at == moved.expires_at == end
    court = effective(at=FILED, court=True, **since(ENTERED), **register_until(day(2027, 1, 1)))
    at = at_of(court.effective_at) + DAY
    earlier = correction(court, delinquent_since=to_timestamp(ENTERED - DAY))
    assert act(court, CORRECT, at=at, correction=earlier).expires_at == day(2027, 1, 1)


def test_a_correction_that_shows_the_debt_to_be_too_old_ends_it() -> None:
    listing = effective(at=FILED, **since(OVERDUE))
    at = at_of(listing.effective_at) + DAY
    ancient = correction(listing, delinquent_since=to_timestamp(day(2019, 1, 1)))
    assert run_timers(act(listing, CORRECT, at=at, correction=ancient), at=at).state == EXPIRED


# The ends of the calendar -----------------------------------------------------------------------

FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.mark.parametrize("moment", [FIRST, LAST])
@pytest.mark.parametrize("field", ["delinquent_since", "filed_at", "source_ends_at"])
def test_no_date_in_a_filing_breaks_the_machine(moment: datetime, field: str) -> None:
    filing = judgment_filing("cn", at=FILED, **{**since(ENTERED), field: to_timestamp(moment)})
    opened: list[Listing] = []
    with suppress(Refusal):
        opened.append(
            filed("cn", at=FILED, court=True, **{**since(ENTERED), field: to_timestamp(moment)})
        )
    with suppress(Refusal):
        opened.append(joined(effective("cn", at=FILED, **since(ENTERED)), filing, FILED))
    # Only a register that never ends is lawful; the profile ends the listing then.
    assert bool(opened) == (field == "source_ends_at" and moment == LAST)
    assert all(listing.expires_at == day(2027, 8, 31) for listing in opened)


@pytest.mark.parametrize("moment", [FIRST, LAST])
def test_no_date_in_an_event_breaks_the_machine(moment: datetime) -> None:
    listing = chinese_judgment()
    at = at_of(listing.effective_at) + DAY
    with refuses(Reason.REASON_STATEMENT_NOT_FRESH):
        act(listing, SETTLE, at=at, settlement=settlement(moment))
    with refuses():
        until(listing, moment)
    anchor = correction(listing, delinquent_since=to_timestamp(moment))
    if moment == FIRST:
        corrected = act(listing, CORRECT, at=at, correction=anchor)
        assert run_timers(corrected, at=at).state == EXPIRED
    else:
        with refuses(Reason.REASON_CORRECTION_NOT_FAVOURABLE):
            act(listing, CORRECT, at=at, correction=anchor)
