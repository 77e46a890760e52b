"""Watching a log: each checkpoint must go on from the last, and be the one that other watchers see.

A log that shows different trees to different readers is caught as soon as two of them compare.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from clients.auditor.errors import (
    KEPT_NOTE,
    SEEN_NOTE,
    AuditorError,
    CheckpointInvalid,
    KeptUnusable,
    LogUnreadable,
    ResourceMissing,
)
from clients.auditor.growth import check_growth, check_successor
from clients.auditor.http_files import HttpFiles
from clients.auditor.policy import LogTrust
from clients.auditor.source import LogSource
from clients.durable import write_durably
from concordat.trust.checkpoint import SignedCheckpoint
from concordat.trust.note import MAX_NOTE_BYTES

KEPT = "checkpoint"
_LOCK = ".lock"


class Step(StrEnum):
    """How a checkpoint follows the one kept before."""

    FIRST = "first"
    SAME = "same"
    GROWN = "grown"


@dataclass(frozen=True, slots=True)
class Peer:
    """Another watcher's kept checkpoint: a file, a watcher's folder, or an HTTP(S) URL.

    A URL that ends in a slash is a witness's prefix; it keeps the checkpoint of each log under
    ``checkpoint/<SHA-256 of the log's origin, in hex>``.
    """

    name: str

    def note(self, origin: str) -> bytes:
        """Return the peer's note, unverified; raise ``LogUnreadable``."""
        try:
            if self.name.startswith(("http://", "https://")):
                return self._fetched(origin)
            path = Path(self.name)
            return _read_bounded(path / KEPT if path.is_dir() else path)
        except (OSError, AuditorError) as error:
            raise LogUnreadable(str(error), where=f"peer {self.name}") from error

    def _fetched(self, origin: str) -> bytes:
        url = self.name
        if url.endswith("/"):
            url += f"checkpoint/{hashlib.sha256(origin.encode()).hexdigest()}"
        files = HttpFiles(url)
        try:
            return files.read_url(url, MAX_NOTE_BYTES, where=url)
        finally:
            files.close()


@dataclass(frozen=True, slots=True)
class Seen:
    """One round: the checkpoint seen, how it follows, and the peers that see the same log.

    ``problems`` are peers that could not be compared with, and why.
    """

    checkpoint: SignedCheckpoint
    step: Step
    agreeing: Sequence[str] = ()
    problems: Sequence[AuditorError] = field(default=())


class Watcher:
    """Follows one log, and keeps the last good checkpoint in ``folder``."""

    def __init__(
        self, source: LogSource, trust: LogTrust, folder: Path, peers: Sequence[Peer] = ()
    ) -> None:
        """Keep what is seen in ``folder``, which is made if need be."""
        self._source = source
        self._trust = trust
        self._folder = folder
        self._peers = peers
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Watch alone; raise ``KeptUnusable`` where another process watches with the same folder."""
        descriptor = os.open(self._folder / _LOCK, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise KeptUnusable(f"another process watches with {self._folder}") from error
        finally:
            os.close(descriptor)

    def kept(self) -> SignedCheckpoint | None:
        """Return the last good checkpoint, None before the first; raise ``KeptUnusable``."""
        path = self._folder / KEPT
        if not path.exists():
            return None
        try:
            return self._trust.without_quorum().open(_read_bounded(path))
        except CheckpointInvalid as error:
            raise KeptUnusable(f"{path} is not a checkpoint of this log: {error}") from error

    def look(self) -> Seen:
        """See the log once, keep its checkpoint if that is good, and compare with the peers.

        Raises ``ForkDetected``, ``RollbackDetected`` or ``GrowthUnproven`` with both signed notes, and what
        reading and checking raise otherwise.
        """
        checkpoint = self._trust.open(self._source.checkpoint())
        step = self._follow(self.kept(), checkpoint)
        agreeing: list[str] = []
        problems: list[AuditorError] = []
        for peer in self._peers:
            try:
                self._compare(checkpoint, peer)
                agreeing.append(peer.name)
            except (LogUnreadable, CheckpointInvalid, ResourceMissing) as error:
                problems.append(error)
        return Seen(checkpoint, step, agreeing, problems)

    def _follow(self, kept: SignedCheckpoint | None, seen: SignedCheckpoint) -> Step:
        if kept is not None:
            check_successor(kept, seen, self._source)
            if kept.size == seen.size:
                return Step.SAME
        write_durably(self._folder / KEPT, seen.note)
        return Step.FIRST if kept is None else Step.GROWN

    def _compare(self, ours: SignedCheckpoint, peer: Peer) -> None:
        """Raise unless what the peer holds and what we hold are of one history."""
        where = f"peer {peer.name}"
        note = peer.note(ours.origin)
        try:
            theirs = self._trust.without_quorum().open(note)
        except CheckpointInvalid as error:
            text = f"what it holds does not count: {error}"
            raise CheckpointInvalid(text, where=where) from error
        older, newer = sorted((ours, theirs), key=lambda each: each.size)
        try:
            check_growth(older, newer, self._source, where)
        except ResourceMissing as error:
            raise ResourceMissing(
                f"it holds a checkpoint of {theirs.size:,} entries, which the log does not serve to us: {error}",
                where=where,
                evidence={KEPT_NOTE: ours.note, SEEN_NOTE: theirs.note},
            ) from error


def _read_bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_NOTE_BYTES + 1)
