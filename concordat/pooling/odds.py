"""Log-odds as floats, for many subjects at once: what a fit and its report work with.

A view's score is made from integers alone (`concordat.pooling.points`); nothing here touches one.
"""

import math

import numpy as np

from concordat import v1
from concordat.pooling.measures import Floats
from concordat.pooling.points import POINTS_HIGHEST, POINTS_LOWEST

_SURE = 1e-6


def sigmoid(log_odds: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)) without overflow."""
    half: Floats = 0.5 * (1.0 + np.tanh(0.5 * log_odds))
    return half


def probability(log_odds: Floats) -> Floats:
    """Return 1 / (1 + exp(-L)), held to 1 .. 999,999 parts per million as in views."""
    return np.clip(sigmoid(log_odds), _SURE, 1 - _SURE)


def points_of(log_odds: Floats, scale: v1.PointScale) -> Floats:
    """Return points, not rounded, 100 to 900."""
    worth = scale.to_double / math.log(2)
    points = scale.at_odds - worth * (log_odds + math.log(scale.odds))
    return np.clip(points, POINTS_LOWEST, POINTS_HIGHEST)
