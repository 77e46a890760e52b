"""Pooling: from the providers' log-odds to one unified score that explains itself.

Every provider's log-odds of default l_i is evidence on top of what is known of a subject of whom
nothing is known, L0 = logit(base_default_ppm). Independent evidence adds up on the log-odds scale
(Bayes' rule); evidence that is equally correlated, each pair by rho, is worth n / (1 + (n-1) rho)
independent pieces (the design effect of an equicorrelated sample; Kish, Survey Sampling, 1965):

    e_i = l_i - L0                                   evidence of provider i
    w   = 1 / (1 + (n - 1) rho)                      rho = dependence_permille / 1000
    L   = L0 + w * sum(e_i)                          within logit(1 ppm) .. logit(999,999 ppm)

Points are the industry's "points to double the odds" (Siddiqi, Credit Risk Scorecards, 2006), 600
at odds of 30 to 1 against default and 20 to double them. The interval takes the variance left of a
subject's true log-odds around the pooled ones, which falls with every provider that is heard
(measured on the sandbox's training split, where this form fits better than one in n w:
clients/sandbox/scores/README.md):

    points   = 600 + (20 / ln 2) * (-L - ln 30)      within 100 .. 900
    variance = spread / (1 + information * n)        spread_milli, information_milli / 1000
    interval = points at L +- 1.645 * sqrt(variance)

L is an integer in millionths, rounded half to even; points are an exact integer multiple of 1e-18
until they are rounded half to even. There are no floats, so the result is the same everywhere, and
sums of integers do not depend on the providers' order.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from math import isqrt
from typing import NamedTuple, TypeAlias

from concordat import v1
from concordat.pooling.scale import EXACT, MICRO, divide_half_even, logit_micro

Scored: TypeAlias = tuple[str, int, int]
"""A provider's member_id, its score, and the score's log-odds of default in millionths."""

POINTS_LOWEST, POINTS_HIGHEST = 100, 900
"""Ends of the federation scale."""

_POINT = 10**18
# Points = _AT_EVEN_ODDS - _PER_MICRO * log-odds in millionths, in units of 1e-18 points:
# 600 - 20 ln(30) / ln(2), and 20 / ln(2) times 1e12.
_AT_EVEN_ODDS = 501_862_188_087_829_629_414
_PER_MICRO = 28_853_900_817_779

_SURE_PPM = MICRO - 1
_LOWEST, _HIGHEST = logit_micro(1), logit_micro(_SURE_PPM)

# 1.645 squared, in the square of millionths, over the thousand of spread_milli.
_REACH = 1645**2 * MICRO * MICRO // 1000**3

_EXP_ONE = 10**30
_EXP_DIGIT = 256

_FLOORS = (
    (640, v1.Band.BAND_A),
    (600, v1.Band.BAND_B),
    (560, v1.Band.BAND_C),
    (520, v1.Band.BAND_D),
)


class _Terms(NamedTuple):
    """What a policy and the number of scores fix, whoever the subject is."""

    base: int  # L0, millionths
    base_points: int
    divisor: int  # w = 1000 / divisor
    half_width: int  # 1.645 standard deviations, millionths


def pool(policy: v1.ScorePolicy, scored: Sequence[Scored]) -> v1.UnifiedScore:
    """Pool the scores of the providers that stated one.

    Args:
        policy: from the exchange's licence, already validated against the contract.
        scored: one for each provider that stated a score, in the order that the contributions are
            to have; log-odds as `CompiledScale.log_odds_micro` gives them.

    Returns:
        The unified score. `base_points` and the contributions' points add up to `points` exactly.
        A contribution is the provider's exact share, -(20 / ln 2) w e_i, rounded down or up: up
        for those with the largest remainders, among equal remainders for the first member_ids in
        alphabetical order, so that a provider's points do not hang on its place in the list.
        Where L was cut off at the end of its range, all shares shrink in the same proportion.

    Raises:
        ValueError: `scored` is empty (the view has no score), names a provider twice (its evidence
            would count twice), or `policy.base_default_ppm` is not 1 to 999,999.
    """
    count = len(scored)
    if not count:
        raise ValueError("no provider stated a score: there is nothing to pool")
    if len({provider for provider, _, _ in scored}) != count:
        raise ValueError("a provider is named twice: its evidence would count twice")
    terms = _terms(
        policy.base_default_ppm,
        policy.dependence_permille,
        policy.spread_milli,
        policy.information_milli,
        count,
    )
    evidence = [micro - terms.base for _, _, micro in scored]
    total = sum(evidence)
    pooled = terms.base + divide_half_even(1000 * total, terms.divisor)
    numerator, denominator = 1000, terms.divisor
    if not _LOWEST <= pooled <= _HIGHEST:
        pooled = _LOWEST if pooled < _LOWEST else _HIGHEST
        numerator, denominator = abs(pooled - terms.base), abs(total)
    points = _points_at(pooled)
    shares = _apportion(
        points - terms.base_points,
        [-_PER_MICRO * numerator * piece for piece in evidence],
        denominator * _POINT,
        [provider for provider, _, _ in scored],
    )
    return v1.UnifiedScore(
        points=points,
        band=band_of(points),
        default_ppm=_default_ppm(pooled),
        points_low=_points_at(pooled + terms.half_width),
        points_high=_points_at(pooled - terms.half_width),
        base_points=terms.base_points,
        contributions=[
            v1.Contribution(provider=provider, score=score, log_odds_micro=micro, points=share)
            for (provider, score, micro), share in zip(scored, shares, strict=True)
        ],
    )


def band_of(points: int) -> v1.Band.ValueType:
    """Return the band of `points`: A from 640, B from 600, C from 560, D from 520, E below."""
    for floor, band in _FLOORS:
        if points >= floor:
            return band
    return v1.Band.BAND_E


def reaches(points: int, threshold: int) -> bool:
    """Tell whether `points` reach a consent's `threshold`: equal points do."""
    return points >= threshold


