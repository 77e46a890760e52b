"""The newest backup: by its header where it is the exchange's own, else by the file's date."""

import gzip
import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from clients.doctor import rules
from clients.doctor.finding import Finding, fail

_FORMAT = "concordat-exchange-backup"  # exchange/backup/format.py
_MAX_HEADER = 64 * 1024
_MAKE = "run concordat-exchange backup, daily by a timer"


@dataclass(frozen=True, slots=True)
class Backup:
    """A file that may be a backup; ``federation`` is empty where it is not of the exchange's format."""

    path: Path
    made_at: datetime
    federation: str = ""


def probe(given: Path, federation: str, now: datetime) -> list[Finding]:
    """Judge the newest backup at ``given``, a file or a folder of them; raise ``OSError``."""
    files = sorted(p for p in given.iterdir() if p.is_file()) if given.is_dir() else [given]
    found = [_read(path) for path in files]
    own = [each for each in found if each.federation]
    if not found:
        return [fail("backup", f"there is none in {given}", _MAKE)]
    newest = max(own or found, key=lambda each: each.made_at)
    if newest.federation not in {"", federation}:
        told = f"{newest.path.name} is of {newest.federation}, not of {federation}"
        return [fail("backup", told, _MAKE)]
    name = newest.path.name if own else f"{newest.path.name} (not the exchange's format)"
    return [rules.backup("backup", name, newest.made_at, now)]


def _read(path: Path) -> Backup:
    """Return what a file says of itself in its first line, or its date on disk."""
    try:
        with gzip.open(path) as file:
            header = json.loads(file.readline(_MAX_HEADER))
        if header["format"] == _FORMAT:
            made_at = datetime.fromisoformat(header["made_at"])
            return Backup(path, made_at, str(header["federation"]))
    except (gzip.BadGzipFile, EOFError, zlib.error, ValueError, LookupError, TypeError):
        pass  # somebody else's format
    return Backup(path, datetime.fromtimestamp(path.stat().st_mtime, UTC))
