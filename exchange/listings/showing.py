"""What a lender is told of a listing that is in force."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import Row

from concordat import v1
from concordat.clock import to_micros, to_timestamp
from exchange.listings.index import Entry
from exchange.listings.machine import Listing, mark_of
from exchange.listings.mirror import SYNCED_WITHIN
from exchange.listings.profile import Profile
from exchange.listings.table import listing as table

MOST_SHOWN = 64
_DAY = timedelta(days=1)
_DAY_MICROS = _DAY // timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def entry_of(listing: Listing, profile: Profile, feed: int = 0) -> Entry | None:
    """Return what the index keeps of a listing; None where no lender sees it, whatever the time."""
    mark, effective = mark_of(listing), listing.effective_at
    if mark is None or effective is None:
        return None
    return Entry(
        subject_ref=listing.subject_ref,
        listing_id=listing.listing_id,
        kind=listing.kind,
        mark=mark,
        band=profile.band(listing.amount),
        basis=listing.basis,
        delinquent_day=_day(listing.delinquent_since),
        effective_day=_day(effective),
        settled_day=0 if listing.settled_at is None else _day(listing.settled_at),
        expires_at=to_micros(listing.expires_at),
        feed=feed,
        worded=listing.words is not None,
    )


ENTRY_COLUMNS = (
    table.c.subject_ref,
    table.c.listing_id,
    table.c.profile,
    table.c.kind,
    table.c.mark,
    table.c.basis,
    table.c.amount,
    table.c.delinquent_since,
    table.c.effective_at,
    table.c.settled_at,
    table.c.expires_at,
    table.c.court,
    table.c.words.is_not(None).label("worded"),
)
"""What ``entry_of_row`` reads of a listing's row."""


def entry_of_row(row: Row[*tuple[Any, ...]], profile: Profile, feed: int = 0) -> Entry:
    """Return what the index keeps of a listing, from its row alone; it must have a mark."""
    return Entry(
        subject_ref=row.subject_ref,
        listing_id=row.listing_id,
        kind=row.kind,
        mark=row.mark,
        band=profile.band(row.amount),
        basis=row.basis,
        delinquent_day=max(0, row.delinquent_since // _DAY_MICROS),
        effective_day=max(0, row.effective_at // _DAY_MICROS),
        settled_day=0 if row.settled_at is None else max(0, row.settled_at // _DAY_MICROS),
        expires_at=row.expires_at,
        feed=feed,
        worded=bool(row.worded),
    )


def shown_entry(
    listing: Listing, profile: Profile, synced: Mapping[str, datetime], at: datetime
) -> Entry | None:
    """Return what a lender with consent sees of a listing now, None for nothing (invariant 1)."""
    if at >= listing.expires_at:
        return None
    if listing.court and not is_fresh(synced.get(listing.court), at):
        return None
    return entry_of(listing, profile)


def is_fresh(synced_at: datetime | None, at: datetime) -> bool:
    """Tell whether a court's register was found the same recently enough (R11)."""
    return synced_at is not None and at - synced_at < SYNCED_WITHIN


def in_view(entry: Entry, words: v1.SubjectWords | None) -> v1.ListingInView:
    """Return what a lender is told of a listing, with the subject's own words. Times are whole days."""
    shown = v1.ListingInView(
        kind=v1.ListingKind.ValueType(entry.kind),
        mark=v1.ListingMark.ValueType(entry.mark),
        band=v1.AmountBand.ValueType(entry.band),
        basis=v1.ListingBasis.ValueType(entry.basis),
        delinquent_since=_day_start(entry.delinquent_day),
        effective_since=_day_start(entry.effective_day),
        # The day after the last on which it is shown: never later than it ends, by the day.
        expires_at=_day_start(entry.expires_at // (_DAY // timedelta(microseconds=1))),
        words=words,
    )
    if entry.settled_day:
        shown.settled_on.CopyFrom(_day_start(entry.settled_day))
    return shown


def in_force(
    entries: Sequence[Entry], words: Mapping[bytes, v1.SubjectWords]
) -> v1.ListingsInForce:
    """Return the listings of one subject as a lender is told of them, at most 64; ``words`` by listing id."""
    return v1.ListingsInForce(
        listings=[in_view(entry, words.get(entry.listing_id)) for entry in entries[:MOST_SHOWN]]
    )


def _day(moment: datetime) -> int:
    return max(0, (moment - _EPOCH) // _DAY)


def _day_start(day: int) -> Timestamp:
    return to_timestamp(_EPOCH + day * _DAY)
