"""Replacing the wrapping key while the exchange serves: the subjects' keys are wrapped anew, batch by batch.

Whoever rotates puts a newer key into the keyring's file. Each process that serves reads the file again, says
in the database that nothing is wrapped under an older key any more, and wraps what is there anew. What was
sealed stays as it is. A rotation that is cut off goes on with the next process that looks.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import bindparam, func, select, update

from concordat.store.bulk import execute_many
from exchange.database import truncate_write_ahead_log
from exchange.repeating import repeat
from exchange.vault.cipher import vault_of
from exchange.vault.table import keyring_mark, subject_key

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from concordat.store.group_commit import GroupCommit
    from exchange.vault.cipher import Vault

_log = structlog.get_logger("concordat.vault")

AT_ONCE = 256
EVERY_SECONDS = 1.0

_OLDER = (
    select(subject_key)
    .where(subject_key.c.wrapping_key < bindparam("newest"))
    .limit(bindparam("most"))
    .with_for_update(
        key_share=True, skip_locked=True
    )  # writers are not held up, nor erasures awaited
)
_WRAP = (
    update(subject_key)
    .where(
        subject_key.c.subject_ref == bindparam("key_ref"),
        subject_key.c.generation == bindparam("key_generation"),
    )
    .values(wrapping_key=bindparam("new_number"), wrapped=bindparam("new_wrapped"))
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rotation is."""

    least: int  # no key is wrapped under an older one from now on
    older: int  # subjects' keys that are still wrapped under an older one than the newest
    subjects: int


def progress(connection: Connection, newest: int) -> Progress:
    """Return how far the rotation to the wrapping key ``newest`` is."""
    least = connection.execute(select(keyring_mark.c.least_wrapping_key)).scalar_one_or_none()
    count = select(func.count()).select_from(subject_key)
    older = connection.execute(count.where(subject_key.c.wrapping_key < newest)).scalar_one()
    return Progress(least or 0, older, connection.execute(count).scalar_one())


def require_from_now(connection: Connection) -> None:
    """See to it that from now on, in every process, nothing is wrapped under an older key than the newest.

    Waits for those that are wrapping now; what they wrapped is seen afterwards.
    """
    newest = vault_of(connection).keyring.newest
    connection.execute(
        update(keyring_mark)
        .where(keyring_mark.c.least_wrapping_key < newest)
        .values(least_wrapping_key=newest)
    )


def rewrap_some(connection: Connection, most: int = AT_ONCE) -> int:
    """Wrap up to ``most`` subjects' keys anew under the newest wrapping key; return how many were."""
    vault = vault_of(connection)
    rows = connection.execute(_OLDER, {"newest": vault.keyring.newest, "most": most}).all()
    values: list[dict[str, object]] = []
    for row in rows:
        of = row.subject_ref, row.generation
        number, wrapped = vault.wrap(*of, vault.unwrap(*of, row.wrapping_key, row.wrapped))
        values.append(
            {
                "key_ref": row.subject_ref,
                "key_generation": row.generation,
                "new_number": number,
                "new_wrapped": wrapped,
            }
        )
    execute_many(connection, _WRAP, values)
    return len(rows)


async def watch_keys(store: GroupCommit, vault: Vault, path: Path) -> None:
    """Take newer keys from the keyring's file, wrap under them, and clean up after erasures, until cancelled.

    Also after those of a process that died before it could: the first time in any case.
    """
    seen: tuple[int, int] | None = None
    erasures = -1

    async def look() -> None:
        nonlocal seen, erasures
        stamp = await asyncio.to_thread(path.stat)
        if (stamp.st_mtime_ns, stamp.st_ino) != seen:
            await _take(store, vault)
            seen = stamp.st_mtime_ns, stamp.st_ino
        wanted = vault.erasures
        if wanted != erasures and await store.arun(truncate_write_ahead_log):
            erasures = wanted

    await repeat("keys", EVERY_SECONDS, look)


async def _take(store: GroupCommit, vault: Vault) -> None:
    """Read the keyring again, and wrap all that is under older keys anew."""
    await asyncio.to_thread(vault.reload)
    await store.arun(require_from_now)
    wrapped = 0
    while some := await store.arun(rewrap_some):
        wrapped += some
    if wrapped:
        _log.info("keys_rotated", subjects=wrapped, wrapping_key=vault.keyring.newest)
