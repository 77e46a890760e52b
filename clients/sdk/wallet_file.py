"""A wallet in a folder: key, binding, trust bundle, and every consent given.

    wallet/
      trust-bundle.json   the federation's trust bundle, as it was when the wallet was made
      key.pem             Ed25519, PKCS#8, encrypted if a passphrase was given
      binding.env         the registrar's binding of the key; absent until bound
      former-keys/        keys that were replaced, by version, and the registrar's bindings of them
      next-key.pem        a new key that is about to be bound; a rebind that broke off goes on with it
      consents/<id>.json  one a consent: envelope, last event, its providers' licences
      accesses.json       what the exchange last signed about the chain of entries about this subject
      evidence/<n>/       what the exchange and the log signed that does not hold, if that ever happens

Files are written beside, flushed to disk and renamed, so that a crash leaves the old content or
the new and never a part; only the owner may read them. A process that changes the wallet holds its
lock.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from google.protobuf.message import DecodeError

from clients.durable import put_in_place
from clients.sdk.accesses_record import kept_from_json, kept_to_json
from clients.sdk.consent_record import ConsentRecord
from clients.sdk.errors import WalletError
from clients.sdk.rebinding import finish_rebinding, former_bindings
from clients.sdk.wallet import WalletKey
from clients.sdk.wallet_atomically import write_atomically
from concordat import v1
from concordat.federation.anchors import Anchors, TrustBundleError, load_anchors
from concordat.trust.keys import Ed25519Signer
from concordat.verify.history import HistoryBrokenError, Kept
from concordat.verify.receipt_file import dump_receipt

TRUST_BUNDLE, KEY, BINDING, CONSENTS, LOCK = (
    "trust-bundle.json",
    "key.pem",
    "binding.env",
    "consents",
    ".lock",
)
ACCESSES, EVIDENCE = "accesses.json", "evidence"


class WalletFolder:
    """A wallet's folder, opened with its key."""

    def __init__(self, folder: Path, anchors: Anchors, signer: Ed25519Signer) -> None:
        """Hold what ``create`` made or ``open`` read."""
        self.folder = folder
        self.anchors = anchors
        self.signer = signer

    @classmethod
    def create(cls, folder: Path, trust_bundle: Path, passphrase: bytes | None) -> "WalletFolder":
        """Make a wallet with a fresh key; raise ``WalletError`` where there is one already.

        After a crash in the middle there is no key yet, and this starts over.
        """
        anchors = _anchors(trust_bundle)
        try:
            (folder / CONSENTS).mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        except OSError as error:
            raise WalletError(f"cannot make the wallet {folder}: {error.strerror}") from error
        with _locked(folder):
            if (folder / KEY).exists():
                raise WalletError(f"{folder} holds a wallet already; a key is never overwritten")
            write_atomically(folder / TRUST_BUNDLE, trust_bundle.read_bytes())
            signer = Ed25519Signer.generate()
            beside = folder / f".{KEY}.new"
            beside.unlink(missing_ok=True)
            signer.save(beside, passphrase)
            put_in_place(beside, folder / KEY)
        return cls(folder, anchors, signer)

    @classmethod
    def open(cls, folder: Path, passphrase: bytes | None) -> "WalletFolder":
        """Open a wallet; raise ``WalletError``, or ``KeyFileError`` where the passphrase is wrong."""
        if not (folder / KEY).is_file():
            raise WalletError(f"{folder} holds no wallet; make one with: concordat wallet new")
        finish_rebinding(folder, passphrase)
        signer = Ed25519Signer.load(folder / KEY, passphrase)
        return cls(folder, _anchors(folder / TRUST_BUNDLE), signer)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing the wallet meanwhile."""
        with _locked(self.folder):
            yield

    def key(self) -> WalletKey:
        """Return what to sign with; raise ``WalletError`` where the key is not bound yet."""
        path = self.folder / BINDING
        try:
            binding = v1.Envelope.FromString(path.read_bytes())
            return WalletKey(self.signer, binding, former_bindings(self.folder))
        except FileNotFoundError as error:
            raise WalletError(
                "the wallet's key is not bound to you yet; run: concordat wallet bind"
            ) from error
        except (OSError, DecodeError) as error:
            raise WalletError(f"cannot read {path}: {error}") from error

    def save_binding(self, binding: v1.Envelope) -> None:
        """Keep the registrar's binding."""
        write_atomically(self.folder / BINDING, binding.SerializeToString())

    def save_consent(self, record: ConsentRecord) -> None:
        """Keep a consent and its last event."""
        write_atomically(self._consent_path(record.consent_id), record.to_json())

    def consent(self, id_or_prefix: str) -> ConsentRecord:
        """Return the one consent whose id, in hex, begins so; raise ``WalletError`` for none or many."""
        wanted = id_or_prefix.strip().lower()
        found = [r for r in self.consents() if wanted and r.consent_id.hex().startswith(wanted)]
        if len(found) != 1:
            count = "several consents" if found else "no consent"
            raise WalletError(
                f"{count} of this wallet begin with {id_or_prefix!r}; see: concordat wallet list"
            )
        return found[0]

    def consents(self) -> list[ConsentRecord]:
        """Return all consents, oldest first; raise ``WalletError`` for a file that cannot be read."""
        paths = sorted((self.folder / CONSENTS).glob("*.json"))
        return [ConsentRecord.from_json(path.read_bytes(), path) for path in paths]

    def kept_history(self) -> Kept:
        """Return what was kept the last time, by ``keep_history``; raise ``WalletError`` if unreadable."""
        path = self.folder / ACCESSES
        try:
            return kept_from_json(path.read_bytes())
        except FileNotFoundError:
            return Kept()
        except (OSError, ValueError) as error:
            raise WalletError(
                f"cannot read {path}: {error}; it remembers what the exchange signed, so put it back "
                "from a copy if there is one"
            ) from error

    def keep_history(self, kept: Kept) -> None:
        """Remember where the chain of entries ends, and who signed it."""
        write_atomically(self.folder / ACCESSES, kept_to_json(kept))

    def keep_evidence(self, error: HistoryBrokenError) -> Path:
        """Keep all that was signed and does not hold; return the folder. Raises ``WalletError``.

        ``page-<n>.response`` are the answers as they came, each a ``ListAccessesResponse``;
        ``access-history.env`` and ``checkpoint`` are what the last of them says under signatures, the same
        with ``-before`` is what was signed before, and ``left-out.receipt`` the entry that is missing.
        """
        folder = new_evidence_folder(self.folder)
        files = {
            f"page-{place}.response": page.SerializeToString()
            for place, page in enumerate(error.pages, 1)
        }
        files["access-history.env"] = error.history.SerializeToString()
        files["checkpoint"] = error.checkpoint
        if error.kept.checkpoint:
            files["access-history-before.env"] = error.kept.history.SerializeToString()
            files["checkpoint-before"] = error.kept.checkpoint
        if error.receipt is not None:
            files["left-out.receipt"] = dump_receipt(error.receipt)
        for name, content in files.items():
            write_atomically(folder / name, content)
        return folder

    def _consent_path(self, consent_id: bytes) -> Path:
        return self.folder / CONSENTS / f"{consent_id.hex()}.json"


def new_evidence_folder(wallet: Path) -> Path:
    """Make the next numbered folder of evidence in a wallet's folder; raise ``WalletError`` where it cannot."""
    number = 1
    while (folder := wallet / EVIDENCE / str(number)).exists():
        number += 1
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as failure:
        raise WalletError(f"cannot make {folder}: {failure.strerror}") from failure
    return folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / LOCK, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _anchors(path: Path) -> Anchors:
    try:
        return load_anchors(path)
    except TrustBundleError as error:
        raise WalletError(str(error)) from error
