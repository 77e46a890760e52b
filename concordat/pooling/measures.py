"""How well probabilities of default did on outcomes: order, sharpness, calibration, with intervals.

All intervals are 95 %. Every function takes arrays of equal length, one entry a subject: `risk` (any
number, higher is riskier) or `default` (a probability of default, above 0 and below 1), and `outcome`
(true where the subject defaulted). They raise `MeasureUndefined` for arrays that are empty, of
different lengths or hold NaN, for outcomes that are not boolean, for a probability that is not between 0
and 1, and, where a measure compares those that defaulted with the others, if one of the two is missing.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from concordat import v1

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BINS: Final = 10
"""Bins of equal count of the expected calibration error."""

_Z95: Final = 1.959963984540054
_DRAWS: Final = 400
_SEED: Final = 20_26
_AT_ONCE: Final = 2_000_000
_PPM: Final = 1_000_000


class MeasureUndefined(ValueError):  # noqa: N818 - read as a finding, like the others of its kind
    """What was given has no such measure; the message says why."""


class Measured(NamedTuple):
    """An estimate with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def to_estimate(self) -> v1.Estimate:
        """Return it in parts per million."""
        value, low, high = (round(number * _PPM) for number in self)
        return v1.Estimate(value_ppm=value, low_ppm=low, high_ppm=high)


def measures(default: Floats, outcome: Bools) -> v1.Measures:
    """Measure probabilities of default against outcomes.

    `auc` and `ks` are left unset where all outcomes are the same: there is nothing to tell apart.
    """
    _check(default, outcome, probability=True)
    found = v1.Measures(
        subjects=outcome.size,
        defaults=int(outcome.sum()),
        brier=brier(default, outcome).to_estimate(),
        log_loss=log_loss(default, outcome).to_estimate(),
        calibration_error=calibration_error(default, outcome).to_estimate(),
        calibration_floor_ppm=round(calibration_floor(default) * _PPM),
    )
    if 0 < found.defaults < found.subjects:
        found.auc.CopyFrom(auc(default, outcome).to_estimate())
        found.ks.CopyFrom(ks(default, outcome).to_estimate())
    return found


def auc(risk: Floats, outcome: Bools) -> Measured:
    """Area under the ROC curve: how often one that defaulted is riskier than another, ties half.

    Exact for ties (Mann and Whitney, 1947). The variance is that of DeLong, DeLong and Clarke-Pearson
    (Biometrics, 1988), by midranks (Sun and Xu, IEEE Signal Processing Letters, 2014); the interval is
    made on the logit scale, so that it stays within 0 and 1. It has no width where nothing overlaps.
    """
    _check(risk, outcome, both=True)
    ranks, bad, good = _midranks(risk), risk[outcome], risk[~outcome]
    above = (ranks[outcome] - _midranks(bad)) / good.size  # of each that defaulted: share below it
    below = 1 - (ranks[~outcome] - _midranks(good)) / bad.size
    area = float(above.mean())
    if not 0 < area < 1:
        return Measured(area, area, area)
    variance = _variance(above) / bad.size + _variance(below) / good.size
    logit, reach = np.log(area / (1 - area)), _Z95 * np.sqrt(variance) / (area * (1 - area))
    low, high = 1 / (1 + np.exp(-np.array([logit - reach, logit + reach])))
    return Measured(area, float(low), float(high))


def ks(risk: Floats, outcome: Bools) -> Measured:
    """Kolmogorov-Smirnov statistic: the widest gap between the two distributions of `risk`.

    The interval is analytic: both distributions are binomial where the gap is widest (Raghavachari,
    Annals of Statistics, 1973). The estimate itself leans upwards in small samples.
    """
    _check(risk, outcome, both=True)
    cuts = np.unique(risk)
    bad = np.searchsorted(np.sort(risk[outcome]), cuts, side="right") / outcome.sum()
    good = np.searchsorted(np.sort(risk[~outcome]), cuts, side="right") / (~outcome).sum()
    at = int(np.argmax(np.abs(good - bad)))
    gap = abs(float(good[at] - bad[at]))
    variance = bad[at] * (1 - bad[at]) / outcome.sum() + good[at] * (1 - good[at]) / (
        outcome.size - outcome.sum()
    )
    return _within_one(gap, float(variance))


