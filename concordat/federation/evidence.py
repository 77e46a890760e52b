"""A piece of evidence as it is sealed: its kind and its bytes, and nothing else.

    one byte    version, 1
    one byte    content type, by its number in ``CONTENT_TYPES``
    the rest    the content

No file name goes along: people put names, numbers and places into those. The content type is told from the
content's first bytes, so that whoever opens it can save it under a fitting name.
"""

import hashlib
from dataclasses import dataclass

from concordat.trust.errors import PlaintextTooLargeError, SealInvalidError
from concordat.trust.sealed import MAX_PLAINTEXT_BYTES, SealingKey, open_sealed, seal

VERSION = 1
_HEAD_BYTES = 2
MAX_CONTENT_BYTES = MAX_PLAINTEXT_BYTES - _HEAD_BYTES

CONTENT_TYPES = (
    "application/octet-stream",
    "application/pdf",
    "image/jpeg",
    "image/png",
    "text/plain",
)
"""A closed list; a number never changes its meaning."""

_SUFFIXES = (".bin", ".pdf", ".jpg", ".png", ".txt")
_MAGIC = ((b"%PDF-", 1), (b"\xff\xd8\xff", 2), (b"\x89PNG\r\n\x1a\n", 3))
_TEXT = 4


@dataclass(frozen=True, slots=True)
class Evidence:
    """A piece of evidence in the clear."""

    content: bytes
    kind: int = 0  # its place in CONTENT_TYPES

    @classmethod
    def of(cls, content: bytes) -> "Evidence":
        """Take a file's content; raise ``PlaintextTooLargeError`` above ``MAX_CONTENT_BYTES``."""
        if len(content) > MAX_CONTENT_BYTES:
            raise PlaintextTooLargeError(
                f"a piece of evidence has at most {MAX_CONTENT_BYTES:,} bytes, and this one "
                f"{len(content):,}: make it smaller, or send it in parts"
            )
        return cls(content, _kind_of(content))

    @property
    def digest(self) -> bytes:
        """SHA-256 of the content: what ``Dispute.evidence_hashes`` names."""
        return hashlib.sha256(self.content).digest()

    @property
    def content_type(self) -> str:
        """The media type."""
        return CONTENT_TYPES[self.kind]

    @property
    def suffix(self) -> str:
        """What a file of it is fittingly called after the dot, dot and all."""
        return _SUFFIXES[self.kind]

    def seal_to(self, public_key: bytes, dispute_id: bytes) -> bytes:
        """Return it sealed; raise ``SealInvalidError`` for a key that nothing can be sealed to."""
        return seal(public_key, bytes((VERSION, self.kind)) + self.content, dispute_id)


def open_evidence(private_key: SealingKey, sealed: bytes, dispute_id: bytes) -> Evidence:
    """Return a piece of evidence that was sealed to ``private_key`` for this dispute.

    Raises ``SealInvalidError``. Its kind is told anew from its content: a sender's word for it is not
    believed.
    """
    framed = open_sealed(private_key, sealed, dispute_id)
    if len(framed) < _HEAD_BYTES or framed[0] != VERSION or framed[1] >= len(CONTENT_TYPES):
        raise SealInvalidError("what was sealed is no evidence of this version")
    return Evidence.of(framed[_HEAD_BYTES:])


def _kind_of(content: bytes) -> int:
    for magic, kind in _MAGIC:
        if content.startswith(magic):
            return kind
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return 0
    printable = all(sign.isprintable() or sign in "\n\r\t" for sign in text)
    return _TEXT if text and printable else 0
