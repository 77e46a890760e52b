"""The sequencer: the one place where the log grows.

One thread a process. It holds the lease or follows. A round is: give what waits its indexes (durable), read
the edge of the tree back and hash it again, write tiles and bundles, sign, ask the witnesses, publish. It
may die at any step; the next round, in whatever process, goes on from the entries that have an index.
"""

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from concordat.clock import Clock
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.trust.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    add_signatures,
    open_checkpoint,
    sign_checkpoint,
)
from concordat.trust.errors import TrustError
from concordat.trust.keys import Signer
from concordat.trust.merkle import ReadNode
from concordat.trust.note import ED25519, NoteSignature, VerifierKey
from concordat.trust.tiles import WIDTH, TileReader
from exchange.log import sequencing
from exchange.log.growth import TileDamagedError, fetch_from, grow, verify_full
from exchange.log.sequencing import Batch, Lease, LeaseLostError, Signed
from exchange.log.table import Key, Opening
from exchange.log.tile_store import CHECKPOINT, TileStore
from exchange.log.witnesses import Witnesses

_log = structlog.get_logger("concordat.log")

LEASE_SECONDS = 3.0
ASK_AGAIN_SECONDS = 1.0


class LogRolledBackError(Exception):
    """What is published is larger than the database knows: the database is an old copy. Nothing is signed.

    ``published`` and ``recorded`` are the two signed notes.
    """

    def __init__(self, published: bytes, recorded: bytes) -> None:
        """Find the database behind what was published."""
        super().__init__(
            "the published checkpoint is not one that this database leads to: it was restored from an "
            "old copy; restore one that extends the published log, or the witnesses will refuse it"
        )
        self.published = published
        self.recorded = recorded


@dataclass(frozen=True, slots=True)
class Published:
    """A signed checkpoint, a reader of the tree under it, and the entries that it added.

    What was read to add them was hashed; what else is read was not.
    """

    size: int
    root: bytes
    note: bytes
    reader: TileReader
    added: Mapping[Key, Opening]


