"""What ``rotate-keys`` does: a new wrapping key while the exchange serves; new references when it is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, LargeBinary, Table, bindparam, select, update

from concordat.clock import to_micros
from concordat.store.engine import StoreError
from concordat.store.exclusive import DatabaseInUseError, only_process
from concordat.store.reading import opened_to_read
from exchange.database import truncate_write_ahead_log
from exchange.log import table as log
from exchange.tables import metadata
from exchange.vault import keyring as files
from exchange.vault.cipher import Vault
from exchange.vault.columns import SubjectRef
from exchange.vault.fitting import open_vault, require_marked, settled
from exchange.vault.rotation import AT_ONCE, progress, require_from_now, rewrap_some
from exchange.vault.table import keyring_mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from exchange.vault.keyring import Keyring
    from exchange.vault.rotation import Progress

PATIENCE_SECONDS = 60.0  # without any progress of the process that serves
_LOOK_SECONDS = 0.2

Tell = Callable[[str, int, int], None]
"""Hears of progress: what is done, how much of how much."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What became of a rotation."""

    wrapping_key: int  # the number of the newest
    subjects: int  # whose keys are wrapped under it
    discarded: int  # older wrapping keys that are no more


def rotate(url: str, path: Path, tell: Tell, *, discard_old: bool) -> Rotated:
    """Put a new wrapping key into the keyring and wrap every subject's key under it.

    A rotation that was cut off is finished first of all, with no further key. Whoever serves an embedded
    database does the wrapping; else this process does. Raises ``StoreError``, also while another process
    changes the keyring.
    """
    with files.only_changer(path):
        return _rotate(url, path, tell, discard_old=discard_old)


def _rotate(url: str, path: Path, tell: Tell, *, discard_old: bool) -> Rotated:
    with opened_to_read(url) as connection:
        keyring = settled(connection, path)
    at = _how_far(url, keyring)
    if at.least >= keyring.newest and not at.older:
        keyring = keyring.with_wrapping_key()
        files.save(path, keyring)
    try:
        with only_process(url):
            _wrap_here(url, path, tell)
    except DatabaseInUseError:
        _wait(url, keyring, tell)
    done = _how_far(url, keyring)
    if done.older or done.least < keyring.newest:
        raise StoreError("not all keys are under the newest wrapping key: run rotate-keys again")
    discarded = len(keyring.wrapping_keys) - 1 if discard_old else 0
    if discarded:
        files.save(path, keyring.with_newest_alone())
    return Rotated(keyring.newest, done.subjects, discarded)


def _how_far(url: str, keyring: Keyring) -> Progress:
    with opened_to_read(url) as connection:
        require_marked(connection, Vault(keyring))
        return progress(connection, keyring.newest)


def _wrap_here(url: str, path: Path, tell: Tell) -> None:
    engine, vault = open_vault(url, path)
    try:
        with engine.begin() as connection:
            require_from_now(connection)
            of = progress(connection, vault.keyring.newest).older
        done, some = 0, AT_ONCE
        while some:
            with engine.begin() as connection:
                some = rewrap_some(connection)
            done += some
            tell("wrapping keys", done, of)
        with engine.connect() as connection:
            truncate_write_ahead_log(connection)
    finally:
        engine.dispose()


def _wait(url: str, keyring: Keyring, tell: Tell) -> None:
    """Wait for the process that serves; raise ``StoreError`` where nothing happens."""
    at, since = _how_far(url, keyring), time.monotonic()
    of = at.older
    while at.older or at.least < keyring.newest:
        if time.monotonic() - since > PATIENCE_SECONDS:
            raise StoreError(
                "the process that serves does not take the new key: see its log for keys_not_rotated, and "
                "whether its storage_keys are this file"
            )
        time.sleep(_LOOK_SECONDS)
        before, at = at, _how_far(url, keyring)
        if at != before:
            since = time.monotonic()
        tell("wrapping keys", max(of - at.older, 0), of)


# References -----------------------------------------------------------------------------------------


def replace_references(url: str, path: Path, now: datetime, tell: Tell) -> int:
    """Put all references under a new reference key, in one transaction; return of how many subjects.

    Every exchange process must be stopped: raises ``StoreError`` where one holds the log's lease, or an
    embedded database. Cut off at any point, either key is the database's, and the next start knows which.
    """
    with only_process(url):
        engine, vault = open_vault(url, path)
        try:
            with files.only_changer(path):
                vault.use(files.load(path).replacing_references())
                files.save(path, vault.keyring)
                with engine.begin() as connection:
                    _require_stopped(connection, now)
                    require_marked(connection, vault)
                    replaced = _replace(connection, vault, tell)
                _finish(engine, path, vault.keyring.with_references_replaced())
            return replaced
        finally:
            engine.dispose()


def _require_stopped(connection: Connection, now: datetime) -> None:
    """Raise ``StoreError`` where a process serves; none begins before the transaction ends."""
    state = log.state(connection, lock=True)
    if state is not None and state.lease_until > to_micros(now):
        raise StoreError("an exchange process serves: stop all of them, wait a few seconds, again")


def _finish(engine: Engine, path: Path, keyring: Keyring) -> None:
    files.save(path, keyring)
    with engine.connect() as connection:
        truncate_write_ahead_log(connection)


def _replace(connection: Connection, vault: Vault, tell: Tell) -> int:
    following, columns = Vault(vault.keyring.with_references_replaced()), list(_references())
    seen: set[bytes] = set()
    for done, (table, column) in enumerate(columns):
        tell("rewriting references", done, len(columns))
        there = connection.execute(select(column).distinct().where(column.is_not(None))).scalars()
        values = [{"was": ref, "is_now": following.keyed(ref)} for ref in there if ref]
        seen.update(row["was"] for row in values)
        if values:
            new = bindparam("is_now", type_=LargeBinary)
            is_row = column == bindparam("was")
            connection.execute(update(table).where(is_row).values({column: new}), values)
    connection.execute(update(keyring_mark).values(reference=following.mark))
    return len(seen)


def _references() -> Iterator[tuple[Table, Column[Any]]]:
    for table in metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, SubjectRef):
                yield table, column
