"""The node's debt key, and the secrets of its own debts, which are derived from it and kept nowhere."""

import hmac
import os
from pathlib import Path

from concordat.durable import create_durably
from concordat.trust.debt import SECRET_BYTES, DebtToken
from concordat.trust.errors import KeyFileError
from provider.store.listings import Listed

KEY_BYTES = 32
_DOMAIN = b"concordat/debt-secret/v1\n"


class DebtKey:
    """Derives the secret of each of this member's own debts from its reference (HMAC-SHA256)."""

    def __init__(self, key: bytes, creditor: str) -> None:
        """Take 32 bytes; raise ``KeyFileError`` for another length."""
        if len(key) != KEY_BYTES:
            raise KeyFileError("a debt key is a file of exactly 32 random bytes")
        self._key = key
        self._creditor = creditor

    def token(self, reference: str) -> DebtToken:
        """Return the token of the own debt with this reference; raise ``StatementMalformedError``.

        The domain has its own line, and a reference is all that follows it: no two references are the same
        bytes.
        """
        unsealed = DebtToken(self._creditor, reference, bytes(SECRET_BYTES))  # checks the reference
        written = _DOMAIN + unsealed.reference.encode("utf-8")
        return DebtToken(self._creditor, reference, hmac.digest(self._key, written, "sha256"))

    def require_fits(self, row: Listed | None) -> None:
        """Raise ``KeyFileError`` where an own debt that was filed has another name under this key.

        With the wrong key every debt would get a second listing.
        """
        if row is not None and self.token(row.reference).commitment(row.subject_ref) != row.debt:
            raise KeyFileError(
                "the debt key is not the one that earlier debts were filed with: restore the right file"
            )


def load_debt_key(path: Path, creditor: str) -> DebtKey:
    """Read a debt key; raise ``KeyFileError`` where there is none, it is no key, or others may read it."""
    try:
        if path.stat().st_mode & 0o077:
            raise KeyFileError(f"others may read the debt key {path}: chmod 600 it")
        return DebtKey(path.read_bytes(), creditor)
    except OSError as error:
        raise KeyFileError(f"cannot read the debt key {path}: {error.strerror}") from error


def load_or_make_debt_key(
    path: Path, creditor: str, own_debt: Listed | None
) -> tuple[DebtKey, bool]:
    """Return the debt key, made if there is none and no own debt was ever filed; and whether it was made.

    ``own_debt`` is any own debt on record. Raises ``KeyFileError`` where the file is missing or another
    although there is one: a new key would give every debt a second name.
    """
    made = False
    if not path.exists():
        if own_debt is not None:
            raise KeyFileError(f"the debt key {path} is missing: restore it from where it is kept")
        path.parent.mkdir(parents=True, exist_ok=True)
        made = create_durably(path, os.urandom(KEY_BYTES))
    key = load_debt_key(path, creditor)
    key.require_fits(own_debt)
    return key, made
