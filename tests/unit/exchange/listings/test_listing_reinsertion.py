"""When a debt that was listed may come back, and what is remembered of it (R15)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest

from concordat import v1
from concordat.v1 import ListingState, Reason, WithdrawalCode
from exchange.listings.machine import Actor, Listing, Party, PastDebt, open_listing
from tests.builders import AT, DAY
from tests.listing_builders import (
    CORRECT,
    LISTING_ID,
    OUTSIDER,
    OWN,
    UPHELD,
    WITHDRAW,
    act,
    at_of,
    correction,
    day,
    digest,
    effective,
    expired,
    filed,
    joined,
    listing_filing,
    money,
    noticed,
    profile,
    refuses,
    reinsertion,
    repaired,
    ruled,
    run_timers,
    settled,
    since,
    under_review,
    withdrawn,
)

NAMES = ("eu", "us", "cn", "in", "uk")
WITHDRAWN = ListingState.LISTING_STATE_WITHDRAWN
OVERDUE = day(2024, 2, 29)  # a leap day
FILED = day(2026, 6, 1)


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
        with refuses(Reason.REASON_REINSERTION_NOT_CERTIFIED):
            register.file(filing, at)
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
    with refuses(Reason.REASON_LISTING_OBSOLETE):
        register.file(again(late, "us", amount=money(100_000, "USD")), late, "us")


def test_an_expired_debt_never_comes_back() -> None:
    gone = expired(at=FILED, **since(OVERDUE))
    for name in NAMES:
        at = gone.expires_at + DAY
        amount = money(10**7, profile(name).currency)
        with refuses(Reason.REASON_LISTING_OBSOLETE):
            Register(gone).file(again(at, name, amount=amount, **since(day(2029, 1, 1))), at, name)


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
    with refuses(Reason.REASON_DEBT_CLOSED):
        Register(ended).file(again(at), at)


def test_one_settled_listing_among_many_closes_the_debt() -> None:
    others = [withdrawn(at=FILED, **since(OVERDUE)) for _ in range(3)]
    paid = run_timers(each := settled(at=FILED, **since(OVERDUE)), at=each.expires_at)
    past = PastDebt.of([*others, paid, *others])
    assert past is not None
    assert past.closed


def test_the_memory_of_a_debt_is_the_most_favourable_of_all_its_listings() -> None:
    one = withdrawn(at=FILED, **since(OVERDUE))
    two = withdrawn(at=FILED, **since(day(2023, 7, 31)), evidence_hash=digest("two"))
    for listings in ([one, two], [two, one]):
        past = PastDebt.of(listings)
        assert past is not None
        assert (past.delinquent_since, past.expires_at) == (day(2023, 7, 31), day(2029, 7, 31))
        assert past.evidence == {digest("the furnisher's evidence"), digest("two")}
    assert PastDebt.of([]) is None


def test_a_correction_in_between_does_not_make_old_evidence_new() -> None:
    listing = noticed(at=FILED, **since(OVERDUE))
    listing = act(listing, CORRECT, at=FILED, correction=correction(listing))
    ended, at = act(listing, WITHDRAW, at=FILED), FILED + DAY
    for evidence in ("the furnisher's evidence", "the corrected evidence"):
        with refuses(Reason.REASON_REINSERTION_NOT_CERTIFIED):
            Register(ended).file(again(at, evidence=evidence), at)


def test_evidence_of_a_source_that_joined_and_of_a_certificate_is_remembered_too() -> None:
    listing = joined(noticed(), listing_filing(source=OUTSIDER, evidence_hash=digest("joined")))
    ended = act(act(listing, WITHDRAW, at=AT), WITHDRAW, at=AT, by=Party(Actor.FURNISHER, OUTSIDER))
    draft = Register(ended).file(again(AT, evidence_hash=digest("c")), AT)
    ended_again = act(draft, WITHDRAW, at=AT)
    for evidence in ("joined", "b", "c"):
        with refuses(Reason.REASON_REINSERTION_NOT_CERTIFIED):
            Register(ended, ended_again).file(again(AT, evidence=evidence), AT)
    back = Register(ended, ended_again).file(again(AT, evidence="d"), AT)
    assert back.state == ListingState.LISTING_STATE_DRAFT


def test_where_nothing_was_listed_before_a_certificate_is_not_asked_for_nor_in_the_way() -> None:
    listing = filed(OWN, reinsertion=reinsertion())
    assert listing.state == ListingState.LISTING_STATE_DRAFT
