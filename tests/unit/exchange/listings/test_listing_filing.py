"""What may be filed, by whom of several, how long it lasts, and when a debt may come back.

Dates are computed by hand from the rules' table of profiles, never with the code's own arithmetic.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.v1 import LateFilingCode, ListingKind, ListingState, Reason, WithdrawalCode
from exchange.listings.machine import (
    Actor,
    Listing,
    Party,
    PastDebt,
    join,
    next_due,
    open_listing,
    recall_cause,
)
from tests.builders import AT, DAY
from tests.listing_builders import (
    BUYER,
    CORRECT,
    COURT,
    FURNISHER,
    LISTING_ID,
    NOTICE_SERVED,
    OUTSIDER,
    OWN,
    PARTIES,
    PROLONG,
    RECONFIRM,
    SECOND_COURT,
    SETTLE,
    TAKE_EFFECT,
    UPHELD,
    WITHDRAW,
    act,
    at_of,
    correction,
    digest,
    disputed,
    effective,
    expired,
    filed,
    judgment_filing,
    listing_filing,
    money,
    notice_proof,
    noticed,
    profile,
    prolongation,
    reinsertion,
    repaired,
    ruled,
    run_timers,
    settled,
    settlement,
    under_review,
    withdrawn,
)

NAMES = ("eu", "us", "cn", "in", "uk")
NO_CODE = LateFilingCode.LATE_FILING_CODE_UNSPECIFIED
LATE = LateFilingCode.LATE_FILING_CODE_JOINED_LATER
WITHDRAWN, EXPIRED = ListingState.LISTING_STATE_WITHDRAWN, ListingState.LISTING_STATE_EXPIRED
SECOND = timedelta(seconds=1)
MICRO = timedelta(microseconds=1)


def day(year: int, month: int, of_month: int) -> datetime:
    return datetime(year, month, of_month, tzinfo=UTC)


def since(moment: datetime) -> dict[str, Any]:
    """Return the fields of a debt that is overdue since then, filed late for a good reason."""
    return {"delinquent_since": to_timestamp(moment), "late": LATE}


def register_until(moment: datetime) -> dict[str, Any]:
    return {"source_ends_at": to_timestamp(moment)}


def reason_of(failure: pytest.ExceptionInfo[Refusal]) -> Reason.ValueType:
    return failure.value.reason


def refused(name: str = "eu", *, at: datetime = AT, **fields: Any) -> Reason.ValueType:
    """Return why a filing that is lawful but for ``fields`` is refused."""
    with pytest.raises(Refusal) as told:
        filed(name, at=at, **fields)
    return told.value.reason


def joined(
    listing: Listing, filing: v1.ListingFiling, at: datetime = AT, name: str = ""
) -> Listing:
    """Let a further source join, which has the listing's profile or another."""
    return join(listing, filing, profile(name or listing.profile), at)


# R07: what the furnisher vouches for ------------------------------------------------------------


def test_a_lawful_filing_makes_a_draft_that_nobody_sees_and_nothing_dates_back() -> None:
    listing = filed()
    assert listing.state == ListingState.LISTING_STATE_DRAFT
    assert (listing.filed_at, listing.delivered_at, listing.effective_from) == (AT, None, None)
    assert [source.member_id for source in listing.live_sources] == [FURNISHER]
    assert listing.kind == ListingKind.LISTING_KIND_DEBT


def attested(**bent: bool) -> v1.Attestation:
    return v1.Attestation(
        **({"accurate": True, "adult": True, "unsecured": True, "not_frozen": True} | bent)
    )


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
    with pytest.raises(Refusal) as told:
        joined(noticed(), listing_filing(source=BUYER, **fields))
    assert reason_of(told) == Reason.REASON_STATEMENT_NOT_FRESH


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


# R10, R11: how long it lasts --------------------------------------------------------------------

OVERDUE = day(2024, 2, 29)  # a leap day
FILED = day(2026, 6, 1)


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


ENTERED = day(2025, 8, 31)


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
        with pytest.raises(Refusal) as told:
            act(
                listing, SETTLE, at=day(2026, 10, 1), by=PARTIES[actor], settlement=settlement(paid)
            )
        assert reason_of(told) == Reason.REASON_STATEMENT_NOT_FRESH


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
        with pytest.raises(Refusal):
            until(each, day(2030, 8, 31) + SECOND)
    for sooner in (day(2027, 8, 31), day(2027, 8, 30)):
        with pytest.raises(Refusal):
            until(listing, sooner)


