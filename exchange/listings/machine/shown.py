"""What a lender sees of a listing, and when those who saw it must hear of a change."""

from datetime import timedelta

from concordat.v1 import ListingKind, ListingMark, RetractionCause
from exchange.listings.machine.listing import (
    APPEAL,
    EFFECTIVE,
    REPAIRED,
    SETTLED,
    UNDER_REVIEW,
    WITHDRAWN,
    Listing,
    State,
)

RECALL_WITHIN = timedelta(days=183)  # R14: six months
JUDGMENT = ListingKind.LISTING_KIND_JUDGMENT
_MARKS: dict[tuple[State | None, bool], ListingMark.ValueType] = {
    (EFFECTIVE, False): ListingMark.LISTING_MARK_EFFECTIVE,
    (SETTLED, False): ListingMark.LISTING_MARK_SETTLED,
    (EFFECTIVE, True): ListingMark.LISTING_MARK_EFFECTIVE_DISPUTED,
    (SETTLED, True): ListingMark.LISTING_MARK_SETTLED_DISPUTED,
}


def mark_of(listing: Listing) -> ListingMark.ValueType | None:
    """Return how a lender sees a listing that has not expired; None where it is not to be seen.

    Whether its end has come and its register is fresh is asked when it is looked up.
    """
    if listing.delivered_at is None or listing.effective_at is None:
        return None
    disputed = listing.state in (UNDER_REVIEW, APPEAL)
    if disputed and (listing.dispute is None or listing.dispute.suppresses):
        return None
    return _MARKS.get((listing.back_to if disputed else listing.state, disputed))


def recall_cause(before: Listing, after: Listing) -> RetractionCause.ValueType | None:
    """Return why those who were told of a listing must hear of a change; None where they need not (R14)."""
    if after.state in (WITHDRAWN, REPAIRED) and before.state != after.state:
        return RetractionCause.RETRACTION_CAUSE_WITHDRAWN
    no_judgment = before.kind == JUDGMENT and after.kind != JUDGMENT
    if after.version > before.version or no_judgment:
        return RetractionCause.RETRACTION_CAUSE_CORRECTED
    if after.settled_at is not None and before.settled_at is None:
        return RetractionCause.RETRACTION_CAUSE_SETTLED
    return None
