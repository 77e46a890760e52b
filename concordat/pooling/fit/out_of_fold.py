"""Cross-fitted models, asked about some of the providers."""

import numpy as np

from concordat.pooling.fit import CrossFit, interval, pooled_log_odds
from concordat.pooling.measures import Bools, Floats


def pooled_out_of_fold(fitted: CrossFit, scores: Floats, heard: Bools) -> Floats:
    """Return pooled log-odds (n,) of `scores` (n, k), each row by the model that did not see it.

    A provider that is not `heard` (n, k) counts as not asked; a NaN that is heard is a NO_RECORD.
    """
    found = np.empty(scores.shape[0])
    for fold, model in enumerate(fitted.models):
        rows = fitted.fold == fold
        found[rows] = pooled_log_odds(model, scores[rows], heard=heard[rows])
    return found


def interval_out_of_fold(fitted: CrossFit, scores: Floats, heard: Bools) -> Floats:
    """Return the ends (n, 2) of the 90 % intervals, as `pooled_out_of_fold`."""
    found = np.empty((scores.shape[0], 2))
    for fold, model in enumerate(fitted.models):
        rows = fitted.fold == fold
        found[rows] = interval(model, scores[rows], heard=heard[rows])
    return found
