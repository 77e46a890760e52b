"""A checkpoint opens only under its own log's signature and a quorum of distinct witnesses."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concordat.trust.checkpoint import (
    Checkpoint,
    Cosignature,
    SignedCheckpoint,
    add_signatures,
    check_cosignature,
    cosign_checkpoint,
    open_checkpoint,
    sign_checkpoint,
)
from concordat.trust.errors import MalformedNoteError, SignatureInvalidError, TrustError
from concordat.trust.keys import verify_signature
from concordat.trust.note import (
    COSIGNATURE_V1,
    ED25519,
    MAX_SIGNATURES,
    NoteSignature,
    SignedNote,
    VerifierKey,
)
from tests.unit.concordat.trust.log_builders import (
    AT,
    CHECKPOINT,
    LOG,
    LOG_SIGNER,
    NAMES,
    NOTE,
    ORIGIN,
    WITNESS_SIGNERS,
    WITNESSED,
    WITNESSES,
    bit_flips,
    cosigned_by,
    edited,
    hashes,
    key_from,
)

TEXT = CHECKPOINT.text()

# The example of https://c2sp.org/tlog-cosignature.
SOFA = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
""".encode()  # noqa: E501

# Checkpoints of a log of Sigsum's kind, from the tests of filippo.io/torchwood (internal/witness).
SIGSUM = VerifierKey(
    "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562",
    ED25519,
    bytes.fromhex("ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f"),
)
SIGSUM_5 = f"""\
{SIGSUM.name}
5
QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=

— {SIGSUM.name} UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=
""".encode()


def opened(note: bytes = WITNESSED, quorum: int = 0) -> SignedCheckpoint:
    return open_checkpoint(note, LOG, WITNESSES, quorum)


def also(*signatures: NoteSignature, note: bytes = NOTE) -> bytes:
    return add_signatures(note, signatures)


def as_key(witness: VerifierKey, signature: NoteSignature) -> NoteSignature:
    """The same signature under another key's name and hash."""
    return NoteSignature(witness.name, witness.key_hash, signature.signature)


# The format -------------------------------------------------------------------------------------


def test_the_specifications_own_example_is_read_and_written_to_the_byte() -> None:
    note = SignedNote.parse(SOFA)
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.root.hex().startswith("0ac5186a9186")
    assert checkpoint.text() == note.text
    log, witness = note.signatures
    assert len(log.signature) == 64
    assert struct.unpack(">Q", witness.signature[:8]) == (1_679_315_147,)
    assert len(witness.signature) == 8 + 64


def test_another_implementations_checkpoint_opens() -> None:
    assert open_checkpoint(SIGSUM_5, SIGSUM).size == 5
    for bent in (SIGSUM_5.replace(b"\n5\n", b"\n6\n"), SIGSUM_5.replace(b"Qrt", b"Qru")):
        with pytest.raises(SignatureInvalidError, match="does not verify"):
            open_checkpoint(bent, SIGSUM)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        TEXT[:-1],
        TEXT + b"\n",
        TEXT + b"an extension line\n",
        b"\n" + TEXT,
        TEXT.replace(b"\n", b"\r\n"),
        TEXT.replace(b"\n70000", b"\n070000"),
        TEXT.replace(b"\n70000", b"\n70_000"),
        TEXT.replace(b"\n70000", b"\n+70000"),
        TEXT.replace(b"\n70000", b"\n 70000"),
        TEXT.replace(b"\n70000", b"\n-70000"),
        TEXT.replace(b"\n70000", b"\n70000 "),
        TEXT.replace(b"\n70000", b"\n"),
        TEXT.replace(b"\n70000", b"\n9223372036854775808"),
        TEXT.replace(b"=\n", b"\n"),
        TEXT.replace(b"=\n", b"==\n"),
        TEXT.replace(b"8=\n", b"9=\n"),  # bits beyond the last byte
        TEXT.replace(b"=\n", b"AAAA\n"),
        TEXT.replace(ORIGIN.encode(), b""),
        TEXT.replace(b"exchange", b"exch\x00nge"),
        TEXT.replace(b"exchange", b"exch\xffnge"),
    ],
)
def test_what_is_almost_a_checkpoint_is_refused(text: bytes) -> None:
    assert text != TEXT
    with pytest.raises(MalformedNoteError):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 1, bytes(32)),
        ("a\nb", 1, bytes(32)),
        ("a\r", 1, bytes(32)),
        ("\ud800", 1, bytes(32)),
        ("a", -1, bytes(32)),
        ("a", 2**63, bytes(32)),
        ("a", 1, bytes(31)),
        ("a", 1, b""),
    ],
)
def test_what_no_checkpoint_can_say_is_none(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(MalformedNoteError):
        Checkpoint(origin, size, root)


def test_an_origin_may_be_any_line_but_a_log_signs_only_as_a_key_name() -> None:
    checkpoint = Checkpoint("the old log + more", 1, bytes(32))
    assert Checkpoint.parse(checkpoint.text()) == checkpoint
    with pytest.raises(MalformedNoteError, match="key name"):
        sign_checkpoint(checkpoint, LOG_SIGNER)


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
    st.integers(0, 2**63 - 1),
    hashes,
)
def test_a_checkpoint_is_read_as_it_was_written(origin: str, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin, size, root)
    assert Checkpoint.parse(checkpoint.text()) == checkpoint


