"""How far scores and outcomes have moved since a calibration was fitted: pure rules over counts.

docs/drift.md has the formulas and where the thresholds come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import erfc, exp, log, pi, sqrt

from concordat.v1 import DriftCause, DriftLevel
from exchange.drift.settings import DriftSettings

Z95 = 1.959964  # two-sided 95 % of the normal distribution
_HALF = 0.5
_RANK = [
    DriftLevel.DRIFT_LEVEL_NONE,
    DriftLevel.DRIFT_LEVEL_WATCH,
    DriftLevel.DRIFT_LEVEL_STALE,
]


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of a provider's scores: of the calibration's sample, and of now."""

    up_to_score: int
    sample: int  # subjects in the sample of the fit
    sample_defaults: int
    scores: int = 0  # released lately
    outcomes: int = 0  # reported
    defaults: int = 0  # of those

    @property
    def calibrated(self) -> float:
        """The default rate of the sample, with half a default and half a good one added: never 0 nor 1."""
        return (self.sample_defaults + _HALF) / (self.sample + 1)

    @property
    def deviation(self) -> float:
        """(Observed - calibrated rate) / its standard error, of both samples; 0 without outcomes."""
        if not self.outcomes:
            return 0.0
        rate = self.calibrated
        error = sqrt(rate * (1 - rate) * (1 / self.outcomes + 1 / (self.sample + 1)))
        return (self.defaults / self.outcomes - rate) / error


@dataclass(frozen=True, slots=True)
class Stability:
    """The population stability index of a provider's scores."""

    psi: float
    noise: float  # its mean if nothing has moved

    @property
    def moved(self) -> float:
        """The index less its noise: what the levels are decided by; never negative."""
        return max(0.0, self.psi - self.noise)


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Fit:
    """What was observed of outcomes against the calibration."""

    difference: Interval  # observed rate - calibrated rate
    ratio: Interval  # observed rate / calibrated rate
    statistic: float  # Hosmer-Lemeshow-like: the sum of the squared deviations of the bins
    degrees: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Finding:
    """The level of one provider, what it rests on, and the figures; None where there are too few counts."""

    level: DriftLevel.ValueType
    causes: tuple[DriftCause.ValueType, ...]
    stability: Stability | None
    fit: Fit | None


def stability_of(bins: Sequence[Bin]) -> Stability:
    """Return the population stability index of current scores against the sample of the fit.

    The sum over the bins of (p - q) ln(p / q), p the share of current scores, q that of the sample, each with
    half a subject added to every bin so that an empty one does not make it infinite (Siddiqi 2006, ch. 6). If
    both are drawn from one population it is (B - 1)(1/n + 1/m) on average (Yurdakul 2018). Raises ``ValueError``
    where either side is empty.
    """
    now, then = sum(each.scores for each in bins), sum(each.sample for each in bins)
    if not now or not then:
        raise ValueError("no subjects to compare")
    more = len(bins) * _HALF
    psi = 0.0
    for each in bins:
        p, q = (each.scores + _HALF) / (now + more), (each.sample + _HALF) / (then + more)
        psi += (p - q) * log(p / q)
    return Stability(psi, (len(bins) - 1) * (1 / now + 1 / then))


def fit_of(bins: Sequence[Bin]) -> Fit:
    """Return how outcomes compare with the calibrated rates of their bins.

    The calibrated rate of all is that of the bins, weighted by where the outcomes lie: a shift of the population
    alone moves nothing here. Raises ``ValueError`` where there are no outcomes.
    """
    told = [each for each in bins if each.outcomes]
    total = sum(each.outcomes for each in told)
    if not total:
        raise ValueError("no outcomes to compare")
    observed = sum(each.defaults for each in told) / total
    calibrated = sum(each.outcomes * each.calibrated for each in told) / total
    difference = observed - calibrated
    half = Z95 * sqrt(sum(_variance(each, each.outcomes / total) for each in told))
    statistic = sum(each.deviation**2 for each in told)
    return Fit(
        Interval(difference, difference - half, difference + half),
        Interval(
            observed / calibrated,
            max(0.0, observed - half) / calibrated,
            (observed + half) / calibrated,
        ),
        statistic,
        len(told),
        chi_square_tail(statistic, len(told)),
    )


