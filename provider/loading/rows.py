"""What a row of a score file must be. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from concordat.clock import MAX_SKEW, to_micros
from provider.loading.times import read_micros
from provider.scores import MAX_REASONS, MODEL_VERSION, Score, Terms, split_reasons

SUBJECT_REF, IDENTITY_NUMBER = "subject_ref", "identity_number"
REQUIRED = ("score", "as_of", "model_version")
OPTIONAL = ("reasons",)
EXPECTED = (
    "exactly one of subject_ref (64 hex digits) and identity_number; score, as_of and "
    "model_version; reasons if you have them; nothing else"
)
MAX_IDENTITY_BYTES = 64
CACHED = 8192

_WHOLE = re.compile(r"-?[1-9][0-9]{0,9}|0")
_HEX = re.compile(r"[0-9a-fA-F]{64}")


class Reject(StrEnum):
    """Why a row was not taken."""

    NOT_UTF8 = "NOT_UTF8"
    LINE_TOO_LONG = "LINE_TOO_LONG"
    QUOTES_MALFORMED = "QUOTES_MALFORMED"
    FIELD_COUNT_WRONG = "FIELD_COUNT_WRONG"
    SUBJECT_REF_MALFORMED = "SUBJECT_REF_MALFORMED"
    IDENTITY_MALFORMED = "IDENTITY_MALFORMED"
    SCORE_NOT_INTEGER = "SCORE_NOT_INTEGER"
    SCORE_OUT_OF_SCALE = "SCORE_OUT_OF_SCALE"
    AS_OF_MALFORMED = "AS_OF_MALFORMED"
    AS_OF_IN_FUTURE = "AS_OF_IN_FUTURE"
    MODEL_VERSION_MALFORMED = "MODEL_VERSION_MALFORMED"
    REASONS_MALFORMED = "REASONS_MALFORMED"
    REASON_NOT_LICENSED = "REASON_NOT_LICENSED"
    CONFLICTS_WITH_STORED = "CONFLICTS_WITH_STORED"


ADVICE: dict[Reject, str] = {
    Reject.NOT_UTF8: "save the file as UTF-8",
    Reject.LINE_TOO_LONG: "a line has at most 4,096 bytes",
    Reject.QUOTES_MALFORMED: "quote as RFC 4180 says, each row on one line",
    Reject.FIELD_COUNT_WRONG: "as many fields as the header, separated by commas",
    Reject.SUBJECT_REF_MALFORMED: "64 hex digits",
    Reject.IDENTITY_MALFORMED: "an identity number that the registrar knows the form of",
    Reject.SCORE_NOT_INTEGER: "digits only: no sign but -, no fraction, no spaces",
    Reject.SCORE_OUT_OF_SCALE: "within the scale of the licence",
    Reject.AS_OF_MALFORMED: "an ISO 8601 date or time from 1970 on; UTC where no offset is given",
    Reject.AS_OF_IN_FUTURE: "no later than now",
    Reject.MODEL_VERSION_MALFORMED: "1 to 64 letters, digits, dots, dashes or underscores",
    Reject.REASONS_MALFORMED: "at most eight different codes separated by semicolons",
    Reject.REASON_NOT_LICENSED: "codes of the licence",
    Reject.CONFLICTS_WITH_STORED: "a correction needs a later as_of (with the time of day)",
}


class ColumnsRefused(Exception):  # noqa: N818 - as Refusal
    """The file's columns are not what is expected; nothing of it was taken."""


class RowRejected(Exception):  # noqa: N818 - as Refusal
    """A row was not taken."""

    def __init__(self, reject: Reject) -> None:
        """Reject for ``reject``."""
        super().__init__(reject.value)
        self.reject = reject


@dataclass(frozen=True, slots=True)
class Parsed:
    """A good row: whose score it is (32 bytes, or an identity number as UTF-8), and the score."""

    subject: bytes
    score: Score


