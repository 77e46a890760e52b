"""Penalised logistic regression whose coefficients may be held at or above 0."""

import numpy as np

from concordat.pooling.measures import Bools, Floats
from concordat.pooling.odds import sigmoid

_STEPS, _HALVINGS, _EXCHANGES, _PATIENCE = 30, 12, 500, 3
_SMALL, _TINY = 1e-5, 1e-6
_CLIP = 30.0


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

    Newton's method, with shorter steps where a whole one overshoots, on a convex problem.

    Args:
        design: (n, d).
        outcomes: (n,), 0 or 1.
        weights: (n,), at least 0.
        penalty: (d, d), positive semidefinite: b' penalty b / 2 is added.
        held: (d,), whether a coefficient must be at least 0.
        offset: (n,) or a number, added to design @ b.
    """
    b = np.zeros(design.shape[1])
    loss = _loss(design, outcomes, weights, penalty, b, offset)
    for _ in range(_STEPS):
        p = sigmoid(np.clip(offset + design @ b, -_CLIP, _CLIP))
        curvature = weights * np.maximum(p * (1 - p), 1e-6)
        information = (design * curvature[:, None]).T @ design
        gradient = design.T @ (weights * (outcomes - p))
        goal = _bounded(
            information + penalty + _TINY * np.eye(len(b)), gradient + information @ b, held
        )
        # Half a step, a quarter and so on where a whole one overshoots.
        for shrink in range(_HALVINGS):
            new = b + (goal - b) / 2**shrink
            new_loss = _loss(design, outcomes, weights, penalty, new, offset)
            if new_loss <= loss:
                break
        else:
            return b
        moved = float(np.abs(new - b).max())
        b, loss = new, new_loss
        if moved < _SMALL:
            break
    return b


def _loss(
    design: Floats,
    outcomes: Floats,
    weights: Floats,
    penalty: Floats,
    b: Floats,
    offset: Floats | float,
) -> float:
    log_odds = offset + design @ b
    each = np.logaddexp(0.0, log_odds) - outcomes * log_odds
    return float(weights @ each + 0.5 * b @ penalty @ b)


def _bounded(matrix: Floats, target: Floats, held: Bools) -> Floats:
    """Minimise x' matrix x / 2 - target' x with x >= 0 where held; `matrix` is positive definite.

    Block principal pivoting (Portugal, Judice and Vicente 1994): solve for those that are free, then exchange
    all that contradict the conditions of a minimum; where that does not make them fewer, only the last one.
    """
    count = len(target)
    free, x = np.ones(count, dtype=np.bool_), np.zeros(count)
    fewest, patience = count + 1, _PATIENCE
    for _ in range(_EXCHANGES):
        x = np.zeros(count)
        x[free] = np.linalg.solve(matrix[np.ix_(free, free)], target[free])
        pull = matrix @ x - target
        wrong = held & np.where(free, x < 0, pull < -_SMALL)
        found = int(wrong.sum())
        if not found:
            break
        if found < fewest:
            fewest, patience = found, _PATIENCE
            free ^= wrong
        elif patience:
            patience -= 1
            free ^= wrong
        else:
            last = int(np.flatnonzero(wrong)[-1])
            free[last] = not free[last]
    return np.where(held, np.maximum(x, 0.0), x)
