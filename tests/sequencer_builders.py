"""The log's exchange side on any store: drafts to enter, sequencers, and an auditor who trusts nobody.

    log = LogSide(store, tiles)
    log.enter(300)
    sequencer = log.sequencer()
    settle(sequencer)
    audited = audit(tiles)            # every bundle and tile hashed again, under the log's signature
    log.check_chains(audited.entries) # and every opening held against its entry

A ``Wall`` is a clock that a test sets, back too: a sequencer must not rely on ``Clock``'s floor.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection

from concordat import v1
from concordat.clock import Clock
from concordat.ids import new_id
from concordat.store.group_commit import GroupCommit
from concordat.trust.checkpoint import open_checkpoint
from concordat.trust.commitment import (
    NO_ENTRY,
    commitment_of,
    link_commitment,
    record_commitment,
)
from concordat.trust.keys import Signer
from concordat.trust.merkle import EMPTY_ROOT, leaf_hash, root_of
from concordat.trust.note import ED25519, VerifierKey
from concordat.trust.tiles import ENTRIES, WIDTH, Tile, decode_bundle, split_tile
from exchange.log import records, table
from exchange.log.records import Draft
from exchange.log.sequencer import Published, Sequencer
from exchange.log.tile_store import CHECKPOINT, TileStore
from exchange.log.witnesses import Witnesses
from tests.builders import AT, NAME, signer

ORIGIN = f"{NAME}/log"
LOG = VerifierKey(ORIGIN, ED25519, signer("log").public_key)
LONG = 60.0  # seconds of a lease that does not end by itself during a test


@dataclass
class Wall:
    """A clock on the wall, to be set at will."""

    at: datetime = AT

    def now(self) -> datetime:
        return self.at

    def step(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def draft(subject: str = "ada") -> Draft:
    """Return an act about a person; an empty name is an act about nobody."""
    if not subject:
        licence = v1.Licence(member_id="alder-bank")
        return records.member_act(licence, hashlib.sha256(b"licence").digest(), AT)
    consent = v1.Consent(subject_ref=ref_of(subject), consent_id=new_id())
    return records.consent_act(consent, hashlib.sha256(consent.consent_id).digest(), AT)


def ref_of(subject: str) -> bytes:
    return hashlib.sha256(b"subject " + subject.encode()).digest() if subject else b""


@dataclass
class RecordingSigner:
    """The log's key, and every text that was signed with it."""

    signed: list[bytes] = field(default_factory=list)
    public_key: bytes = signer("log").public_key

    def sign(self, message: bytes) -> bytes:
        self.signed.append(message)
        return signer("log").sign(message)


@dataclass
class LogSide:
    """A store and the tiles beside it."""

    store: GroupCommit
    tiles: TileStore
    wall: Wall = field(default_factory=Wall)

    def enter(self, count: int = 1, *subjects: str) -> list[Draft]:
        """Queue drafts in one transaction, about the subjects by turns."""
        people = subjects or ("ada", "bob", "")
        drafts = [draft(people[n % len(people)]) for n in range(count)]
        self.store.run(lambda connection: table.enqueue(connection, drafts))
        return drafts

    def sequencer(
        self,
        holder: str = "one",
        *,
        store: GroupCommit | None = None,
        tiles: TileStore | None = None,
        witnesses: Witnesses | None = None,
        clock: Clock | None = None,
        key: Signer | None = None,
        lease_seconds: float = LONG,
    ) -> Sequencer:
        """Return a sequencer that has not begun."""
        return Sequencer(
            origin=ORIGIN,
            signer=key or signer("log"),
            store=store or self.store,
            tiles=tiles or self.tiles,
            witnesses=witnesses or Witnesses([], 0, 1.0),
            clock=clock or cast("Clock", self.wall),
            holder=holder,
            lease_seconds=lease_seconds,
        )

    def grow(self, count: int, sequencer: Sequencer) -> None:
        """Enter that many and have them sequenced."""
        self.enter(count)
        settle(sequencer)

    def rows(self) -> list[Any]:
        """Return all openings in the order of the log."""
        return list(self.store.run(lambda connection: table.openings_from(connection, 0)))

    def waiting(self) -> int:
        """Return how many drafts have no index yet."""
        return len(self.store.run(lambda connection: table.waiting(connection, 1 << 30)))

    def state(self) -> Any:
        """Return the log's state."""
        return self.store.run(table.state)

    def check_chains(self, entries: Sequence[bytes]) -> None:
        """Hold every opening against the entries of the log, and every subject's chain together."""
        rows = self.rows()
        assert [row.leaf_index for row in rows] == list(range(len(entries)))
        assert [row.entry for row in rows] == list(entries)
        ends: dict[bytes, tuple[int, bytes]] = defaultdict(lambda: (0, NO_ENTRY))
        latest = 0
        for row in rows:
            sequence, previous = ends[row.subject_ref]
            assert (row.sequence, row.previous) == (sequence + 1, previous)
            entry = v1.LogEntry.FromString(row.entry)
            of_record = row.record_commitment
            if row.record is not None:
                assert record_commitment(row.record, row.salt) == of_record
                assert v1.LogRecord.FromString(row.record).record_id == entry.record_id
            link = link_commitment(row.sequence, row.previous, row.link_salt)
            assert entry.commitment == row.commitment == commitment_of(of_record, link)
            assert entry.record_id == row.record_id
            assert entry.logged_at.ToMicroseconds() == row.logged_at >= latest
            latest = row.logged_at
            ends[row.subject_ref] = (row.sequence, row.commitment)