def require_columns(columns: Sequence[str]) -> None:
    """Raise ``ColumnsRefused`` unless the columns are exactly those allowed (rights.md R05)."""
    unknown = [c for c in columns if c not in {SUBJECT_REF, IDENTITY_NUMBER, *REQUIRED, *OPTIONAL}]
    missing = [c for c in REQUIRED if c not in columns]
    twice = sorted({c for c in columns if columns.count(c) > 1})
    found = []
    if unknown:
        found.append(f"unknown: {', '.join(repr(c[:40]) for c in unknown[:8])}")
    if missing:
        found.append(f"missing: {', '.join(missing)}")
    if twice:
        found.append(f"twice: {', '.join(twice)}")
    if (SUBJECT_REF in columns) == (IDENTITY_NUMBER in columns):
        found.append("not exactly one of subject_ref and identity_number")
    if found:
        raise ColumnsRefused(f"columns {'; '.join(found)}. Expected: {EXPECTED}")


class RowRules:
    """The rules for one file: its columns, the licence's terms, and the time."""

    def __init__(self, columns: Sequence[str], terms: Terms, at: datetime) -> None:
        """Raise ``ColumnsRefused`` where the columns are wrong."""
        require_columns(columns)
        self.by_identity = IDENTITY_NUMBER in columns
        self._count = len(columns)
        self._subject = columns.index(IDENTITY_NUMBER if self.by_identity else SUBJECT_REF)
        self._score, self._as_of, self._model = (columns.index(name) for name in REQUIRED)
        self._reasons = columns.index("reasons") if "reasons" in columns else None
        self._terms = terms
        self._latest = to_micros(at + MAX_SKEW)
        self._micros = lru_cache(CACHED)(_micros)  # a file has few dates and sets of reasons
        self._codes = lru_cache(CACHED)(self._licensed)

    def parse(self, fields: Sequence[str]) -> Parsed:
        """Return the row of ``fields``; raise ``RowRejected`` naming the first thing wrong."""
        if len(fields) != self._count:
            raise RowRejected(Reject.FIELD_COUNT_WRONG)
        subject = self._subject_of(fields[self._subject])
        text = fields[self._score]
        if not _WHOLE.fullmatch(text):
            raise RowRejected(Reject.SCORE_NOT_INTEGER)
        score = int(text)
        if not self._terms.minimum <= score <= self._terms.maximum:
            raise RowRejected(Reject.SCORE_OUT_OF_SCALE)
        as_of = self._micros(fields[self._as_of])
        if as_of > self._latest:
            raise RowRejected(Reject.AS_OF_IN_FUTURE)
        model = fields[self._model]
        if not MODEL_VERSION.fullmatch(model):
            raise RowRejected(Reject.MODEL_VERSION_MALFORMED)
        reasons = () if self._reasons is None else self._codes(fields[self._reasons])
        return Parsed(subject, Score(score, as_of, model, reasons))

    def _subject_of(self, text: str) -> bytes:
        if not self.by_identity:
            if not _HEX.fullmatch(text):
                raise RowRejected(Reject.SUBJECT_REF_MALFORMED)
            return bytes.fromhex(text)
        identity = text.encode("utf-8", "surrogateescape")
        if not 1 <= len(identity) <= MAX_IDENTITY_BYTES:
            raise RowRejected(Reject.IDENTITY_MALFORMED)
        return identity

    def _licensed(self, text: str) -> tuple[str, ...]:
        reasons = split_reasons(text)
        if len(reasons) > MAX_REASONS or len(set(reasons)) != len(reasons):
            raise RowRejected(Reject.REASONS_MALFORMED)
        if not self._terms.reasons.issuperset(reasons):
            raise RowRejected(Reject.REASON_NOT_LICENSED)
        return reasons


def _micros(text: str) -> int:
    try:
        return read_micros(text)
    except ValueError as error:
        raise RowRejected(Reject.AS_OF_MALFORMED) from error
