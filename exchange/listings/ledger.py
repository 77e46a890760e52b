"""Listings within one transaction: read, moved by the machine, and written together.

with the rows locked:  ``take``  ->  ``move`` (as often as needed)  ->  ``write``

Every move brings its signed statement, an entry of the log, a message to the subject, and, where lenders
were told of the listing, retractions. What the exchange itself has to do then (a notice period that is over)
is done in the same transaction, and so is what follows for a regulator's orders about it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, update

from concordat import v1
from concordat.clock import to_micros, to_timestamp
from concordat.ids import new_id
from concordat.statements import digest_of, seal_batch
from concordat.store.bulk import execute_many
from concordat.trust.keys import Signer
from concordat.v1 import ListingAction
from exchange.lenders import monitoring
from exchange.lenders.listing_changes import came_into_force
from exchange.listings import machine, reading, recall
from exchange.listings.announcements import Announcer, Change
from exchange.listings.cause import Cause
from exchange.listings.machine import Actor, Listing, Party, Source
from exchange.listings.profile import Profile, Profiles
from exchange.listings.reading import Debt, Key, Stored
from exchange.listings.rows import Values, listing_values, source_values
from exchange.listings.table import (
    listing,
    listing_debt,
    listing_revision,
    listing_source,
    listing_step,
)
from exchange.listings.wording import Wording
from exchange.log import records
from exchange.log import table as log
from exchange.supervision.orders import following
from exchange.supervision.statistics import acts, counting
from exchange.vault.sealing import seal_many

_AT_ONCE = 1000  # signatures of the exchange under one root

_KEY = ("subject_ref", "listing_id")
_UPDATE = update(listing).where(  # what is set is what the rows have besides the key
    listing.c.subject_ref == bindparam("key_ref"), listing.c.listing_id == bindparam("key_id")
)
_DELETE_SOURCES = delete(listing_source).where(
    listing_source.c.subject_ref == bindparam("key_ref"),
    listing_source.c.listing_id == bindparam("key_id"),
)
_NEXT_REVISION = (
    update(listing_revision)
    .values(revision=listing_revision.c.revision + 1)
    .returning(listing_revision.c.revision)
)
_FIRST_REVISION = (
    insert(listing_revision).values(id=1, revision=1).returning(listing_revision.c.revision)
)
_INSERT, _INSERT_STEP = insert(listing), insert(listing_step)
_INSERT_SOURCE, _INSERT_DEBT = insert(listing_source), insert(listing_debt)
_UPDATE_DEBT = (
    update(listing_debt)
    .where(
        listing_debt.c.subject_ref == bindparam("key_ref"),
        listing_debt.c.debt == bindparam("key_debt"),
    )
    .values(listing_id=bindparam("latest"))
)


@dataclass(frozen=True, slots=True)
class Office:
    """What a ledger needs of the process: who the exchange is, its key, the profiles, the words."""

    federation: str
    exchange_id: str
    signer: Signer
    profiles: Profiles
    announcer: Announcer
    wording: Wording


@dataclass(slots=True)
class _Entry:
    """A listing in this transaction."""

    now: Listing
    steps: int
    before: tuple[Source, ...] | None  # its sources on record; None where it is new
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
        self._debts: frozenset[Debt] = frozenset()
        self._moves: list[tuple[Change, int]] = []

    @property
    def at(self) -> datetime:
        """The time of this transaction."""
        return self._at

    def take(self, stored: Iterable[Stored]) -> None:
        """Take listings in that were read under lock."""
        for each in stored:
            self._entries[each.key] = _Entry(each.listing, each.steps, each.listing.sources)

    def lock(self, keys: Iterable[Key]) -> None:
        """Read listings under lock and take them in."""
        self.take(reading.by_keys(self._connection, keys, lock=True).values())

    def lock_debts(self, debts: Iterable[Debt]) -> None:
        """Lock debts that were filed before: nobody else opens or joins a listing of one meanwhile.

        One that is new can't be locked. Of two who file it at once the later fails when it writes, and does
        it again: see ``_remember_debts``.
        """
        self._debts = reading.lock_debts(self._connection, debts)

    def get(self, key: Key) -> Listing | None:
        """Return a listing as it stands now; None where there is none."""
        entry = self._entries.get(key)
        return None if entry is None else entry.now

    def get_all(self, keys: Iterable[Key]) -> list[Listing]:
        """Return those listings that were taken in, as they stand now."""
        return [entry.now for key in keys if (entry := self._entries.get(key)) is not None]

    def digest_of(self, key: Key, statement_id: bytes) -> bytes | None:
        """Return the digest of a statement that was taken in about a listing; None where none was."""
        for change, _ in self._moves:
            if change.cause.statement_id == statement_id and change.key == key:
                return change.cause.digest
        place = (*key, statement_id)
        return reading.step_digests(self._connection, [place]).get(place)

    def profile_of(self, listing: Listing) -> Profile:
        """Return the profile whose limits apply to it."""
        return self._office.profiles[listing.profile]

    def move(self, after: Listing, cause: Cause) -> Listing:
        """Put down that ``cause`` brought a listing to ``after``, with what follows from it at once."""
        key = (after.subject_ref, after.listing_id)
        entry = self._entries.get(key)
        before = entry.now if entry else None
        if entry is None:
            entry = self._entries[key] = _Entry(after, 0, None)
        entry.now, entry.steps = after, entry.steps + 1
        self._moves.append((Change(before, after, cause), entry.steps))
        return self.follow(key)

    def follow(self, key: Key) -> Listing:
        """Do what the exchange has to do to a listing now, if anything, and look again when that may change."""
        entry = self._entries[key]
        profile = self.profile_of(entry.now)
        entry.changed = True  # where nothing is to be done, when to look again still is news
        while (action := machine.tick(entry.now, profile, self._at, self._synced)) is not None:
            self.act(entry.now, action)
        return entry.now

    def act(
        self,
        listing: Listing,
        action: ListingAction.ValueType,
        notice: v1.NoticeProof | None = None,
        review_id: bytes = b"",
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
        if review_id:
            event.review_id = review_id
        party = Party(Actor.EXCHANGE, self._office.exchange_id)
        after = machine.apply_event(listing, event, party, self.profile_of(listing), self._at)
        entry = self._entries[listing.subject_ref, listing.listing_id]
        entry.now, entry.steps, entry.changed = after, entry.steps + 1, True
        self._moves.append((Change(listing, after, Cause.event(event)), entry.steps))
        return after

    # Writing ------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write everything, under the next revision: its lock orders all changes, and all inboxes."""
        if not any(entry.changed for entry in self._entries.values()):
            return
        of_orders = following.follow(
            self._connection, self, [change for change, _ in self._moves], self._at
        )
        moves = self._signed()
        revision = self._next_revision()
        self._write_listings(revision)
        self._write_steps(moves)
        changes = [change for change, _ in moves]
        drafts = [records.listing_act(change.after, change.cause, self._at) for change in changes]
        drafts += recall.issue(self._connection, self._office, changes, self._at)
        drafts += of_orders
        log.enqueue(self._connection, drafts)
        self._office.announcer.announce(self._connection, changes, self._at)
        counting.count(self._connection, [(self._at, acts.of_listings(changes))])
        monitoring.in_force(self._connection, came_into_force(changes, self._at), self._at)

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
        said = [(change.after.subject_ref, change.cause.envelope) for change, _ in moves]
        rows = [
            {
                "subject_ref": change.after.subject_ref,
                "listing_id": change.after.listing_id,
                "sequence": sequence,
                "statement_id": change.cause.statement_id,
                "digest": change.cause.digest,
                "envelope": sealed,
                "at": to_micros(self._at),
                "state": change.after.state,
            }
            for (change, sequence), sealed in zip(
                moves, seal_many(self._connection, said), strict=True
            )
        ]
        if rows:
            execute_many(self._connection, _INSERT_STEP, rows)

    def _next_revision(self) -> int:
        revision = self._connection.execute(_NEXT_REVISION).scalar_one_or_none()
        if revision is None:
            revision = self._connection.execute(_FIRST_REVISION).scalar_one()
        return int(revision)

    def _write_listings(self, revision: int) -> None:
        changed = [entry for entry in self._entries.values() if entry.changed]
        new = [entry for entry in changed if entry.before is None]
        if new:
            rows = self._values(new, revision)
            execute_many(self._connection, _INSERT, rows)
            self._remember_debts([entry.now for entry in new])
        old = [entry for entry in changed if entry.before is not None]
        if old:
            rows = list(map(_with_key, self._values(old, revision)))
            execute_many(self._connection, _UPDATE, rows)
        self._write_sources(changed)

    def _values(self, entries: list[_Entry], revision: int) -> list[Values]:
        """Return the rows of listings, the subjects' words sealed."""
        said = [
            (entry.now.subject_ref, entry.now.words.SerializeToString())
            for entry in entries
            if entry.now.words
        ]
        sealed = iter(seal_many(self._connection, said))
        return [
            {
                **self._plain_values(entry, revision),
                "words": next(sealed) if entry.now.words else None,
            }
            for entry in entries
        ]

    def _plain_values(self, entry: _Entry, revision: int) -> Values:
        due = machine.next_due(entry.now, self.profile_of(entry.now))
        if due is not None and due <= self._at:
            due = entry.now.expires_at  # it waits to be reconfirmed, and is followed when it is
        return {
            **listing_values(entry.now),
            "steps": entry.steps,
            "due_at": None if due is None else to_micros(due),
            "revision": revision,
        }

    def _write_sources(self, changed: list[_Entry]) -> None:
        moved = [
            entry for entry in changed if entry.before is None or entry.before != entry.now.sources
        ]
        stale = [
            {"key_ref": entry.now.subject_ref, "key_id": entry.now.listing_id}
            for entry in moved
            if entry.before is not None
        ]
        if stale:
            execute_many(self._connection, _DELETE_SOURCES, stale)
        rows = [row for entry in moved for row in source_values(entry.now)]
        if rows:
            execute_many(self._connection, _INSERT_SOURCE, rows)

    def _remember_debts(self, listings: list[Listing]) -> None:
        """Name the latest listing of each debt.

        A debt that had none when this began is inserted, which fails if another process was first: then it
        has a live listing already, and the whole job is done again and joins it.
        """
        rows = {
            (each.subject_ref, each.debt): {
                "subject_ref": each.subject_ref,
                "debt": each.debt,
                "listing_id": each.listing_id,
            }
            for each in listings
        }
        fresh = [row for debt, row in rows.items() if debt not in self._debts]
        if fresh:
            execute_many(self._connection, _INSERT_DEBT, fresh)
        known = [
            {"key_ref": debt[0], "key_debt": debt[1], "latest": row["listing_id"]}
            for debt, row in rows.items()
            if debt in self._debts
        ]
        if known:
            execute_many(self._connection, _UPDATE_DEBT, known)


def _with_key(values: Values) -> Values:
    """Return the parameters of ``_UPDATE``."""
    return {
        **{name: value for name, value in values.items() if name not in _KEY},
        "key_ref": values["subject_ref"],
        "key_id": values["listing_id"],
    }