class Sequencer:
    """Grows the log while it holds the lease. Use it from one thread."""

    def __init__(
        self,
        *,
        origin: str,
        signer: Signer,
        store: GroupCommit,
        tiles: TileStore,
        witnesses: Witnesses,
        clock: Clock,
        holder: str,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        """Sign as ``origin`` with ``signer``; ``holder`` names this process to the others."""
        self._key = VerifierKey(origin, ED25519, signer.public_key)
        self._signer = signer
        self._store = store
        self._tiles = tiles
        self._witnesses = witnesses
        self._clock = clock
        self._holder = holder
        self._lease_seconds = lease_seconds
        self._lease: Lease | None = None
        self._renew_at = 0.0
        self._signed: Signed | None = None
        self._batch: Batch | None = None  # has its indexes, and no checkpoint yet
        self._ask_again_at = 0.0
        self._scrub = 0

    @property
    def witnesses(self) -> Witnesses:
        """Those it asks."""
        return self._witnesses

    @property
    def signed(self) -> Signed | None:
        """The latest checkpoint it knows; the truth only while it leads."""
        return self._signed

    @property
    def leads(self) -> bool:
        """Whether this process held the lease when last it looked."""
        return self._lease is not None

    def round(self) -> Published | None:
        """Do one round; return the new checkpoint, None where nothing changed or another process leads.

        Raises ``TileDamagedError``, ``TileStoreError`` and ``LogRolledBackError`` where nothing may be
        signed, and ``Refusal`` where the database is away; trying again later is safe.
        """
        try:
            if self._lease is None and not self._take_over():
                return None
            return self._sequence()
        except LeaseLostError:
            _log.warning("log_lease_lost")
            self._lease = None
            return None

    def step_down(self) -> None:
        """Give the lease up, so that another process need not wait for its end."""
        lease, self._lease = self._lease, None
        if lease is not None:
            self._store.run(lambda connection: sequencing.give_up_lease(connection, lease))

    def _take_over(self) -> bool:
        """Take the lease if it is free, and read what the one before left."""
        if time.monotonic() < self._renew_at:
            return False
        at = self._clock.now()
        lease = self._store.run(
            lambda connection: sequencing.take_lease(
                connection, self._holder, self._lease_seconds, at
            )
        )
        if lease is None:
            self._renewed()  # look again no sooner than it would be renewed
            return False
        try:
            self._signed = signed = self._store.run(sequencing.signed)
            self._batch = self._store.run(lambda c: sequencing.pending(c, signed.size))
            self._require_published_is_ours(signed)
        except Exception:
            with contextlib.suppress(Refusal):  # another process may be able to
                self._store.run(lambda connection: sequencing.give_up_lease(connection, lease))
            raise
        self._lease = lease
        self._renewed()
        _log.info("log_lease_taken", epoch=lease.epoch, size=signed.size)
        return True

    def _require_published_is_ours(self, signed: Signed) -> None:
        """Raise ``LogRolledBackError`` unless what is public is what the database leads to."""
        note = self._tiles.read(CHECKPOINT)
        if note is None or note == signed.note:
            return
        try:
            published = open_checkpoint(note, self._key)
        except TrustError as error:
            raise TileDamagedError(
                None, f"the published checkpoint does not verify: {error}"
            ) from error
        if not self._leads_to(signed, published):
            _log.error("log_rolled_back", published=published.size, recorded=signed.size)
            raise LogRolledBackError(note, signed.note)

    def _leads_to(self, signed: Signed, published: SignedCheckpoint) -> bool:
        """Tell whether the entries that have an index give what is published: it may be ahead by a batch."""
        if published.size <= signed.size:
            return published.size < signed.size or published.root == signed.root
        ahead = published.size - signed.size
        entries = self._batch.entries[:ahead] if self._batch else []
        if len(entries) < ahead:
            return False
        return grow(signed.size, signed.root, entries, self._tiles.read).root == published.root

    def _sequence(self) -> Published | None:
        lease, signed = self._lease, self._signed
        assert lease is not None  # noqa: S101 - taken by now
        assert signed is not None  # noqa: S101 - read with the lease
        if self._batch is None:
            at = self._clock.now()
            self._batch = self._store.run(lambda c: sequencing.assign(c, lease, at))
            if self._batch is not None:
                self._renewed()
        if self._batch is not None:
            return self._integrate(lease, signed, self._batch)
        if signed.unwitnessed_since is not None and time.monotonic() >= self._ask_again_at:
            self._ask_again_at = time.monotonic() + ASK_AGAIN_SECONDS
            return self._witness_again(lease, signed)
        if time.monotonic() >= self._renew_at:
            at = self._clock.now()
            self._store.run(lambda c: sequencing.renew_lease(c, lease, at))
            self._renewed()
        return None

    def _integrate(self, lease: Lease, signed: Signed, batch: Batch) -> Published:
        """Write a batch's tiles, sign the tree and publish it."""
        if time.monotonic() >= self._renew_at:
            # After a long pause or a failure: not renewed, so that a process that can may take over.
            self._store.run(lambda connection: sequencing.require_lease(connection, lease))
        grown = grow(signed.size, signed.root, batch.entries, self._tiles.read)
        self._verify_another(signed.size)
        self._tiles.write(grown.tiles)
        checkpoint = Checkpoint(self._key.name, grown.size, grown.root)
        note = sign_checkpoint(checkpoint, self._signer)
        cosigned = self._cosign(note, grown.size, grown.another_reader())
        note = self._publish(lease, checkpoint, note, cosigned)
        self._batch = None
        added = {opening.key: opening for opening in batch.openings}
        return Published(grown.size, grown.root, note, grown.reader, added)

    def _witness_again(self, lease: Lease, signed: Signed) -> Published | None:
        """Ask again for what the latest checkpoint lacks."""
        fetch = fetch_from(self._tiles.read)
        checkpoint = Checkpoint(self._key.name, signed.size, signed.root)
        note = sign_checkpoint(checkpoint, self._signer)
        cosigned = self._cosign(note, signed.size, TileReader(fetch, signed.size))
        if len(cosigned) < self._witnesses.quorum:
            return None
        note = self._publish(lease, checkpoint, note, cosigned)
        return Published(signed.size, signed.root, note, TileReader(fetch, signed.size), {})

    def _cosign(self, note: bytes, size: int, reader: TileReader) -> list[NoteSignature]:
        """Ask the witnesses; ``reader`` is theirs alone, for one may still be at it after its time."""
        return self._witnesses.cosign(note, size, _one_at_a_time(reader.node))

    def _publish(
        self, lease: Lease, checkpoint: Checkpoint, note: bytes, cosigned: list[NoteSignature]
    ) -> bytes:
        """Record and publish a checkpoint with what cosignatures there are; return the note."""
        note = add_signatures(note, cosigned) if cosigned else note
        at = self._clock.now()
        self._signed = self._store.run(
            lambda connection: sequencing.publish(
                connection,
                lease,
                self._tiles,
                size=checkpoint.size,
                root=checkpoint.root,
                note=note,
                witnessed=len(cosigned) >= self._witnesses.quorum,
                at=at,
            )
        )
        self._renewed()
        return note

    def _verify_another(self, size: int) -> None:
        """Hash one of the older tiles and its bundle again, each in its turn, before signing over it.

        A damaged one keeps its turn until it is mended.
        """
        full = size // WIDTH
        if full:
            verify_full(self._scrub % full, size, self._tiles.read)
            self._scrub = (self._scrub + 1) % full

    def _renewed(self) -> None:
        self._renew_at = time.monotonic() + self._lease_seconds / 3


def _one_at_a_time(read: ReadNode) -> ReadNode:
    """Return ``read`` for use by several threads."""
    lock = threading.Lock()

    def locked(level: int, index: int) -> bytes:
        with lock:
            return read(level, index)

    return locked
