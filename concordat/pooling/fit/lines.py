"""The straight terms: ramps of single readings and pairs of two, none of which ever falls.

A penalised logistic regression with coefficients of at least 0 over functions that rise: x, max(x - t, 0) and
min(x - t, 0) at quantiles t, and for two readings the products of both_high and both_low (see `Pair` in the
contract).
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from concordat import v1
from concordat.pooling.fit.nonneg import fit_logistic, logit
from concordat.pooling.measures import Floats

_BENDS = (0.25, 0.5, 0.75, 0.9)
_PENALTY_LINE, _PENALTY_BEND, _PENALTY_PAIR = 15.0, 30.0, 30.0
_END = 0.01
MOST_PAIRED = 12
"""Readings that pairs are made of: those with the largest loadings."""

_ALL, _ABOVE, _BELOW = (
    v1.RampSide.RAMP_SIDE_ALL,
    v1.RampSide.RAMP_SIDE_ABOVE,
    v1.RampSide.RAMP_SIDE_BELOW,
)


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Fitted straight terms; log-odds for standard deviations.

    Attributes:
        start: log-odds where all readings are 0, before the terms.
        ramps: reading, side, where it bends, weight.
        pairs: one reading, other reading, weight of both_high, of both_low.
        ends: (d, 2) floor and ceiling of each reading in pairs.
    """

    start: float
    ramps: list[tuple[int, v1.RampSide.ValueType, float, float]]
    pairs: list[tuple[int, int, float, float]]
    ends: Floats

    def __call__(self, readings: Floats) -> Floats:
        """Return the log-odds of readings (n, d)."""
        out = np.full(len(readings), self.start)
        for reading, side, at, weight in self.ramps:
            out += weight * ramp(readings[:, reading], side, at)
        held = np.clip(readings, self.ends[:, 0], self.ends[:, 1])
        for one, other, high, low in self.pairs:
            both = product_of(held, self.ends, one, other)
            out += high * both[0] + low * both[1]
        return out


def ramp(reading: Floats, side: v1.RampSide.ValueType, at: float) -> Floats:
    """Return a ramp's value before its weight."""
    if side == _ABOVE:
        return np.maximum(reading - at, 0.0)
    if side == _BELOW:
        return np.minimum(reading - at, 0.0)
    return reading


def product_of(held: Floats, ends: Floats, one: int, other: int) -> tuple[Floats, Floats]:
    """Return both_high and both_low of two readings, before their weights."""
    x, y = held[:, one], held[:, other]
    high: Floats = (x - ends[one, 0]) * (y - ends[other, 0])
    low: Floats = -(ends[one, 1] - x) * (ends[other, 1] - y)
    return high, low


def fit_lines(readings: Floats, outcomes: Floats, weights: Floats, strength: Floats) -> Lines:
    """Fit the straight terms.

    Args:
        readings: (n, d).
        outcomes: (n,), 0 or 1.
        weights: (n,), at least 0.
        strength: (d,), by which the readings to pair are chosen where there are many.
    """
    ends = np.stack(
        [
            np.minimum(np.quantile(readings, _END, axis=0), 0.0),
            np.maximum(np.quantile(readings, 1 - _END, axis=0), 0.0),
        ],
        axis=1,
    )
    shapes = _shapes(readings)
    couples = list(combinations(sorted(np.argsort(-strength)[:MOST_PAIRED].tolist()), 2))
    held = np.clip(readings, ends[:, 0], ends[:, 1])
    columns = [ramp(readings[:, reading], side, at) for reading, side, at in shapes]
    for one, other in couples:
        columns.extend(product_of(held, ends, one, other))
    design = np.column_stack(columns)
    mean, deviation = design.mean(axis=0), np.maximum(design.std(axis=0), 1e-6)
    penalty = np.array(
        [0.0]
        + [_PENALTY_LINE if side == _ALL else _PENALTY_BEND for _, side, _ in shapes]
        + [_PENALTY_PAIR] * (2 * len(couples))
    )
    rate = float(np.average(outcomes, weights=weights))
    b = fit_logistic(
        np.column_stack([np.ones(len(design)), (design - mean) / deviation]),
        outcomes,
        weights,
        np.diag(penalty),
        np.array([False] + [True] * design.shape[1]),
        logit(rate),
    )
    slopes = b[1:] / deviation
    return Lines(
        start=logit(rate) + float(b[0] - slopes @ mean),
        ramps=[
            (*shape, slope)
            for shape, slope in zip(shapes, slopes[: len(shapes)].tolist(), strict=True)
            if slope > 0
        ],
        pairs=[
            (one, other, high, low)
            for (one, other), (high, low) in zip(
                couples, slopes[len(shapes) :].reshape(-1, 2).tolist(), strict=True
            )
            if high > 0 or low > 0
        ],
        ends=ends,
    )


def _shapes(readings: Floats) -> list[tuple[int, v1.RampSide.ValueType, float]]:
    shapes = []
    for reading in range(readings.shape[1]):
        shapes.append((reading, _ALL, 0.0))
        for at in np.unique(np.quantile(readings[:, reading], _BENDS)).tolist():
            shapes.extend([(reading, _ABOVE, at), (reading, _BELOW, at)])
    return shapes
