"""Who is told of which listing: confirmed and recorded in the transaction of the release."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import insert

from concordat.refusal import Refusal
from concordat.v1 import Reason
from exchange.listings import reading
from exchange.listings.showing import MOST_SHOWN, shown_entry
from exchange.listings.table import listing_told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat import v1
    from exchange.listings.index import Entry
    from exchange.listings.profile import Profiles
    from exchange.listings.reading import Key, Stored


@dataclass(frozen=True, slots=True)
class Shown:
    """The listings of one subject that an answer shows, and the subject's words about them."""

    entries: Sequence[Entry] = ()
    words: Mapping[bytes, v1.SubjectWords] = field(default_factory=dict)  # by listing id

    @property
    def keys(self) -> list[Key]:
        """The listings."""
        return [(entry.subject_ref, entry.listing_id) for entry in self.entries]


NOTHING = Shown()


def confirm(
    connection: Connection,
    profiles: Profiles,
    found: Mapping[int, Sequence[Entry]],
    at: datetime,
) -> dict[int, Shown]:
    """Return what the database shows of the subjects that the memory found listings of, by place.

    The memory may be a moment old: what was struck out since is not shown.
    """
    if not found:
        return {}
    keys = [(e.subject_ref, e.listing_id) for entries in found.values() for e in entries]
    stored = reading.by_keys(connection, keys)
    synced = reading.syncs(connection)
    shown: dict[int, Shown] = {}
    for place, entries in found.items():
        now = [
            (entry, stored[key])
            for key in ((e.subject_ref, e.listing_id) for e in entries)
            if key in stored and (entry := _entry(stored[key], profiles, synced, at)) is not None
        ][:MOST_SHOWN]
        if now:
            words = {
                each.listing.listing_id: each.listing.words
                for _, each in now
                if each.listing.words is not None
            }
            shown[place] = Shown([entry for entry, _ in now], words)
    return shown


def _entry(
    stored: Stored, profiles: Profiles, synced: Mapping[str, datetime], at: datetime
) -> Entry | None:
    return shown_entry(stored.listing, profiles[stored.listing.profile], synced, at)


def require_unchanged(
    connection: Connection,
    profiles: Profiles,
    shown: Iterable[Shown],
    at: datetime,
) -> None:
    """Raise ``Refusal`` (REASON_LISTINGS_STALE) where a listing changed since it was confirmed."""
    wanted = [each for each in shown if each.entries]
    if not wanted:
        return
    places = dict(enumerate(each.entries for each in wanted))
    now = confirm(connection, profiles, places, at)
    for place, before in enumerate(wanted):
        if now.get(place, NOTHING) != before:
            raise Refusal(Reason.REASON_LISTINGS_STALE, "a listing changed meanwhile; ask again")


def record(
    connection: Connection, lender: str, shown: Shown, answer_digest: bytes, at: int
) -> None:
    """Keep that a lender was told of listings in an answer: whom a retraction must reach."""
    if not shown.entries:
        return
    connection.execute(
        insert(listing_told),
        [
            {
                "subject_ref": entry.subject_ref,
                "listing_id": entry.listing_id,
                "answer_digest": answer_digest,
                "lender": lender,
                "position": position,
                "told_at": at,
            }
            for position, entry in enumerate(shown.entries)
        ],
    )
