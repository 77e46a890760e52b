"""Which changes of listings lenders with periodic consents hear of: what comes into their sight, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.lenders import monitoring
from exchange.listings import reading
from exchange.listings.machine import mark_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Connection

    from exchange.listings.announcements import Change
    from exchange.listings.machine import Listing
    from exchange.listings.reading import Key

_AT_ONCE = 1000  # more than a subject has


def came_into_force(changes: Iterable[Change], at: datetime) -> list[bytes]:
    """Return the subject of each listing that lenders may see after these changes, and could not before them."""
    first: dict[Key, Listing | None] = {}
    last: dict[Key, Listing] = {}
    for change in changes:
        first.setdefault(change.key, change.before)
        last[change.key] = change.after
    return [
        key[0]
        for key, after in last.items()
        if is_shown(after, at) and not is_shown(first[key], at)
    ]


def is_shown(listing: Listing | None, at: datetime) -> bool:
    """Tell whether a lender may see a listing, as far as the listing itself goes."""
    return listing is not None and listing.expires_at > at and mark_of(listing) is not None


def thawed(connection: Connection, subject_ref: bytes, at: datetime) -> None:
    """Tell that listings came back, where a subject lifts a freeze that hid them."""
    stored = reading.of_subject(connection, subject_ref, b"", _AT_ONCE)
    if any(is_shown(each.listing, at) for each in stored):
        monitoring.in_force(connection, [subject_ref], at)
