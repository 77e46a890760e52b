"""A note is to the byte what the specification says, or it is no note."""

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concordat.trust.errors import MalformedNoteError, SignatureInvalidError
from concordat.trust.keys import verify_signature
from concordat.trust.note import (
    COSIGNATURE_V1,
    ED25519,
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    NoteSignature,
    SignedNote,
    VerifierKey,
    b64,
    decimal,
    parse_signature_lines,
)
from tests.unit.concordat.trust.log_builders import (
    LOG,
    NOTE,
    WITNESSED,
    WITNESSES,
    edited,
    key_from,
    names,
)

# Vectors of Go's golang.org/x/mod/sumdb/note, note_test.go.
PETER_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SECRET = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH_VKEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = (
    b"If you think cryptography is the answer to your problem,\n"
    b"then you don't know what your problem is.\n"
)
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
    "otpRZb6KE6RyyBwJnAM=\n"
).encode()
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWL"
    "ox33WWd1RvMc+QQ=\n"
).encode()
PETER_NOTE = TEXT + b"\n" + PETER_LINE

# The example of https://c2sp.org/signed-note: its text holds an empty line.
POEM = """\
Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
""".encode()  # noqa: E501

# An answer of https://c2sp.org/tlog-witness: two keys of one witness, and one of another.
ANSWER = """\
— witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrdk3DXDqI5G2HgLatVs0pWh6Up69HVOw==
— witness.example/w1 I7rEps0pvK2UqkS2gSpVUDhrhVtQV9lgF6pRrWAvjJHjyWpW7VcE3SiOlVlbQNt64vWhO+DlkL0+UfzuOBMh9ChdMkP1vi/lCAsmlw==
— witness.example/w2 AWui8Sk55XjYLOijihBjhqEH6nS1ndDymE0a+6idX7pLcnoB+dhnz0854aLZgrrKbYKA7nC3HNJhm/kWl7oJlqU3rXXvpysAdyP3wQ==
""".encode()  # noqa: E501


def line(name: str = "a.example", signed: bytes = b"AAAAAAE=") -> bytes:
    return "— ".encode() + name.encode() + b" " + signed + b"\n"


# Other implementations' vectors -----------------------------------------------------------------


def test_a_note_signed_here_is_the_one_that_go_signs() -> None:
    peter = VerifierKey.parse(PETER_VKEY)
    signer = key_from(base64.b64decode(PETER_SECRET)[1:])
    assert signer.public_key == peter.public_key
    signature = NoteSignature(peter.name, peter.key_hash, signer.sign(TEXT))
    assert SignedNote(TEXT, (signature,)).encode() == PETER_NOTE


@pytest.mark.parametrize("vkey", [PETER_VKEY, ENOCH_VKEY])
def test_gos_signatures_verify(vkey: str) -> None:
    key = VerifierKey.parse(vkey)
    note = SignedNote.parse(PETER_NOTE + ENOCH_LINE)
    (signature,) = [each for each in note.signatures if key.made(each)]
    verify_signature(key.public_key, signature.signature, note.text)
    with pytest.raises(SignatureInvalidError):
        verify_signature(key.public_key, signature.signature, note.text + b"\n")


def test_the_specifications_own_example_is_read_and_written_to_the_byte() -> None:
    note = SignedNote.parse(POEM)
    assert note.text.decode().endswith("di sole:\n\ned è subito sera.\n")
    assert [each.name for each in note.signatures] == ["quasimodo.example/salvatore"]
    assert note.signatures[0].key_hash.hex() == "367ba04b"
    assert note.encode() == POEM


def test_a_witnesss_answer_is_read_to_the_byte() -> None:
    signatures = parse_signature_lines(ANSWER)
    assert [each.name[-2:] for each in signatures] == ["w1", "w1", "w2"]
    assert b"".join(each.line() for each in signatures) == ANSWER
    assert {len(each.signature) for each in signatures} == {8 + 64}


