"""The same person gives the same reference, however written, and only here."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concordat.refusal import Refusal
from concordat.settings import SettingsError
from concordat.v1 import IdentitySuite, Reason
from registrar.derivation import load_key, make_key, subkey
from registrar.identity import IdentityForm
from tests.unit.registrar.conftest import FORM, KEY, NUMBER, SUITE, derivation, ref_of

FULL_WIDTH = "".join(chr(ord(letter) + 0xFEE0) for letter in "AB12345678")


@pytest.mark.parametrize(
    "written",
    [
        "AB12345678",
        " ab-1234-5678\n",
        FULL_WIDTH,
        "A B 1 2 3 4 5 6 7 8",
        "ab\u20111234\u22125678",
    ],
)
def test_two_providers_get_the_same_reference_for_one_number(written: str) -> None:
    assert ref_of(written) == ref_of(NUMBER)
    assert len(ref_of(written)) == 32


@pytest.mark.parametrize(
    "presented",
    [
        *(b"", b"abc", b"---", b"\xff\xfe\xfd\xfc", b"12345678;DROP", b"1234\x005678", b"9" * 33),
        "\u0131b12345678".encode(),  # a dotless i
        "\u0663\u0664\u0665\u0666\u0667".encode(),  # Arabic-Indic digits
        FULL_WIDTH.encode() + b"_",
    ],
)
def test_what_is_no_identity_number_gives_nothing(presented: bytes) -> None:
    assert derivation().evaluate(SUITE, presented) == b""


def test_another_key_or_federation_gives_other_references() -> None:
    number = NUMBER.encode()
    references = {
        derivation().evaluate(SUITE, number),
        derivation(key=bytes(32)).evaluate(SUITE, number),
        derivation(federation="other.concordat").evaluate(SUITE, number),
    }
    assert len(references) == 3


def test_hyphens_count_where_the_federation_says_so() -> None:
    form = IdentityForm(re.compile("^[A-Z0-9-]{4,32}$"), strip_separators=False)
    assert form.normalise(b" a-12-3 ") == b"A-12-3"
    assert form.normalise(b"a-1 23") is None


@given(st.text(max_size=20))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = FORM.normalise(text.encode("utf-8", "surrogatepass"))
    if once is not None:
        assert FORM.normalise(once) == once


def test_the_oblivious_suite_is_refused_until_it_lands() -> None:
    with pytest.raises(Refusal) as refused:
        derivation().evaluate(IdentitySuite.IDENTITY_SUITE_OPRF_RISTRETTO255_SHA512, bytes(32))
    assert refused.value.reason == Reason.REASON_IDENTITY_MALFORMED


def test_keys_for_other_purposes_differ() -> None:
    keys = [subkey(KEY, purpose, "f") for purpose in ("subject-ref", "enrolment-code", "x")]
    assert len({KEY, *keys}) == 4


def test_a_key_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "derivation.key"
    assert make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    key = load_key(path)
    assert not make_key(path)
    assert load_key(path) == key


def test_a_key_may_be_raw_or_hex(tmp_path: Path) -> None:
    path = tmp_path / "k"
    raw = os.urandom(32)
    for content in (raw, raw.hex().encode(), raw.hex().upper().encode() + b"\n"):
        path.write_bytes(content)
        assert load_key(path) == raw


@pytest.mark.parametrize("content", [b"", b"00" * 31, b"00" * 33, bytes(31), b"zz" * 32])
def test_a_short_or_strange_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "k"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="32 bytes"):
        load_key(path)
