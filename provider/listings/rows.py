"""What a debt must look like in a file or on a command line, before it is a filing. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from concordat.trust.debt import MAX_REFERENCE_BYTES, DebtToken, parse_debt_token
from concordat.trust.errors import StatementMalformedError
from concordat.v1 import LateFilingCode, ListingBasis, ListingKind
from provider.listings.amounts import read_amount, read_minor
from provider.listings.rejects import BASES, KINDS, LATE_CODES, Reject, RowRejected
from provider.loading.rows import MAX_IDENTITY_BYTES, ColumnsRefused
from provider.loading.times import read_micros

V = TypeVar("V", bound=int)

_EXACTLY_ONE = (
    ("subject_ref", "identity_number"),
    ("amount", "amount_minor"),
    ("evidence_hash", "evidence_file"),
)
_AT_LEAST_ONE = ("reference", "debt_token")
_NEEDED = ("currency", "delinquent_since")
_OPTIONAL = ("kind", "basis", "late", "source_ends_at")
COLUMNS = (*(name for pair in _EXACTLY_ONE for name in pair), *_AT_LEAST_ONE, *_NEEDED, *_OPTIONAL)
EXPECTED = (
    "one of subject_ref and identity_number, of amount and amount_minor, of evidence_hash and "
    "evidence_file; reference, debt_token or both; currency; delinquent_since; and kind, basis, late or "
    "source_ends_at if you have them; nothing else"
)

_HEX = re.compile(r"[0-9a-fA-F]{64}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class DebtRow:
    """A good row. Times in microseconds."""

    subject: bytes  # a subject_ref, or an identity number as UTF-8
    reference: str
    token: DebtToken | None  # None for this member's own debt
    kind: ListingKind.ValueType
    basis: ListingBasis.ValueType
    currency: str
    minor: int
    delinquent_since: int
    evidence_hash: bytes  # empty where the file has no column for it and need not
    late: LateFilingCode.ValueType
    source_ends_at: int | None


class DebtRows:
    """Reads rows of one file: its columns, and what stands for those that it has not."""

    def __init__(
        self,
        columns: Sequence[str],
        defaults: Mapping[str, str],
        hash_file: Callable[[str], bytes],
        *,
        evidence: bool = True,
    ) -> None:
        """Raise ``ColumnsRefused`` where the columns are wrong (rights.md R05: no others are taken).

        ``hash_file`` returns the SHA-256 of an evidence file, or raises ``OSError``. Without ``evidence``
        the file need not have a column for it.
        """
        self._columns = list(columns)
        self._defaults = {k: v for k, v in defaults.items() if v and k not in columns}
        given = [*self._columns, *self._defaults]
        require_columns(given, evidence=evidence)
        self._hash_file = hash_file
        self.by_identity = "identity_number" in given

    def parse(self, fields: Sequence[str]) -> DebtRow:
        """Return the row of ``fields``; raise ``RowRejected`` naming the first thing wrong."""
        if len(fields) != len(self._columns):
            raise RowRejected(Reject.FIELD_COUNT_WRONG)
        row = self._defaults | dict(zip(self._columns, fields, strict=True))
        subject = _subject(row)
        reference, token = _debt(row)
        kind, basis, ends = _kind(row)
        currency = row["currency"]
        if not _CURRENCY.fullmatch(currency):
            raise RowRejected(Reject.CURRENCY_MALFORMED)
        return DebtRow(
            subject=subject,
            reference=reference,
            token=token,
            kind=kind,
            basis=basis,
            currency=currency,
            minor=_amount(row, currency),
            delinquent_since=_date(row["delinquent_since"]),
            evidence_hash=self._evidence(row),
            late=_known(LATE_CODES, row.get("late", ""), Reject.LATE_CODE_UNKNOWN),
            source_ends_at=ends,
        )

    def _evidence(self, row: Mapping[str, str]) -> bytes:
        if "evidence_hash" in row:
            if not _HEX.fullmatch(row["evidence_hash"]):
                raise RowRejected(Reject.EVIDENCE_MALFORMED)
            return bytes.fromhex(row["evidence_hash"])
        if "evidence_file" not in row:
            return b""
        try:
            return self._hash_file(row["evidence_file"])
        except (OSError, ValueError) as error:
            raise RowRejected(Reject.EVIDENCE_MISSING) from error


def require_columns(columns: Sequence[str], *, evidence: bool = True) -> None:
    """Raise ``ColumnsRefused`` unless the columns are exactly those allowed."""
    found = []
    if unknown := [name for name in columns if name not in COLUMNS]:
        found.append(f"unknown: {', '.join(repr(name[:40]) for name in unknown[:8])}")
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        found.append(f"twice: {', '.join(twice)}")
    if missing := [name for name in _NEEDED if name not in columns]:
        found.append(f"missing: {', '.join(missing)}")
    if not set(_AT_LEAST_ONE) & set(columns):
        found.append("neither reference nor debt_token")
    found += [
        f"not exactly one of {one} and {other}"
        for one, other in _EXACTLY_ONE
        if (one in columns) == (other in columns)
        and (evidence or one in columns or not one.startswith("evidence"))
    ]
    if found:
        raise ColumnsRefused(f"columns {'; '.join(found)}. Expected: {EXPECTED}")


def read_reference(text: str) -> str:
    """Return a debt's reference; raise ``RowRejected`` where it is none."""
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise RowRejected(Reject.REFERENCE_MALFORMED) from error
    if not 1 <= size <= MAX_REFERENCE_BYTES or _CONTROL.search(text):
        raise RowRejected(Reject.REFERENCE_MALFORMED)
    return text


