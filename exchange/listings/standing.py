"""Where a listing stands, as its sources and reviewers are told."""

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.rpc.errors import to_item
from exchange.listings.machine import Listing


def standing_of(listing: Listing) -> v1.ListingStanding:
    """Return the standing of a listing."""
    standing = v1.ListingStanding(
        listing_id=listing.listing_id,
        state=listing.state,
        version=listing.version,
        expires_at=to_timestamp(listing.expires_at),
    )
    if listing.delivered_at is not None:
        standing.noticed_at.CopyFrom(to_timestamp(listing.delivered_at))
    if listing.effective_from is not None and listing.effective_at is None:
        standing.effective_from.CopyFrom(to_timestamp(listing.effective_from))
    return standing


def result_of(outcome: Listing | Refusal) -> v1.ListingResult:
    """Return what became of one filing or event."""
    if isinstance(outcome, Refusal):
        return v1.ListingResult(refusal=to_item(outcome))
    return v1.ListingResult(standing=standing_of(outcome))
