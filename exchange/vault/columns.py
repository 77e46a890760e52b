"""Columns of tables about a subject."""

from typing import Any

from sqlalchemy import Column, Dialect, LargeBinary
from sqlalchemy.types import TypeDecorator

from exchange.vault.cipher import vault_of_dialect

KEYED_BYTES = 48  # a reference and AES-SIV's tag


class SubjectRef(TypeDecorator[bytes]):
    """32 bytes to Python, AES-SIV of them on disk: the same for the same, so that keys and joins work.

    Empty, for acts about no person, stays empty. The order on disk is another than Python's.
    """

    impl = LargeBinary(KEYED_BYTES)
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Key a reference; raise ``KeyringError`` where the database was opened without a keyring."""
        return None if value is None else vault_of_dialect(dialect).keyed(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Return the reference; raise ``KeyringError`` where it is not under this keyring's key."""
        return None if value is None else vault_of_dialect(dialect).plain(value)


def subject_ref(name: str = "subject_ref", **options: Any) -> Column[bytes]:
    """Return a ``subject_ref`` column: 32 bytes to Python, keyed on disk."""
    return Column(name, SubjectRef, **options)
