"""A stored score, and whether it may be stated under the provider's own licence. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Protocol

from concordat import v1
from concordat.clock import MAX_SKEW, to_micros
from concordat.refusal import Refusal
from concordat.v1 import Reason

SUBJECT_REF_BYTES = 32
MAX_REASONS = 8
MODEL_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Score:
    """A score as it is kept; ``as_of`` in microseconds since the Unix epoch."""

    score: int
    as_of: int
    model_version: str
    reasons: tuple[str, ...]


Found = Mapping[bytes, "Score | Refusal"]
"""Scores by subject_ref: one missing has no record; a ``Refusal`` is why it can't be read."""


class ScoreSource(Protocol):
    """Where scores are read from outside the node's own database."""

    def read(self, subject_refs: Sequence[bytes], at: datetime) -> Found:
        """Return what is known of these subjects, in one go; never raises for one of them."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the provider's licence lets it state."""

    minimum: int
    maximum: int
    reasons: frozenset[str]

    @classmethod
    def of(cls, scale: v1.ScoreScale) -> "Terms":
        """Read a licence's scale."""
        return cls(scale.minimum, scale.maximum, frozenset(r.code for r in scale.reasons))

    def require(self, score: Score) -> None:
        """Raise ``Refusal`` unless ``score`` is on the scale and its reason codes are licensed."""
        if not self.minimum <= score.score <= self.maximum:
            raise Refusal(Reason.REASON_SCORE_OUT_OF_SCALE, f"not {self.minimum} to {self.maximum}")
        if not self.reasons.issuperset(score.reasons):
            raise failed("a stored reason code is not in the licence")


def score_of(row: Any, at: datetime) -> Score:
    """Read a foreign row (score, as_of, model_version, reasons) strictly; raises ``Refusal``."""
    return Score(
        _whole(row.score),
        _micros(row.as_of, at),
        _model_version(row.model_version),
        _reasons(row.reasons),
    )


def failed(detail: str) -> Refusal:
    """Return the refusal of a score that can't be read."""
    return Refusal(Reason.REASON_SCORE_STORE_FAILED, detail)


def split_reasons(text: str) -> tuple[str, ...]:
    """Split stored reason codes; empty text has none."""
    return tuple(text.split(";")) if text else ()


def _whole(value: object) -> int:
    """Return a whole number, given as int, numeric or float; NaN and fractions are no score."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise failed(f"a score of type {type(value).__name__}")
    try:
        whole = int(value)
    except (ValueError, OverflowError) as error:  # NaN, infinity
        raise Refusal(Reason.REASON_SCORE_OUT_OF_SCALE, "a score that is no number") from error
    if whole != value:
        raise Refusal(Reason.REASON_SCORE_OUT_OF_SCALE, "a score with a fraction")
    return whole


def _micros(value: object, at: datetime) -> int:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise failed("as_of is no ISO 8601 time") from error
    if not isinstance(value, date):
        raise failed(f"as_of of type {type(value).__name__}")
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    micros = to_micros(moment)
    if micros < 0 or moment > at + MAX_SKEW:
        raise failed("as_of lies in the future, or before 1970")
    return micros


def _model_version(value: object) -> str:
    if not isinstance(value, str) or not MODEL_VERSION.fullmatch(value):
        raise failed("model_version is not 1 to 64 letters, digits, dots, dashes or underscores")
    return value


def _reasons(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, str):
        raise failed(f"reasons of type {type(value).__name__}")
    reasons = split_reasons(value)
    if len(reasons) > MAX_REASONS or len(set(reasons)) != len(reasons):
        raise failed("more than eight reasons, or one twice")
    return reasons
