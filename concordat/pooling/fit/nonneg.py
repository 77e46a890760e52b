"""Penalised logistic regression whose coefficients may be held at or above 0."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_STEPS, _SWEEPS = 30, 300
_SMALL = 1e-5
_CLIP = 30.0


def sigmoid(log_odds: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)) without overflow."""
    half: Floats = 0.5 * (1.0 + np.tanh(0.5 * log_odds))
    return half


def logit(p: float) -> float:
    """Return ln(p / (1 - p))."""
    return float(np.log(p) - np.log1p(-p))


def fit_logistic(
    design: Floats,
    outcomes: Floats,
    weights: Floats,
    penalty: Floats,
    held: Bools,
    offset: Floats | float = 0.0,
) -> Floats:
    """Return the coefficients b that minimise the penalised negative log-likelihood.

    Newton's method; each quadratic problem is solved by cyclic coordinate descent, which takes the bounds as
    they are. The problem is convex, so that the result does not depend on where it starts.

    Args:
        design: (n, d).
        outcomes: (n,), 0 or 1.
        weights: (n,), at least 0.
        penalty: (d, d), positive semidefinite: b' penalty b / 2 is added.
        held: (d,), whether a coefficient must be at least 0.
        offset: (n,) or a number, added to design @ b.
    """
    b = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        p = sigmoid(np.clip(offset + design @ b, -_CLIP, _CLIP))
        curvature = weights * np.maximum(p * (1 - p), 1e-6)
        information = (design * curvature[:, None]).T @ design
        gradient = design.T @ (weights * (outcomes - p))
        new = _bounded(information + penalty, gradient + information @ b, held, b)
        moved = float(np.abs(new - b).max())
        b = new
        if moved < _SMALL:
            break
    return b


def _bounded(matrix: Floats, target: Floats, held: Bools, start: Floats) -> Floats:
    """Minimise x' matrix x / 2 - target' x with x >= 0 where held."""
    x = start.copy()
    diagonal = np.maximum(np.diag(matrix), 1e-12)
    residual = target - matrix @ x
    for _ in range(_SWEEPS):
        largest = 0.0
        for j in range(len(x)):
            value = x[j] + residual[j] / diagonal[j]
            if held[j] and value < 0:
                value = 0.0
            change = value - x[j]
            if change:
                residual -= matrix[:, j] * change
                x[j] = value
                largest = max(largest, abs(change) * diagonal[j] ** 0.5)
        if largest < _SMALL:
            break
    return x