def test_an_entry_that_is_over_is_not_prolonged_even_before_the_timer_says_so() -> None:
    with pytest.raises(Refusal):
        until(chinese_judgment(), day(2028, 8, 31), at=day(2027, 8, 31))


@pytest.mark.parametrize("name", ["eu", "us", "in", "uk"])
def test_no_other_profile_lets_a_court_prolong(name: str) -> None:
    listing = effective(
        name, at=FILED, court=True, **since(ENTERED), **register_until(day(2028, 1, 1))
    )
    with pytest.raises(Refusal):
        until(listing, day(2028, 6, 1))


def test_nobody_prolongs_a_private_debt_not_even_with_a_court_beside_it() -> None:
    debt = effective("cn", at=FILED, **since(day(2025, 1, 1)))
    with pytest.raises(Refusal):
        until(debt, day(2032, 1, 1), by=Party(Actor.COURT, FURNISHER))
    mixed = joined(debt, judgment_filing("cn", at=FILED, **since(ENTERED)), FILED)
    with pytest.raises(Refusal):
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
    with pytest.raises(Refusal):
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
    with pytest.raises(Refusal):
        until(alone, day(2033, 1, 2), at=day(2026, 8, 2))


def test_the_time_of_an_order_goes_with_the_court_that_made_it() -> None:
    listing = until(chinese_judgment(), day(2030, 8, 31))
    at = at_of(listing.effective_at) + 2 * DAY
    mixed = joined(listing, listing_filing("cn", at=at, **since(ENTERED)), at)
    assert mixed.expires_at == day(2030, 8, 31)
    alone = act(mixed, WITHDRAW, at=at, by=PARTIES[Actor.COURT])
    assert alone.kind == ListingKind.LISTING_KIND_DEBT
    assert alone.expires_at == day(2027, 8, 31)


# Several sources --------------------------------------------------------------------------------


def sources_of(listing: Listing) -> list[str]:
    return [source.member_id for source in listing.live_sources]


def test_a_debt_that_others_file_too_has_one_listing_with_several_sources() -> None:
    listing = joined(noticed(), listing_filing(source=BUYER))
    assert sources_of(listing) == [FURNISHER, BUYER]
    assert (listing.listing_id, listing.state) == (LISTING_ID, noticed().state)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("court", [False, True])
def test_to_be_filed_again_by_another_prolongs_nothing_and_makes_nothing_worse(
    name: str, court: bool
) -> None:
    before = effective(name, at=FILED, **since(day(2025, 7, 31)))
    at = at_of(before.effective_at) + DAY
    make = judgment_filing if court else listing_filing
    later = make(
        name,
        at=at,
        source=COURT if court else BUYER,
        amount=money(before.amount * 3, before.currency),
        **since(day(2026, 2, 1)),
    )
    after = joined(before, later, at)
    assert after.expires_at <= before.expires_at
    assert (after.amount, after.delinquent_since) == (before.amount, before.delinquent_since)
    assert (after.delivered_at, after.effective_at) == (before.delivered_at, before.effective_at)
    assert (after.state, after.version) == (before.state, before.version)


def test_what_another_source_says_in_the_subjects_favour_counts_and_is_told() -> None:
    before = effective(at=FILED, **since(OVERDUE))
    at = at_of(before.effective_at) + DAY
    milder = listing_filing(at=at, source=BUYER, amount=money(20_000), **since(day(2023, 7, 31)))
    after = joined(before, milder, at)
    assert (after.amount, after.delinquent_since) == (20_000, day(2023, 7, 31))
    assert after.expires_at == day(2029, 7, 31)
    assert after.version == before.version + 1
    assert recall_cause(before, after) == v1.RetractionCause.RETRACTION_CAUSE_CORRECTED


def test_the_same_source_gains_nothing_by_asserting_it_again() -> None:
    for listing in (filed(), noticed(), under_review()):
        with pytest.raises(Refusal) as told:
            joined(listing, listing_filing())
        assert reason_of(told) == Reason.REASON_LISTING_TRANSITION_REFUSED


