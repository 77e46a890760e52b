"""The newest checkpoints that are known outside a database: witnesses', files', what is published."""

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx

from concordat.federation.anchors import Anchors
from concordat.trust.checkpoint import SignedCheckpoint, open_checkpoint
from concordat.trust.errors import TrustError
from concordat.trust.note import VerifierKey
from exchange.backup.errors import BackupError, Known

_MAX_ANSWER = 16 * 1024


@dataclass(frozen=True, slots=True)
class Heard:
    """What the witnesses said: the checkpoints of those that answered; why the others do not count."""

    known: dict[str, Known]
    silent: dict[str, str]

    def without_forgetful(self, ours: SignedCheckpoint | None) -> "Heard":
        """Return this without those that know less than they have cosigned: they were restored themselves."""
        had = {each.name for each in ours.cosignatures} if ours is not None else set()
        forgot = {
            name: f"it has forgotten that it cosigned {ours.size} entries"
            for name, each in self.known.items()
            if ours is not None and name in had and each.size < ours.size
        }
        kept = {name: each for name, each in self.known.items() if name not in forgot}
        return Heard(kept, self.silent | forgot)


def enough(asked: int, quorum: int) -> int:
    """Return how many of ``asked`` witnesses must answer for the newest witnessed checkpoint to be heard of.

    At least the quorum; and so many that no quorum is among those that did not answer.
    """
    return max(quorum, asked - quorum + 1) if quorum else 0


def ask_witnesses(
    witnesses: Sequence[tuple[VerifierKey, str]], log: VerifierKey, seconds: float
) -> Heard:
    """Ask every witness (key, prefix) at once for the latest checkpoint it cosigned.

    Only what the log signed and the witness cosigned counts. One that knows nothing of the log is counted
    with the silent: it may be new, or not the one it should be.
    """
    if not witnesses:
        return Heard({}, {})
    known: dict[str, Known] = {}
    silent: dict[str, str] = {}
    with ThreadPoolExecutor(len(witnesses), "witness") as pool:
        answers = pool.map(partial(_ask, log=log, seconds=seconds), witnesses)
        for (key, _), answer in zip(witnesses, answers, strict=True):
            if isinstance(answer, Known):
                known[key.name] = answer
            else:
                silent[key.name] = answer
    return Heard(known, silent)


def _ask(witness: tuple[VerifierKey, str], log: VerifierKey, seconds: float) -> Known | str:
    key, prefix = witness
    origin = hashlib.sha256(log.name.encode()).hexdigest()
    try:
        status, note = _get(f"{prefix.rstrip('/')}/checkpoint/{origin}", seconds)
        if status == httpx.codes.NOT_FOUND:
            return "it knows nothing of this log"
        if status != httpx.codes.OK:
            return f"it answered {status}"
        checkpoint = open_checkpoint(note, log, [key], 1)
    except httpx.HTTPError as error:
        return f"it does not answer ({type(error).__name__})"
    except TrustError as error:
        return f"its answer does not verify: {error}"
    return _known(checkpoint, f"witness {key.name}")


def _get(url: str, seconds: float) -> tuple[int, bytes]:
    ends = time.monotonic() + seconds  # the client's limit is for each part of the answer
    plain = {"accept-encoding": "identity"}
    with httpx.stream("GET", url, timeout=seconds, headers=plain) as response:
        body = b""
        for part in response.iter_raw():
            body += part
            if len(body) > _MAX_ANSWER or time.monotonic() > ends:
                raise httpx.ReadError("too long or too slow")
        return response.status_code, body


def _known(checkpoint: SignedCheckpoint, source: str) -> Known:
    """Return a checkpoint with the latest time at which a witness says that it saw it."""
    latest = max((each.at for each in checkpoint.cosignatures), default=None)
    try:
        at = None if latest is None else datetime.fromtimestamp(latest, UTC)
    except (ValueError, OverflowError, OSError):
        at = None
    return Known(checkpoint, source, at)


def known_from_file(path: Path, anchors: Anchors) -> Known:
    """Read a checkpoint that somebody kept; raise ``BackupError`` unless this log signed it."""
    try:
        return known_from_note(path.read_bytes(), anchors, path.name)
    except TrustError as error:
        raise BackupError(f"{path} is no checkpoint of {anchors.log.name}: {error}") from error
    except OSError as error:
        raise BackupError(f"cannot read {path}: {error.strerror}") from error


def known_from_note(note: bytes, anchors: Anchors, source: str) -> Known:
    """Open a note; raise ``TrustError`` unless this log signed it."""
    return _known(open_checkpoint(note, anchors.log, anchors.witnesses), source)
