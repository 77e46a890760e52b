"""An envelope opens to what was signed, by who may sign it, and to nothing else."""

import copy
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.statements import cosign, digest_of, envelope_of, seal, seal_batch
from concordat.trust import merkle
from concordat.trust.dsse import pae
from concordat.trust.envelope import (
    BATCH_ROOT_TYPE,
    MAX_BATCH,
    RawSignature,
    Verified,
    batch_root_bytes,
    open_envelope,
    parse_statement,
    payload_type_of,
    sign_batch,
    sign_statement,
    validate,
)
from concordat.trust.errors import SignatureInvalidError, StatementMalformedError, TrustError
from concordat.trust.keys import Ed25519Signer, KeyRing, TrustedKey, key_id
from tests.builders import AT, DAY, EXCHANGE, REGISTRAR, Federation, signer
from tests.own_view_builders import OwnViewBuilder, own_request

BINDING = payload_type_of(v1.SubjectBinding)
UNKNOWN = b"\x9a\x06\x01x"  # field 99, of one byte: no message of ours has it


def binding(ref: bytes = bytes(range(32)), version: int = 1) -> v1.SubjectBinding:
    return v1.SubjectBinding(
        federation="f",
        subject_ref=ref,
        public_key=signer("wallet").public_key,
        version=version,
        not_before=to_timestamp(AT - DAY),
        not_after=to_timestamp(AT + DAY),
    )


def opened(
    envelope: v1.Envelope, *names: str, threshold: int = 1, at: Any = AT
) -> Verified[v1.SubjectBinding]:
    keys = KeyRing(*(signer(name).public_key for name in names or (REGISTRAR,)))
    return open_envelope(envelope, v1.SubjectBinding, keys, at, threshold=threshold)


def sealed(*names: str) -> v1.Envelope:
    return seal(binding(), *map(signer, names or (REGISTRAR,)))


def one_of_a_batch(index: int = 2, size: int = 5) -> v1.Envelope:
    return seal_batch([binding(version=n + 1) for n in range(size)], signer(REGISTRAR))[index]


# What opens -------------------------------------------------------------------------------------


def test_a_sealed_statement_opens_to_itself_and_names_its_signer() -> None:
    verified = opened(sealed())
    assert verified.message == binding()
    assert verified.digest == digest_of(sealed())
    assert verified.signers == {key_id(signer(REGISTRAR).public_key)}


def test_payload_types_name_the_kind_in_lower_case_words() -> None:
    assert payload_type_of(v1.ViewRequest) == "application/vnd.concordat.view-request.v1+protobuf"


def test_a_statement_that_breaks_a_bound_is_not_sealed() -> None:
    with pytest.raises(StatementMalformedError, match="subject_ref"):
        seal(binding(ref=bytes(31)), signer(REGISTRAR))


@pytest.mark.parametrize("size", [1, 2, 3, 8, 17])
def test_each_of_a_batch_opens_alone(size: int) -> None:
    for index in range(size):
        assert opened(one_of_a_batch(index, size)).message.version == index + 1


def test_a_batch_of_1024_opens_and_of_1025_is_not_signed() -> None:
    statements = [("t", b"%d" % n) for n in range(MAX_BATCH + 1)]
    assert len(sign_batch(statements[:-1], signer(REGISTRAR))) == MAX_BATCH
    with pytest.raises(ValueError, match="at most 1024"):
        sign_batch(statements, signer(REGISTRAR))
    with pytest.raises(ValueError, match="at least one"):
        sign_batch([], signer(REGISTRAR))


@settings(max_examples=40, deadline=None)
@given(
    refs=st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=9),
    version=st.integers(1, 2**32 - 1),
)
def test_whatever_is_sealed_opens_to_itself(refs: list[bytes], version: int) -> None:
    statements = [binding(ref, version) for ref in refs]
    batched = seal_batch(statements, signer(REGISTRAR))
    alone = [seal(statement, signer(REGISTRAR)) for statement in statements]
    for statement, one, other in zip(statements, batched, alone, strict=True):
        for envelope in (one, other):
            carried = v1.Envelope.FromString(envelope.SerializeToString())
            validate(carried)
            assert opened(carried).message == statement
        assert opened(one).digest == opened(other).digest


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_nobody_signed_never_open(payload: bytes) -> None:
    for raw in (RawSignature("0" * 32, bytes(64)), RawSignature("", payload, (0, 2, [payload]))):
        with pytest.raises(TrustError):
            opened(envelope_of(BINDING, payload, [raw]))
    with pytest.raises(TrustError):
        parse_statement(v1.Licence, payload)


# Forgeries --------------------------------------------------------------------------------------


def bit_flips(raw: bytes) -> Iterator[bytes]:
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


