"""From a provider's scores to log-odds of default: a monotone map, fitted to outcomes.

A piecewise linear logistic regression whose slopes are at least 0 in the direction of risk, with a penalty on
how much neighbouring slopes differ (P-splines of degree one; Eilers and Marx 1996). Knots are quantiles of
the *distinct* scores, so that coarse and tied scores keep their steps. Beyond the scores of the sample it is
level.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from concordat.pooling.fit.nonneg import fit_logistic, logit
from concordat.pooling.fit.sample import Scale
from concordat.pooling.measures import Floats

SEGMENTS = 20
_STIFF = 12.0
_RIDGE = 0.05
MOST_LOG_ODDS = 9.0


@dataclass(frozen=True, slots=True, eq=False)
class RiskMap:
    """A fitted map.

    Attributes:
        scores: knots, strictly increasing whole scores, the ends of the scale among them.
        log_odds: of default at each, monotone.
        riskier: whether they rise.
    """

    scores: Floats
    log_odds: Floats
    riskier: bool

    def __call__(self, scores: Floats) -> Floats:
        """Return the log-odds of each score; NaN stays NaN."""
        found: Floats = np.interp(scores, self.scores, self.log_odds)
        return np.where(np.isfinite(scores), found, np.nan)


def log_odds_by(maps: Sequence[RiskMap], scores: Floats) -> Floats:
    """Return the log-odds of scores (n, k) by the map of each column; NaN stays NaN."""
    return np.column_stack([read(column) for read, column in zip(maps, scores.T, strict=True)])


def fit_map(scores: Floats, outcomes: Floats, scale: Scale) -> RiskMap:
    """Fit a provider's map.

    Args:
        scores: (n,) of those that the provider knows.
        outcomes: (n,), 0 or 1.
        scale: the provider's.
    """
    sign = 1.0 if scale.riskier else -1.0
    knots = _knots(scores)
    spread = float(scores.std()) or 1.0  # a fold may leave one score only
    risk, ends = sign * scores / spread, np.sort(sign * knots / spread)
    pieces = _pieces(risk, ends)
    count = len(ends) - 1
    rough = np.diff(np.eye(count), axis=0) if count > 1 else np.zeros((1, count))
    penalty = np.zeros((count + 1, count + 1))
    penalty[1:, 1:] = _STIFF * rough.T @ rough + _RIDGE * np.eye(count)
    rate = (outcomes.sum() + 0.5) / (len(outcomes) + 1)
    b = fit_logistic(
        np.column_stack([np.ones(len(risk)), pieces]),
        outcomes,
        np.ones(len(risk)),
        penalty,
        np.array([False] + [True] * count),
        logit(rate),
    )
    levels = logit(rate) + b[0] + _pieces(ends, ends) @ b[1:]
    order = slice(None) if scale.riskier else slice(None, None, -1)
    return _to_ends(knots, np.clip(levels, -MOST_LOG_ODDS, MOST_LOG_ODDS)[order], scale)


def _knots(scores: Floats) -> Floats:
    distinct = np.unique(scores)
    if len(distinct) > SEGMENTS + 1:
        places = np.linspace(0, 1, SEGMENTS + 1)
        # Half by how many subjects have a score, half by the scores there are.
        by_subject = np.quantile(scores, places, method="nearest")
        by_score = np.quantile(distinct, places[::4], method="nearest")
        distinct = np.unique(np.concatenate([by_subject, by_score]))
    return distinct


def _pieces(risk: Floats, ends: Floats) -> Floats:
    """Return how far along each segment a subject is: (n, segments)."""
    along: Floats = np.clip(risk[:, None] - ends[:-1], 0.0, np.diff(ends))
    return along


def _to_ends(knots: Floats, levels: Floats, scale: Scale) -> RiskMap:
    """Continue the map to the ends of the scale, level."""
    if knots[0] > scale.minimum:
        knots, levels = np.append(scale.minimum, knots), np.append(levels[0], levels)
    if knots[-1] < scale.maximum:
        knots, levels = np.append(knots, scale.maximum), np.append(levels, levels[-1])
    return RiskMap(knots, levels, scale.riskier)


_TOLD_PLACES = (0.02, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.98)
_TOLD_STIFF, _TOLD_RIDGE, _LEAST_SLOPE = 2.0, 2.0, 0.2


def fit_told(sums: Floats, outcomes: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return knots and levels of the map from sums of terms to log-odds: rising, and near the identity.

    As `fit_map`, with a penalty on slopes other than 1.
    """
    knots = np.unique(np.quantile(sums, _TOLD_PLACES))
    if len(knots) < 2:  # noqa: PLR2004 - one sum for everybody
        return np.empty(0), np.empty(0)
    pieces = _pieces(sums, knots)
    count = len(knots) - 1
    rough = np.diff(np.eye(count), axis=0)
    penalty = np.zeros((count + 1, count + 1))
    penalty[1:, 1:] = _TOLD_STIFF * rough.T @ rough + _TOLD_RIDGE * np.eye(count)
    b = fit_logistic(
        np.column_stack([np.ones(len(sums)), pieces]),
        outcomes,
        weights,
        penalty,
        np.zeros(count + 1, dtype=np.bool_),
        sums,
    )
    steps = np.maximum(1.0 + b[1:], _LEAST_SLOPE) * np.diff(knots)
    levels: Floats = knots[0] + b[0] + np.concatenate([[0.0], np.cumsum(steps)])
    return knots, levels