@pytest.mark.parametrize("court", [False, True])
def test_who_joins_meets_every_condition_of_who_files_first(court: bool) -> None:
    listing, make = noticed(court=not court), judgment_filing if court else listing_filing
    bent: list[tuple[dict[str, Any], Reason.ValueType]] = [
        ({"attestation": attested(accurate=False)}, Reason.REASON_LISTING_NOT_ATTESTED),
        ({"attestation": attested(adult=False)}, Reason.REASON_LISTING_INELIGIBLE),
        ({"amount": money(9_999)}, Reason.REASON_LISTING_INELIGIBLE),
        ({"delinquent_since": to_timestamp(AT + DAY)}, Reason.REASON_LISTING_INELIGIBLE),
        (
            {"late": NO_CODE, "delinquent_since": to_timestamp(AT - 99 * DAY)},
            Reason.REASON_LISTING_NOT_ATTESTED,
        ),
        (since(day(2019, 1, 1)), Reason.REASON_LISTING_OBSOLETE),
    ]
    for fields, reason in bent:
        with pytest.raises(Refusal) as told:
            joined(listing, make(**fields))
        assert reason_of(told) == reason


def test_a_source_of_another_profile_and_currency_joins_by_its_own_and_changes_no_amount() -> None:
    listing = effective("in", at=FILED, **since(OVERDUE))  # to 28 February 2031
    at = at_of(listing.effective_at) + DAY
    abroad = listing_filing("eu", at=at, source=BUYER, **since(OVERDUE))
    with pytest.raises(Refusal) as told:
        joined(listing, abroad, at)  # euros are not India's
    assert reason_of(told) == Reason.REASON_LISTING_INELIGIBLE
    after = joined(listing, abroad, at, "eu")
    assert (after.amount, after.currency, after.profile) == (listing.amount, "INR", "in")
    assert after.expires_at == day(2030, 2, 28)  # six years, the stricter of the two


def test_a_listing_stands_while_anyone_vouches_for_it_and_falls_with_the_last() -> None:
    listing = joined(noticed(), listing_filing(source=BUYER))
    one = act(listing, WITHDRAW, at=AT, by=Party(Actor.FURNISHER, FURNISHER))
    assert (one.state, sources_of(one)) == (listing.state, [BUYER])
    assert one.withdrawal == WithdrawalCode.WITHDRAWAL_CODE_UNSPECIFIED
    none = act(one, WITHDRAW, at=AT, by=Party(Actor.FURNISHER, BUYER))
    assert none.state == WITHDRAWN
    assert none.withdrawal == WithdrawalCode.WITHDRAWAL_CODE_FILED_IN_ERROR


@pytest.mark.parametrize(
    "code", [WithdrawalCode.WITHDRAWAL_CODE_PAID, WithdrawalCode.WITHDRAWAL_CODE_WAIVED]
)
def test_one_source_that_was_paid_speaks_for_all(code: WithdrawalCode.ValueType) -> None:
    listing = joined(effective(), listing_filing(source=BUYER))
    listing = act(listing, WITHDRAW, at=AT, by=Party(Actor.FURNISHER, BUYER), withdrawal=code)
    assert listing.state == WITHDRAWN
    assert listing.closed


def test_a_source_that_left_comes_back_only_with_a_new_certificate_and_new_evidence() -> None:
    """Else it would drop out while a dispute is open and walk in again by the filing it kept."""
    listing = joined(noticed(), listing_filing(source=BUYER, evidence_hash=digest("the sale")))
    left = act(listing, WITHDRAW, at=AT, by=Party(Actor.FURNISHER, FURNISHER))
    kept = [
        listing_filing(),
        listing_filing(reinsertion=reinsertion(certified=False), evidence_hash=digest("b")),
        listing_filing(
            reinsertion=reinsertion("the furnisher's evidence"), evidence_hash=digest("b")
        ),
        listing_filing(reinsertion=reinsertion("b"), evidence_hash=digest("the sale")),
    ]
    for filing in kept:
        with pytest.raises(Refusal) as told:
            joined(left, filing)
        assert reason_of(told) == Reason.REASON_REINSERTION_NOT_CERTIFIED
    back = joined(left, listing_filing(reinsertion=reinsertion("b"), evidence_hash=digest("b")))
    assert sources_of(back) == [BUYER, FURNISHER]
    assert len(back.sources) == 2