@pytest.mark.parametrize(
    ("vkey", "algorithm"),
    [
        (PETER_VKEY, ED25519),
        (ENOCH_VKEY, ED25519),
        # transparency-dev/formats, note_cosigv1_test.go and witness_policy_test.go
        ("TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6", ED25519),
        ("sigsum.org+e4ade967+AZuUY6B08pW3QVHu8uvsrxWPcAv9nykap2Nb4oxCee+r", ED25519),
        ("remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2", COSIGNATURE_V1),
    ],
)
def test_vkeys_of_the_world_are_read_and_written(vkey: str, algorithm: int) -> None:
    key = VerifierKey.parse(vkey)
    assert str(key) == vkey
    assert key.algorithm == algorithm


def test_a_key_hash_is_over_name_type_and_key() -> None:
    expected = hashlib.sha256(b"exchange.example/log\n\x01" + LOG.public_key).digest()[:4]
    assert LOG.key_hash == expected
    as_witness = VerifierKey(LOG.name, COSIGNATURE_V1, LOG.public_key)
    assert as_witness.key_hash != LOG.key_hash


# Notes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"\n\n",
        TEXT,
        TEXT + b"\n",
        TEXT + PETER_LINE,  # no empty line
        PETER_LINE,
        b"\n" + PETER_LINE,
        TEXT[:-1] + PETER_LINE,
        PETER_NOTE[:-1],  # no newline at the end
        PETER_NOTE + b"\n",
        PETER_NOTE + b"Unexpected line.\n",
        PETER_NOTE + b"\n" + TEXT,
        b"\x01" + PETER_NOTE,
        b"\xff" + PETER_NOTE,
        b"a\tb" + PETER_NOTE,
        PETER_NOTE.replace(b"\n", b"\r\n"),
        PETER_NOTE.replace(b"\n\n", b"\n\r\n"),
        PETER_NOTE.replace(b"\n", "\N{LINE SEPARATOR}".encode()),
        PETER_NOTE.replace("—".encode(), b"-"),
        PETER_NOTE.replace("—".encode(), "\N{EN DASH}".encode()),
        PETER_NOTE.replace("— ".encode(), "—".encode()),
        PETER_NOTE.replace("— ".encode(), "—  ".encode()),
        PETER_NOTE.replace("— ".encode(), " — ".encode()),
        PETER_NOTE.replace("— ".encode(), "—\N{NO-BREAK SPACE}".encode()),
        PETER_NOTE.replace(b"Neumann x", b"Neumann  x"),
        PETER_NOTE.replace(b"Neumann x", b"Neumann\tx"),
        PETER_NOTE.replace(b"=\n", b"= \n"),
        PETER_NOTE.replace(b"PeterNeumann", b""),
        PETER_NOTE.replace(b"PeterNeumann", b"Peter Neumann"),
        PETER_NOTE.replace(b"PeterNeumann", b"Peter+Neumann"),
        PETER_NOTE.replace(b"PeterNeumann", b"Peter\xffNeumann"),
        PETER_NOTE.replace(b"PeterNeumann", b"Peter\xed\xa0\x80"),  # a surrogate in UTF-8
        PETER_NOTE.replace(b"PeterNeumann", b"Peter\xc0\xaf"),  # an overlong slash
        TEXT + b"\n" + line(signed=b""),
        TEXT + b"\n" + line(signed=b"AAAAAA=="),  # a key hash and nothing after it
        TEXT + b"\n" + line(signed=b"AAAA"),
    ],
)
def test_what_is_almost_a_note_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedNoteError):
        SignedNote.parse(raw)


@pytest.mark.parametrize("text", [b"\n", b"\n\n\n", b"x\n", b"\n\nx\n\n", "\x7f\u200b\n".encode()])
def test_the_last_empty_line_parts_the_text_from_the_signatures(text: bytes) -> None:
    note = SignedNote.parse(text + b"\n" + PETER_LINE)
    assert (note.text, note.encode()) == (text, text + b"\n" + PETER_LINE)


def test_a_text_that_looks_signed_is_only_text() -> None:
    note = SignedNote.parse(PETER_NOTE + b"\n" + ENOCH_LINE)
    assert note.text == PETER_NOTE
    assert [each.name for each in note.signatures] == ["EnochRoot"]


