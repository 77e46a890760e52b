"""Pooling: from the providers' scores to one unified score that explains itself.

A score becomes a reading through its provider's calibrated map, the readings that are missing their
expectation (`evidence`), and a sum S of terms that never fall in any reading (`terms`) the log-odds
of default, L = told(S). Points, band and probability follow from L (`points`), and the interval from
what the missing readings leave open:

    variance  = width * variance_left + fit_variance
    interval  = told(S +- 1.645 * sqrt(variance))

L is an integer in millionths, everything before it exact or rounded half to even where its module
says so. There are no floats, so the result is the same everywhere, and it does not depend on the
providers' order.
"""

from collections.abc import Sequence
from math import isqrt
from typing import TypeAlias

from concordat import v1
from concordat.pooling.calibration import CompiledCalibration
from concordat.pooling.evidence import Evidence, gather, variance_left
from concordat.pooling.points import HIGHEST, LOWEST, POINT, Points, band_of, default_ppm
from concordat.pooling.scale import MICRO, divide_half_even
from concordat.pooling.terms import UNIT

Heard: TypeAlias = tuple[str, int | None]
"""A provider that was heard, and its score; None where it stated that it has no record."""

_UNITS_OF_MICRO = UNIT // MICRO
_MOST = 10**9
"""Points of a share; lawful terms may make more, in shares that cancel out, than a contribution can hold."""


def pool(calibration: CompiledCalibration, heard: Sequence[Heard]) -> v1.UnifiedScore:
    """Pool what was heard.

    Args:
        calibration: the one in force.
        heard: the providers that stated a score or that they have no record, in the order that the
            contributions are to have. A provider that refused, froze, failed or was not asked is
            not among them, so that it never moves the score (R27).

    Returns:
        The unified score. `base_points` and the contributions' points add up to `points` exactly.
        A contribution is the provider's exact share of L, in points, rounded down or up: up for
        those with the largest remainders, among equal remainders for the first member_ids in
        alphabetical order. What a missing reading's expectation adds belongs to the providers that
        it was inferred from, in proportion to what each told of the shared risk. Where L is not S
        (the last step's map, the ends of the range), all shares change in the same proportion.

    Raises:
        ValueError: nobody in `heard` has a score (the view has none), a provider is there twice
            (its evidence would count twice), or the calibration does not read one.
        ScoreOutOfScale: a score is outside its provider's scale.
    """
    counted = [
        (name, score) for name, score in heard if score is not None or calibration.no_record_counts
    ]
    places = _places(calibration, counted)
    evidence = gather(
        calibration.readings,
        list(zip(places, (score for _, score in counted), strict=True)),
        no_record_counts=calibration.no_record_counts,
    )
    shares = [0] * len(evidence.readings)
    for terms in (calibration.ramps, calibration.pairs, calibration.trees):
        terms.add(evidence.readings, shares)
    total = calibration.base + divide_half_even(sum(shares), _UNITS_OF_MICRO)
    half = _half_width(calibration, evidence)
    low, pooled, high = (
        _held(calibration.log_odds(at)) for at in (total - half, total, total + half)
    )
    return _told(calibration, counted, places, evidence, shares, (low, pooled, high))


def _held(log_odds: int) -> int:
    return max(LOWEST, min(HIGHEST, log_odds))


def _places(calibration: CompiledCalibration, counted: Sequence[Heard]) -> list[int]:
    if all(score is None for _, score in counted):
        raise ValueError("no provider stated a score: there is nothing to pool")
    names = [name for name, _ in counted]
    if len(set(names)) != len(names):
        raise ValueError("a provider is named twice: its evidence would count twice")
    unread = [name for name in names if name not in calibration.places]
    if unread:
        raise ValueError(f"the calibration does not read {', '.join(unread)}: leave them out")
    return [calibration.places[name] for name in names]


def _half_width(calibration: CompiledCalibration, evidence: Evidence) -> int:
    """Return 1.645 standard deviations of the pooled log-odds, millionths."""
    model = calibration.message.model
    left = variance_left(calibration.readings, evidence)  # of 1e-12
    variance = model.width_permille * left + 1000 * model.fit_variance_micro * MICRO
    # The root of four times the square, halved, rounds to the nearest integer.
    square = 4 * 1645**2 * variance // 1000**3
    return (isqrt(square) + 1) // 2


def _told(
    calibration: CompiledCalibration,
    counted: Sequence[Heard],
    places: Sequence[int],
    evidence: Evidence,
    shares: Sequence[int],
    log_odds: tuple[int, int, int],
) -> v1.UnifiedScore:
    scale, (low, pooled, high) = calibration.points, log_odds
    base = _held(calibration.log_odds(calibration.base))
    points, base_points = scale.at(pooled), scale.at(base)
    parts = _apportion(
        points - base_points,
        *_numerators(scale, places, evidence, shares, pooled - base),
        [name for name, _ in counted],
    )
    return v1.UnifiedScore(
        points=points,
        band=band_of(points),
        default_ppm=default_ppm(pooled),
        points_low=scale.at(high),
        points_high=scale.at(low),
        default_low_ppm=default_ppm(low),
        default_high_ppm=default_ppm(high),
        base_points=base_points,
        contributions=[
            v1.Contribution(
                provider=name,
                score=score or 0,
                log_odds_micro=evidence.log_odds.get(place, 0),
                points=part,
                no_record=score is None,
            )
            for (name, score), place, part in zip(counted, places, parts, strict=True)
        ],
    )


def _numerators(
    scale: Points,
    places: Sequence[int],
    evidence: Evidence,
    shares: Sequence[int],
    moved: int,
) -> tuple[list[int], int]:
    """Return each heard provider's exact share of points, over one denominator."""
    told = [abs(evidence.told[place]) for place in places]
    inferred = sum(share for place, share in enumerate(shares) if place not in evidence.log_odds)
    weights, whole = (told, sum(told)) if any(told) else ([1] * len(places), len(places))
    own = [shares[place] if place in evidence.log_odds else 0 for place in places]
    numerators = [
        -scale.per_micro * (mine * whole + inferred * weight)
        for mine, weight in zip(own, weights, strict=True)
    ]
    denominator = whole * _UNITS_OF_MICRO * POINT
    total = sum(shares)
    if total and divide_half_even(total, _UNITS_OF_MICRO) != moved:  # mapped, or cut off
        return [
            (numerator * abs(moved) * _UNITS_OF_MICRO) for numerator in numerators
        ], denominator * abs(total)
    return numerators, denominator


def _apportion(
    total: int, numerators: list[int], denominator: int, providers: list[str]
) -> list[int]:
    """Round the shares `numerators` / `denominator` to integers that add up to `total`."""
    parts = [divmod(numerator, denominator) for numerator in numerators]
    shares = [max(-_MOST, min(_MOST, floor)) for floor, _ in parts]
    # What rounding down left over is at least 0 and at most one for each, except that a last digit
    # of L or of the ends of a clamp may move it further; then all get the same more (less).
    each, extra = divmod(total - sum(shares), len(shares))
    if each:
        shares = [share + each for share in shares]
    if extra:
        order = sorted(range(len(shares)), key=lambda at: (-parts[at][1], providers[at]))
        for at in order[:extra]:
            shares[at] += 1
    return shares
