"""A new key in a wallet's folder, in the place of one that was lost or may be known to others.

A rebind may break off anywhere. The new key is on disk before the registrar hears of it; the registrar gives
the same binding for the same code and key; and the keys change places only once the binding is on disk.
"""

from pathlib import Path

from google.protobuf.message import DecodeError

from clients.durable import put_in_place
from clients.sdk.errors import WalletError
from clients.sdk.wallet_atomically import write_atomically
from concordat import v1
from concordat.trust.keys import Ed25519Signer

KEY, BINDING, NEXT_KEY, FORMER = "key.pem", "binding.env", "next-key.pem", "former-keys"
_BINDINGS = "bindings.response"  # a BindSubjectResponse with `earlier` alone


def next_key(folder: Path, passphrase: bytes | None) -> Ed25519Signer:
    """Return the key that is to be bound: one of a rebind that broke off, or a fresh one, which is on disk.

    Raises ``WalletError`` and ``KeyFileError``.
    """
    path = folder / NEXT_KEY
    if path.is_file():
        return Ed25519Signer.load(path, passphrase)
    signer = Ed25519Signer.generate()
    beside = folder / f".{NEXT_KEY}.new"
    try:
        beside.unlink(missing_ok=True)
        signer.save(beside, passphrase)
        put_in_place(beside, path)
    except OSError as error:
        raise WalletError(f"cannot write {path}: {error.strerror}") from error
    return signer


def keep_rebinding(folder: Path, answer: v1.BindSubjectResponse, passphrase: bytes | None) -> None:
    """Keep what the registrar answered, and let the new key take the old one's place."""
    keep_former_bindings(folder, answer)
    write_atomically(folder / BINDING, answer.binding.SerializeToString())
    finish_rebinding(folder, passphrase)


def keep_former_bindings(folder: Path, answer: v1.BindSubjectResponse) -> None:
    """Keep the registrar's bindings of the keys before."""
    if not answer.earlier:
        return
    _make(folder / FORMER)
    earlier = v1.BindSubjectResponse(earlier=answer.earlier)
    write_atomically(folder / FORMER / _BINDINGS, earlier.SerializeToString())


def finish_rebinding(folder: Path, passphrase: bytes | None) -> None:
    """Let a new key that is bound already take the old one's place; else change nothing."""
    path = folder / NEXT_KEY
    if not path.is_file():
        return
    signer = Ed25519Signer.load(path, passphrase)
    binding = _binding(folder)
    if binding is None or binding.public_key != signer.public_key:
        return
    _make(folder / FORMER)
    old = folder / FORMER / f"before-{binding.version}.pem"
    if not old.exists():
        write_atomically(old, (folder / KEY).read_bytes())
    put_in_place(path, folder / KEY)


def former_bindings(folder: Path) -> tuple[v1.Envelope, ...]:
    """Return the registrar's bindings of the keys before; raise ``WalletError`` if unreadable."""
    path = folder / FORMER / _BINDINGS
    try:
        return tuple(v1.BindSubjectResponse.FromString(path.read_bytes()).earlier)
    except FileNotFoundError:
        return ()
    except (OSError, DecodeError) as error:
        raise WalletError(f"cannot read {path}: {error}") from error


def _binding(folder: Path) -> v1.SubjectBinding | None:
    try:
        envelope = v1.Envelope.FromString((folder / BINDING).read_bytes())
        return v1.SubjectBinding.FromString(envelope.payload)
    except FileNotFoundError:
        return None
    except (OSError, DecodeError) as error:
        raise WalletError(f"cannot read {folder / BINDING}: {error}") from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise WalletError(f"cannot make {folder}: {error.strerror}") from error