@lru_cache(maxsize=1024)
def _terms(
    base_default_ppm: int, dependence: int, spread: int, information: int, count: int
) -> _Terms:
    base = logit_micro(base_default_ppm)
    divisor = 1000 + (count - 1) * dependence
    # The root of four times the square, halved, rounds to the nearest integer.
    square = 4 * _REACH * spread * 1000 // (1000 + information * count)
    return _Terms(base, _points_at(base), divisor, (isqrt(square) + 1) // 2)


def _points_at(log_odds: int) -> int:
    points = divide_half_even(_AT_EVEN_ODDS - _PER_MICRO * log_odds, _POINT)
    return max(POINTS_LOWEST, min(POINTS_HIGHEST, points))


def _apportion(
    total: int, numerators: list[int], denominator: int, providers: list[str]
) -> list[int]:
    """Round the shares `numerators` / `denominator` to integers that add up to `total`."""
    parts = [divmod(numerator, denominator) for numerator in numerators]
    shares = [floor for floor, _ in parts]
    # What rounding down left over is at least 0 and at most one for each, except that a last digit
    # of L or of the ends of a clamp may move it one further; then all get the same one more (less).
    each, extra = divmod(total - sum(shares), len(shares))
    if each:
        shares = [share + each for share in shares]
    if extra:
        order = sorted(range(len(shares)), key=lambda at: (-parts[at][1], providers[at]))
        for at in order[:extra]:
            shares[at] += 1
    return shares


def _default_ppm(log_odds: int) -> int:
    """Return 1 / (1 + exp(-L)) in parts per million, 1 to 999,999."""
    high, low = divmod(abs(log_odds), _EXP_DIGIT)
    high, middle = divmod(high, _EXP_DIGIT)
    odds = _exp(high, 2) * _exp(middle, 1) * _exp(low, 0) // _EXP_ONE**2
    favour = odds if log_odds <= 0 else _EXP_ONE
    return max(1, min(_SURE_PPM, divide_half_even(MICRO * favour, _EXP_ONE + odds)))


@lru_cache(maxsize=1024)
def _exp(digit: int, place: int) -> int:
    """Return exp(-digit * 256**place / 1e6) times 1e30, correctly rounded.

    Log-odds in millionths have three digits to the base 256, so that some seven hundred
    exponentials, each computed once, serve every one of them.
    """
    power = EXACT.exp(EXACT.divide(Decimal(-digit * _EXP_DIGIT**place), Decimal(MICRO)))
    return int(EXACT.to_integral_value(EXACT.multiply(power, Decimal(_EXP_ONE))))
