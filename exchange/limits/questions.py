"""How far a lender may narrow one subject's score by asking again: pure, with the time passed in.

An answer to a threshold cuts the scale in two at that threshold; a band cuts it at the floors of all bands. What
a lender was told of one subject lately is the set of these cuts. One more answer is given where it adds no cut;
where there are few enough with it; or where it tells all of them at once, as a band does that is asked for after
few thresholds at its own floors. A cut belongs to the providers whose scores are pooled: the same threshold with
one provider less is another question about the same person.

A score told in full is no question of this kind, and does not count: it says what it was then, and the person
sees that it was told.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from concordat import v1
from concordat.clock import from_micros
from concordat.federation.purposes import covers
from concordat.pooling import POINTS_HIGHEST, POINTS_LOWEST, band_of
from concordat.refusal import Refusal
from concordat.v1 import DataCategory, DisclosureKind, Reason
from exchange.limits.settings import LimitSettings

Cut = tuple[bytes, int]
"""Digest of the providers' names, and the points at which the scale is cut."""

Pair = tuple[bytes, str]
"""A subject (subject_ref, 32 bytes), and a lender that asks about it."""

Told = Mapping[Cut, datetime]
"""The cuts that a lender knows of one subject, and when it was last told each."""


@dataclass(frozen=True, slots=True)
class Question:
    """Less than a whole score that is asked for: whether it reaches ``threshold``, or its band where that is 0."""

    asked_of: bytes  # SHA-256 of the providers' names, sorted, a line each
    threshold: int

    @property
    def cuts(self) -> frozenset[Cut]:
        """What the answer tells."""
        points = (self.threshold,) if self.threshold else band_floors()
        return frozenset((self.asked_of, each) for each in points)


def question_of(terms: v1.Consent) -> Question | None:
    """Return what may be asked of the score under a consent; None for all of it, or nothing.

    A consent that covers a score is such a question whichever RPC it is used at: the same request could be
    brought to the other one under the same access entry.
    """
    disclosure = terms.disclosure
    lesser = disclosure.kind != DisclosureKind.DISCLOSURE_KIND_FULL
    if not lesser or not covers(terms, DataCategory.DATA_CATEGORY_SCORE):
        return None
    return Question(digest_of_names(terms.providers), disclosure.threshold)


def digest_of_names(providers: Iterable[str]) -> bytes:
    """Return the SHA-256 of a set of providers' names."""
    return hashlib.sha256("\n".join(sorted(providers)).encode()).digest()


@cache
def band_floors() -> tuple[int, ...]:
    """Return the points at which a band ends and the next begins."""
    scale = range(POINTS_LOWEST + 1, POINTS_HIGHEST + 1)
    return tuple(points for points in scale if band_of(points) != band_of(points - 1))


def require_little_told(
    question: Question, told: Told, at: datetime, limits: LimitSettings
) -> None:
    """Raise ``Refusal`` (REASON_THRESHOLD_MOVED) where an answer would narrow the score too far.

    ``retry_after`` is when enough of what the lender was told has left the period.
    """
    most, period = limits.thresholds_of_one_subject, timedelta(days=limits.threshold_days)
    held = {cut: when for cut, when in told.items() if when > at - period}
    if _may_tell(question, held, most):
        return
    for oldest in sorted(set(held.values())):
        held = {cut: when for cut, when in held.items() if when > oldest}
        if _may_tell(question, held, most):
            raise Refusal(Reason.REASON_THRESHOLD_MOVED, retry_after=oldest + period - at)


def _may_tell(question: Question, held: Told, most: int) -> bool:
    """Tell whether an answer may be given to whoever knows the cuts ``held``."""
    known, cuts = held.keys(), question.cuts
    return cuts <= known or len(cuts | known) <= most or (len(known) < most and known <= cuts)


class Questions:
    """What lenders were told of the subjects of one group of asks, while the group is decided."""

    def __init__(self, limits: LimitSettings, rows: Iterable[tuple[Pair, Question, int]]) -> None:
        """Start with what is on record: the pair, its question, and when it was let in (microseconds)."""
        self._limits = limits
        self._told: dict[Pair, dict[Cut, datetime]] = {}
        for pair, question, at in rows:
            self.add(pair, question, from_micros(at))

    def require(self, pair: Pair, question: Question, at: datetime) -> None:
        """Raise ``Refusal`` (REASON_THRESHOLD_MOVED) where the lender may not be told this too."""
        require_little_told(question, self._told.get(pair, {}), at, self._limits)

    def add(self, pair: Pair, question: Question, at: datetime) -> None:
        """Take in that a question was let in."""
        told = self._told.setdefault(pair, {})
        for cut in question.cuts:
            told[cut] = max(at, told.get(cut, at))
