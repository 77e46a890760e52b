"""What may be filed, and when what was filed takes effect (R07, R08, R09)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.v1 import LateFilingCode, ListingKind, ListingState, Reason
from exchange.listings.machine import next_due, open_listing
from tests.builders import AT, DAY
from tests.listing_builders import (
    BUYER,
    COURT,
    FURNISHER,
    LISTING_ID,
    MICRO,
    NOTICE_SERVED,
    RECONFIRM,
    SECOND,
    SECOND_COURT,
    TAKE_EFFECT,
    act,
    attested,
    day,
    filed,
    joined,
    listing_filing,
    money,
    notice_proof,
    noticed,
    profile,
    refused,
    refuses,
    run_timers,
    since,
)

NO_CODE = LateFilingCode.LATE_FILING_CODE_UNSPECIFIED
FILED = day(2026, 6, 1)


# R07: what the furnisher vouches for ------------------------------------------------------------


def test_a_lawful_filing_makes_a_draft_that_nobody_sees_and_nothing_dates_back() -> None:
    listing = filed()
    assert listing.state == ListingState.LISTING_STATE_DRAFT
    assert (listing.filed_at, listing.delivered_at, listing.effective_from) == (AT, None, None)
    assert [source.member_id for source in listing.live_sources] == [FURNISHER]
    assert listing.kind == ListingKind.LISTING_KIND_DEBT


def test_facts_that_nobody_vouches_for_are_not_filed() -> None:
    assert refused(attestation=attested(accurate=False)) == Reason.REASON_LISTING_NOT_ATTESTED
    assert refused(attestation=v1.Attestation()) == Reason.REASON_LISTING_NOT_ATTESTED


@pytest.mark.parametrize("what", ["adult", "unsecured", "not_frozen"])
@pytest.mark.parametrize("court", [False, True])
def test_a_minors_a_secured_and_a_frozen_debt_are_not_filed(what: str, court: bool) -> None:
    said = attested(**{what: False})
    assert refused(court=court, attestation=said) == Reason.REASON_LISTING_INELIGIBLE


@pytest.mark.parametrize("court", [False, True])
def test_a_delinquency_of_more_than_ninety_days_needs_a_code_that_explains_it(court: bool) -> None:
    start, at = to_timestamp(day(2026, 2, 5)), day(2026, 5, 6)  # ninety days, and three months
    assert filed(at=at, court=court, late=NO_CODE, delinquent_since=start).filed_at == at
    at += MICRO
    unexplained = refused(at=at, court=court, late=NO_CODE, delinquent_since=start)
    assert unexplained == Reason.REASON_LISTING_NOT_ATTESTED
    for code in LateFilingCode.values():
        if code != NO_CODE:
            assert filed(at=at, court=court, late=code, delinquent_since=start).filed_at == at


def test_ninety_days_are_counted_to_the_filing_not_to_its_delivery() -> None:
    """A member whose outbox had to wait has not filed late. From 1 March to 30 May are 90 days."""
    overdue: Any = {"late": NO_CODE, "delinquent_since": to_timestamp(day(2026, 3, 1))}
    filing = listing_filing(at=day(2026, 5, 30), **overdue)
    listing = open_listing(filing, LISTING_ID, ("eu", profile()), day(2026, 6, 2))
    assert listing.filed_at == day(2026, 6, 2)
    assert refused(at=day(2026, 6, 2), **overdue) == Reason.REASON_LISTING_NOT_ATTESTED


# Freshness --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(minutes=3)])
def test_a_clock_of_three_minutes_ahead_is_borne_with(ahead: timedelta) -> None:
    listing = filed(filed_at=to_timestamp(AT + ahead))
    assert listing.filed_at == AT  # and gains nothing by it
    assert listing.sources[0].reconfirmed_at == AT


@pytest.mark.parametrize(
    "filed_at",
    [
        AT + timedelta(minutes=3, microseconds=1),
        AT - 30 * DAY,
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
)
def test_a_filing_from_the_future_or_long_ago_is_refused(filed_at: datetime) -> None:
    fields: Any = {"filed_at": to_timestamp(filed_at)}
    assert refused(**fields) == Reason.REASON_STATEMENT_NOT_FRESH
    with refuses(Reason.REASON_STATEMENT_NOT_FRESH):
        joined(noticed(), listing_filing(source=BUYER, **fields))


def test_a_filing_that_waited_a_month_less_a_moment_is_taken() -> None:
    old = AT - 30 * DAY + MICRO
    listing = filed(filed_at=to_timestamp(old))
    # but is no fresher for it: what it says is as of then
    assert listing.sources[0].reconfirmed_at == old


# R09: what is not to be listed ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overdue", "at"),
    [
        (day(2026, 2, 28), day(2026, 5, 28)),
        (day(2025, 11, 30), day(2026, 2, 28)),  # to the end of the shorter month
        (day(2027, 11, 29), day(2028, 2, 29)),
    ],
)
def test_a_debt_is_filed_from_three_months_overdue(overdue: datetime, at: datetime) -> None:
    fields = {**since(overdue), "filed_at": to_timestamp(at)}
    assert filed(at=at, **fields).filed_at == at
    assert refused(at=at - MICRO, **fields) == Reason.REASON_LISTING_INELIGIBLE


def test_a_judgment_is_filed_from_the_day_it_is_entered() -> None:
    assert filed(court=True, delinquent_since=to_timestamp(AT)).delinquent_since == AT
    tomorrow: Any = {"delinquent_since": to_timestamp(AT + SECOND)}
    assert refused(court=True, **tomorrow) == Reason.REASON_LISTING_INELIGIBLE


@pytest.mark.parametrize(
    ("name", "floor", "currency"),
    [
        ("eu", 10_000, "EUR"),
        ("us", 10_000, "USD"),
        ("cn", 50_000, "CNY"),
        ("in", 500_000, "INR"),
        ("uk", 10_000, "GBP"),
    ],
)
@pytest.mark.parametrize("court", [False, True])
def test_small_debts_and_foreign_money_are_not_filed(
    name: str, floor: int, currency: str, court: bool
) -> None:
    assert filed(name, court=court, amount=money(floor, currency)).amount == floor
    for amount in (money(floor - 1, currency), money(0, currency), money(10**12, "XAU")):
        assert refused(name, court=court, amount=amount) == Reason.REASON_LISTING_INELIGIBLE


# R08, and reconfirmation before effect ----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("eu", day(2026, 7, 1)),  # thirty days
        ("us", day(2026, 7, 1)),
        ("cn", day(2026, 7, 1)),
        ("in", day(2026, 7, 7)),  # thirty-six
        ("uk", day(2026, 6, 29)),  # twenty-eight
    ],
)
@pytest.mark.parametrize("court", [False, True])
def test_nothing_takes_effect_before_the_notice_period_is_over(
    name: str, end: datetime, court: bool
) -> None:
    listing = noticed(name, at=FILED, court=court)
    assert (listing.delivered_at, listing.effective_from) == (FILED, end)
    listing = act(listing, RECONFIRM, at=end - DAY)
    with refuses():
        act(listing, TAKE_EFFECT, at=end - MICRO)
    assert run_timers(listing, at=end - MICRO).state == listing.state
    assert next_due(listing, profile(name)) == end
    in_force = run_timers(listing, at=end)
    assert (in_force.effective_at, in_force.state) == (end, ListingState.LISTING_STATE_EFFECTIVE)


def test_a_notice_counts_from_when_its_delivery_is_on_record_not_from_what_it_says() -> None:
    backdated = notice_proof(FILED - 20 * DAY)
    listing = act(filed(at=FILED), NOTICE_SERVED, at=FILED, notice=backdated)
    assert listing.delivered_at == FILED


def test_nothing_takes_effect_that_nobody_reconfirmed_in_the_last_five_days() -> None:
    end = day(2026, 7, 1)
    silent = noticed(at=FILED)
    early = act(silent, RECONFIRM, at=end - 5 * DAY - MICRO)
    for listing in (silent, early):
        assert run_timers(listing, at=end).state == listing.state
        with refuses():  # whoever asks
            act(listing, TAKE_EFFECT, at=end)
    just = act(silent, RECONFIRM, at=end - 5 * DAY)
    assert run_timers(just, at=end).effective_at == end
    # A timer that is late must ask again.
    assert run_timers(just, at=end + MICRO).effective_at is None
    again = act(just, RECONFIRM, at=end + 20 * DAY)
    assert run_timers(again, at=end + 20 * DAY).effective_at == end + 20 * DAY


def test_an_old_reconfirmation_that_comes_late_or_again_is_no_fresher_for_it() -> None:
    end = day(2026, 7, 1)
    said = to_timestamp(end - 10 * DAY)
    listing = act(noticed(at=FILED), RECONFIRM, at=end, decided_at=said)
    assert run_timers(listing, at=end).effective_at is None
    fresh = act(listing, RECONFIRM, at=end)
    assert act(fresh, RECONFIRM, at=end, decided_at=said).sources == fresh.sources
    ahead = act(listing, RECONFIRM, at=end, decided_at=to_timestamp(end + timedelta(minutes=3)))
    assert ahead.sources == fresh.sources


def test_a_courts_sync_reconfirms_its_entries_and_nobody_elses() -> None:
    end = day(2026, 7, 1)
    entry, debt = noticed(at=FILED, court=True), noticed(at=FILED)
    assert run_timers(entry, at=end).effective_at is None
    assert run_timers(entry, at=end, synced={COURT: end - DAY}).effective_at == end
    assert run_timers(entry, at=end, synced={COURT: end - 6 * DAY}).effective_at is None
    assert run_timers(entry, at=end, synced={SECOND_COURT: end}).effective_at is None
    assert run_timers(debt, at=end, synced={COURT: end, FURNISHER: end}).effective_at is None
