"""Whose keyring a database's is: no process serves, or writes, with another's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, inspect, select

from concordat.store.engine import require_current
from exchange.database import open_database
from exchange.migrations import SCRIPTS
from exchange.vault import keyring as files
from exchange.vault.cipher import Vault, vault_of
from exchange.vault.keyring import Keyring, KeyringError
from exchange.vault.table import keyring_mark

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine


def ready_keyring(engine: Engine, path: Path) -> Keyring:
    """Return the keyring at ``path`` for a database that ``init`` creates; made where both are new.

    Raises ``KeyringError``: a database that has a keyring gets no other.
    """
    if not path.exists() and not _marked(engine):
        with files.only_changer(path):
            if not path.exists():
                files.save(path, Keyring.generate())
    return files.load(path)


def _marked(engine: Engine) -> bool:
    if not inspect(engine).has_table(keyring_mark.name):
        return False
    with engine.connect() as connection:
        return connection.execute(select(keyring_mark.c.id)).first() is not None


def adopt(connection: Connection) -> None:
    """Keep which keyring the database belongs to, where none is kept yet."""
    if connection.execute(select(keyring_mark.c.id)).first() is None:
        vault = vault_of(connection)
        connection.execute(
            insert(keyring_mark).values(
                id=1, reference=vault.mark, least_wrapping_key=min(vault.keyring.wrapping_keys)
            )
        )


def open_vault(url: str, path: Path) -> tuple[Engine, Vault]:
    """Open a database that ``init`` made, with its keyring; raise ``StoreError`` where one is amiss."""
    engine = open_database(url, files.load(path), path)
    require_current(engine, SCRIPTS)
    return engine, require_fitting(engine, path)


def require_fitting(engine: Engine, path: Path) -> Vault:
    """Return the vault with the database's own keyring; raise ``KeyringError`` where the file has another's.

    A replacement of the reference key that was cut off is finished, or taken back, as the database has it.
    """
    vault = vault_of(engine)
    with engine.connect() as connection:
        if vault.keyring.next_reference_key is not None:
            with files.only_changer(path):  # not while a replacement is under way
                vault.use(settled(connection, path))
        require_marked(connection, vault)
    return vault


def settled(connection: Connection, path: Path) -> Keyring:
    """Return the keyring with no replacement of the reference key open; the caller is its only changer.

    One that was cut off is finished, or taken back, as the database has it.
    """
    keyring = files.load(path)
    if keyring.next_reference_key is None:
        return keyring
    replaced = keyring.with_references_replaced()
    ours = replaced if _mark(connection) == Vault(replaced).mark else keyring
    keyring = ours.without_next_reference()
    files.save(path, keyring)
    return keyring


def require_marked(connection: Connection, vault: Vault) -> None:
    """Raise ``KeyringError`` unless the vault's references are those of the database."""
    if _mark(connection) != vault.mark:
        raise KeyringError(
            "the keyring is another database's: restore the one that this database was made with"
        )


def _mark(connection: Connection) -> bytes:
    mark = connection.execute(select(keyring_mark.c.reference)).scalar_one_or_none()
    if mark is None:
        raise KeyringError("the database is under no keyring yet: run init first")
    return bytes(mark)
