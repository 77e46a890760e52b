"""Who is told of which listing: confirmed and recorded in the transaction of the release."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy.dialects import postgresql, sqlite

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
    *,
    hold: bool = False,
) -> dict[int, Shown]:
    """Return what the database shows of the subjects that the memory found listings of, by place.

    The memory may be a moment old: what was struck out since is not shown. With ``hold``, for the
    transaction that records the answer: nobody strikes one out before that is on record, so that whoever
    does then finds whom a retraction must reach.
    """
    if not found:
        return {}
    keys = [(e.subject_ref, e.listing_id) for entries in found.values() for e in entries]
    stored = reading.by_keys(connection, keys, hold=hold)
    synced = reading.syncs(connection)
    shown: dict[int, Shown] = {}
    for place, entries in found.items():
        now = [
            (entry, stored[key])
            for key in ((e.subject_ref, e.listing_id) for e in entries)
            if key in stored and (entry := _entry(stored[key], profiles, synced, at)) is not None
        ]
        now.sort(key=_oldest_first)  # by the dates of now: one may have been corrected
        del now[MOST_SHOWN:]
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


def _oldest_first(shown: tuple[Entry, Stored]) -> tuple[int, bytes]:
    return shown[0].delinquent_day, shown[0].listing_id


def changed(
    connection: Connection,
    profiles: Profiles,
    shown: Mapping[int, Shown],
    at: datetime,
) -> frozenset[int]:
    """Return the places where a listing is shown otherwise now; the others stay as they are (``hold``)."""
    wanted = {place: each.entries for place, each in shown.items() if each.entries}
    now = confirm(connection, profiles, wanted, at, hold=True)
    return frozenset(place for place in wanted if now.get(place, NOTHING) != shown[place])


def record(
    connection: Connection,
    told: Iterable[tuple[str, Shown, bytes, int]],
) -> None:
    """Keep who was told of which listings: whom a retraction must reach.

    ``told`` are lender, listings shown, digest of the answer, and time in microseconds. The very same answer
    given again is told once.
    """
    rows = [
        {
            "subject_ref": entry.subject_ref,
            "listing_id": entry.listing_id,
            "answer_digest": digest,
            "lender": lender,
            "position": position,
            "told_at": at,
        }
        for lender, shown, digest, at in told
        for position, entry in enumerate(shown.entries)
    ]
    if rows:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        connection.execute(dialect.insert(listing_told).on_conflict_do_nothing(), rows)