def brier(default: Floats, outcome: Bools) -> Measured:
    """Mean squared error of the probability (Brier, 1950); 0 is perfect."""
    _check(default, outcome, probability=True)
    return _mean((default - outcome) ** 2)


def log_loss(default: Floats, outcome: Bools) -> Measured:
    """Mean negative log-likelihood, natural logarithm; 0 is perfect."""
    _check(default, outcome, probability=True)
    return _mean(-np.log(np.where(outcome, default, 1 - default)))


def calibration_gap(default: Floats, outcome: Bools) -> Measured:
    """Mean probability told less the rate that defaulted; above 0 the risk is overstated."""
    _check(default, outcome, probability=True)
    return _mean(default - outcome)


def calibration_error(default: Floats, outcome: Bools, bins: int = BINS) -> Measured:
    """Expected calibration error over `bins` of equal count, equal probabilities kept together.

    It is the mean, weighted by subjects, of a bin's distance between mean probability and rate. The
    interval takes the signs of those distances as known (delta method); read the estimate beside
    `calibration_floor`, below which no sample of this size goes on average.
    """
    _check(default, outcome, probability=True)
    bin_of = equal_count_bins(default, bins)
    gap = np.bincount(bin_of, default - outcome, minlength=bins)
    squares = np.bincount(bin_of, (default - outcome) ** 2, minlength=bins)
    counts = np.maximum(np.bincount(bin_of, minlength=bins), 1)
    variance = float((squares - gap**2 / counts).sum()) / outcome.size**2
    return _within_one(float(np.abs(gap).sum()) / outcome.size, variance)


def calibration_floor(default: Floats, bins: int = BINS) -> float:
    """What `calibration_error` would be on average if every probability were exact.

    By 400 draws of outcomes from the probabilities, with a fixed seed: exact to about 2 %.
    """
    _check(default, np.zeros(default.shape, bool), probability=True)
    order = np.argsort(equal_count_bins(default, bins), kind="stable")
    starts = np.flatnonzero(np.diff(equal_count_bins(default, bins)[order], prepend=-1))
    exact, draw = default[order], np.random.default_rng(_SEED)
    rows = max(1, _AT_ONCE // exact.size)
    total = 0.0
    for first in range(0, _DRAWS, rows):
        shape = (min(rows, _DRAWS - first), exact.size)
        misses = exact - (draw.random(shape) < exact)
        total += float(np.abs(np.add.reduceat(misses, starts, axis=1)).sum())
    return total / _DRAWS / exact.size


def equal_count_bins(values: Floats, bins: int = BINS) -> Ints:
    """Return the bin, from 0 upwards, of each value; equal values share one, and bins may stay empty."""
    return np.minimum((bins * (_midranks(values) - 0.5) / values.size).astype(np.int64), bins - 1)


def _midranks(values: Floats) -> Floats:
    """Return ranks from 1; equal values get the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place], np.float64)


def _mean(values: Floats) -> Measured:
    mean, reach = float(values.mean()), _Z95 * float(np.sqrt(_variance(values) / values.size))
    return Measured(mean, mean - reach, mean + reach)


def _within_one(value: float, variance: float) -> Measured:
    reach = _Z95 * float(np.sqrt(variance))
    return Measured(value, max(0.0, value - reach), min(1.0, value + reach))


def _variance(values: Floats) -> float:
    return float(values.var(ddof=1)) if values.size > 1 else 0.0


def _check(
    values: Floats, outcome: Bools, *, both: bool = False, probability: bool = False
) -> None:
    if not values.size or values.shape != outcome.shape or values.ndim != 1:
        raise MeasureUndefined(
            f"{values.shape} values and {outcome.shape} outcomes: give one of each for a subject, "
            "and at least one subject"
        )
    if outcome.dtype != np.bool_:
        raise MeasureUndefined(f"outcomes are {outcome.dtype}; give true for default, else false")
    if not np.isfinite(values).all():
        raise MeasureUndefined("a value is NaN or infinite; leave such subjects out")
    if probability and not ((values > 0) & (values < 1)).all():
        raise MeasureUndefined("a probability is not above 0 and below 1")
    if both and not 0 < outcome.sum() < outcome.size:
        raise MeasureUndefined("all outcomes are the same: there is nothing to tell apart")