@settings(max_examples=500)
@given(edited(TEXT, SIGSUM_5.partition(b"\n\n")[0] + b"\n"))
def test_two_different_checkpoints_never_read_alike(text: bytes) -> None:
    try:
        checkpoint = Checkpoint.parse(text)
    except MalformedNoteError:
        return
    assert checkpoint.text() == text


# The log's signature ----------------------------------------------------------------------------


def test_a_signed_checkpoint_opens_to_itself() -> None:
    signed = opened(NOTE)
    assert signed.checkpoint == CHECKPOINT
    assert (signed.origin, signed.size, signed.root) == (ORIGIN, 70_000, CHECKPOINT.root)
    assert (signed.note, signed.cosignatures) == (NOTE, ())


def test_a_log_signs_the_text_itself_as_any_verifier_of_notes_expects() -> None:
    (signature,) = SignedNote.parse(NOTE).signatures
    assert (signature.name, signature.key_hash) == (ORIGIN, LOG.key_hash)
    verify_signature(LOG.public_key, signature.signature, TEXT)


def test_another_logs_checkpoint_does_not_open() -> None:
    other = Checkpoint("other.example/log", 1, bytes(32))
    with pytest.raises(SignatureInvalidError, match="another log's"):
        opened(sign_checkpoint(other, LOG_SIGNER))


def test_another_origin_under_the_logs_own_signature_does_not_open() -> None:
    text = Checkpoint("other.example/log", 1, bytes(32)).text()
    signature = NoteSignature(LOG.name, LOG.key_hash, LOG_SIGNER.sign(text))
    with pytest.raises(SignatureInvalidError, match="another log's"):
        opened(SignedNote(text, (signature,)).encode())


def test_a_checkpoint_that_only_others_signed_does_not_open() -> None:
    stranger = SignedNote.parse(sign_checkpoint(CHECKPOINT, key_from(bytes(32)))).signatures
    for signatures in (stranger, tuple(cosigned_by(0, 1, 2, 3))):
        with pytest.raises(SignatureInvalidError, match="did not sign"):
            opened(SignedNote(TEXT, signatures).encode())


def test_a_strangers_signature_beside_the_logs_is_ignored() -> None:
    stranger = SignedNote.parse(sign_checkpoint(CHECKPOINT, key_from(bytes(32)))).signatures[0]
    assert opened(also(stranger)).checkpoint == CHECKPOINT
    noise = NoteSignature(LOG.name, bytes(4), b"anything")  # the log's name, another hash
    assert opened(also(noise, NoteSignature("x", LOG.key_hash, b"anything"))).size == 70_000


@pytest.mark.parametrize("signature", [bytes(64), bytes(63), bytes(65), b"x"])
def test_one_bad_line_of_the_logs_own_makes_the_whole_note_invalid(signature: bytes) -> None:
    with pytest.raises(SignatureInvalidError):
        opened(also(NoteSignature(LOG.name, LOG.key_hash, signature)))


def test_a_repeated_line_of_the_log_does_no_harm() -> None:
    twice = SignedNote(TEXT, SignedNote.parse(NOTE).signatures * 2).encode()
    assert opened(twice).checkpoint == CHECKPOINT


def test_a_witnesss_key_cannot_stand_for_the_logs() -> None:
    as_log = VerifierKey(ORIGIN, COSIGNATURE_V1, LOG_SIGNER.public_key)
    note = also(cosign_checkpoint(TEXT, ORIGIN, LOG_SIGNER, AT))
    with pytest.raises(SignatureInvalidError, match="not of the type"):
        open_checkpoint(note, as_log)


