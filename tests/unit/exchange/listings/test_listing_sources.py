"""One debt, one listing, whoever files it: several sources, and courts beside furnishers."""

from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.v1 import LateFilingCode, ListingKind, ListingState, Reason, WithdrawalCode
from exchange.listings.machine import Actor, Listing, Party, recall_cause
from tests.builders import AT, DAY
from tests.listing_builders import (
    BUYER,
    COURT,
    FURNISHER,
    LISTING_ID,
    PARTIES,
    SETTLE,
    WITHDRAW,
    act,
    at_of,
    attested,
    day,
    digest,
    disputed,
    effective,
    filed,
    joined,
    judgment_filing,
    listing_filing,
    money,
    noticed,
    refuses,
    reinsertion,
    since,
    under_review,
)

NAMES = ("eu", "us", "cn", "in", "uk")
NO_CODE = LateFilingCode.LATE_FILING_CODE_UNSPECIFIED
WITHDRAWN = ListingState.LISTING_STATE_WITHDRAWN
OVERDUE = day(2024, 2, 29)  # a leap day
ENTERED = day(2025, 8, 31)
FILED = day(2026, 6, 1)


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
        with refuses():
            joined(listing, listing_filing())


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
        with refuses(reason):
            joined(listing, make(**fields))


def test_a_source_of_another_profile_and_currency_joins_by_its_own_and_changes_no_amount() -> None:
    listing = effective("in", at=FILED, **since(OVERDUE))  # to 28 February 2031
    at = at_of(listing.effective_at) + DAY
    abroad = listing_filing("eu", at=at, source=BUYER, **since(OVERDUE))
    with refuses(Reason.REASON_LISTING_INELIGIBLE):
        joined(listing, abroad, at)  # euros are not India's
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
        with refuses(Reason.REASON_REINSERTION_NOT_CERTIFIED):
            joined(left, filing)
    back = joined(left, listing_filing(reinsertion=reinsertion("b"), evidence_hash=digest("b")))
    assert sources_of(back) == [BUYER, FURNISHER]
    assert len(back.sources) == 2


def test_a_listing_has_no_more_sources_than_its_subjects_report_has_room_for() -> None:
    listing = noticed()
    for n in range(15):
        listing = joined(listing, listing_filing(source=f"buyer-{n}"))
    assert len(listing.live_sources) == 16
    with refuses():
        joined(listing, listing_filing(source="one-too-many"))


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
    with refuses(Reason.REASON_LISTING_OBSOLETE):
        joined(older, judgment_filing("cn", at=FILED, **since(ENTERED)), FILED)
