"""The log, checked while somebody looks on: that it only grew since this desk last saw it, and who cosigned."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from clients.auditor.errors import AuditorError
from clients.auditor.evidence import keep_evidence
from clients.auditor.policy import LogTrust
from clients.auditor.source import LogSource
from clients.auditor.watch import Peer, Watcher
from concordat.federation.anchors import Anchors
from concordat.trust.checkpoint import SignedCheckpoint
from concordat.trust.merkle import consistency_proof, verify_consistency
from concordat.trust.tiles import TileReader


@dataclass(frozen=True, slots=True)
class WitnessSaid:
    """A witness of the trust bundle, and when it cosigned the checkpoint; None where it did not."""

    name: str
    cosigned_at: datetime | None


@dataclass(frozen=True, slots=True)
class LogCheck:
    """What a check found. ``error`` is set where the log does not hold, or could not be read.

    ``older`` is what this desk remembered (None at first); the hashes of ``proof`` lead from it to ``newer``.
    """

    older: SignedCheckpoint | None
    newer: SignedCheckpoint | None
    proof: Sequence[bytes] = ()
    agreeing: Sequence[str] = ()  # witnesses that hold a checkpoint of the same history
    problems: Sequence[str] = ()
    error: AuditorError | None = None
    evidence: Path | None = None


class LogDesk:
    """Checks the log, and remembers the last checkpoint that held, in ``folder``."""

    def __init__(self, anchors: Anchors, folder: Path) -> None:
        """Trust the keys of the trust bundle."""
        self._anchors = anchors
        self._trust = LogTrust.of(anchors)
        self._folder = folder

    def remembered(self, source: LogSource) -> SignedCheckpoint | None:
        """Return the checkpoint that held last; None before the first. Raises ``AuditorError``."""
        return self._watcher(source).kept()

    def check(self, source: LogSource) -> LogCheck:
        """Fetch the checkpoint, prove from tiles that it goes on from the remembered one, and remember it.

        A log that forked or went back leaves both of its signed notes as evidence; the older stays remembered.
        """
        watcher, older = self._watcher(source), None
        try:
            with watcher.locked():
                older = watcher.kept()
                seen = watcher.look()
                proof = _proof(older, seen.checkpoint, source)
        except AuditorError as error:
            kept = keep_evidence(self._folder, error)
            return LogCheck(older, None, error=error, evidence=kept)
        problems = [str(each) for each in seen.problems]
        return LogCheck(older, seen.checkpoint, proof, list(seen.agreeing), problems)

    def witnesses(self, checkpoint: SignedCheckpoint | None) -> list[WitnessSaid]:
        """Return each witness that the trust bundle names, and what it said of a checkpoint."""
        times = {each.name: each.at for each in checkpoint.cosignatures} if checkpoint else {}
        names = [key.name for key in self._anchors.witnesses]
        return [
            WitnessSaid(name, datetime.fromtimestamp(times[name], UTC) if name in times else None)
            for name in names
        ]

    def _watcher(self, source: LogSource) -> Watcher:
        urls = self._anchors.bundle.witness_urls
        return Watcher(
            source, self._trust, self._folder, [Peer(f"{url.rstrip('/')}/") for url in urls]
        )


def _proof(
    older: SignedCheckpoint | None, newer: SignedCheckpoint, source: LogSource
) -> list[bytes]:
    """Return the hashes of the consistency proof, as whoever looks on may check it; none for the same tree."""
    if older is None or not 0 < older.size < newer.size:
        return []
    read = TileReader(source.tile, newer.size).node
    proof = consistency_proof(older.size, newer.size, read)
    verify_consistency(older.size, older.root, newer.size, newer.root, proof)
    return list(proof)
