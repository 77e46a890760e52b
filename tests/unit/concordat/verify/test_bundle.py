"""The file form of a view: whole or refused, whatever byte is touched."""

import hashlib
import random
from typing import Any

import pytest

from concordat import v1
from concordat.verify.bundle import (
    MAGIC,
    MAX_BYTES,
    BundleMalformedError,
    CalibrationMissingError,
    LicenceMissingError,
    assemble_bundle,
    dump_bundle,
    parse_bundle,
)
from concordat.verify.view import ViewNotVerified, verify_view_bundle
from tests.view_builders import ViewBuilder


@pytest.fixture(scope="module")
def made() -> ViewBuilder:
    return ViewBuilder()


@pytest.fixture(scope="module")
def raw(made: ViewBuilder) -> bytes:
    return dump_bundle(made.bundle())


def rehashed(body: bytes) -> bytes:
    return MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def test_what_was_written_is_read_back_and_verifies(made: ViewBuilder, raw: bytes) -> None:
    bundle = parse_bundle(raw)
    assert dump_bundle(bundle) == raw
    verify_view_bundle(bundle, made.federation.anchors)


def test_every_byte_with_one_bit_flipped_is_refused(raw: bytes) -> None:
    chance = random.Random(2)
    for place in range(len(raw)):
        bent = bytearray(raw)
        bent[place] ^= 1 << chance.randrange(8)
        with pytest.raises(BundleMalformedError):
            parse_bundle(bytes(bent))


def test_bytes_flipped_under_a_mended_digest_are_refused_too(made: ViewBuilder, raw: bytes) -> None:
    """The SHA-256 guards against damage; against a forger only the signatures do."""
    chance = random.Random(3)
    body = raw[len(MAGIC) + 65 :]
    for place in chance.sample(range(len(body)), 400):
        bent = bytearray(body)
        bent[place] ^= 1 << chance.randrange(8)
        with pytest.raises((BundleMalformedError, ViewNotVerified)):
            verify_view_bundle(parse_bundle(rehashed(bytes(bent))), made.federation.anchors)


def test_a_truncated_file_is_refused_at_every_length(raw: bytes) -> None:
    for length in range(len(raw)):
        with pytest.raises(BundleMalformedError):
            parse_bundle(raw[:length])


def test_a_truncated_body_under_a_mended_digest_is_refused(made: ViewBuilder, raw: bytes) -> None:
    body = raw[len(MAGIC) + 65 :]
    for length in range(0, len(body), 37):
        with pytest.raises((BundleMalformedError, ViewNotVerified)):
            verify_view_bundle(parse_bundle(rehashed(body[:length])), made.federation.anchors)


@pytest.mark.parametrize(
    "bend",
    [
        lambda raw: b"",
        lambda raw: b"\n" + raw,
        lambda raw: raw + b"\n",
        lambda raw: raw.replace(b"v1\n", b"v1\r\n", 1),
        lambda raw: raw.replace(b"bundle-v1", b"bundle-v2", 1),
        lambda raw: raw[: len(MAGIC)] + raw[len(MAGIC) : len(MAGIC) + 64].upper() + raw[-1:],
        lambda raw: rehashed(b""),
        lambda raw: rehashed(b"not a message"),
        lambda raw: rehashed(b"\x00" * MAX_BYTES),
    ],
)
def test_any_other_form_is_refused(raw: bytes, bend: Any) -> None:
    with pytest.raises(BundleMalformedError):
        parse_bundle(bend(raw))


def test_a_bundle_is_assembled_from_ask_answer_and_licences(made: ViewBuilder) -> None:
    ask = made.federation.ask(made.granted, made.request)
    by_digest = {m.licence_digest: m.licence_envelope for m in made.federation.directory.members()}
    calibrations = {made.calibration.digest: made.calibration.envelope}
    bundle = assemble_bundle(ask, made.answer(), by_digest, calibrations)
    verify_view_bundle(bundle, made.federation.anchors)


def test_a_licence_that_is_not_at_hand_is_named(made: ViewBuilder) -> None:
    ask = made.federation.ask(made.granted, made.request)
    with pytest.raises(LicenceMissingError) as missing:
        assemble_bundle(ask, made.answer(), {}, {})
    assert missing.value.digests == list(made.view().licence_digests)


def test_a_calibration_that_is_not_at_hand_is_named(made: ViewBuilder) -> None:
    ask = made.federation.ask(made.granted, made.request)
    by_digest = {m.licence_digest: m.licence_envelope for m in made.federation.directory.members()}
    with pytest.raises(CalibrationMissingError, match="version 1"):
        assemble_bundle(ask, made.answer(), by_digest, {})


def test_an_answer_without_a_view_is_malformed(made: ViewBuilder) -> None:
    answer = v1.RequestViewResponse(view=v1.Envelope(payload=b"\xff"))
    with pytest.raises(BundleMalformedError):
        assemble_bundle(made.federation.ask(made.granted), answer, {}, {})
