"""Which changes of listings lenders with periodic consents hear of: what comes into their sight, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat.v1 import LenderChangeKind
from exchange.lenders import monitoring
from exchange.listings import reading
from exchange.listings.machine import mark_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from exchange.lenders.change_table import Change as Told
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


def still_so(connection: Connection, changes: Sequence[Told], at: datetime) -> list[bool]:
    """Tell of each change whether its lender may hear of it at ``at``, however long ago it was put down.

    That a listing is in force is told only where the consent still allows it, the record is not frozen, and a
    listing of the subject is still shown: what was revoked or upheld meanwhile is gone from this answer as from
    any other. Whatever else is told says nothing of listings.
    """
    kind = LenderChangeKind.LENDER_CHANGE_KIND_LISTING_IN_FORCE
    refs = {each.subject_ref for each in changes if each.kind == kind}
    may = monitoring.may_be_told(connection, sorted(refs), at)
    shown = {ref for ref in {ref for ref, _ in may} if _has_shown(connection, ref, at)}
    return [
        each.kind != kind
        or (each.subject_ref in shown and (each.subject_ref, each.consent_id) in may)
        for each in changes
    ]


def _has_shown(connection: Connection, subject_ref: bytes, at: datetime) -> bool:
    stored = reading.of_subject(connection, subject_ref, b"", _AT_ONCE)
    return any(is_shown(each.listing, at) for each in stored)


def thawed(connection: Connection, subject_ref: bytes, at: datetime) -> None:
    """Tell that listings came back, where a subject lifts a freeze that hid them."""
    if _has_shown(connection, subject_ref, at):
        monitoring.in_force(connection, [subject_ref], at)