def opens(raw: bytes) -> bool:
    """Whether bytes open; anything but a typed error on the way fails the test."""
    try:
        envelope = v1.Envelope.FromString(raw)
    except DecodeError:
        return False
    try:
        opened(envelope)
    except TrustError:
        return False
    return True


@pytest.mark.parametrize("envelope", [sealed(), one_of_a_batch()], ids=["alone", "of a batch"])
def test_no_bit_of_an_envelope_can_be_flipped(envelope: v1.Envelope) -> None:
    raw = envelope.SerializeToString()
    assert opens(raw)
    assert not [n for n, flipped in enumerate(bit_flips(raw)) if opens(flipped)]


@pytest.mark.parametrize("envelope", [sealed(), one_of_a_batch()], ids=["alone", "of a batch"])
def test_a_truncated_envelope_does_not_open(envelope: v1.Envelope) -> None:
    raw = envelope.SerializeToString()
    assert not [length for length in range(len(raw)) if opens(raw[:length])]


def filled(size: int) -> bytes:
    """Return a payload of so many bytes: one field, 2047, that no message of ours has."""
    length = size - 5
    varint = bytes((length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14))
    return b"\xfa\x7f" + varint + bytes(length)


@pytest.mark.parametrize(
    ("kind", "most"), [(v1.SubjectBinding, 64 * 1024), (v1.Calibration, 256 * 1024)]
)
def test_a_statement_longer_than_its_kind_may_be_is_refused_unparsed(kind: Any, most: int) -> None:
    keys = KeyRing(signer(REGISTRAR).public_key)
    for size, told in ((most, "unknown"), (most + 1, f"at most {most} bytes")):
        envelope = resigned(filled(size), kind=payload_type_of(kind))
        assert len(envelope.payload) == size
        with pytest.raises(StatementMalformedError, match=told):
            open_envelope(envelope, kind, keys, AT)


def test_a_truncated_payload_does_not_open() -> None:
    for length in range(len(sealed().payload)):
        envelope = sealed()
        envelope.payload = envelope.payload[:length]
        with pytest.raises(SignatureInvalidError):
            opened(envelope)


def test_trailing_bytes_do_not_open_even_if_signed() -> None:
    garbage = (b"\x00", b"\xff", UNKNOWN, b"\x0a")
    for tail in garbage:
        envelope = sealed()
        envelope.payload += tail
        with pytest.raises(SignatureInvalidError):
            opened(envelope)
        with pytest.raises(StatementMalformedError):
            opened(resigned(envelope.payload))


def resigned(payload: bytes, name: str = REGISTRAR, kind: str = BINDING) -> v1.Envelope:
    return envelope_of(kind, payload, [sign_statement(kind, payload, signer(name))])


def test_a_statement_signed_by_another_key_is_refused() -> None:
    with pytest.raises(SignatureInvalidError, match="not one that may sign"):
        opened(resigned(binding().SerializeToString(), "mallory"))


def test_naming_a_trusted_key_does_not_make_it_the_signer() -> None:
    envelope = sealed("mallory")
    envelope.signatures[0].keyid = key_id(signer(REGISTRAR).public_key)
    with pytest.raises(SignatureInvalidError, match="does not verify"):
        opened(envelope)


def test_an_envelope_without_signatures_is_refused() -> None:
    envelope = sealed()
    del envelope.signatures[:]
    with pytest.raises(SignatureInvalidError):
        opened(envelope)


def test_a_statement_of_another_kind_is_refused_however_it_is_labelled() -> None:
    federation = Federation()
    granted = federation.consent(federation.subject())
    statements = {
        v1.Consent: granted.envelope,
        v1.ViewRequest: federation.view_request(granted),
        v1.ConsentStatus: federation.consent_status(granted),
        v1.SubjectBinding: granted.person.binding,
        v1.OwnViewRequest: own_request(federation, granted.person),
        v1.OwnView: OwnViewBuilder(federation).bundle().view,
    }
    everyone = KeyRing(
        granted.person.signer.public_key,
        *(signer(name).public_key for name in ("lendwell", EXCHANGE, REGISTRAR)),
    )
    for kind in statements:
        for signed_as, envelope in statements.items():
            if kind is signed_as:
                open_envelope(envelope, kind, everyone, AT)
                continue
            with pytest.raises(StatementMalformedError, match="expected a statement of type"):
                open_envelope(envelope, kind, everyone, AT)
            relabelled = copy.deepcopy(envelope)
            relabelled.payload_type = payload_type_of(kind)
            with pytest.raises(SignatureInvalidError):
                open_envelope(relabelled, kind, everyone, AT)


@pytest.mark.parametrize(
    "label",
    [BINDING.upper(), BINDING + " ", " " + BINDING, BINDING.replace("v1", "v2"), "", "binding"],
)
def test_a_payload_type_that_is_almost_right_is_refused(label: str) -> None:
    payload = binding().SerializeToString()
    with pytest.raises(StatementMalformedError):
        opened(resigned(payload, kind=label))