def test_no_bit_of_a_witnessed_checkpoint_can_be_flipped() -> None:
    note = also(*cosigned_by(0, 1))
    assert opened(note, quorum=2).checkpoint == CHECKPOINT
    for bent in bit_flips(note):
        with pytest.raises(TrustError):
            opened(bent, quorum=2)


# Witnesses --------------------------------------------------------------------------------------


def test_a_cosignature_is_over_its_time_and_the_text() -> None:
    (signature,) = cosigned_by(0)
    assert signature.signature[:8] == struct.pack(">Q", AT)
    signed = b"cosignature/v1\ntime 1700000000\n" + TEXT
    verify_signature(WITNESSES[0].public_key, signature.signature[8:], signed)
    assert check_cosignature(TEXT, signature, WITNESSES[0]) == Cosignature(NAMES[0], AT)


def test_the_witnesses_that_cosigned_are_listed_with_their_times() -> None:
    note = also(*cosigned_by(2), *cosigned_by(0, at=AT + 5))
    assert opened(note, quorum=2).cosignatures == (
        Cosignature(NAMES[2], AT),
        Cosignature(NAMES[0], AT + 5),
    )


@pytest.mark.parametrize("present", range(4))
def test_fewer_witnesses_than_the_quorum_are_not_enough(present: int) -> None:
    note = also(*cosigned_by(*range(present)))
    assert len(opened(note, quorum=present).cosignatures) == present
    with pytest.raises(SignatureInvalidError, match=f"{present} of at least {present + 1}"):
        opened(note, quorum=present + 1)


def test_a_witness_that_cosigned_twice_counts_once_at_its_latest_time() -> None:
    early, late = cosigned_by(0, at=AT)[0], cosigned_by(0, at=AT + 9)[0]
    for order in ((early, late), (late, early), (early, late, early)):
        note = SignedNote(TEXT, (*SignedNote.parse(NOTE).signatures, *order)).encode()
        assert opened(note).cosignatures == (Cosignature(NAMES[0], AT + 9),)
        with pytest.raises(SignatureInvalidError, match="1 of at least 2"):
            opened(note, quorum=2)


def test_a_witness_known_twice_counts_once() -> None:
    note = also(*cosigned_by(0))
    with pytest.raises(SignatureInvalidError, match="1 of at least 2"):
        open_checkpoint(note, LOG, [WITNESSES[0], WITNESSES[0]], 2)


def test_one_key_under_two_names_is_one_witness() -> None:
    # What a witness signs does not name it, so that anybody can relabel its cosignature.
    alias = VerifierKey("witness.example/alias", COSIGNATURE_V1, WITNESSES[0].public_key)
    (signature,) = cosigned_by(0)
    note = also(signature, as_key(alias, signature))
    assert len(open_checkpoint(note, LOG, [WITNESSES[0], alias], 1).cosignatures) == 1
    with pytest.raises(SignatureInvalidError, match="1 of at least 2"):
        open_checkpoint(note, LOG, [WITNESSES[0], alias], 2)


def test_one_witness_with_two_keys_is_one_witness() -> None:
    newer = VerifierKey(NAMES[0], COSIGNATURE_V1, WITNESS_SIGNERS[1].public_key)
    note = also(*cosigned_by(0), cosign_checkpoint(TEXT, NAMES[0], WITNESS_SIGNERS[1], AT + 1))
    assert open_checkpoint(note, LOG, [WITNESSES[0], newer], 1).cosignatures == (
        Cosignature(NAMES[0], AT + 1),
    )
    with pytest.raises(SignatureInvalidError, match="1 of at least 2"):
        open_checkpoint(note, LOG, [WITNESSES[0], newer], 2)


def test_unknown_witnesses_are_ignored() -> None:
    assert opened(also(*cosigned_by(0, 1))).cosignatures
    assert open_checkpoint(WITNESSED, LOG, WITNESSES[3:]).cosignatures == ()
    assert open_checkpoint(WITNESSED, LOG).cosignatures == ()


def test_a_cosignature_relabelled_as_another_witnesss_makes_the_note_invalid() -> None:
    (signature,) = cosigned_by(0)
    for quorum in (0, 1):
        with pytest.raises(SignatureInvalidError):
            opened(also(*cosigned_by(2), as_key(WITNESSES[1], signature)), quorum)


def test_a_cosignature_on_another_checkpoint_of_the_log_is_refused() -> None:
    for other in (
        Checkpoint(ORIGIN, 70_001, CHECKPOINT.root),
        Checkpoint(ORIGIN, 70_000, bytes(32)),
        Checkpoint("other.example/log", 70_000, CHECKPOINT.root),
    ):
        with pytest.raises(SignatureInvalidError):
            opened(also(*cosigned_by(0, text=other.text())))


