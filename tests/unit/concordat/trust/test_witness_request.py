"""An add-checkpoint request is to the byte what tlog-witness says, and carries proofs that others made."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concordat.trust.checkpoint import add_signatures, open_checkpoint
from concordat.trust.errors import MalformedNoteError
from concordat.trust.merkle import EMPTY_ROOT, verify_consistency
from concordat.trust.note import MAX_NOTE_BYTES, NoteSignature
from concordat.trust.witness_request import MAX_BODY_BYTES, AddCheckpoint
from tests.unit.concordat.trust.log_builders import NOTE, WITNESSED, b64, edited, hashes
from tests.unit.concordat.trust.test_checkpoint import SIGSUM, SIGSUM_5

# The example of https://c2sp.org/tlog-witness.
EXAMPLE = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
""".encode()  # noqa: E501

# Requests that grow a log from 1 to 3 and from 1 to 5, from the tests of filippo.io/torchwood.
SIGSUM_1_ROOT = b"\x2a" + bytes(31)
TO_3 = f"""\
old 1
KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

{SIGSUM.name}
3
RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=

— {SIGSUM.name} UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=
""".encode()
TO_5 = (
    b"""\
old 1
KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=
KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

"""
    + SIGSUM_5
)

FIRST = AddCheckpoint(0, (), NOTE).encode()
HASH_LINE = b64(EMPTY_ROOT) + b"\n"
GROWN = AddCheckpoint(5, (EMPTY_ROOT,), WITNESSED).encode()


def test_the_specifications_own_example_is_read_and_written_to_the_byte() -> None:
    request = AddCheckpoint.parse(EXAMPLE)
    assert (request.old_size, len(request.proof)) == (20_852_014, 4)
    assert request.note == EXAMPLE.partition(b"\n\n")[2]
    assert request.encode() == EXAMPLE


@pytest.mark.parametrize(("raw", "size"), [(TO_3, 3), (TO_5, 5)])
def test_another_implementations_growing_log_verifies(raw: bytes, size: int) -> None:
    request = AddCheckpoint.parse(raw)
    grown = open_checkpoint(request.note, SIGSUM)
    assert (grown.size, request.encode()) == (size, raw)
    verify_consistency(request.old_size, SIGSUM_1_ROOT, grown.size, grown.root, request.proof)


def test_a_first_request_has_no_proof() -> None:
    assert FIRST == b"old 0\n\n" + NOTE
    assert AddCheckpoint.parse(FIRST) == AddCheckpoint(0, (), NOTE)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n\n" + NOTE,
        NOTE,
        b"old 0\n\n",
        b"old 0\n" + NOTE,
        b"\n" + FIRST,
        FIRST + b"\n",
        FIRST.replace(b"\n", b"\r\n"),
        FIRST.replace(b"old 0", b"old"),
        FIRST.replace(b"old 0", b"old "),
        FIRST.replace(b"old 0", b"old  0"),
        FIRST.replace(b"old 0", b"old 00"),
        FIRST.replace(b"old 0", b"old +0"),
        FIRST.replace(b"old 0", b"old -1"),
        FIRST.replace(b"old 0", b"old 1_0"),
        FIRST.replace(b"old 0", b"old 0 "),
        FIRST.replace(b"old 0", b"old\t0"),
        FIRST.replace(b"old 0", b"Old 0"),
        FIRST.replace(b"old 0", b" old 0"),
        FIRST.replace(b"old 0", b"old 0\nold 0"),
        FIRST.replace(b"old 0", b"old 9223372036854775808"),
        FIRST.replace(b"old 0\n", b"old 0\n\n"),
        GROWN.replace(HASH_LINE, HASH_LINE * 64),
        GROWN.replace(HASH_LINE, HASH_LINE[:-1] + b" \n"),
        GROWN.replace(HASH_LINE, HASH_LINE.replace(b"=", b"")),
        GROWN.replace(HASH_LINE, b64(bytes(31)) + b"\n"),
        GROWN.replace(HASH_LINE, b64(bytes(64)) + b"\n"),
        GROWN.replace(HASH_LINE + b"\n", HASH_LINE),
        GROWN.replace(b"\n70000\n", b"\n70000\nan extension line\n"),
        b"old 0\n\n" + NOTE.partition(b"\n\n")[0],
        b"old 0\n\nx\n\n" + NOTE.partition(b"\n\n")[2],
        b"old 0\n\n" + b"x" * MAX_NOTE_BYTES + NOTE,
        b"old " + b"0" * MAX_BODY_BYTES,
    ],
)
def test_what_is_almost_a_request_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedNoteError):
        AddCheckpoint.parse(raw)


@pytest.mark.parametrize(
    ("old_size", "proof"),
    [(-1, ()), (2**63, ()), (0, (bytes(31),)), (0, (b"",)), (0, (bytes(32),) * 64)],
)
def test_what_no_request_can_say_is_none(old_size: int, proof: tuple[bytes, ...]) -> None:
    with pytest.raises(MalformedNoteError):
        AddCheckpoint(old_size, proof, NOTE)


def test_the_largest_request_is_read() -> None:
    room = (MAX_NOTE_BYTES - len(NOTE) - len("— x \n".encode())) // 4 * 3
    note = add_signatures(NOTE, [NoteSignature("x", bytes(4), bytes(room - 4))])
    assert MAX_NOTE_BYTES - 4 <= len(note) <= MAX_NOTE_BYTES
    request = AddCheckpoint(2**63 - 1, (EMPTY_ROOT,) * 63, note)
    assert len(request.encode()) <= MAX_BODY_BYTES
    assert AddCheckpoint.parse(request.encode()) == request
    with pytest.raises(MalformedNoteError, match="no longer than"):
        AddCheckpoint.parse(bytes(MAX_BODY_BYTES + 1))


@given(st.integers(0, 2**63 - 1), st.lists(hashes, max_size=10))
def test_a_request_is_read_as_it_was_written(old_size: int, proof: list[bytes]) -> None:
    request = AddCheckpoint(old_size, tuple(proof), WITNESSED)
    assert AddCheckpoint.parse(request.encode()) == request


@settings(max_examples=500)
@given(edited(FIRST, GROWN, EXAMPLE, TO_5))
def test_two_different_requests_never_read_alike(raw: bytes) -> None:
    try:
        request = AddCheckpoint.parse(raw)
    except MalformedNoteError:
        return
    assert request.encode() == raw
