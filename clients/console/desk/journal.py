"""What was done at this desk and by whom: one line of JSON an act, each bound to the one before by its hash.

The file only grows. Lines that were changed, moved or taken out are found by ``Journal.read``; those cut off at
the end are not, so keep a copy elsewhere. What an answer told about a person is never in it.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from clients.console.desk.officers import Officer
from clients.sdk.errors import ClientError

_START = "0" * 64


@dataclass(frozen=True, slots=True)
class Act:
    """One line: when, whose key in which role, signed in how, what, about what (ids and names), the outcome."""

    at: str  # ISO 8601, UTC
    key_id: str
    role: str  # desk, approver-1, ... or nobody
    act: str
    about: str = ""
    outcome: str = "done"
    before: str = _START  # SHA-256 of the line before, hex
    how: str = ""  # challenge, certificate SERIAL; nothing for nobody, and in lines from before it was kept


class Journal:
    """The journal of one desk. Safe to share between threads of one process."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        """Go on in ``path``; raise ``ClientError`` where what is there is not whole."""
        self._path = path
        self._now = now
        self._lock = Lock()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _, self._last = self._checked()

    def note(
        self, officer: Officer | None, act: str, about: str = "", outcome: str = "done"
    ) -> None:
        """Add a line, on disk before this returns; raise ``OSError`` where it cannot be kept."""
        with self._lock:
            line = Act(
                self._now().astimezone(UTC).isoformat(timespec="seconds"),
                officer.key_id if officer else "",
                officer.role if officer else "nobody",
                act,
                about,
                outcome,
                self._last,
                officer.how if officer else "",
            )
            raw = json.dumps(asdict(line), ensure_ascii=True, sort_keys=True).encode()
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                file.write(raw + b"\n")
                file.flush()
                os.fsync(file.fileno())
            self._last = _hashed(raw)

    def read(self) -> list[Act]:
        """Return every act, oldest first; raise ``ClientError`` where a line was changed or is missing."""
        with self._lock:
            acts, _ = self._checked()
        return acts

    def _checked(self) -> tuple[list[Act], str]:
        """Return every act, and the hash of the last line."""
        acts, last = list[Act](), _START
        lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        for number, line in enumerate(lines, 1):
            try:
                act = Act(**json.loads(line))
            except (ValueError, TypeError):
                act = None
            if act is None or act.before != last:
                raise ClientError(
                    f"line {number} of {self._path} does not follow the one before; somebody changed the desk's "
                    "journal. Put it aside as evidence, and start with an empty one"
                )
            acts.append(act)
            last = _hashed(line)
        return acts, last


def _hashed(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
