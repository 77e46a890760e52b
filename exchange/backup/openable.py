"""Whether what is restored can be read: is this the keyring that its people's keys are under?"""

from pathlib import Path

from sqlalchemy import Connection, select

from exchange.backup.errors import BackupError
from exchange.vault import keyring as files
from exchange.vault.cipher import Vault
from exchange.vault.keyring import Keyring
from exchange.vault.table import keyring_mark, subject_key


def keyring_at(path: Path) -> Keyring | None:
    """Return the keyring of the settings; None where there is none yet. Raises ``KeyringError``."""
    return files.load(path) if path.exists() else None


def require_openable(connection: Connection, keyring: Keyring) -> None:
    """Raise ``BackupError`` unless ``keyring`` opens every person's key that was restored."""
    mark = connection.execute(select(keyring_mark.c.reference)).scalar_one_or_none()
    if mark is not None and bytes(mark) != Vault(keyring).mark:
        raise BackupError(
            "the keyring is not that of the backup's database, or its references were replaced since: "
            "put the keyring of then in its place (storage_keys), and restore again"
        )
    used = connection.execute(select(subject_key.c.wrapping_key).distinct()).scalars()
    missing = sorted(set(used) - keyring.wrapping_keys.keys())
    if missing:
        raise BackupError(
            f"people's keys in the backup are under wrapping key {missing[0]}, which the keyring has no more: "
            "it was discarded after the backup was made, so that nobody who was erased since is read again. "
            "Restore a newer backup"
        )