def test_64_signatures_are_read_and_65_are_not() -> None:
    assert len(SignedNote.parse(TEXT + b"\n" + line() * MAX_SIGNATURES).signatures) == 64
    with pytest.raises(MalformedNoteError, match="from 1 to 64"):
        SignedNote.parse(TEXT + b"\n" + line() * (MAX_SIGNATURES + 1))
    with pytest.raises(MalformedNoteError, match="from 1 to 64"):
        parse_signature_lines(line() * (MAX_SIGNATURES + 1))


def test_sixteen_post_quantum_signatures_fit_and_a_longer_note_is_refused_unread() -> None:
    signed = base64.b64encode(bytes(5000))
    assert len(SignedNote.parse(TEXT + b"\n" + line(signed=signed) * 16).signatures) == 16
    filled = b"x" * (MAX_NOTE_BYTES - len(PETER_LINE) - 2) + b"\n\n" + PETER_LINE
    assert len(filled) == MAX_NOTE_BYTES
    assert SignedNote.parse(filled).encode() == filled
    for parse in (SignedNote.parse, parse_signature_lines):
        with pytest.raises(MalformedNoteError, match="no longer than 262144"):
            parse(b"x" + filled)


@pytest.mark.parametrize(
    "raw", [b"", b"\n", ANSWER[:-1], ANSWER + b"\n", b"\n" + ANSWER, PETER_NOTE]
)
def test_what_is_not_just_signature_lines_is_no_answer(raw: bytes) -> None:
    with pytest.raises(MalformedNoteError):
        parse_signature_lines(raw)


SPACES = [0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]


@pytest.mark.parametrize(
    "character", [*map(chr, SPACES), "+", "\n", "\t", "\x00", "\x1f", "\ud800"]
)
@pytest.mark.parametrize("name", ["{}", "a{}b", "a{}"])
def test_no_key_name_holds_a_space_a_plus_or_a_control_character(name: str, character: str) -> None:
    with pytest.raises(MalformedNoteError):
        NoteSignature(name.format(character), bytes(4), bytes(64))
    with pytest.raises(MalformedNoteError):
        VerifierKey(name.format(character), ED25519, bytes(32))


@pytest.mark.parametrize(
    ("name", "key_hash", "signature"),
    [("", bytes(4), b"x"), ("a", bytes(3), b"x"), ("a", bytes(5), b"x"), ("a", bytes(4), b"")],
)
def test_what_no_line_can_say_is_no_signature(name: str, key_hash: bytes, signature: bytes) -> None:
    with pytest.raises(MalformedNoteError):
        NoteSignature(name, key_hash, signature)


@pytest.mark.parametrize("text", [b"", b"x", b"x\r\n", b"\xff\n", b"\x00\n"])
def test_what_no_note_can_say_is_not_written(text: bytes) -> None:
    signature = NoteSignature("a", bytes(4), b"x")
    with pytest.raises(MalformedNoteError):
        SignedNote(text, (signature,))
    with pytest.raises(MalformedNoteError):
        SignedNote(b"x\n", ())


# Keys -------------------------------------------------------------------------------------------


def test_no_part_of_a_vkey_is_one() -> None:
    for begin in range(len(PETER_VKEY)):
        for end in range(begin, len(PETER_VKEY) + 1):
            if end - begin < len(PETER_VKEY):
                with pytest.raises(MalformedNoteError):
                    VerifierKey.parse(PETER_VKEY[begin:end])


@pytest.mark.parametrize("step", [1, -1, 32, 0x100])
def test_no_character_of_a_vkey_can_be_another(step: int) -> None:
    for place, character in enumerate(PETER_VKEY):
        other = chr(max(0, ord(character) + step))
        with pytest.raises(MalformedNoteError):
            VerifierKey.parse(PETER_VKEY[:place] + other + PETER_VKEY[place + 1 :])


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "++",
        PETER_VKEY + "\n",
        " " + PETER_VKEY,
        PETER_VKEY.replace("c74f20a3", "C74F20A3"),
        PETER_VKEY.replace("c74f20a3", "0c74f20a3"),
        PETER_VKEY.replace("c74f20a3", "c74f20a\N{ARABIC-INDIC DIGIT THREE}"),
        PETER_VKEY.replace("PeterNeumann", "Peter Neumann"),
        "+" + PETER_VKEY,
        # Go's: a key too long and an unknown algorithm, each with its own hash
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "rekor.sigstore.dev+12345678+AwEB",
    ],
)
def test_what_is_almost_a_vkey_is_refused(vkey: str) -> None:
    with pytest.raises(MalformedNoteError):
        VerifierKey.parse(vkey)


