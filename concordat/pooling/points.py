"""From log-odds of default to points, bands and probabilities: exact integers.

Points are the industry's "points to double the odds" (Siddiqi, Credit Risk Scorecards, 2006):

    points = at_odds + (to_double / ln 2) * (-L - ln odds)      within 100 .. 900

with 600 points at odds of 30 to 1 against default, and 20 to double them, unless the calibration
says otherwise. L is an integer in millionths; points are an exact integer multiple of 1e-18 until
they are rounded half to even.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from concordat import v1
from concordat.pooling.scale import EXACT, MICRO, divide_half_even, logit_micro

POINTS_LOWEST, POINTS_HIGHEST = 100, 900
"""Ends of the federation scale."""

POINT = 10**18
SURE_PPM = MICRO - 1
LOWEST, HIGHEST = logit_micro(1), logit_micro(SURE_PPM)
"""Ends of the pooled log-odds, millionths."""

_EXP_ONE = 10**30
_EXP_DIGIT = 256

_FLOORS = (
    (640, v1.Band.BAND_A),
    (600, v1.Band.BAND_B),
    (560, v1.Band.BAND_C),
    (520, v1.Band.BAND_D),
)


@dataclass(frozen=True, slots=True)
class Points:
    """A compiled `PointScale`: points = (at_even - per_micro * L) / 1e18."""

    at_even: int
    per_micro: int

    @classmethod
    def of(cls, scale: v1.PointScale) -> "Points":
        """Compile a point scale that keeps to the contract's bounds."""
        return _compiled(scale.at_odds, scale.odds, scale.to_double)

    def at(self, log_odds: int) -> int:
        """Return the points at a log-odds of default in millionths, 100 to 900."""
        points = divide_half_even(self.at_even - self.per_micro * log_odds, POINT)
        return max(POINTS_LOWEST, min(POINTS_HIGHEST, points))


def band_of(points: int) -> v1.Band.ValueType:
    """Return the band of `points`: A from 640, B from 600, C from 560, D from 520, E below."""
    for floor, band in _FLOORS:
        if points >= floor:
            return band
    return v1.Band.BAND_E


def floor_above(points: int) -> int | None:
    """Return where the next better band begins; None in the best one."""
    above = [floor for floor, _ in _FLOORS if floor > points]
    return min(above) if above else None


def reaches(points: int, threshold: int) -> bool:
    """Tell whether `points` reach a consent's `threshold`: equal points do."""
    return points >= threshold


def default_ppm(log_odds: int) -> int:
    """Return 1 / (1 + exp(-L)) in parts per million, 1 to 999,999; L in millionths."""
    high, low = divmod(abs(log_odds), _EXP_DIGIT)
    high, middle = divmod(high, _EXP_DIGIT)
    odds = _exp(high, 2) * _exp(middle, 1) * _exp(low, 0) // _EXP_ONE**2
    favour = odds if log_odds <= 0 else _EXP_ONE
    return max(1, min(SURE_PPM, divide_half_even(MICRO * favour, _EXP_ONE + odds)))


@lru_cache(maxsize=64)
def _compiled(at_odds: int, odds: int, to_double: int) -> Points:
    doubling = EXACT.divide(Decimal(to_double), EXACT.ln(Decimal(2)))
    at_even = EXACT.subtract(Decimal(at_odds), EXACT.multiply(doubling, EXACT.ln(Decimal(odds))))
    return Points(
        _whole(EXACT.multiply(at_even, Decimal(POINT))),
        _whole(EXACT.multiply(doubling, Decimal(POINT // MICRO))),
    )


def _whole(exact: Decimal) -> int:
    return int(EXACT.to_integral_value(exact))


@lru_cache(maxsize=1024)
def _exp(digit: int, place: int) -> int:
    """Return exp(-digit * 256**place / 1e6) times 1e30, correctly rounded.

    Log-odds in millionths have three digits to the base 256, so that some seven hundred
    exponentials, each computed once, serve every one of them.
    """
    power = EXACT.exp(EXACT.divide(Decimal(-digit * _EXP_DIGIT**place), Decimal(MICRO)))
    return _whole(EXACT.multiply(power, Decimal(_EXP_ONE)))