def test_a_listing_has_no_more_sources_than_its_subjects_report_has_room_for() -> None:
    listing = noticed()
    for n in range(15):
        listing = joined(listing, listing_filing(source=f"buyer-{n}"))
    assert len(listing.live_sources) == 16
    with pytest.raises(Refusal) as told:
        joined(listing, listing_filing(source="one-too-many"))
    assert reason_of(told) == Reason.REASON_LISTING_TRANSITION_REFUSED


# Courts beside furnishers -----------------------------------------------------------------------


def test_the_register_must_be_fresh_where_only_courts_vouch() -> None:
    assert filed(court=True).court == COURT
    mixed = joined(filed(court=True), listing_filing())
    assert (mixed.court, mixed.kind) == ("", ListingKind.LISTING_KIND_JUDGMENT)
    assert filed().court == ""
    left = act(mixed, WITHDRAW, at=AT, by=PARTIES[Actor.FURNISHER])
    assert left.court == COURT


def test_a_disputed_debt_is_hidden_again_when_the_court_beside_it_leaves() -> None:
    """A court's entry is marked while disputed, a private debt is not shown."""
    debt = effective("us", at=FILED, **since(OVERDUE))
    at = at_of(debt.effective_at) + DAY
    mixed = joined(debt, judgment_filing("us", at=at, **since(ENTERED)), at)
    open_ = disputed(mixed, at=at)
    assert open_.dispute is not None
    assert not open_.dispute.suppresses
    alone = act(open_, WITHDRAW, at=at, by=PARTIES[Actor.COURT])
    assert alone.dispute is not None
    assert alone.dispute.suppresses
    assert alone.kind == ListingKind.LISTING_KIND_DEBT
    # and never the other way round: what was hidden stays so while the dispute lasts
    hidden = joined(disputed(debt, at=at), judgment_filing("us", at=at, **since(ENTERED)), at)
    assert hidden.dispute is not None
    assert hidden.dispute.suppresses


def test_a_debt_settled_beside_a_court_ends_as_a_settled_debt_once_the_court_is_gone() -> None:
    mixed = joined(
        effective("eu", at=FILED, **since(OVERDUE)),
        judgment_filing("eu", at=FILED, **since(ENTERED)),
        FILED,
    )
    paid = act(mixed, SETTLE, at=day(2026, 9, 1), by=PARTIES[Actor.FURNISHER])
    assert paid.expires_at == day(2030, 2, 28)
    alone = act(paid, WITHDRAW, at=day(2026, 9, 2), by=PARTIES[Actor.COURT])
    assert alone.expires_at == day(2029, 9, 1)


def test_lenders_who_were_told_of_a_judgment_hear_that_there_is_none_any_more() -> None:
    mixed = joined(
        effective(at=FILED, **since(OVERDUE)), judgment_filing(at=FILED, **since(ENTERED)), FILED
    )
    alone = act(mixed, WITHDRAW, at=FILED, by=PARTIES[Actor.COURT])
    assert recall_cause(mixed, alone) == v1.RetractionCause.RETRACTION_CAUSE_CORRECTED
    left = act(mixed, WITHDRAW, at=FILED, by=PARTIES[Actor.FURNISHER])
    assert recall_cause(mixed, left) is None


def test_a_furnisher_that_comes_and_goes_takes_nothing_of_a_courts_entry_with_it() -> None:
    court = effective("cn", at=FILED, court=True, **since(ENTERED))
    at = at_of(court.effective_at) + DAY
    mixed = joined(court, listing_filing("cn", at=at, **since(OVERDUE)), at)
    left = act(mixed, WITHDRAW, at=at, by=PARTIES[Actor.FURNISHER])
    assert (left.expires_at, left.court) == (court.expires_at, COURT)


def test_a_judgment_about_a_listed_debt_counts_from_the_debts_own_date() -> None:
    """One debt has one anchor, the earliest: China's two years for a judgment may be over by then."""
    debt = effective("cn", at=FILED, **since(day(2025, 7, 31)))
    assert joined(debt, judgment_filing("cn", at=FILED, **since(ENTERED)), FILED).expires_at == day(
        2027, 7, 31
    )
    older = effective("cn", at=FILED, **since(OVERDUE))
    with pytest.raises(Refusal) as told:
        joined(older, judgment_filing("cn", at=FILED, **since(ENTERED)), FILED)
    assert reason_of(told) == Reason.REASON_LISTING_OBSOLETE


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
    with pytest.raises(Refusal) as told:
        act(listing, CORRECT, at=at, correction=correction(listing, **worse))
    assert reason_of(told) == Reason.REASON_CORRECTION_NOT_FAVOURABLE


