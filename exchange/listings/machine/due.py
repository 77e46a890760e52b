"""What time does to a listing: what is due now, and when to look again."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from concordat.v1 import ListingAction
from exchange.listings.machine.listing import (
    LIVE,
    NOTICED,
    REPAIRED,
    WITHDRAWN,
    Listing,
    State,
)
from exchange.listings.profile import Profile

RECONFIRMED_WITHIN = timedelta(days=5)  # before a listing takes effect


def tick(
    listing: Listing,
    profile: Profile,
    at: datetime,
    synced: Mapping[str, datetime] | None = None,
) -> ListingAction.ValueType | None:
    """Return what the exchange has to do to a listing now, None for nothing.

    ``synced`` says when each court's register was last found the same: that reconfirms its listings.
    """
    if listing.state not in LIVE:
        return None
    if at >= listing.expires_at:
        return ListingAction.LISTING_ACTION_EXPIRE
    if listing.dispute is not None and at >= listing.dispute.due_at:
        return ListingAction.LISTING_ACTION_TIME_OUT
    if (due := repair_due(listing, profile)) is not None and at >= due[0]:
        return ListingAction.LISTING_ACTION_REPAIR
    if listing.state == NOTICED and _may_take_effect(listing, at, synced or {}):
        return ListingAction.LISTING_ACTION_TAKE_EFFECT
    return None


def _may_take_effect(listing: Listing, at: datetime, synced: Mapping[str, datetime]) -> bool:
    if listing.effective_from is None or at < listing.effective_from:
        return False
    return reconfirmed(listing, at, synced)


def reconfirmed(listing: Listing, at: datetime, synced: Mapping[str, datetime]) -> bool:
    """Tell whether a source said in the past five days that the facts still hold; courts' syncs say so too."""
    said = [source.reconfirmed_at for source in listing.live_sources]
    said += [
        synced[source.member_id]
        for source in listing.live_sources
        if source.court and source.member_id in synced
    ]
    return at - max(said) <= RECONFIRMED_WITHIN


def repair_due(listing: Listing, profile: Profile) -> tuple[datetime, State] | None:
    """Return when and how a settled listing ends early by the profile's rules; None where none applies."""
    settled = listing.settled_at
    if settled is None:
        return None
    due: list[tuple[datetime, State]] = []
    for repair in profile.limits(listing.kind).repair:
        small = repair.up_to_minor is None or listing.amount <= repair.up_to_minor
        early = repair.paid_within is None or settled <= repair.paid_within.after(
            listing.delinquent_since
        )
        if small and early:
            ends = WITHDRAWN if repair.ends == "withdrawn" else REPAIRED
            due.append((repair.after.after(settled), ends))
    return min(due, default=None)


def next_due(listing: Listing, profile: Profile) -> datetime | None:
    """Return the next time at which ``tick`` may have something to do; None once it has ended.

    It is in the past where the notice period is over and the listing waits to be reconfirmed: then there is
    nothing to do before that, or its end.
    """
    if listing.state not in LIVE:
        return None
    due = [listing.expires_at]
    if listing.dispute is not None:
        due.append(listing.dispute.due_at)
    if listing.state == NOTICED and listing.effective_from is not None:
        due.append(listing.effective_from)
    if (repair := repair_due(listing, profile)) is not None:
        due.append(repair[0])
    return min(due)
