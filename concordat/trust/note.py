"""Signed notes and verifier keys (https://c2sp.org/signed-note, v1.0.0).

What is accepted is canonical: it encodes to the bytes that were parsed. Everything else, and every
value that could not be written down, raises ``MalformedNoteError``.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from concordat.trust.errors import MalformedNoteError
from concordat.trust.keys import PUBLIC_KEY_BYTES

ED25519 = 0x01
COSIGNATURE_V1 = 0x04
KEY_HASH_BYTES = 4

# The specification lets a verifier bound a note, but not below 16 signatures of nearly 5 kB.
MAX_NOTE_BYTES = 262_144
MAX_SIGNATURES = 64
MAX_DECIMAL = 2**63 - 1

_EM_DASH = "\N{EM DASH} ".encode()
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")  # all below U+0020 but the newline
_DECIMAL = re.compile(rb"0|[1-9][0-9]{0,18}")


def decimal(text: bytes) -> int:
    """Return an ASCII decimal from 0 to 2**63 - 1, written without sign, space or leading zero."""
    # `int()` alone would take `1_5`, `+15`, ` 15` and digits of other scripts.
    if not _DECIMAL.fullmatch(text) or (value := int(text)) > MAX_DECIMAL:
        raise MalformedNoteError("a number is not a plain decimal from 0 to 2**63 - 1")
    return value


def b64(text: bytes, length: int | None = None) -> bytes:
    """Decode standard base64 (RFC 4648 section 4), padded and canonical; ``length`` is in decoded bytes."""
    try:
        value = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise MalformedNoteError("base64 was expected") from error
    # Bits that the last character carries beyond the last byte must be zero.
    if base64.b64encode(value) != text:
        raise MalformedNoteError("the base64 is not the canonical one of its bytes")
    if length is not None and len(value) != length:
        raise MalformedNoteError(f"{length} bytes in base64 were expected, not {len(value)}")
    return value


def lines_of(raw: bytes) -> list[bytes]:
    """Split at U+000A alone, the last of which must end ``raw``; return the lines without it."""
    # `splitlines` would also split at carriage returns and other characters.
    lines = raw.split(b"\n")
    if lines.pop():
        raise MalformedNoteError("the last line does not end in a newline")
    return lines


def encode_text(text: str) -> bytes:
    """Return UTF-8; a lone surrogate has none."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise MalformedNoteError("the text has no UTF-8") from error


def decode_text(raw: bytes) -> str:
    """Return the text of strict UTF-8 without control characters other than newline."""
    if _CONTROL.search(raw):
        raise MalformedNoteError("a control character stands in the text")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedNoteError("the text is not UTF-8") from error


def check_key_name(name: str) -> None:
    """Raise unless ``name`` is non-empty and without Unicode spaces, plus or control characters."""
    decode_text(encode_text(name))
    if not name or "+" in name or any(character.isspace() for character in name):
        raise MalformedNoteError("a key name must be non-empty and hold neither spaces nor a plus")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: a key's name and 4-byte hash, and what the key's algorithm made of the text.

    Nothing about it was verified.
    """

    name: str
    key_hash: bytes
    signature: bytes

    def __post_init__(self) -> None:
        """Refuse what no line can say."""
        check_key_name(self.name)
        if len(self.key_hash) != KEY_HASH_BYTES or not self.signature:
            raise MalformedNoteError(
                "a signature is a key hash of 4 bytes and at least one byte more"
            )

    def line(self) -> bytes:
        """Return the line, with its newline."""
        signed = base64.b64encode(self.key_hash + self.signature)
        return b"%b%b %b\n" % (_EM_DASH, self.name.encode(), signed)


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text that ends in a newline, and 1 to 64 signatures that claim to be over it; none was verified."""

    text: bytes
    signatures: tuple[NoteSignature, ...]

    def __post_init__(self) -> None:
        """Refuse what no note can say."""
        decode_text(self.text)
        if not self.text.endswith(b"\n"):
            raise MalformedNoteError("the text of a note ends in a newline")
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise MalformedNoteError(f"a note has from 1 to {MAX_SIGNATURES} signatures")

    @classmethod
    def parse(cls, raw: bytes) -> "SignedNote":
        """Parse a note of at most 256 KiB; raise ``MalformedNoteError``."""
        if len(raw) > MAX_NOTE_BYTES:
            raise MalformedNoteError(f"a note is no longer than {MAX_NOTE_BYTES} bytes")
        text, separator, signatures = raw.rpartition(b"\n\n")
        if not separator:
            raise MalformedNoteError("an empty line must part the text from the signatures")
        return cls(text + b"\n", parse_signature_lines(signatures))

    def encode(self) -> bytes:
        """Return the note's bytes."""
        return b"%b\n%b" % (self.text, b"".join(each.line() for each in self.signatures))


def parse_signature_lines(raw: bytes) -> tuple[NoteSignature, ...]:
    """Parse 1 to 64 signature lines, as they end a note or are a witness's answer."""
    if len(raw) > MAX_NOTE_BYTES:
        raise MalformedNoteError(f"signature lines are no longer than {MAX_NOTE_BYTES} bytes")
    lines = lines_of(raw)
    if not 1 <= len(lines) <= MAX_SIGNATURES:
        raise MalformedNoteError(f"from 1 to {MAX_SIGNATURES} signature lines were expected")
    return tuple(_signature(line) for line in lines)


def _signature(line: bytes) -> NoteSignature:
    if not line.startswith(_EM_DASH):
        raise MalformedNoteError("a signature line begins with an em dash and a space")
    name, separator, encoded = line.removeprefix(_EM_DASH).partition(b" ")
    if not separator:
        raise MalformedNoteError("a signature line has a key name, a space and base64")
    signed = b64(encoded)
    return NoteSignature(decode_text(name), signed[:KEY_HASH_BYTES], signed[KEY_HASH_BYTES:])


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Whose signature to expect: ``ED25519`` for a log, ``COSIGNATURE_V1`` for a witness."""

    name: str
    algorithm: int
    public_key: bytes

    def __post_init__(self) -> None:
        """Refuse another algorithm than these two, and what no vkey can say."""
        check_key_name(self.name)
        if self.algorithm not in (ED25519, COSIGNATURE_V1):
            raise MalformedNoteError(f"signature type {self.algorithm:#04x} is not one read here")
        if len(self.public_key) != PUBLIC_KEY_BYTES:
            raise MalformedNoteError("an Ed25519 public key is 32 bytes long")

    @property
    def key_hash(self) -> bytes:
        """The key's id in signature lines: the first 4 bytes of SHA-256(name, newline, type, key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + self._key_bytes()).digest()[:4]

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Parse a vkey: name, hash in 8 lower-case hex digits, and base64 of type and key, parted by ``+``."""
        name, _, rest = text.partition("+")
        stated, _, encoded = rest.partition("+")  # base64 may hold a plus of its own
        key = b64(encode_text(encoded), 1 + PUBLIC_KEY_BYTES)
        parsed = cls(name, key[0], key[1:])
        if parsed.key_hash.hex() != stated:
            raise MalformedNoteError("the hash in the vkey is not that of its name and key")
        return parsed

    def __str__(self) -> str:
        """Return the vkey."""
        return f"{self.name}+{self.key_hash.hex()}+{base64.b64encode(self._key_bytes()).decode()}"

    def made(self, signature: NoteSignature) -> bool:
        """Tell whether a signature line claims to be this key's, by name and key hash."""
        return signature.name == self.name and signature.key_hash == self.key_hash

    def _key_bytes(self) -> bytes:
        return bytes([self.algorithm]) + self.public_key