def test_a_signature_over_bytes_that_end_like_another_statement_is_not_that_statements() -> None:
    # A signer that signs bytes of somebody's choosing must not sign a second statement with them.
    inner = pae(BINDING, binding().SerializeToString())
    outer = sign_statement("application/vnd.concordat.note.v1+protobuf", inner, signer(REGISTRAR))
    before = pae("application/vnd.concordat.note.v1+protobuf", inner)[: -len(inner)]
    forged = RawSignature(outer.keyid, outer.sig + before)
    with pytest.raises(SignatureInvalidError):
        opened(envelope_of(BINDING, binding().SerializeToString(), [forged]))


def test_a_batch_root_cannot_pass_as_a_statement() -> None:
    statements = [(BINDING, binding(version=n).SerializeToString()) for n in (1, 2)]
    root, _ = merkle.tree([merkle.leaf_hash(pae(*statement)) for statement in statements])
    signature = sign_batch(statements, signer(REGISTRAR))[0]
    signed = (2).to_bytes(4) + root
    assert batch_root_bytes(root, 2) == pae(BATCH_ROOT_TYPE, signed)
    plain = RawSignature(signature.keyid, signature.sig)
    with pytest.raises(StatementMalformedError):
        opened(envelope_of(BATCH_ROOT_TYPE, signed, [plain]))
    with pytest.raises(SignatureInvalidError):
        opened(envelope_of(BINDING, signed, [plain]))
    with pytest.raises(StatementMalformedError, match="payload_type"):
        validate(envelope_of(BATCH_ROOT_TYPE, signed, [plain]))


def test_a_statements_signature_cannot_pass_as_a_batch_roots() -> None:
    for size, siblings in ((1, []), (2, [bytes(32)])):
        envelope = sealed()
        envelope.signatures[0].batch.CopyFrom(v1.BatchPath(size=size, siblings=siblings))
        with pytest.raises(SignatureInvalidError):
            opened(envelope)


def test_a_batch_signature_without_its_path_is_refused() -> None:
    envelope = one_of_a_batch()
    envelope.signatures[0].ClearField("batch")
    with pytest.raises(SignatureInvalidError):
        opened(envelope)


def test_a_neighbours_path_does_not_carry_a_statement() -> None:
    one, other = one_of_a_batch(1), one_of_a_batch(2)
    one.signatures[0].CopyFrom(other.signatures[0])
    with pytest.raises(SignatureInvalidError):
        opened(one)


def test_a_batch_larger_than_1024_is_refused_before_its_path_is_walked() -> None:
    envelope = one_of_a_batch()
    envelope.signatures[0].batch.size = MAX_BATCH + 1
    with pytest.raises(SignatureInvalidError, match="at most 1024"):
        opened(envelope)


# Bounds -----------------------------------------------------------------------------------------


def licence(part: str) -> bytes:
    """A root-signed provider's licence with a field nobody knows in one of its parts."""
    found = v1.Licence.FromString(Federation().licence("alder-bank", v1.Role.ROLE_PROVIDER).payload)
    parts: dict[str, Any] = {
        "the statement": found,
        "a key": found.keys[0],
        "a key's time": found.keys[0].not_before,
        "the scale": found.score_scale,
        "an anchor of the scale": found.score_scale.anchors[1],
    }
    parts[part].MergeFromString(UNKNOWN)
    return found.SerializeToString()


@pytest.mark.parametrize(
    "part", ["the statement", "a key", "a key's time", "the scale", "an anchor of the scale"]
)
def test_a_field_that_nobody_knows_is_refused_at_every_depth(part: str) -> None:
    kind, roots = payload_type_of(v1.Licence), KeyRing(signer("root-0").public_key)
    good = Federation().licence("alder-bank", v1.Role.ROLE_PROVIDER)
    open_envelope(good, v1.Licence, roots, AT)
    with pytest.raises(StatementMalformedError, match="unknown to this version"):
        open_envelope(resigned(licence(part), "root-0", kind), v1.Licence, roots, AT)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payload", bytes(1024 * 1024 + 1)),
        ("payload", b""),
        ("payload_type", "x" * 97),
        ("payload_type", ""),
    ],
)
def test_an_oversized_or_empty_envelope_is_refused(field: str, value: Any) -> None:
    envelope = sealed()
    setattr(envelope, field, value)
    with pytest.raises(StatementMalformedError, match=field):
        validate(envelope)


def test_too_many_signatures_and_too_long_paths_are_refused_wherever_an_envelope_stands() -> None:
    many = sealed(*(f"key {n}" for n in range(17)))
    long = one_of_a_batch()
    long.signatures[0].batch.siblings.extend([bytes(32)] * 10)
    wide = one_of_a_batch()
    wide.signatures[0].batch.siblings[0] = bytes(33)
    for envelope in (many, long, wide):
        with pytest.raises(StatementMalformedError, match="signatures"):
            validate(envelope)
        with pytest.raises(StatementMalformedError, match="signatures"):
            validate(v1.SubmitLicenceRequest(licence=envelope))


