"""Everything that the exchange has about a subject's listings, as the subject is shown it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import Connection, select

from concordat import v1
from concordat.clock import from_micros, to_micros, to_timestamp
from exchange.listings import reading
from exchange.listings.machine import RECALL_WITHIN, Listing
from exchange.listings.machine.listing import LIVE
from exchange.listings.profile import Profiles
from exchange.listings.review_queue import facts_of
from exchange.listings.showing import in_view, shown_entry
from exchange.listings.table import listing_told, retraction

MOST_STEPS = 200
MOST_RECIPIENTS = 200
PAGE = 20
_PAGE_BYTES = 2_000_000  # a page ends early where its listings have long histories
_PROFILES = {
    "eu": v1.Profile.PROFILE_EU,
    "us": v1.Profile.PROFILE_US,
    "cn": v1.Profile.PROFILE_CN,
    "in": v1.Profile.PROFILE_IN,
    "uk": v1.Profile.PROFILE_UK,
}


def own_listings(
    connection: Connection, profiles: Profiles, subject_ref: bytes, after: bytes, at: datetime
) -> tuple[list[v1.OwnListing], bool]:
    """Return a page of a subject's listings in every state, and whether there are more."""
    stored = reading.of_subject(connection, subject_ref, after, PAGE + 1)
    synced = reading.syncs(connection)
    page: list[v1.OwnListing] = []
    size = 0
    for each in stored[:PAGE]:
        listing = _own(connection, profiles, each.listing, synced, at)
        size += listing.ByteSize()
        if page and size > _PAGE_BYTES:
            return page, True
        page.append(listing)
    return page, len(stored) > PAGE


def _own(
    connection: Connection,
    profiles: Profiles,
    listing: Listing,
    synced: Mapping[str, datetime],
    at: datetime,
) -> v1.OwnListing:
    profile = profiles[listing.profile]
    key = (listing.subject_ref, listing.listing_id)
    own = v1.OwnListing(
        listing_id=listing.listing_id,
        state=listing.state,
        profile=_PROFILES.get(listing.profile, v1.Profile.PROFILE_OWN),
        kind=listing.kind,
        basis=listing.basis,
        facts=facts_of(listing),
        sources=[source.member_id for source in listing.live_sources],
        noticed_at=_time(listing.delivered_at),
        effective_at=_time(listing.effective_at),
        settled_at=_time(listing.settled_at),
        expires_at=to_timestamp(listing.expires_at),
        words=listing.words,
        steps=[_step(row) for row in reading.steps_of(connection, key, MOST_STEPS)],
        version=listing.version,
        recipients=_recipients(connection, key, at),
    )
    if listing.effective_from is not None and listing.effective_at is None:
        own.effective_from.CopyFrom(to_timestamp(listing.effective_from))
    if (entry := shown_entry(listing, profile, synced, at)) is not None:
        own.shown.CopyFrom(in_view(entry, listing.words))
    _add_dispute(own, listing, profile.appeal_within.after, at)
    return own


def _add_dispute(
    own: v1.OwnListing, listing: Listing, window: Callable[[datetime], datetime], at: datetime
) -> None:
    if listing.dispute is not None:
        own.dispute_id = listing.dispute.dispute_id
        own.decide_by.CopyFrom(to_timestamp(listing.dispute.due_at))
    ruling = listing.ruling
    if ruling is None:
        return
    own.ruling_id = ruling.ruling_id
    until = window(ruling.decided_at)
    appealable = listing.state in LIVE and listing.dispute is None and not ruling.appealed
    if appealable and at < until:
        own.appeal_until.CopyFrom(to_timestamp(until))


def _step(step: reading.Step) -> v1.ListingStep:
    return v1.ListingStep(
        sequence=step.sequence,
        statement=step.envelope,
        at=to_timestamp(from_micros(step.at)),
        state=step.state,
    )


def _recipients(
    connection: Connection, key: reading.Key, at: datetime
) -> Sequence[v1.ListingRecipient]:
    """Return who was told of a listing in the past six months, and what became of each recall."""
    query = (
        select(
            listing_told.c.lender,
            listing_told.c.told_at,
            listing_told.c.retraction_id,
            retraction.c.acknowledged_at,
        )
        .outerjoin(
            retraction,
            (retraction.c.lender == listing_told.c.lender)
            & (retraction.c.retraction_id == listing_told.c.retraction_id),
        )
        .where(
            listing_told.c.subject_ref == key[0],
            listing_told.c.listing_id == key[1],
            listing_told.c.told_at > to_micros(at - RECALL_WITHIN),
        )
        .order_by(listing_told.c.told_at.desc())
        .limit(MOST_RECIPIENTS)
    )
    return [
        v1.ListingRecipient(
            lender=row.lender,
            told_at=to_timestamp(from_micros(row.told_at)),
            recalled=row.retraction_id is not None,
            acknowledged_at=None
            if row.acknowledged_at is None
            else to_timestamp(from_micros(row.acknowledged_at)),
        )
        for row in connection.execute(query)
    ]


def _time(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else to_timestamp(moment)
