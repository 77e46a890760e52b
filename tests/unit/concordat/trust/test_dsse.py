"""The pre-authentication encoding is DSSE's own, byte for byte."""

import hashlib

import pytest

from concordat.trust.dsse import pae, statement_digest


def test_the_specifications_own_example_encodes_to_its_bytes() -> None:
    # https://github.com/secure-systems-lab/dsse/blob/master/protocol.md, test vector
    encoded = pae("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@pytest.mark.parametrize(
    ("kind", "payload", "encoded"),
    [
        ("", b"", b"DSSEv1 0  0 "),
        ("é", b"x", b"DSSEv1 2 \xc3\xa9 1 x"),  # lengths count bytes, not characters
        ("t", b"\x00\xff", b"DSSEv1 1 t 2 \x00\xff"),
    ],
)
def test_lengths_are_of_bytes_in_decimal(kind: str, payload: bytes, encoded: bytes) -> None:
    assert pae(kind, payload) == encoded


def test_bytes_moved_between_type_and_payload_encode_differently() -> None:
    assert pae("a 1 b", b"c") != pae("a", b"b 1 c")


def test_a_statements_digest_is_the_sha256_of_what_is_signed() -> None:
    assert statement_digest("t", b"p") == hashlib.sha256(b"DSSEv1 1 t 1 p").digest()