BEYOND = [(2**62, 0), (-(2**62), 0), (0, -1), (0, 2**31 - 1), (253402300800, 0)]


@pytest.mark.parametrize(("seconds", "nanos"), BEYOND)
@pytest.mark.parametrize("field", ["not_before", "not_after"])
def test_times_beyond_the_calendar_are_malformed_and_nothing_worse(
    field: str, seconds: int, nanos: int
) -> None:
    provider = Federation().licence("alder-bank", v1.Role.ROLE_PROVIDER)
    for statement in (binding(), v1.Licence.FromString(provider.payload)):
        moment = getattr(statement, field)
        moment.seconds, moment.nanos = seconds, nanos
        with pytest.raises(StatementMalformedError):
            from_timestamp(
                getattr(parse_statement(type(statement), statement.SerializeToString()), field)
            )


def test_the_text_of_a_malformed_statement_names_the_field_and_not_its_value() -> None:
    with pytest.raises(StatementMalformedError, match=r"SubjectBinding\.subject_ref") as refused:
        validate(binding(ref=b"secret person"))
    assert "secret" not in str(refused.value)


# Thresholds and validity ------------------------------------------------------------------------

ROOTS = ("root-0", "root-1", "root-2")


@pytest.mark.parametrize("signers", [ROOTS[:2], ROOTS[1:], ROOTS[::2], ROOTS])
def test_k_of_n_keys_are_enough(signers: tuple[str, ...]) -> None:
    verified = opened(sealed(*signers), *ROOTS, threshold=2)
    assert verified.signers == {key_id(signer(name).public_key) for name in signers}


@pytest.mark.parametrize(
    "signers",
    [
        ("root-0",),
        ("root-0", "root-0"),  # repeated
        ("root-0", "mallory"),  # unknown
        ("root-0", *["mallory"] * 3),
        ("mallory", "trudy"),
    ],
)
def test_fewer_than_k_distinct_known_keys_are_refused(signers: tuple[str, ...]) -> None:
    with pytest.raises(SignatureInvalidError, match="of at least 2 signatures"):
        opened(sealed(*signers), *ROOTS, threshold=2)


def test_a_key_that_signed_alone_and_in_a_batch_counts_once() -> None:
    envelope = one_of_a_batch()
    cosign(envelope, signer(REGISTRAR))
    with pytest.raises(SignatureInvalidError, match="1 of at least 2"):
        opened(envelope, REGISTRAR, "root-0", threshold=2)


def test_bad_signatures_beside_good_ones_do_no_harm() -> None:
    envelope = sealed("mallory", "root-0", "root-1")
    envelope.signatures.add(sig=bytes(64), keyid=key_id(signer("root-2").public_key))
    assert len(opened(envelope, *ROOTS, threshold=2).signers) == 2
    with pytest.raises(SignatureInvalidError):
        opened(envelope, *ROOTS, threshold=3)


def test_a_key_outside_its_validity_does_not_count() -> None:
    ring = KeyRing(TrustedKey(signer(REGISTRAR).public_key, AT, AT + DAY))
    for at in (AT, AT + DAY - timedelta(seconds=1)):
        open_envelope(sealed(), v1.SubjectBinding, ring, at)
    for at in (AT - timedelta(seconds=1), AT + DAY, AT + 400 * DAY):
        with pytest.raises(SignatureInvalidError, match="not valid"):
            open_envelope(sealed(), v1.SubjectBinding, ring, at)


# Verified ---------------------------------------------------------------------------------------


def test_verified_cannot_be_made_by_hand() -> None:
    for token in (None, object(), True, Verified):
        with pytest.raises(TypeError, match="only open_envelope"):
            Verified(binding(), bytes(32), frozenset(), token)


def test_verified_shows_no_personal_data() -> None:
    statement = binding(ref=b"a person's reference, 32 bytes..")
    shown = repr(opened(seal(statement, signer(REGISTRAR))))
    assert shown.startswith("Verified[SubjectBinding](")
    assert "person" not in shown
    assert statement.subject_ref.hex() not in shown


def test_a_signer_need_only_sign_and_show_its_public_key() -> None:
    class Module:
        """A hardware module, as far as we can see it."""

        def __init__(self, inside: Ed25519Signer) -> None:
            self._inside = inside

        @property
        def public_key(self) -> bytes:
            return self._inside.public_key

        def sign(self, message: bytes) -> bytes:
            return self._inside.sign(message)

    assert opened(seal(binding(), Module(signer(REGISTRAR)))).message == binding()
