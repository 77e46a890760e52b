"""The pool over many subjects at once: the vectorised twin of `concordat.pooling.pool`, for fits and reports.

It rounds readings as the pool does and adds terms as floats, so that it agrees with it to a few millionths.
"""

from functools import lru_cache

import numpy as np

from concordat import v1
from concordat.pooling.fit.lines import Lines
from concordat.pooling.fit.shared import Shared, expected
from concordat.pooling.fit.trees import Grown, with_trees
from concordat.pooling.measures import Bools, Floats

_MICRO = 1e6
REACH = 1.645
"""Standard deviations on each side of a 90 % interval."""


class _Opened:
    """A model's numbers as floats."""

    def __init__(self, model: v1.PoolingModel) -> None:
        providers = model.providers
        self.knots = [
            ([k.score for k in p.knots], [k.log_odds_micro for k in p.knots]) for p in providers
        ]
        self.shared = Shared(
            center=np.array([p.center_micro / _MICRO for p in providers]),
            spread=np.array([p.spread_micro / _MICRO for p in providers]),
            loading=np.array([p.loading_ppm / _MICRO for p in providers]),
            record=np.array([p.record_ppm / _MICRO for p in providers]),
            record_loading=np.array([p.record_loading_ppm / _MICRO for p in providers]),
        )
        ends = [(p.floor_micro / _MICRO, p.ceiling_micro / _MICRO) for p in providers]
        ends.append((model.shared_floor_micro / _MICRO, model.shared_ceiling_micro / _MICRO))
        self.lines = Lines(
            start=model.intercept_micro / _MICRO,
            ramps=[
                (r.reading, r.side, r.at_micro / _MICRO, r.weight_micro / _MICRO)
                for r in model.ramps
            ],
            pairs=[
                (p.one, p.other, p.both_high_micro / _MICRO, p.both_low_micro / _MICRO)
                for p in model.pairs
            ],
            ends=np.array(ends),
        )
        self.trees = [
            Grown(
                list(t.readings),
                [above / _MICRO for above in t.above_micro],
                list(t.left),
                list(t.right),
                [leaf / _MICRO for leaf in t.leaves_micro],
            )
            for t in model.trees
        ]
        self.told = (
            [knot.sum_micro / _MICRO for knot in model.told],
            [knot.log_odds_micro / _MICRO for knot in model.told],
        )
        self.effect = np.array([p.effect_micro / _MICRO for p in providers])
        self.width = model.width_permille / 1000
        self.fit_variance = model.fit_variance_micro / _MICRO
        self.counts = model.no_record_counts

    def as_told(self, total: Floats) -> Floats:
        sums, log_odds = self.told
        if not sums:
            return total
        held = np.clip(total, sums[0], sums[-1])
        told: Floats = np.interp(held, sums, log_odds) + total - held
        return told

    def log_odds(self, scores: Floats) -> Floats:
        columns = [
            np.where(np.isfinite(column), np.rint(np.interp(column, *knots)), np.nan) / _MICRO
            for column, knots in zip(scores.T, self.knots, strict=True)
        ]
        return np.column_stack(columns)


@lru_cache(maxsize=64)
def _opened(serialised: bytes) -> _Opened:
    return _Opened(v1.PoolingModel.FromString(serialised))


def _of(model: v1.PoolingModel) -> _Opened:
    return _opened(model.SerializeToString(deterministic=True))


def readings_of(model: v1.PoolingModel, scores: Floats, *, heard: Bools | None = None) -> Floats:
    """Return each subject's readings, missing ones as expected, and the shared risk: (n, k + 1).

    Args:
        model: of k providers.
        scores: (n, k), NaN where a provider has no record.
        heard: (n, k), False where a provider was not asked; None: all were.
    """
    opened = _of(model)
    asked = np.ones(scores.shape, np.bool_) if heard is None else heard
    given = np.where(asked, scores, np.nan)
    recorded = np.where(asked, np.isfinite(scores).astype(np.float64), np.nan)
    found = expected(opened.shared, opened.log_odds(given), recorded if opened.counts else None)
    rounded: Floats = np.rint(found * _MICRO) / _MICRO
    return rounded


def pooled_log_odds(
    model: v1.PoolingModel, scores: Floats, *, heard: Bools | None = None
) -> Floats:
    """Return the pooled log-odds of default (n,); arguments as `readings_of`."""
    return _of(model).as_told(sums_of_terms(model, scores, heard=heard))


def sums_of_terms(model: v1.PoolingModel, scores: Floats, *, heard: Bools | None = None) -> Floats:
    """Return the sums of terms (n,) that the log-odds told follow from; arguments as `readings_of`."""
    opened, readings = _of(model), readings_of(model, scores, heard=heard)
    return with_trees(opened.lines(readings), opened.trees, readings)


def variance_left(model: v1.PoolingModel, heard: Bools) -> Floats:
    """Return what missing readings leave open of the log-odds (n,), before `width_permille`.

    Args:
        model: of k providers.
        heard: (n, k), where a score is known.
    """
    opened = _of(model)
    shared, missing = opened.shared, ~heard
    own = missing @ (opened.effect**2 * (1 - shared.loading**2))
    weight = shared.loading**2 / (1 - shared.loading**2)
    together = missing @ (opened.effect * shared.loading)
    left: Floats = own + together**2 / (1 + heard @ weight)
    return left


def interval(model: v1.PoolingModel, scores: Floats, *, heard: Bools | None = None) -> Floats:
    """Return the ends of the 90 % interval of the log-odds (n, 2); arguments as `readings_of`.

    What having no record tells of the shared risk is not taken off: it is little, and this errs on the wide side.
    """
    opened = _of(model)
    known = np.isfinite(scores) if heard is None else np.isfinite(scores) & heard
    half = REACH * np.sqrt(opened.width * variance_left(model, known) + opened.fit_variance)
    total = sums_of_terms(model, scores, heard=heard)
    return np.column_stack([opened.as_told(total - half), opened.as_told(total + half)])
