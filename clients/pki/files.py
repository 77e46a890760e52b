"""Where everything lies in a federation's folder, and writing it without losing anything."""

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from google.protobuf.message import DecodeError

from clients.pki.errors import PkiError
from concordat import v1
from concordat.trust.envelope import validate
from concordat.trust.errors import StatementMalformedError

TRUST_BUNDLE = "trust-bundle.json"
DRAFT_SUFFIX = ".draft.env"
SUFFIX = ".env"


@dataclass(frozen=True, slots=True)
class MemberFiles:
    """The files of one member; hand it this folder and the trust bundle, and nothing else."""

    member_id: str
    folder: Path

    @property
    def signing_key(self) -> Path:
        """Ed25519 key that signs the member's statements."""
        return self.folder / "signing.key"

    @property
    def public_key(self) -> Path:
        """The signing key's public half, PEM: all that a licence needs."""
        return self.folder / "signing.pub"

    @property
    def sealing_key(self) -> Path:
        """X25519 key that opens the evidence sealed to a reviewer or appeal body; absent for others."""
        return self.folder / "sealing.key"

    def approver_key(self, number: int) -> Path:
        """Ed25519 key of a regulator's officer who approves case look-ups, from 1; absent for others."""
        return self.folder / f"approver-{number}.key"

    @property
    def tls_certificate(self) -> Path:
        """TLS certificate, PEM."""
        return self.folder / "tls.crt"

    @property
    def tls_key(self) -> Path:
        """The certificate's P-256 private key, PEM."""
        return self.folder / "tls.key"

    @property
    def licence(self) -> Path:
        """The latest licence, a serialised ``v1.Envelope``; absent until issued."""
        return self.folder / f"licence{SUFFIX}"

    @property
    def licence_draft(self) -> Path:
        """A licence that still lacks signatures."""
        return self.folder / f"licence{DRAFT_SUFFIX}"


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read; raise ``PkiError`` rather than overwrite one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise PkiError(f"{path} exists; a key is never overwritten: move it away first") from error
    except OSError as error:
        raise PkiError(f"cannot write {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def replace_file(path: Path, content: bytes) -> None:
    """Write a public file so that a reader finds the old content or the new, never a part."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        raise PkiError(f"cannot write {path}: {error.strerror}") from error


def save_public_key(path: Path, public_key: bytes) -> None:
    """Write a raw Ed25519 public key as PEM (SubjectPublicKeyInfo, RFC 8410)."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    replace_file(path, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def read_public_key(path: Path) -> bytes:
    """Return the raw Ed25519 public key of a PEM file; raise ``PkiError``."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise PkiError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise PkiError(f"{path} is no PEM public key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise PkiError(f"{path} holds no Ed25519 key; statements are signed with Ed25519 only")
    return key.public_bytes_raw()


def make_folder(path: Path) -> None:
    """Make a folder for its owner alone, where there is none."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PkiError(f"cannot make the folder {path}: {error.strerror}") from error


def read_envelope(path: Path) -> v1.Envelope:
    """Read a serialised envelope within its bounds, verified by nobody; raise ``PkiError``."""
    try:
        envelope = v1.Envelope.FromString(path.read_bytes())
        validate(envelope)
    except OSError as error:
        raise PkiError(f"cannot read {path}: {error.strerror}") from error
    except (DecodeError, StatementMalformedError) as error:
        raise PkiError(f"{path} holds no signed statement (a serialised envelope)") from error
    return envelope


def read_passphrase(path: Path | None) -> bytes | None:
    """Return the first line of a passphrase file, or None for no file; raise ``PkiError``."""
    if path is None:
        return None
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise PkiError(f"cannot read the passphrase file {path}: {error.strerror}") from error
    if not lines or not lines[0]:
        raise PkiError(f"the first line of {path} is empty; put the passphrase there")
    return lines[0]