def _variance(each: Bin, weight: float) -> float:
    """Return what a bin adds to the variance of observed - calibrated rate, both samples' noise in it.

    The observed side is taken at the rate observed, smoothed, and the calibrated one at its own: the interval
    is one of the difference, whatever it is.
    """
    seen = (each.defaults + _HALF) / (each.outcomes + 1)
    rate = each.calibrated
    noise = seen * (1 - seen) / each.outcomes + rate * (1 - rate) / (each.sample + 1)
    return weight**2 * noise


def chi_square_tail(statistic: float, degrees: int) -> float:
    """Return the probability that a chi-square variable of ``degrees`` (1 or more) is at least ``statistic``.

    By the recursion Q(x; k) = Q(x; k - 2) + (x/2)^(k/2 - 1) e^(-x/2) / Gamma(k/2) (Abramowitz and Stegun,
    26.4.8), exact.
    """
    x = statistic / 2
    if degrees % 2:
        tail, term, k = erfc(sqrt(x)), 2 * sqrt(x / pi) * exp(-x), 3
    else:
        tail, term, k = exp(-x), x * exp(-x), 4
    while k <= degrees:
        tail += term
        term *= x / (k / 2)
        k += 2
    return min(1.0, tail)


def find(
    bins: Sequence[Bin], stale_from: datetime, at: datetime, settings: DriftSettings
) -> Finding:
    """Return the level of a provider under a calibration that is stale from ``stale_from`` on.

    Each cause has a level; the highest holds. Fewer than ``least_subjects`` conclude nothing.
    """
    stability = fit = None
    if _enough([each.scores for each in bins], [each.sample for each in bins], settings):
        stability = stability_of(bins)
    if sum(each.outcomes for each in bins) >= settings.least_subjects:
        fit = fit_of(bins)
    by_cause = {
        DriftCause.DRIFT_CAUSE_POPULATION: _by_population(stability, settings),
        DriftCause.DRIFT_CAUSE_OUTCOMES: _by_outcomes(fit, settings),
        DriftCause.DRIFT_CAUSE_DATE: _RANK[2] if at >= stale_from else _RANK[0],
    }
    level = max(by_cause.values(), key=_RANK.index)
    causes = tuple(cause for cause, each in by_cause.items() if each != _RANK[0])
    return Finding(level, causes, stability, fit)


def _enough(scores: Sequence[int], sample: Sequence[int], settings: DriftSettings) -> bool:
    return sum(scores) >= settings.least_subjects and sum(sample) > 0


def _by_population(stability: Stability | None, settings: DriftSettings) -> DriftLevel.ValueType:
    if stability is None or stability.moved < settings.psi_watch:
        return DriftLevel.DRIFT_LEVEL_NONE
    if stability.moved < settings.psi_stale:
        return DriftLevel.DRIFT_LEVEL_WATCH
    return DriftLevel.DRIFT_LEVEL_STALE


def _by_outcomes(fit: Fit | None, settings: DriftSettings) -> DriftLevel.ValueType:
    if fit is None:
        return DriftLevel.DRIFT_LEVEL_NONE
    if _beyond(fit.ratio, settings.ratio_stale):
        return DriftLevel.DRIFT_LEVEL_STALE
    if _beyond(fit.ratio, settings.ratio_watch) or fit.p_value < settings.fit_p_value:
        return DriftLevel.DRIFT_LEVEL_WATCH
    return DriftLevel.DRIFT_LEVEL_NONE


def _beyond(ratio: Interval, most: float) -> bool:
    return ratio.low > most or ratio.high < 1 / most
