"""Checkpoints and cosignatures (https://c2sp.org/tlog-checkpoint v1.0.0, https://c2sp.org/tlog-cosignature v1).

No extension lines: nobody could audit them.
"""

import base64
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from concordat.trust.errors import MalformedNoteError, SignatureInvalidError
from concordat.trust.keys import SIGNATURE_BYTES, Signer, verify_signature
from concordat.trust.merkle import HASH_BYTES
from concordat.trust.note import (
    COSIGNATURE_V1,
    ED25519,
    MAX_DECIMAL,
    NoteSignature,
    SignedNote,
    VerifierKey,
    b64,
    decimal,
    decode_text,
    encode_text,
    lines_of,
)

_TIMESTAMP = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's origin, its size in entries (below 2**63) and the 32-byte root of its tree at that size."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        """Refuse what no checkpoint can say."""
        if not self.origin or "\n" in self.origin:
            raise MalformedNoteError("a checkpoint's origin is one line, and not empty")
        decode_text(encode_text(self.origin))
        if not 0 <= self.size <= MAX_DECIMAL:
            raise MalformedNoteError("a checkpoint's size is from 0 to 2**63 - 1")
        if len(self.root) != HASH_BYTES:
            raise MalformedNoteError("a checkpoint's root is 32 bytes long")

    def text(self) -> bytes:
        """Return the text that the log and the witnesses sign."""
        root = base64.b64encode(self.root)
        return b"%b\n%d\n%b\n" % (self.origin.encode(), self.size, root)

    @classmethod
    def parse(cls, text: bytes) -> "Checkpoint":
        """Parse a note's text; raise ``MalformedNoteError``, also where lines follow the third."""
        lines = lines_of(text)
        if len(lines) != 3:  # noqa: PLR2004 - origin, size, root
            raise MalformedNoteError("a checkpoint has three lines: origin, size and root")
        origin, size, root = lines
        return cls(decode_text(origin), decimal(size), b64(root, HASH_BYTES))


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness's word that at ``at`` (POSIX seconds) this was the largest tree of the log it had seen."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose log signed it, and the known witnesses that did; ``open_checkpoint`` makes one.

    ``note`` is what was opened, to the byte, to be kept as evidence.
    """

    checkpoint: Checkpoint
    note: bytes
    cosignatures: tuple[Cosignature, ...]

    @property
    def origin(self) -> str:
        """The log."""
        return self.checkpoint.origin

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        """Root of the tree, 32 bytes."""
        return self.checkpoint.root


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """Return the note, signed by the log under its origin, which must do as a key name."""
    key = VerifierKey(checkpoint.origin, ED25519, signer.public_key)
    text = checkpoint.text()
    signature = NoteSignature(key.name, key.key_hash, signer.sign(text))
    return SignedNote(text, (signature,)).encode()


def cosign_checkpoint(text: bytes, name: str, signer: Signer, at: int) -> NoteSignature:
    """Cosign a checkpoint's text as the witness ``name`` at ``at`` (POSIX seconds, below 2**63).

    Whoever calls this has checked that the tree is consistent with all it cosigned before. Raises
    ``MalformedNoteError`` where the text is no checkpoint.
    """
    Checkpoint.parse(text)
    if not 0 <= at <= MAX_DECIMAL:
        raise MalformedNoteError("a cosignature's time is from 0 to 2**63 - 1 seconds")
    key = VerifierKey(name, COSIGNATURE_V1, signer.public_key)
    signed = _TIMESTAMP.pack(at) + signer.sign(_cosigned(text, at))
    return NoteSignature(name, key.key_hash, signed)


def _cosigned(text: bytes, at: int) -> bytes:
    return b"cosignature/v1\ntime %d\n%b" % (at, text)


def add_signatures(note: bytes, signatures: Iterable[NoteSignature]) -> bytes:
    """Append signature lines that the note does not hold yet; none is verified here.

    Raises ``MalformedNoteError`` where the note is none or would hold too many.
    """
    parsed = SignedNote.parse(note)
    merged = dict.fromkeys([*parsed.signatures, *signatures])
    added = tuple(each for each in merged if each not in parsed.signatures)
    return SignedNote(parsed.text, parsed.signatures + added).encode()


def open_checkpoint(
    note: bytes, log: VerifierKey, witnesses: Sequence[VerifierKey] = (), quorum: int = 0
) -> SignedCheckpoint:
    """Return the checkpoint in a note that ``log`` signed and at least ``quorum`` of ``witnesses`` cosigned.

    Lines of unknown keys are ignored. A witness counts once, however many lines, keys or names it has:
    where it cosigned twice its latest time is listed. Raises ``MalformedNoteError`` for bytes that are no
    checkpoint, and ``SignatureInvalidError`` for another log's, for any line under a known name and key
    hash that does not verify, and for fewer witnesses than ``quorum``.
    """
    parsed = SignedNote.parse(note)
    checkpoint = Checkpoint.parse(parsed.text)
    if checkpoint.origin != log.name:
        raise SignatureInvalidError("the checkpoint is another log's")
    _verify_log(parsed, log)
    cosignatures = _verify_witnesses(parsed, witnesses)
    if len(cosignatures) < quorum:
        raise SignatureInvalidError(
            f"{len(cosignatures)} of at least {quorum} witnesses cosigned the checkpoint"
        )
    return SignedCheckpoint(checkpoint, note, cosignatures)


def _verify_log(note: SignedNote, log: VerifierKey) -> None:
    if log.algorithm != ED25519:
        raise SignatureInvalidError("the log's key is not of the type that signs checkpoints")
    own = [each for each in note.signatures if log.made(each)]
    if not own:
        raise SignatureInvalidError("the log did not sign the checkpoint")
    for signature in own:
        verify_signature(log.public_key, signature.signature, note.text)


def _verify_witnesses(
    note: SignedNote, witnesses: Sequence[VerifierKey]
) -> tuple[Cosignature, ...]:
    known = {(key.name, key.key_hash): key for key in witnesses}
    latest: dict[str, Cosignature] = {}
    name_of: dict[
        bytes, str
    ] = {}  # the signed bytes do not name the witness: one key is one witness
    for signature in note.signatures:
        witness = known.get((signature.name, signature.key_hash))
        if witness is None:
            continue
        found = check_cosignature(note.text, signature, witness)
        if name_of.setdefault(witness.public_key, witness.name) != witness.name:
            continue
        if found.name not in latest or latest[found.name].at < found.at:
            latest[found.name] = found
    return tuple(latest.values())


def check_cosignature(text: bytes, signature: NoteSignature, witness: VerifierKey) -> Cosignature:
    """Check one witness's cosignature on a checkpoint's text; raise ``SignatureInvalidError``."""
    if witness.algorithm != COSIGNATURE_V1 or not witness.made(signature):
        raise SignatureInvalidError("the cosignature is not made with this witness's key")
    if len(signature.signature) != _TIMESTAMP.size + SIGNATURE_BYTES:
        raise SignatureInvalidError("a cosignature is 8 bytes of time and 64 of signature")
    (at,) = _TIMESTAMP.unpack_from(signature.signature)
    if at > MAX_DECIMAL:
        raise SignatureInvalidError("the cosignature's time is past 2**63 - 1 seconds")
    signed = signature.signature[_TIMESTAMP.size :]
    verify_signature(witness.public_key, signed, _cosigned(text, at))
    return Cosignature(witness.name, at)
