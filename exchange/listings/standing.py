"""Where a listing stands, as its sources and reviewers are told."""

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.rpc.errors import to_item
from concordat.v1 import ListingState
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


def result_of(outcome: Listing | Refusal, source: str) -> v1.ListingResult:
    """Return what became of one filing or event of a source.

    One that vouches for the listing no more has withdrawn it, as far as it is concerned: what others make of
    it since is not told.
    """
    if isinstance(outcome, Refusal):
        return v1.ListingResult(refusal=to_item(outcome))
    if any(each.member_id == source for each in outcome.live_sources):
        return v1.ListingResult(standing=standing_of(outcome))
    left = v1.ListingStanding(
        listing_id=outcome.listing_id,
        state=ListingState.LISTING_STATE_WITHDRAWN,
        expires_at=to_timestamp(outcome.expires_at),
    )
    return v1.ListingResult(standing=left)