@pytest.mark.parametrize("algorithm", [0, 2, 5, 6, 255, 256, -1])
def test_a_key_of_another_type_is_not_taken(algorithm: int) -> None:
    with pytest.raises(MalformedNoteError, match="signature type"):
        VerifierKey("a", algorithm, bytes(32))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_is_not_taken(length: int) -> None:
    with pytest.raises(MalformedNoteError, match="32 bytes"):
        VerifierKey("a", ED25519, bytes(length))


# Numbers and base64 -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, 9, 10, 20_852_163, 2**63 - 1])
def test_a_plain_decimal_is_read(value: int) -> None:
    assert decimal(b"%d" % value) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", "-1", "+15", "1_5", " 15", "15 ", "15\n", "\n15", "015", "00", "-0", "0x10", "1e3"),
        *("1.0", "1,000", "\N{ARABIC-INDIC DIGIT THREE}", "\N{SUPERSCRIPT TWO}", "ten", "1\x00"),
        *(str(2**63), str(2**64), "9" * 19, "1" + "0" * 5000),
    ],
)
def test_what_int_alone_would_take_is_no_decimal(text: str) -> None:
    with pytest.raises(MalformedNoteError):
        decimal(text.encode())


@given(st.binary(max_size=100))
def test_base64_of_anything_is_read(value: bytes) -> None:
    assert b64(base64.b64encode(value)) == value
    assert b64(base64.b64encode(value), len(value)) == value
    with pytest.raises(MalformedNoteError):
        b64(base64.b64encode(value), len(value) + 1)


@pytest.mark.parametrize(
    "text",
    [
        *("A", "AA", "AAA", "AA=", "AA===", "=", "====", "AAAA=", "AAAA====", "=AAA", "A=AA"),
        *("AB==", "AAB=", "AQ=\n=", "AAAA\n", "\nAAAA", " AAAA", "AAAA ", "AA AA", "AAAA\r\n"),
        *("AA-_", "AA\x00AA", "AAAA AAAA", "ÄÄÄÄ", "AA==AA==", "AQ==="),
    ],
)
def test_what_b64decode_alone_would_take_is_no_base64(text: str) -> None:
    with pytest.raises(MalformedNoteError):
        b64(text.encode())


# Whatever is read is what was written -----------------------------------------------------------

note_signatures = st.builds(
    NoteSignature,
    names,
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=1, max_size=80),
)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n")).map(
    lambda text: text.encode() + b"\n"
)


@given(texts, st.lists(note_signatures, min_size=1, max_size=5))
def test_a_note_is_read_as_it_was_written(text: bytes, signatures: list[NoteSignature]) -> None:
    note = SignedNote(text, tuple(signatures))
    assert SignedNote.parse(note.encode()) == note


@given(names, st.sampled_from([ED25519, COSIGNATURE_V1]), st.binary(min_size=32, max_size=32))
def test_a_vkey_is_read_as_it_was_written(name: str, algorithm: int, public_key: bytes) -> None:
    key = VerifierKey(name, algorithm, public_key)
    assert VerifierKey.parse(str(key)) == key


@settings(max_examples=500)
@given(edited(NOTE, WITNESSED, POEM, PETER_NOTE))
def test_two_different_notes_never_read_alike(raw: bytes) -> None:
    try:
        note = SignedNote.parse(raw)
    except MalformedNoteError:
        return
    assert note.encode() == raw


@settings(max_examples=300)
@given(edited(PETER_VKEY.encode(), str(LOG).encode(), str(WITNESSES[0]).encode()))
def test_two_different_vkeys_never_read_alike(raw: bytes) -> None:
    text = raw.decode("utf-8", "surrogateescape")
    try:
        key = VerifierKey.parse(text)
    except MalformedNoteError:
        return
    assert str(key) == text