def settle(sequencer: Sequencer) -> Published | None:
    """Do rounds until nothing changes; return the last checkpoint that was made."""
    last: Published | None = None
    while (published := sequencer.round()) is not None:
        last = published
    return last


@dataclass(frozen=True)
class Audited:
    """A log as anybody reads it."""

    note: bytes
    entries: list[bytes]

    @property
    def size(self) -> int:
        return len(self.entries)

    def root(self, size: int) -> bytes:
        return root_of([leaf_hash(entry) for entry in self.entries[:size]])


def audit(tiles: TileStore, key: VerifierKey = LOG) -> Audited:
    """Read the whole log from its public files alone, and hash all of it again."""
    note = tiles.read(CHECKPOINT)
    if note is None:
        return Audited(b"", [])
    checkpoint = open_checkpoint(note, key).checkpoint
    entries: list[bytes] = []
    for index in range(-(-checkpoint.size // WIDTH)):
        width = min(WIDTH, checkpoint.size - index * WIDTH)
        found, data = served(tiles, Tile(ENTRIES, index, width))
        entries += decode_bundle(data, found.width)[:width]
    level, hashes = 0, [leaf_hash(entry) for entry in entries]
    root = root_of(hashes) if hashes else EMPTY_ROOT
    assert root == checkpoint.root
    while hashes:
        for index in range(-(-len(hashes) // WIDTH)):
            mine = hashes[index * WIDTH : (index + 1) * WIDTH]
            found, data = served(tiles, Tile(level, index, len(mine)))
            assert split_tile(data, found.width)[: len(mine)] == mine
        full = len(hashes) // WIDTH
        hashes = [root_of(hashes[n * WIDTH : (n + 1) * WIDTH]) for n in range(full)]
        level += 1
    return Audited(note, entries)


def served(tiles: TileStore, tile: Tile) -> tuple[Tile, bytes]:
    """Return a tile as a client gets it: the full one where the partial one is gone."""
    for each in (tile, Tile(tile.level, tile.index)):
        data = tiles.read(each.path)
        if data is not None:
            return each, data
    raise AssertionError(f"{tile.path} is not served")


@dataclass
class Hooked:
    """A tile store with something before each step; a hook that raises is a fault."""

    inner: TileStore
    on_read: Callable[[str], None] = lambda _path: None
    on_write: Callable[[Mapping[Tile, bytes]], None] = lambda _tiles: None
    on_publish: Callable[[bytes], None] = lambda _note: None

    def read(self, path: str) -> bytes | None:
        self.on_read(path)
        return self.inner.read(path)

    def write(self, tiles: Mapping[Tile, bytes]) -> None:
        self.on_write(tiles)
        self.inner.write(tiles)

    def publish(self, connection: Connection, note: bytes) -> None:
        self.on_publish(note)
        self.inner.publish(connection, note)