def test_a_correction_moves_the_anchor_only_back_and_the_end_with_it() -> None:
    listing = effective(at=FILED, **since(OVERDUE))
    at = at_of(listing.effective_at)
    earlier = correction(listing, delinquent_since=to_timestamp(day(2022, 10, 31)), amount=money(1))
    after = act(listing, CORRECT, at=at, correction=earlier)
    assert (after.delinquent_since, after.amount) == (day(2022, 10, 31), 1)
    assert (after.expires_at, after.version) == (day(2028, 10, 31), 2)
    with pytest.raises(Refusal):  # not back to what it was
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
    with pytest.raises(Refusal):
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
        with pytest.raises(Refusal):  # whoever asks
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


# R15 and the memory of a debt -------------------------------------------------------------------


class Register:
    """A debt's listings, filed as the exchange files them: one live listing at most."""

    def __init__(self, *listings: Listing) -> None:
        self.listings = list(listings)

    def file(self, filing: v1.ListingFiling, at: datetime, name: str = "eu") -> Listing:
        past = PastDebt.of(self.listings)
        return open_listing(filing, LISTING_ID, (name, profile(name)), at, past)


def again(at: datetime, name: str = "eu", evidence: str = "b", **fields: Any) -> v1.ListingFiling:
    given = {
        "evidence_hash": digest(evidence),
        "reinsertion": reinsertion(evidence),
        **since(OVERDUE),
    }
    return listing_filing(name, at=at, **(given | fields))


def never_closed() -> Iterable[Listing]:
    """Return a debt's listings that ended with the debt still owed, as far as anyone knows."""
    in_force = effective(at=FILED, **since(OVERDUE))
    at = at_of(in_force.effective_at) + DAY
    yield withdrawn(at=FILED, **since(OVERDUE))
    yield act(in_force, WITHDRAW, at=at, withdrawal=WithdrawalCode.WITHDRAWAL_CODE_SOLD)
    yield ruled(under_review(at=FILED, **since(OVERDUE)), UPHELD, at=at + DAY)
    timed_out = under_review(at=FILED, **since(OVERDUE))
    yield run_timers(timed_out, at=at + 100 * DAY)


@pytest.mark.parametrize("ended", [*never_closed()])
def test_a_debt_that_was_listed_comes_back_only_certified_anew_and_with_new_evidence(
    ended: Listing,
) -> None:
    assert ended.state == WITHDRAWN
    register, at = Register(ended), FILED + 200 * DAY
    old = "the furnisher's evidence"
    for filing in (
        listing_filing(at=at, **since(OVERDUE), evidence_hash=digest("b")),
        again(at, reinsertion=reinsertion(certified=False)),
        again(at, reinsertion=reinsertion(old)),
        again(at, evidence_hash=digest(old)),
    ):
        with pytest.raises(Refusal) as told:
            register.file(filing, at)
        assert reason_of(told) == Reason.REASON_REINSERTION_NOT_CERTIFIED
    draft = register.file(again(at), at)
    # It starts over: a new notice, a new period.
    assert (draft.state, draft.delivered_at) == (ListingState.LISTING_STATE_DRAFT, None)


def test_a_listing_that_came_back_has_no_younger_anchor_and_no_later_end() -> None:
    register, at = Register(withdrawn(at=FILED, **since(OVERDUE))), FILED + 200 * DAY
    draft = register.file(again(at, **since(day(2026, 1, 1))), at)
    assert (draft.delinquent_since, draft.expires_at) == (OVERDUE, day(2030, 2, 28))
    # nor under another profile, whose life is longer
    draft = register.file(again(at, "us", amount=money(100_000, "USD")), at, "us")
    assert draft.expires_at == day(2030, 2, 28)
    late = day(2030, 3, 1)
    with pytest.raises(Refusal) as told:
        register.file(again(late, "us", amount=money(100_000, "USD")), late, "us")
    assert reason_of(told) == Reason.REASON_LISTING_OBSOLETE