def test_the_time_of_a_cosignature_cannot_be_changed() -> None:
    (signature,) = cosigned_by(0)
    for time in (0, AT - 1, AT + 1, 2**63 - 1):
        moved = struct.pack(">Q", time) + signature.signature[8:]
        with pytest.raises(SignatureInvalidError):
            opened(also(NoteSignature(signature.name, signature.key_hash, moved)))


def cosigned_at(at: int) -> NoteSignature:
    """Witness 0's cosignature at a time that `cosign_checkpoint` may refuse to write."""
    signed = WITNESS_SIGNERS[0].sign(b"cosignature/v1\ntime %d\n%b" % (at, TEXT))
    return NoteSignature(NAMES[0], WITNESSES[0].key_hash, struct.pack(">Q", at) + signed)


def test_times_past_2_to_the_63_are_refused_even_if_signed() -> None:
    assert opened(also(cosigned_at(2**63 - 1))).cosignatures[0].at == 2**63 - 1
    with pytest.raises(SignatureInvalidError, match="past"):
        opened(also(cosigned_at(2**63)))
    for at in (-1, 2**63):
        with pytest.raises(MalformedNoteError):
            cosign_checkpoint(TEXT, NAMES[0], WITNESS_SIGNERS[0], at)


@pytest.mark.parametrize(
    "cut", [slice(1), slice(7), slice(8), slice(64), slice(71), slice(8, None)]
)
def test_a_cosignature_of_another_length_is_refused(cut: slice) -> None:
    (signature,) = cosigned_by(0)
    short = NoteSignature(signature.name, signature.key_hash, signature.signature[cut])
    long = NoteSignature(signature.name, signature.key_hash, signature.signature + b"\x00")
    for bent in (short, long):
        with pytest.raises(SignatureInvalidError):
            opened(also(bent))


def test_a_plain_signature_does_not_count_as_a_cosignature() -> None:
    plain = VerifierKey(NAMES[0], ED25519, WITNESSES[0].public_key)
    signature = NoteSignature(plain.name, plain.key_hash, WITNESS_SIGNERS[0].sign(TEXT))
    assert opened(also(signature)).cosignatures == ()
    with pytest.raises(SignatureInvalidError, match="not made with this witness's key"):
        open_checkpoint(also(signature), LOG, [plain], 1)
    untimed = as_key(WITNESSES[0], signature)
    timed = NoteSignature(untimed.name, untimed.key_hash, bytes(8) + untimed.signature)
    for bent in (untimed, timed):
        with pytest.raises(SignatureInvalidError):
            opened(also(bent))


def test_a_cosignature_by_the_logs_key_does_not_pass_as_the_logs_signature() -> None:
    signature = cosign_checkpoint(TEXT, ORIGIN, LOG_SIGNER, AT)
    for bent in (signature.signature[8:], signature.signature):
        note = SignedNote(TEXT, (NoteSignature(LOG.name, LOG.key_hash, bent),)).encode()
        with pytest.raises(SignatureInvalidError):
            opened(note)


def test_a_cosignature_is_checked_against_its_own_witness_only() -> None:
    (signature,) = cosigned_by(0)
    with pytest.raises(SignatureInvalidError, match="not made with"):
        check_cosignature(TEXT, signature, WITNESSES[1])


@pytest.mark.parametrize("text", [b"", b"hello\n", TEXT + b"more\n", NOTE])
def test_a_witness_signs_nothing_but_checkpoints(text: bytes) -> None:
    with pytest.raises(MalformedNoteError):
        cosign_checkpoint(text, NAMES[0], WITNESS_SIGNERS[0], AT)


def test_a_line_is_added_once_and_the_note_keeps_its_bytes() -> None:
    lines = cosigned_by(0, 1)
    note = also(*lines, *lines)
    assert note == NOTE + b"".join(each.line() for each in lines)
    assert also(*lines, note=note) == note
    assert also(note=note) == note


def test_a_note_takes_no_more_lines_than_it_may_hold() -> None:
    noise = [NoteSignature("x", bytes(4), b"%d" % n) for n in range(MAX_SIGNATURES)]
    assert opened(also(*noise[1:])).size == 70_000
    with pytest.raises(MalformedNoteError, match="from 1 to 64"):
        also(*noise)
    with pytest.raises(MalformedNoteError):
        add_signatures(TEXT, noise[:1])
