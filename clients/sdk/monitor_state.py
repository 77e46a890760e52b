"""What a monitor remembers: how far it has come, each consent's last standing, and reviews that are under way.

One file (SQLite). It names people by reference and holds the band of each: keep it as you keep views.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from clients.sdk.errors import ClientError
from concordat import v1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS place (id INTEGER PRIMARY KEY CHECK (id = 1), lender TEXT, cursor INTEGER);
CREATE TABLE IF NOT EXISTS standing (consent_id BLOB PRIMARY KEY, standing TEXT);
CREATE TABLE IF NOT EXISTS review (
    cursor INTEGER PRIMARY KEY, consent_id BLOB, ask BLOB, standing TEXT, access_id BLOB
);
"""
_MODE = 0o600


class MonitorStateError(ClientError):
    """The state file cannot be used: another process has it, or it is another lender's, or it is none."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a review found: the standing then, before the application heard of it."""

    standing: str
    access_id: bytes


class MonitorState:
    """A monitor's memory; one process at a time has it open."""

    def __init__(self, path: Path, lender: str) -> None:
        """Open ``path``, or make it; raise ``MonitorStateError``."""
        path.touch(mode=_MODE)
        self._database = sqlite3.connect(path, timeout=0.2, isolation_level=None)
        try:
            self._open(path, lender)
        except sqlite3.Error as error:
            self._database.close()
            raise MonitorStateError(
                f"{path} cannot be used ({error}); end the other watch, or name another file"
            ) from error

    def _open(self, path: Path, lender: str) -> None:
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(_SCHEMA)
        self._database.execute("INSERT OR IGNORE INTO place VALUES (1, ?, 0)", (lender,))
        (owner,) = self._one("SELECT lender FROM place") or ("",)
        if owner != lender:
            self._database.close()
            raise MonitorStateError(f"{path} is {owner}'s; name another file for {lender}")

    @property
    def cursor(self) -> int:
        """Everything up to it was dealt with; 0 where nothing was yet."""
        (cursor,) = self._one("SELECT cursor FROM place") or (0,)
        return int(cursor)

    def standing(self, consent_id: bytes) -> str | None:
        """Return a consent's last standing that the application heard of; None where there is none."""
        row = self._one("SELECT standing FROM standing WHERE consent_id = ?", consent_id)
        return None if row is None else str(row[0])

    def ask_of(self, cursor: int) -> v1.RequestViewRequest | None:
        """Return the request that was signed for a review, if any was."""
        row = self._one("SELECT ask FROM review WHERE cursor = ?", cursor)
        return None if row is None else v1.RequestViewRequest.FromString(row[0])

    def found(self, cursor: int) -> Reviewed | None:
        """Return what a review found, if it was made."""
        row = self._one("SELECT standing, access_id FROM review WHERE cursor = ?", cursor)
        return None if row is None or row[0] is None else Reviewed(str(row[0]), bytes(row[1]))

    def keep_ask(self, change: v1.LenderChange, ask: v1.RequestViewRequest) -> None:
        """Keep the request of a review before it is sent, so that a restart sends the same."""
        self._database.execute(
            "INSERT OR REPLACE INTO review VALUES (?, ?, ?, NULL, NULL)",
            (change.cursor, change.consent_id, ask.SerializeToString()),
        )

    def keep_found(self, cursor: int, reviewed: Reviewed) -> None:
        """Keep what a review found before the application hears of it."""
        self._database.execute(
            "UPDATE review SET standing = ?, access_id = ? WHERE cursor = ?",
            (reviewed.standing, reviewed.access_id, cursor),
        )

    def acknowledge(self, cursor: int) -> None:
        """Note that everything up to ``cursor`` was dealt with; what reviews found is then the last standing."""
        if cursor <= self.cursor:
            return
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute(
                "INSERT OR REPLACE INTO standing SELECT consent_id, standing FROM review "
                "WHERE cursor <= ? AND standing IS NOT NULL ORDER BY cursor",
                (cursor,),
            )
            self._database.execute("DELETE FROM review WHERE cursor <= ?", (cursor,))
            self._database.execute("UPDATE place SET cursor = ?", (cursor,))

    def forget(self, consent_id: bytes) -> None:
        """Forget a consent that has ended."""
        self._database.execute("DELETE FROM standing WHERE consent_id = ?", (consent_id,))

    def begin_anew(self) -> None:
        """Begin with the oldest change that the exchange keeps; standings stay."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute("DELETE FROM review")
            self._database.execute("UPDATE place SET cursor = 0")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._database.execute(query, values).fetchone()
        return row

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
