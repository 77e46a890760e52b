"""What the regulator is told of drift: aggregates, rounded, with small cells suppressed. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from concordat import v1
from concordat.clock import to_timestamp
from exchange.drift.as_told import fit_as_told, stability_as_told
from exchange.drift.rules import Bin, Fit, Interval
from exchange.drift.settings import DriftSettings
from exchange.drift.table import start_of_day
from exchange.drift.watch import Found
from exchange.supervision.suppression import rounded, told, told_pairs

LEAST_LENDERS = 3  # fewer are not told: each knows its own counts, and could subtract them
_PPM_BOUND = 100_000_000  # of ``Estimate``
_DEVIATION_BOUND = 2**31 - 1


def drift_of(found: Found, settings: DriftSettings) -> v1.ProviderDrift:
    """Return what is told of one provider against one calibration.

    Indices and intervals are told only of ``least_subjects`` or more, and computed of the counts as they are told,
    so that nobody computes another count from them.
    """
    first, end = found.window
    finding = found.finding
    drift = v1.ProviderDrift(
        provider=found.provider,
        calibration_version=found.version,
        window_from=to_timestamp(start_of_day(first)),
        window_until=to_timestamp(start_of_day(end)),
        scores=rounded(sum(each.scores for each in found.bins), settings.smallest_cell),
        bins=_bins(found.bins, settings.smallest_cell, outcomes=finding.fit is not None),
        level=finding.level,
        causes=finding.causes,
        since=to_timestamp(found.since),
    )
    smallest = settings.smallest_cell
    if finding.stability and (stability := stability_as_told(found.bins, smallest)):
        drift.psi_milli = _milli(stability.psi)
        drift.psi_noise_milli = _milli(stability.noise)
    if finding.fit and (fit := fit_as_told(found.bins, smallest)):
        drift.outcomes.CopyFrom(_outcomes(found, fit, smallest))
    return drift


def _bins(bins: Sequence[Bin], smallest: int, *, outcomes: bool) -> list[v1.DriftBin]:
    sample = sum(each.sample for each in bins)
    scores = told([each.scores for each in bins], smallest)
    cells: list[int | None] = [None] * len(bins)
    defaults = list(cells)
    if outcomes:
        cells = told([each.outcomes for each in bins], smallest)
        defaults = told_pairs([(each.outcomes, each.defaults) for each in bins], smallest)
    return [
        _bin(each, sample, *counts)
        for each, *counts in zip(bins, scores, cells, defaults, strict=True)
    ]


def _bin(
    each: Bin, sample: int, scores: int | None, outcomes: int | None, defaults: int | None
) -> v1.DriftBin:
    shown = v1.DriftBin(
        up_to_score=each.up_to_score,
        baseline_ppm=round(1_000_000 * each.sample / sample) if sample else 0,
        baseline_default_ppm=round(1_000_000 * each.calibrated),
        scores=scores,
        outcomes=outcomes,
    )
    if outcomes is not None and defaults is not None:
        # Of the counts as they are told: it tells no more than they do.
        now = replace(each, outcomes=outcomes, defaults=defaults)
        shown.defaults = defaults
        shown.deviation_milli = _held(100 * round(10 * now.deviation), _DEVIATION_BOUND)
    return shown


def _outcomes(found: Found, fit: Fit, smallest: int) -> v1.OutcomeDrift:
    return v1.OutcomeDrift(
        lenders=found.lenders if found.lenders >= LEAST_LENDERS else None,
        outcomes=rounded(sum(each.outcomes for each in found.bins), smallest),
        defaults=rounded(sum(each.defaults for each in found.bins), smallest),
        difference=_estimate(fit.difference),
        ratio=_estimate(fit.ratio),
        statistic_milli=min(_milli(fit.statistic), 2**32 - 1),
        degrees=fit.degrees,
        p_value_ppm=1000 * _milli(fit.p_value),
    )


def _estimate(interval: Interval) -> v1.Estimate:
    value, low, high = (
        _held(1000 * round(1000 * each), _PPM_BOUND)
        for each in (interval.value, interval.low, interval.high)
    )
    return v1.Estimate(value_ppm=value, low_ppm=low, high_ppm=high)


def _held(value: int, bound: int) -> int:
    return max(-bound, min(bound, value))


def _milli(value: float) -> int:
    return round(1000 * value)
