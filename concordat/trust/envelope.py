"""Opening and making signed envelopes: bytes in, ``Verified`` out, or an error."""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Generic, Protocol, TypeVar

import protovalidate
from google.protobuf.message import DecodeError, Message

from concordat.trust import merkle
from concordat.trust.dsse import pae, statement_digest
from concordat.trust.errors import SignatureInvalidError, StatementMalformedError
from concordat.trust.keys import KeyRing, Signer, key_id, verify_signature

S = TypeVar("S", bound=Message)

BATCH_ROOT_TYPE = "application/vnd.concordat.batch-root.v1"
MAX_BATCH = 1024
MAX_PAYLOAD_BYTES = 64 * 1024
_MAX_BYTES_OF = {
    "application/vnd.concordat.calibration.v1+protobuf": 256 * 1024,
    "application/vnd.concordat.subject-report.v1+protobuf": 1024 * 1024,
}
_MADE_HERE = object()


class BatchPathLike(Protocol):
    """What is needed of a batch path; the protos' ``BatchPath`` has it."""

    @property
    def index(self) -> int:
        """Place among the leaves, from 0."""

    @property
    def size(self) -> int:
        """Number of leaves."""

    @property
    def siblings(self) -> Sequence[bytes]:
        """Hashes from the leaf up."""


class SignatureLike(Protocol):
    """What is needed of a signature; the protos' ``Signature`` has it."""

    @property
    def sig(self) -> bytes:
        """64 bytes."""

    @property
    def keyid(self) -> str:
        """Hint to find the key by."""

    @property
    def batch(self) -> BatchPathLike:
        """Path to the signed root; its size is 0 where the envelope was signed alone."""


class EnvelopeLike(Protocol):
    """What is needed of an envelope; the protos' ``Envelope`` has it."""

    @property
    def payload(self) -> bytes:
        """The serialised statement."""

    @property
    def payload_type(self) -> str:
        """Its kind."""

    @property
    def signatures(self) -> Sequence[SignatureLike]:
        """Who vouches for it."""


@dataclass(frozen=True, slots=True)
class RawSignature:
    """One signature as plain values; ``path`` is (index, size, siblings) where a batch root was signed."""

    keyid: str
    sig: bytes
    path: tuple[int, int, list[bytes]] | None = None


class Verified(Generic[S]):
    """A statement whose signatures were checked. Only ``open_envelope`` makes one."""

    __slots__ = ("digest", "message", "signers")

    def __init__(self, message: S, digest: bytes, signers: frozenset[str], token: object) -> None:
        """Refuse anyone but ``open_envelope``."""
        if token is not _MADE_HERE:
            raise TypeError("only open_envelope makes a Verified")
        self.message = message
        self.digest = digest  # statement digest, 32 bytes
        self.signers = signers  # ids of the keys whose signatures counted

    def __repr__(self) -> str:
        """Name the kind only: a statement may hold personal data."""
        return f"Verified[{type(self.message).__name__}]({self.digest.hex()[:12]}…)"


def payload_type_of(kind: type[Message]) -> str:
    """Return the payload type of a statement kind.

    ``concordat.v1.ViewRequest`` gives ``application/vnd.concordat.view-request.v1+protobuf``.
    """
    return _payload_type(kind.DESCRIPTOR.full_name)


@cache
def _payload_type(full_name: str) -> str:
    package, version, name = full_name.split(".")
    kebab = re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
    return f"application/vnd.{package}.{kebab}.{version}+protobuf"


def open_envelope(
    raw: EnvelopeLike, kind: type[S], keys: KeyRing, at: datetime, *, threshold: int = 1
) -> Verified[S]:
    """Check the signatures of ``raw`` and return the statement in it.

    ``at`` is the time at which the keys must be valid. At least ``threshold`` distinct keys of ``keys``
    must have signed; unknown and repeated signatures never count. Raises ``StatementMalformedError`` for
    another kind, bytes that do not parse, a broken bound or unknown fields, and
    ``SignatureInvalidError`` for everything about the signatures.
    """
    expected = payload_type_of(kind)
    if raw.payload_type != expected:
        raise StatementMalformedError(f"expected a statement of type {expected}")
    if len(raw.payload) > (most := _MAX_BYTES_OF.get(expected, MAX_PAYLOAD_BYTES)):
        raise StatementMalformedError(f"a statement of type {expected} has at most {most} bytes")
    encoded = pae(raw.payload_type, raw.payload)
    signers = _signers(encoded, raw.signatures, keys, at, threshold)
    message = parse_statement(kind, raw.payload)
    return Verified(message, statement_digest(expected, raw.payload), signers, _MADE_HERE)


