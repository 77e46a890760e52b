"""How the pool does with some of the providers: whether order, calibration and intervals hold."""

from collections.abc import Callable

import numpy as np

from concordat import v1
from concordat.pooling.fit import CrossFit, Sample, interval, pooled_log_odds
from concordat.pooling.fit.out_of_fold import out_of_fold
from concordat.pooling.measures import Bools, measures
from concordat.pooling.odds import probability

_PPM = 1_000_000


def subset_fits(
    sample: Sample, fitted: CrossFit, seed: int, progress: Callable[[str, float], None]
) -> list[v1.SubsetFit]:
    """Measure the pool with 1 to all of the providers, drawn at random for each subject.

    A provider without a record of the subject is drawn like any other. Subjects of whom none that was
    drawn has a record get no score, and are left out.
    """
    count = len(sample.providers)
    rank = np.random.default_rng(seed).random(sample.scores.shape).argsort(1).argsort(1)
    found = []
    for heard in range(1, count + 1):
        progress(f"{heard} of {count}", (heard - 1) / count)
        asked = rank < heard
        scored: Bools = np.any(asked & ~np.isnan(sample.scores), axis=1)
        if scored.any():
            found.append(_fit_of(sample, fitted, asked, scored, heard))
    return found


def _fit_of(
    sample: Sample, fitted: CrossFit, asked: Bools, scored: Bools, heard: int
) -> v1.SubsetFit:
    models, fold = fitted.models, fitted.fold
    log_odds = out_of_fold(pooled_log_odds, models, fold, sample.scores, asked)[scored]
    low, high = out_of_fold(interval, models, fold, sample.scores, asked)[scored].T
    everybody = fitted.log_odds[scored]
    held = (low <= everybody) & (everybody <= high)
    return v1.SubsetFit(
        heard=heard,
        measures=measures(probability(log_odds), sample.outcomes[scored]),
        held_ppm=round(float(held.mean()) * _PPM),
    )
