"""Evidence as it is sealed: its kind, its bytes, and no file name."""

import pytest

from concordat.federation.evidence import (
    CONTENT_TYPES,
    MAX_CONTENT_BYTES,
    Evidence,
    open_evidence,
)
from concordat.trust.errors import PlaintextTooLargeError, SealInvalidError
from concordat.trust.sealed import MAX_SEALED_BYTES, SealingKey, seal

KEY, DISPUTE = SealingKey.generate(), bytes(16)


@pytest.mark.parametrize(
    ("content", "kind", "suffix"),
    [
        (b"%PDF-1.7 ...", "application/pdf", ".pdf"),
        (b"\xff\xd8\xff\xe0...", "image/jpeg", ".jpg"),
        (b"\x89PNG\r\n\x1a\n...", "image/png", ".png"),
        ("bezahlt am 3. März\n".encode(), "text/plain", ".txt"),
        (b"\x00\x01\x02", "application/octet-stream", ".bin"),
        (b"\x1b[2Jcleared your screen", "application/octet-stream", ".bin"),
        (b"", "application/octet-stream", ".bin"),
    ],
)
def test_its_kind_is_told_from_its_content(content: bytes, kind: str, suffix: str) -> None:
    opened = open_evidence(KEY, Evidence.of(content).seal_to(KEY.public_key, DISPUTE), DISPUTE)
    assert (opened.content, opened.content_type, opened.suffix) == (content, kind, suffix)


def test_a_senders_word_for_the_kind_is_not_believed() -> None:
    sealed = seal(KEY.public_key, b"\x01\x01<script>", DISPUTE)  # says that it is a PDF
    assert open_evidence(KEY, sealed, DISPUTE).content_type == "text/plain"


@pytest.mark.parametrize("framed", [b"", b"\x01", b"\x02\x00late", bytes((1, len(CONTENT_TYPES)))])
def test_another_frame_is_refused(framed: bytes) -> None:
    with pytest.raises(SealInvalidError, match="no evidence of this version"):
        open_evidence(KEY, seal(KEY.public_key, framed, DISPUTE), DISPUTE)


def test_the_largest_piece_fits_and_one_byte_more_is_told_at_once() -> None:
    largest = Evidence.of(bytes(MAX_CONTENT_BYTES))
    assert len(largest.seal_to(KEY.public_key, DISPUTE)) == MAX_SEALED_BYTES
    with pytest.raises(PlaintextTooLargeError, match="make it smaller"):
        Evidence.of(bytes(MAX_CONTENT_BYTES + 1))