def parse_statement(kind: type[S], payload: bytes) -> S:
    """Parse a payload strictly: bounds of the proto hold and nothing in it is unknown here.

    A field that this version does not know might carry what no field may hold, so it is refused. What
    comes back is *not* verified.
    """
    message = kind()
    try:
        message.ParseFromString(payload)
    except DecodeError as error:
        raise StatementMalformedError(f"the bytes are no {kind.DESCRIPTOR.name}") from error
    refuse_unknown_fields(message)
    validate(message)
    return message


def refuse_unknown_fields(message: Message) -> None:
    """Raise ``StatementMalformedError`` where ``message`` holds, at any depth, a field unknown here."""
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        raise StatementMalformedError(
            f"the {message.DESCRIPTOR.name} holds fields unknown to this version; upgrade to read it"
        )


def validate(message: Message) -> None:
    """Check the bounds that stand in the protos; raise ``StatementMalformedError`` naming the first broken."""
    try:
        protovalidate.validate(message, fail_fast=True)
    except protovalidate.ValidationError as error:
        broken = error.violations[0].proto
        path = broken.field
        field = ".".join(element.field_name for element in path.elements) if path else ""
        raise StatementMalformedError(
            f"{message.DESCRIPTOR.name}{'.' + field if field else ''}: {broken.message or broken.rule_id}"
        ) from error


def _signers(
    encoded: bytes, signatures: Sequence[SignatureLike], keys: KeyRing, at: datetime, threshold: int
) -> frozenset[str]:
    """Return the ids of the distinct keys that signed; raise unless there are ``threshold`` of them."""
    good: set[str] = set()
    failure: SignatureInvalidError | None = None
    for signature in signatures:
        try:
            public_key = keys.find(signature.keyid, at)
            verify_signature(public_key, signature.sig, _signed_bytes(encoded, signature))
        except SignatureInvalidError as error:
            failure = error
        else:
            good.add(key_id(public_key))
    if len(good) >= threshold:
        return frozenset(good)
    if threshold == 1 and failure is not None:
        raise failure
    raise SignatureInvalidError(
        f"{len(good)} of at least {threshold} signatures verify"
    ) from failure


def _signed_bytes(encoded: bytes, signature: SignatureLike) -> bytes:
    """Return what the signature is over: the envelope's own PAE, or that of its batch root."""
    path = signature.batch
    if path.size == 0:
        return encoded
    if path.size > MAX_BATCH:
        raise SignatureInvalidError(f"a batch holds at most {MAX_BATCH} statements")
    root = merkle.root_from_path(merkle.leaf_hash(encoded), path.index, path.size, path.siblings)
    return batch_root_bytes(root, path.size)


def batch_root_bytes(root: bytes, size: int) -> bytes:
    """Return what a batch signature is over: the PAE of the size (uint32, big-endian) and the root."""
    return pae(BATCH_ROOT_TYPE, struct.pack(">I", size) + root)


def sign_statement(payload_type: str, payload: bytes, signer: Signer) -> RawSignature:
    """Sign one statement."""
    return RawSignature(key_id(signer.public_key), signer.sign(pae(payload_type, payload)))


def sign_batch(statements: Sequence[tuple[str, bytes]], signer: Signer) -> list[RawSignature]:
    """Sign up to 1,024 statements, given as (payload type, payload), with one signature over their root.

    A single statement is signed plainly.
    """
    if len(statements) == 1:
        return [sign_statement(*statements[0], signer)]
    if len(statements) > MAX_BATCH:
        raise ValueError(f"a batch holds at most {MAX_BATCH} statements")
    size = len(statements)
    root, paths = merkle.tree([merkle.leaf_hash(pae(*statement)) for statement in statements])
    sig = signer.sign(batch_root_bytes(root, size))
    keyid = key_id(signer.public_key)
    return [RawSignature(keyid, sig, (index, size, path)) for index, path in enumerate(paths)]
