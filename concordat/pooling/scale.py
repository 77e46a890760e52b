"""A provider's declared scale: what its scores mean as log-odds of default.

Providers' scales differ in range and even in direction, so their scores are never compared raw.
Each provider declares, in its licence, a table of anchors: at this score, this probability of
default. Here that table becomes a function from score to log-odds of default

    l = ln(p / (1 - p))        p: probability of default

in integer millionths ("micro"). At an anchor it is the correctly rounded logarithm; between two
anchors it is the straight line between their integers, rounded half to even. Nothing here is a
float and nothing reads the ambient decimal context, so every machine computes the same integers.
"""

from bisect import bisect_right
from dataclasses import dataclass
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from functools import lru_cache
from itertools import pairwise

from concordat import v1

MICRO = 1_000_000
"""Units of log-odds to one, and of parts per million to probability one."""

# Every argument is given: what is left out would be copied from the decimal module's
# DefaultContext, which any program may have changed.
EXACT = Context(
    prec=40,
    rounding=ROUND_HALF_EVEN,
    Emin=-999_999,
    Emax=999_999,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
"""The only decimal context of this package; `ln` and `exp` are correctly rounded in it."""


class ScaleInvalid(ValueError):  # noqa: N818 - read as a finding, like the others of its kind
    """A declared scale contradicts itself; the message says which field to mend and how."""


class ScoreOutOfScale(ValueError):  # noqa: N818 - as above
    """A score lies outside its provider's declared scale.

    Attributes:
        score: the score that was stated.
        minimum: lowest score of the scale.
        maximum: highest score of the scale.
    """

    def __init__(self, score: int, minimum: int, maximum: int) -> None:
        super().__init__(f"score {score} is outside the declared scale, {minimum} to {maximum}")
        self.score = score
        self.minimum = minimum
        self.maximum = maximum


@dataclass(frozen=True, slots=True)
class CompiledScale:
    """A checked scale, ready to map scores; make one with `from_message`.

    Attributes:
        scores: the anchors' scores, strictly increasing, at least two.
        log_odds: the anchors' log-odds of default in millionths, one for each score.
    """

    scores: tuple[int, ...]
    log_odds: tuple[int, ...]

    @classmethod
    def from_message(cls, scale: v1.ScoreScale) -> "CompiledScale":
        """Check and compile `scale`; the last 256 different ones are remembered.

        Raises:
            ScaleInvalid: as `check_scale`.
        """
        return _compiled(scale.SerializeToString(deterministic=True))

    def log_odds_micro(self, score: int) -> int:
        """Return the log-odds of default at `score`, in millionths, -13,815,510 to 13,815,510.

        Raises:
            ScoreOutOfScale: `score` is below the first anchor or above the last.
        """
        scores = self.scores
        if not scores[0] <= score <= scores[-1]:
            raise ScoreOutOfScale(score, scores[0], scores[-1])
        after = bisect_right(scores, score)
        left, base = scores[after - 1], self.log_odds[after - 1]
        if score == left:  # also keeps `after` from running off the end at the last anchor
            return base
        rise = self.log_odds[after] - base
        return base + divide_half_even(rise * (score - left), scores[after] - left)


def log_odds_micro(scale: v1.ScoreScale, score: int) -> int:
    """Return the log-odds of default that `scale` gives `score`, in millionths.

    Who maps many scores keeps a `CompiledScale` instead: this one serialises `scale` to look it up.

    Raises:
        ScaleInvalid: as `check_scale`.
        ScoreOutOfScale: `score` is outside the scale's minimum and maximum.
    """
    return CompiledScale.from_message(scale).log_odds_micro(score)


def check_scale(scale: v1.ScoreScale) -> None:
    """Check what the contract says of a scale in words only, or raise.

    The rules in the protos bound each field by itself. This checks the fields together: anchors
    strictly increasing in score, the first at `minimum`, the last at `maximum`, and `default_ppm`
    strictly falling where higher is safer, strictly rising where higher is riskier.

    Raises:
        ScaleInvalid: naming the first field that is wrong and what it must be.
    """
    anchors = scale.anchors
    if len(anchors) < 2:  # noqa: PLR2004 - a line needs two points
        raise ScaleInvalid(f"anchors: has {len(anchors)}; declare at least two, at both ends")
    if anchors[0].score != scale.minimum:
        raise ScaleInvalid(
            f"anchors[0].score: is {anchors[0].score}; put the first anchor at the minimum, "
            f"{scale.minimum}"
        )
    if anchors[-1].score != scale.maximum:
        raise ScaleInvalid(
            f"anchors[{len(anchors) - 1}].score: is {anchors[-1].score}; put the last anchor at "
            f"the maximum, {scale.maximum}"
        )
    for index, anchor in enumerate(anchors):
        if not 0 < anchor.default_ppm < MICRO:
            raise ScaleInvalid(
                f"anchors[{index}].default_ppm: is {anchor.default_ppm}; give 1 to 999,999"
            )
    _check_order(scale)


def _check_order(scale: v1.ScoreScale) -> None:
    rising = scale.direction == v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_RISKIER
    if not rising and scale.direction != v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_SAFER:
        raise ScaleInvalid("direction: say whether a higher score is safer or riskier")
    for index, (one, next_one) in enumerate(pairwise(scale.anchors), start=1):
        if next_one.score <= one.score:
            raise ScaleInvalid(
                f"anchors[{index}].score: is {next_one.score}; it must be above the one before, "
                f"{one.score}"
            )
        step = next_one.default_ppm - one.default_ppm
        if (step <= 0) if rising else (step >= 0):
            raise ScaleInvalid(
                f"anchors[{index}].default_ppm: is {next_one.default_ppm}; on this scale a higher "
                f"score is {'riskier' if rising else 'safer'}, so it must be "
                f"{'above' if rising else 'below'} the one before, {one.default_ppm}"
            )


def logit_micro(default_ppm: int) -> int:
    """Return ln(p / (1 - p)) in millionths, correctly rounded, p given in parts per million.

    Raises:
        ValueError: `default_ppm` is not 1 to 999,999.
    """
    if not 0 < default_ppm < MICRO:
        raise ValueError(f"a probability of {default_ppm} ppm has no log-odds; give 1 to 999999")
    odds = EXACT.divide(Decimal(default_ppm), Decimal(MICRO - default_ppm))
    return int(EXACT.to_integral_value(EXACT.multiply(EXACT.ln(odds), Decimal(MICRO))))


def divide_half_even(numerator: int, denominator: int) -> int:
    """Return the integer nearest `numerator` / `denominator`, of two equally near the even one.

    `denominator` must be positive.
    """
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient & 1):
        return quotient + 1
    return quotient


@lru_cache(maxsize=256)
def _compiled(scale_bytes: bytes) -> CompiledScale:
    scale = v1.ScoreScale.FromString(scale_bytes)
    check_scale(scale)
    return CompiledScale(
        scores=tuple(anchor.score for anchor in scale.anchors),
        log_odds=tuple(logit_micro(anchor.default_ppm) for anchor in scale.anchors),
    )