def _subject(row: Mapping[str, str]) -> bytes:
    if "subject_ref" in row:
        if not _HEX.fullmatch(row["subject_ref"]):
            raise RowRejected(Reject.SUBJECT_REF_MALFORMED)
        return bytes.fromhex(row["subject_ref"])
    identity = row["identity_number"].encode("utf-8", "surrogateescape")
    if not 1 <= len(identity) <= MAX_IDENTITY_BYTES:
        raise RowRejected(Reject.IDENTITY_MALFORMED)
    return identity


def _debt(row: Mapping[str, str]) -> tuple[str, DebtToken | None]:
    written, reference = row.get("debt_token", ""), row.get("reference", "")
    if not written:
        return read_reference(reference), None
    try:
        token = parse_debt_token(written)
    except StatementMalformedError as error:
        raise RowRejected(Reject.DEBT_TOKEN_MALFORMED) from error
    if reference not in ("", token.reference):
        raise RowRejected(Reject.REFERENCE_MALFORMED)
    return read_reference(token.reference), token


def _kind(
    row: Mapping[str, str],
) -> tuple[ListingKind.ValueType, ListingBasis.ValueType, int | None]:
    """Return kind, basis and the end of the register's entry; one of the first two may say the other."""
    judged = row.get("kind") or row.get("basis")
    is_judgment = judged == "judgment"
    kind = _known(
        KINDS, row.get("kind") or ("judgment" if is_judgment else "debt"), Reject.KIND_UNKNOWN
    )
    basis = _known(
        BASES, row.get("basis") or ("judgment" if is_judgment else ""), Reject.BASIS_UNKNOWN
    )
    ends = row.get("source_ends_at", "")
    judgment = kind == ListingKind.LISTING_KIND_JUDGMENT
    if judgment != (basis == ListingBasis.LISTING_BASIS_JUDGMENT) or judgment != bool(ends):
        raise RowRejected(Reject.JUDGMENT_INCOMPLETE)
    return kind, basis, _date(ends) if ends else None


def _amount(row: Mapping[str, str], currency: str) -> int:
    try:
        if "amount_minor" in row:
            return read_minor(row["amount_minor"])
        return read_amount(row["amount"], currency)
    except ValueError as error:
        raise RowRejected(Reject.AMOUNT_MALFORMED) from error


def _date(text: str) -> int:
    try:
        return read_micros(text)
    except ValueError as error:
        raise RowRejected(Reject.DATE_MALFORMED) from error


def _known(names: Mapping[str, V], name: str, otherwise: Reject) -> V:
    if name not in names:
        raise RowRejected(otherwise)
    return names[name]
