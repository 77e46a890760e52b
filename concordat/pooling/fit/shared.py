"""The shared risk: how much of it each provider's readings carry.

A one-factor model fitted to pairwise correlations, each weighted by the subjects that both providers know
(minimum residuals; Harman and Jones 1966). Loadings of scores are held between 0.05 and 0.95, so that more
risk in one reading never lowers the expectation of another.
"""

from dataclasses import dataclass, replace

import numpy as np

from concordat.pooling.measures import Bools, Floats

LEAST_LOADING, MOST_LOADING = 0.05, 0.95
LEAST_SPREAD = 0.1
"""Log-odds: scores that hardly differ in risk are not blown up to a whole standard deviation."""
_BELIEVED = 0.75
_SWEEPS = 300


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """The fitted model of k providers.

    Attributes:
        center: (k,) log-odds that say nothing.
        spread: (k,) root mean square of what the log-odds say beyond that.
        loading: (k,) of the readings.
        record: (k,) share of subjects on record.
        record_loading: (k,) of being on record; 0 where that does not count.
    """

    center: Floats
    spread: Floats
    loading: Floats
    record: Floats
    record_loading: Floats

    @property
    def record_counts(self) -> bool:
        """Whether being on record is evidence."""
        return bool(self.record_loading.any())


def fit_shared(log_odds: Floats, base: float, *, record_counts: bool) -> Shared:
    """Fit to calibrated log-odds (n, k), NaN for no record.

    Readings are of what a score says beyond the log-odds `base` of somebody of whom nothing is known, so that
    a provider whose customers are riskier than others' says so; correlations are about each one's own mean.
    """
    known = np.isfinite(log_odds)
    center = np.full(log_odds.shape[1], base)
    spread = np.maximum(np.sqrt(np.nanmean((log_odds - base) ** 2, axis=0)), LEAST_SPREAD)
    deviation = np.maximum(np.nanstd(log_odds, axis=0), 0.01)
    values = np.where(known, (log_odds - np.nanmean(log_odds, axis=0)) / deviation, 0.0)
    record = known.mean(axis=0)
    k = log_odds.shape[1]
    seen = known.astype(np.float64)
    if not record_counts:
        loading = _minimum_residuals(values, seen, np.ones(k, np.bool_))
        return Shared(center, spread, loading, record, np.zeros(k))
    of_record = np.sqrt(record * (1 - record))
    flags = np.where(of_record > 0, (known - record) / np.maximum(of_record, 1e-9), 0.0)
    both = _minimum_residuals(
        np.hstack([values, flags]),
        np.hstack([seen, np.ones_like(seen)]),
        np.arange(2 * k) < k,
    )
    return Shared(center, spread, both[:k], record, both[k:])


def held_back(shared: Shared) -> Shared:
    """Return the model by which a pool expects missing readings: with three quarters of the loadings of scores.

    Only where being on record counts. There the shared risk is a reading of its own, so that terms take from it
    what missing readings do not bring; and whether a record is there is heard of everybody, so that too sure an
    expectation of the readings does more harm. Elsewhere they bring all of it, and are expected as fitted.
    """
    if not shared.record_counts:
        return shared
    return replace(shared, loading=np.maximum(_BELIEVED * shared.loading, LEAST_LOADING))


def _minimum_residuals(values: Floats, seen: Floats, positive: Bools) -> Floats:
    """Return loadings (d,) of standardised values (n, d), 0 where not seen."""
    together = seen.T @ seen
    correlation = (values.T @ values) / np.maximum(together, 1.0)
    weight = together / together.max()
    np.fill_diagonal(weight, 0.0)
    k = int(positive.sum())
    for place in range(len(positive) - k):  # a reading and its own record are never seen apart
        weight[place, k + place] = weight[k + place, place] = 0.0
    loading = np.where(positive, 0.5, 0.0)
    for _ in range(_SWEEPS):
        before = loading.copy()
        for i in range(len(loading)):
            explained = float(weight[i] @ loading**2)
            best = float(weight[i] @ (correlation[i] * loading)) / max(explained, 1e-9)
            low = LEAST_LOADING if positive[i] else -MOST_LOADING
            loading[i] = min(max(best, low), MOST_LOADING)
        if np.abs(loading - before).max() < 1e-7:  # noqa: PLR2004 - no digit that is kept moves
            break
    return loading


def expected(shared: Shared, log_odds: Floats, recorded: Floats | None = None) -> Floats:
    """Return each subject's readings, missing ones as expected, and the shared risk: (n, k + 1).

    Args:
        shared: the model.
        log_odds: (n, k) of the scores heard, NaN else.
        recorded: (n, k), 1 where a record is known of, 0 where it is known that there is none, NaN where
            nothing is known; None: nothing is known anywhere.
    """
    readings = (log_odds - shared.center) / shared.spread
    heard = np.isfinite(readings)
    a = shared.loading / (1 - shared.loading**2)
    told = np.where(heard, readings, 0.0) @ a
    certainty = 1.0 + heard @ (shared.loading * a)
    if recorded is not None and shared.record_counts:
        deviation = np.sqrt(shared.record * (1 - shared.record))
        b = shared.record_loading / (1 - shared.record_loading**2)
        b = np.where(deviation > 0, b, 0.0)
        stated = np.isfinite(recorded)
        flags = (recorded - shared.record) / np.maximum(deviation, 1e-9)
        told = told + np.where(stated, flags, 0.0) @ b
        certainty = certainty + stated @ (shared.record_loading * b)
    risk = told / certainty
    filled = np.where(heard, readings, shared.loading * risk[:, None])
    return np.column_stack([filled, risk])
