"""Listings within one transaction: read, moved by the machine, and written together.

with the rows locked:  ``take``  ->  ``move`` (as often as needed)  ->  ``write``

Every move brings its signed statement, an entry of the log, a message to the subject, and, where lenders
were told of the listing, retractions. What the exchange itself has to do then (a notice period that is over)
is done in the same transaction.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, tuple_, update

from concordat import v1
from concordat.clock import to_micros, to_timestamp
from concordat.ids import new_id
from concordat.statements import digest_of, seal_batch
from concordat.trust.keys import Signer
from concordat.v1 import ListingAction
from exchange.listings import machine, reading, recall
from exchange.listings.announcements import Announcer, Change
from exchange.listings.cause import Cause
from exchange.listings.machine import Actor, Listing, Party
from exchange.listings.profile import Profile, Profiles
from exchange.listings.reading import Key, Stored
from exchange.listings.rows import Values, listing_values, source_values
from exchange.listings.table import (
    listing,
    listing_debt,
    listing_revision,
    listing_source,
    listing_step,
)
from exchange.log import records
from exchange.log import table as log

_AT_ONCE = 1000  # signatures of the exchange under one root


@dataclass(frozen=True, slots=True)
class Office:
    """What a ledger needs of the process: who the exchange is, its key, the profiles, the words."""

    federation: str
    exchange_id: str
    signer: Signer
    profiles: Profiles
    announcer: Announcer


@dataclass(slots=True)
class _Entry:
    """A listing in this transaction."""

    now: Listing
    steps: int
    new: bool
    changed: bool = False


class Ledger:
    """The listings that one transaction touches."""

    def __init__(self, connection: Connection, office: Office, at: datetime) -> None:
        """Begin; nothing is written before ``write``."""
        self._connection = connection
        self._office = office
        self._at = at
        self._synced = reading.syncs(connection)
        self._entries: dict[Key, _Entry] = {}
        self._moves: list[tuple[Change, int]] = []

    @property
    def at(self) -> datetime:
        """The time of this transaction."""
        return self._at

    def take(self, stored: Iterable[Stored]) -> None:
        """Take listings in that were read under lock."""
        for each in stored:
            self._entries[each.key] = _Entry(each.listing, each.steps, new=False)

    def lock(self, keys: Iterable[Key]) -> None:
        """Read listings under lock and take them in."""
        self.take(reading.by_keys(self._connection, keys, lock=True).values())

    def get(self, key: Key) -> Listing | None:
        """Return a listing as it stands now; None where there is none."""
        entry = self._entries.get(key)
        return None if entry is None else entry.now

    def profile_of(self, listing: Listing) -> Profile:
        """Return the profile whose limits apply to it."""
        return self._office.profiles[listing.profile]

    def move(self, after: Listing, cause: Cause) -> Listing:
        """Put down that ``cause`` brought a listing to ``after``, with what follows from it at once."""
        key = (after.subject_ref, after.listing_id)
        entry = self._entries.get(key)
        before = entry.now if entry else None
        if entry is None:
            entry = self._entries[key] = _Entry(after, 0, new=True)
        entry.now, entry.steps = after, entry.steps + 1
        self._moves.append((Change(before, after, cause), entry.steps))
        return self.follow(key)

    def follow(self, key: Key) -> Listing:
        """Do what the exchange has to do to a listing now, if anything, and look again when that may change."""
        entry = self._entries[key]
        entry.changed = True  # where nothing is to be done, when to look again still is news
        profile = self.profile_of(entry.now)
        while (action := machine.tick(entry.now, profile, self._at, self._synced)) is not None:
            self.act(entry.now, action)
        return entry.now

    def act(
        self,
        listing: Listing,
        action: ListingAction.ValueType,
        notice: v1.NoticeProof | None = None,
    ) -> Listing:
        """Let the exchange move a listing by an event of its own, signed when it is written."""
        event = v1.ListingEvent(
            event_id=new_id(),
            federation=self._office.federation,
            subject_ref=listing.subject_ref,
            listing_id=listing.listing_id,
            actor=self._office.exchange_id,
            action=action,
            decided_at=to_timestamp(self._at),
            notice=notice,
        )
        party = Party(Actor.EXCHANGE, self._office.exchange_id)
        after = machine.apply_event(listing, event, party, self.profile_of(listing), self._at)
        entry = self._entries[listing.subject_ref, listing.listing_id]
        entry.now, entry.steps, entry.changed = after, entry.steps + 1, True
        self._moves.append((Change(listing, after, Cause.event(event)), entry.steps))
        return after

    # Writing ------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write everything; the last thing is the revision, whose lock orders all changes."""
        if not any(entry.changed for entry in self._entries.values()):
            return
        moves = self._signed()
        self._write_steps(moves)
        changes = [change for change, _ in moves]
        drafts = [records.listing_act(change.after, change.cause, self._at) for change in changes]
        drafts += recall.issue(self._connection, self._office, changes, self._at)
        log.enqueue(self._connection, drafts)
        self._office.announcer.announce(self._connection, changes, self._at)
        self._write_listings(self._next_revision())

    def _signed(self) -> list[tuple[Change, int]]:
        """Sign the exchange's own events, many at once."""
        own = [change.cause for change, _ in self._moves if not change.cause.envelope]
        signed: dict[bytes, tuple[bytes, bytes]] = {}
        for start in range(0, len(own), _AT_ONCE):
            batch = own[start : start + _AT_ONCE]
            envelopes = seal_batch([cause.statement for cause in batch], self._office.signer)
            for cause, envelope in zip(batch, envelopes, strict=True):
                signed[cause.statement_id] = digest_of(envelope), envelope.SerializeToString()
        return [
            (change.signed(*signed[change.cause.statement_id]), sequence)
            if change.cause.statement_id in signed
            else (change, sequence)
            for change, sequence in self._moves
        ]

    def _write_steps(self, moves: list[tuple[Change, int]]) -> None:
        rows = [
            {
                "subject_ref": change.after.subject_ref,
                "listing_id": change.after.listing_id,
                "sequence": sequence,
                "statement_id": change.cause.statement_id,
                "digest": change.cause.digest,
                "envelope": change.cause.envelope,
                "at": to_micros(self._at),
                "state": change.after.state,
            }
            for change, sequence in moves
        ]
        if rows:
            self._connection.execute(insert(listing_step), rows)

    def _next_revision(self) -> int:
        moved = self._connection.execute(
            update(listing_revision).values(revision=listing_revision.c.revision + 1)
        )
        if not moved.rowcount:
            self._connection.execute(insert(listing_revision).values(id=1, revision=1))
        return int(self._connection.execute(select(listing_revision.c.revision)).scalar_one())

    def _write_listings(self, revision: int) -> None:
        changed = [entry for entry in self._entries.values() if entry.changed]
        new = [self._values(entry, revision) for entry in changed if entry.new]
        if new:
            self._connection.execute(insert(listing), new)
            self._remember_debts([entry.now for entry in changed if entry.new])
        old = [entry for entry in changed if not entry.new]
        for entry in old:
            values = self._values(entry, revision)
            key = values.pop("subject_ref"), values.pop("listing_id")
            self._connection.execute(
                update(listing)
                .where(listing.c.subject_ref == key[0], listing.c.listing_id == key[1])
                .values(values)
            )
        self._write_sources([entry.now for entry in changed], [entry.now for entry in old])

    def _values(self, entry: _Entry, revision: int) -> Values:
        due = machine.next_due(entry.now, self.profile_of(entry.now))
        if due is not None and due <= self._at:
            due = entry.now.expires_at  # it waits to be reconfirmed, and is followed when it is
        return {
            **listing_values(entry.now),
            "steps": entry.steps,
            "due_at": None if due is None else to_micros(due),
            "revision": revision,
        }

    def _write_sources(self, changed: list[Listing], old: list[Listing]) -> None:
        keys = [(each.subject_ref, each.listing_id) for each in old]
        if keys:
            self._connection.execute(
                delete(listing_source).where(
                    tuple_(listing_source.c.subject_ref, listing_source.c.listing_id).in_(keys)
                )
            )
        rows = [row for each in changed for row in source_values(each)]
        if rows:
            self._connection.execute(insert(listing_source), rows)

    def _remember_debts(self, listings: list[Listing]) -> None:
        debts = [(each.subject_ref, each.debt) for each in listings]
        known = reading.lock_debts(self._connection, debts)
        fresh = [
            {"subject_ref": each.subject_ref, "debt": each.debt, "listing_id": each.listing_id}
            for each in listings
            if (each.subject_ref, each.debt) not in known
        ]
        if fresh:
            self._connection.execute(insert(listing_debt), fresh)
        for each in listings:
            if (each.subject_ref, each.debt) in known:
                self._connection.execute(
                    update(listing_debt)
                    .where(
                        listing_debt.c.subject_ref == each.subject_ref,
                        listing_debt.c.debt == each.debt,
                    )
                    .values(listing_id=each.listing_id)
                )
