r"""One name for a debt, whoever files it, and the token that carries what the name is made of.

commitment = SHA-256("concordat/debt/v1\n" || subject_ref || secret || original creditor || 0x00 || its
reference), as ``ListingFiling.debt_commitment`` says. Without the secret nobody can tell whether a number
that was guessed is a debt; with it a buyer, an agent or a court makes the same name, so that there is one
listing of the debt and not several.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from concordat.trust.errors import StatementMalformedError

SUBJECT_REF_BYTES = 32
SECRET_BYTES = 32
MAX_REFERENCE_BYTES = 128
TOKEN_PREFIX = "concordat-debt-1"  # noqa: S105 - a format's name, no secret

_DOMAIN = b"concordat/debt/v1\n"
_CHECKSUM_DOMAIN = b"concordat/debt-token/v1\n"
_CHECKSUM_DIGITS = 12
_MEMBER_ID = re.compile(r"[a-z][a-z0-9-]{1,62}")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


def debt_commitment(subject_ref: bytes, secret: bytes, creditor: str, reference: str) -> bytes:
    """Return the 32-byte commitment to a debt.

    ``subject_ref`` and ``secret`` are 32 bytes, ``creditor`` is the original creditor's member id, which
    holds no NUL, ``reference`` its own reference of 1 to 128 bytes of UTF-8, byte for byte as it wrote it.
    So no two debts are the same bytes cut in another place. Raises ``StatementMalformedError`` for anything
    else.
    """
    _require(len(subject_ref) == SUBJECT_REF_BYTES, "a subject_ref is 32 bytes long")
    _require(len(secret) == SECRET_BYTES, "a debt's secret is 32 bytes long")
    written = _creditor_bytes(creditor) + b"\x00" + _reference_bytes(reference)
    return hashlib.sha256(_DOMAIN + subject_ref + secret + written).digest()


@dataclass(frozen=True, slots=True, repr=False)
class DebtToken:
    """What goes with a debt when it is sold, assigned or sued for. Whoever holds it can name the debt."""

    creditor: str  # member id of the original creditor
    reference: str  # the original creditor's
    secret: bytes  # 32 bytes

    def __post_init__(self) -> None:
        """Raise ``StatementMalformedError`` where a part breaks its bounds."""
        _creditor_bytes(self.creditor)
        _reference_bytes(self.reference)
        _require(len(self.secret) == SECRET_BYTES, "a debt's secret is 32 bytes long")

    def __repr__(self) -> str:
        """Leave the secret out: what is shown of an object ends in logs."""
        return f"DebtToken({self.creditor!r}, …)"

    def commitment(self, subject_ref: bytes) -> bytes:
        """Return the commitment to this debt of ``subject_ref``."""
        return debt_commitment(subject_ref, self.secret, self.creditor, self.reference)


def format_debt_token(token: DebtToken) -> str:
    """Return a token as one line: prefix, creditor, reference and secret in base64url, a checksum.

    The parts are separated by full stops, which none of them holds.
    """
    parts = (TOKEN_PREFIX, token.creditor, _base64(_reference_bytes(token.reference)))
    body = ".".join((*parts, _base64(token.secret)))
    return f"{body}.{_checksum(body)}"


def parse_debt_token(line: str) -> DebtToken:
    """Read a token, to the character as ``format_debt_token`` writes it.

    Raises ``StatementMalformedError`` for anything else: another form of the same bytes, a letter that was
    mistyped, space around it. The error never quotes the token.
    """
    body, _, checksum = line.rpartition(".")
    parts = body.split(".")
    _require(len(parts) == 4 and parts[0] == TOKEN_PREFIX, f"a debt token is {TOKEN_PREFIX}.…")  # noqa: PLR2004
    _require(checksum == _checksum(body), "the debt token's checksum is wrong: it was mistyped")
    try:
        reference = _unbase64(parts[2]).decode("utf-8")
    except UnicodeDecodeError as error:
        raise StatementMalformedError("the debt token's reference is not UTF-8") from error
    token = DebtToken(parts[1], reference, _unbase64(parts[3]))
    _require(format_debt_token(token) == line, "the debt token is not in its one form")
    return token


def _creditor_bytes(creditor: str) -> bytes:
    _require(_MEMBER_ID.fullmatch(creditor) is not None, "a creditor is a member id")
    return creditor.encode("ascii")


def _reference_bytes(reference: str) -> bytes:
    try:
        written = reference.encode("utf-8")
    except UnicodeEncodeError as error:
        raise StatementMalformedError("a debt's reference is not UTF-8") from error
    _require(
        1 <= len(written) <= MAX_REFERENCE_BYTES, "a debt's reference is 1 to 128 bytes of UTF-8"
    )
    return written


def _checksum(body: str) -> str:
    written = body.encode("utf-8", "surrogatepass")
    return hashlib.sha256(_CHECKSUM_DOMAIN + written).hexdigest()[:_CHECKSUM_DIGITS]


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def _unbase64(text: str) -> bytes:
    _require(_BASE64URL.fullmatch(text) is not None, "the debt token holds what is no base64url")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise StatementMalformedError("the debt token holds what is no base64url") from error


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - a condition and its text
    if not holds:
        raise StatementMalformedError(otherwise)