def test_an_expired_debt_never_comes_back() -> None:
    gone = expired(at=FILED, **since(OVERDUE))
    for name in NAMES:
        at = gone.expires_at + DAY
        amount = money(10**7, profile(name).currency)
        with pytest.raises(Refusal) as told:
            Register(gone).file(again(at, name, amount=amount, **since(day(2029, 1, 1))), at, name)
        assert reason_of(told) == Reason.REASON_LISTING_OBSOLETE


def done_with() -> Iterable[Listing]:
    """Return listings that ended with the debt."""
    in_force = effective(at=FILED, **since(OVERDUE))
    at = at_of(in_force.effective_at) + DAY
    for code in (WithdrawalCode.WITHDRAWAL_CODE_PAID, WithdrawalCode.WITHDRAWAL_CODE_WAIVED):
        yield act(in_force, WITHDRAW, at=at, withdrawal=code)
        yield act(noticed(at=FILED), WITHDRAW, at=FILED, withdrawal=code)
    paid = settled(at=FILED, **since(OVERDUE))
    yield run_timers(paid, at=paid.expires_at)
    yield act(paid, WITHDRAW, at=at)
    yield repaired(at=FILED)
    yield repaired(at=FILED, court=True)


@pytest.mark.parametrize("ended", [*done_with()])
def test_a_debt_that_was_paid_waived_or_repaired_never_comes_back(ended: Listing) -> None:
    at = FILED + 600 * DAY
    with pytest.raises(Refusal) as told:
        Register(ended).file(again(at), at)
    assert reason_of(told) == Reason.REASON_DEBT_CLOSED


def test_one_settled_listing_among_many_closes_the_debt() -> None:
    others = [withdrawn(at=FILED, **since(OVERDUE)) for _ in range(3)]
    paid = run_timers(each := settled(at=FILED, **since(OVERDUE)), at=each.expires_at)
    past = PastDebt.of([*others, paid, *others])
    assert past is not None
    assert past.closed


def test_the_memory_of_a_debt_is_the_most_favourable_of_all_its_listings() -> None:
    one = withdrawn(at=FILED, **since(OVERDUE))
    two = withdrawn(at=FILED, **since(day(2023, 7, 31)), evidence_hash=digest("two"))
    past = PastDebt.of([one, two])
    assert past is not None
    assert (past.delinquent_since, past.expires_at) == (day(2023, 7, 31), day(2029, 7, 31))
    assert past.evidence == {digest("the furnisher's evidence"), digest("two")}
    assert PastDebt.of([]) is None


def test_a_correction_in_between_does_not_make_old_evidence_new() -> None:
    listing = noticed(at=FILED, **since(OVERDUE))
    listing = act(listing, CORRECT, at=FILED, correction=correction(listing))
    ended, at = act(listing, WITHDRAW, at=FILED), FILED + DAY
    for evidence in ("the furnisher's evidence", "the corrected evidence"):
        with pytest.raises(Refusal) as told:
            Register(ended).file(again(at, evidence=evidence), at)
        assert reason_of(told) == Reason.REASON_REINSERTION_NOT_CERTIFIED


def test_evidence_of_a_source_that_joined_and_of_a_certificate_is_remembered_too() -> None:
    listing = joined(noticed(), listing_filing(source=OUTSIDER, evidence_hash=digest("joined")))
    ended = act(act(listing, WITHDRAW, at=AT), WITHDRAW, at=AT, by=Party(Actor.FURNISHER, OUTSIDER))
    draft = Register(ended).file(again(AT, evidence_hash=digest("c")), AT)
    ended_again = act(draft, WITHDRAW, at=AT)
    for evidence in ("joined", "b", "c"):
        with pytest.raises(Refusal):
            Register(ended, ended_again).file(again(AT, evidence=evidence), AT)
    back = Register(ended, ended_again).file(again(AT, evidence="d"), AT)
    assert back.state == ListingState.LISTING_STATE_DRAFT


def test_where_nothing_was_listed_before_a_certificate_is_not_asked_for_nor_in_the_way() -> None:
    listing = filed(OWN, reinsertion=reinsertion())
    assert listing.state == ListingState.LISTING_STATE_DRAFT
