"""A debt has one name, whoever files it, and nobody finds it by guessing."""

import base64

import pytest

from concordat.trust import debt
from concordat.trust.debt import DebtToken, debt_commitment, format_debt_token, parse_debt_token
from concordat.trust.errors import StatementMalformedError

REF, SECRET = b"\xab" * 32, bytes(range(32))
CREDITOR, REFERENCE = "alder-bank", "LN-2024/0017-ä"
# printf 'concordat/debt/v1\n' <ref> <secret> 'alder-bank\0LN-2024/0017-\303\244' | sha256sum
VECTOR = "363b84b86cd74ead08ceba3947a3d2e5c39cfae038ed7f3b8f90edf42ad8b152"
TOKEN = DebtToken(CREDITOR, REFERENCE, SECRET)
LINE = (
    "concordat-debt-1.alder-bank.TE4tMjAyNC8wMDE3LcOk."
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8.3eb660747d4c"
)


def test_the_commitment_is_what_the_contract_says_to_the_byte() -> None:
    assert debt_commitment(REF, SECRET, CREDITOR, REFERENCE).hex() == VECTOR
    assert TOKEN.commitment(REF).hex() == VECTOR


def test_each_part_changes_the_commitment() -> None:
    others = {
        debt_commitment(b"\xac" * 32, SECRET, CREDITOR, REFERENCE),
        debt_commitment(REF, bytes(32), CREDITOR, REFERENCE),
        debt_commitment(REF, SECRET, "alder-ban", "k" + REFERENCE),
        debt_commitment(REF, SECRET, CREDITOR, "LN-2024/0018"),
    }
    assert len(others) == 4
    assert bytes.fromhex(VECTOR) not in others


@pytest.mark.parametrize(
    ("ref", "secret", "creditor", "reference"),
    [
        pytest.param(REF[:31], SECRET, CREDITOR, REFERENCE, id="short-ref"),
        pytest.param(REF + b"a", SECRET, CREDITOR, REFERENCE, id="long-ref"),
        pytest.param(REF, SECRET[:31], CREDITOR, REFERENCE, id="short-secret"),
        pytest.param(REF, SECRET + b"a", CREDITOR, REFERENCE, id="long-secret"),
        pytest.param(REF, b"", CREDITOR, REFERENCE, id="no-secret"),
        pytest.param(REF, SECRET, "", REFERENCE, id="no-creditor"),
        pytest.param(REF, SECRET, "a", REFERENCE, id="short-creditor"),
        pytest.param(REF, SECRET, "alder\x00bank", REFERENCE, id="nul-in-creditor"),
        pytest.param(REF, SECRET, "alder-bank\n", REFERENCE, id="line-end-in-creditor"),
        pytest.param(REF, SECRET, "Alder-Bank", REFERENCE, id="capitals"),
        pytest.param(REF, SECRET, "álder-bank", REFERENCE, id="not-ascii"),
        pytest.param(REF, SECRET, "a" * 64, REFERENCE, id="long-creditor"),
        pytest.param(REF, SECRET, CREDITOR, "", id="no-reference"),
        pytest.param(REF, SECRET, CREDITOR, "ä" * 64 + "a", id="129-bytes"),
        pytest.param(REF, SECRET, CREDITOR, "\ud800", id="not-utf-8"),
    ],
)
def test_what_has_no_exact_form_has_no_commitment(
    ref: bytes, secret: bytes, creditor: str, reference: str
) -> None:
    with pytest.raises(StatementMalformedError):
        debt_commitment(ref, secret, creditor, reference)


def test_128_bytes_of_reference_are_taken() -> None:
    assert len(debt_commitment(REF, SECRET, CREDITOR, "ä" * 64)) == 32


def test_a_token_is_one_line_that_reads_back_as_it_was() -> None:
    assert format_debt_token(TOKEN) == LINE
    assert parse_debt_token(LINE) == TOKEN
    odd = DebtToken("b2", "…\n\x00 full.stop", b"\xff" * 32)
    line = format_debt_token(odd)
    assert "\n" not in line
    assert parse_debt_token(line) == odd


def test_no_letter_of_a_token_can_be_mistyped_unseen() -> None:
    for place, letter in enumerate(LINE):
        wrong = "B" if letter != "B" else "C"
        with pytest.raises(StatementMalformedError):
            parse_debt_token(LINE[:place] + wrong + LINE[place + 1 :])
        with pytest.raises(StatementMalformedError):
            parse_debt_token(LINE[:place] + LINE[place + 1 :])


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("", id="empty"),
        pytest.param(LINE + "\n", id="line-end"),
        pytest.param(" " + LINE, id="space"),
        pytest.param(LINE.upper(), id="capitals"),
        pytest.param(LINE.rpartition(".")[0], id="no-checksum"),
        pytest.param("\udcff" + LINE, id="not-utf-8"),
    ],
)
def test_another_form_of_a_token_is_refused(line: str) -> None:
    with pytest.raises(StatementMalformedError):
        parse_debt_token(line)


def resummed(body: str) -> str:
    """Return a token with the right checksum, whatever its parts are."""
    return f"{body}.{debt._checksum(body)}"


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(["concordat-debt-2", "alder-bank", "TE4", "SECRET"], id="another-version"),
        pytest.param(["concordat-debt-1", "Alder", "TE4", "SECRET"], id="creditor"),
        pytest.param(["concordat-debt-1", "alder-bank", "", "SECRET"], id="no-reference"),
        pytest.param(["concordat-debt-1", "alder-bank", "TE4=", "SECRET"], id="padded"),
        pytest.param(["concordat-debt-1", "alder-bank", "TE5", "SECRET"], id="stray-bits"),
        pytest.param(["concordat-debt-1", "alder-bank", "T", "SECRET"], id="no-base64"),
        pytest.param(["concordat-debt-1", "alder-bank", "_w", "SECRET"], id="reference-not-utf-8"),
        pytest.param(["concordat-debt-1", "alder-bank", "TE4", "AAAA"], id="short-secret"),
        pytest.param(["concordat-debt-1", "alder-bank", "TE4", "SECRET", "x"], id="one-part-more"),
        pytest.param(["concordat-debt-1", "alder-bank", "TE4"], id="one-part-less"),
    ],
)
def test_a_right_checksum_makes_no_wrong_token_right(parts: list[str]) -> None:
    secret = base64.urlsafe_b64encode(SECRET).decode().rstrip("=")
    with pytest.raises(StatementMalformedError):
        parse_debt_token(resummed(".".join(parts).replace("SECRET", secret)))


def test_a_token_is_never_shown_by_accident() -> None:
    assert "AAEC" not in repr(TOKEN)
    assert SECRET.hex() not in repr(TOKEN)
    with pytest.raises(StatementMalformedError) as caught:
        parse_debt_token(LINE[:-1])
    assert "AAEC" not in str(caught.value)
