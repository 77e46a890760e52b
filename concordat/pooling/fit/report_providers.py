"""What the fit found of each provider: alone, what the pool is without it, and its scores as a baseline."""

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np

from concordat import v1
from concordat.pooling.fit import CrossFit, Sample, pooled_log_odds
from concordat.pooling.fit.out_of_fold import out_of_fold
from concordat.pooling.measures import Bools, Floats, Ints, equal_count_bins, measures
from concordat.pooling.odds import probability

MOST_BINS: Final = 10
LEAST_IN_BIN: Final = 30
LEAST_OF_EACH: Final = 10

_MICRO = 1_000_000


def provider_fits(
    sample: Sample, fitted: CrossFit, progress: Callable[[str, float], None]
) -> list[v1.ProviderFit]:
    """Measure each provider of `sample`, in its order."""
    found = []
    for place, provider in enumerate(sample.providers):
        progress(provider, place / len(sample.providers))
        scores = sample.scores[:, place]
        known = ~np.isnan(scores)
        fit = v1.ProviderFit(
            provider=provider, baseline=baseline(scores[known], sample.outcomes[known])
        )
        if known.any():
            alone = own_log_odds(fitted, place, scores)[known]
            fit.alone.CopyFrom(measures(probability(alone), sample.outcomes[known]))
        if len(sample.providers) > 1:
            fit.without.CopyFrom(_without(sample, fitted, place))
        found.append(fit)
    return found


def own_log_odds(fitted: CrossFit, place: int, scores: Floats) -> Floats:
    """Return the calibrated log-odds of one provider's scores (n,), each by the model of its fold."""
    found = np.full(scores.shape, np.nan)
    for fold, model in enumerate(fitted.models):
        rows = fitted.fold == fold
        knots = model.providers[place].knots
        at = [knot.score for knot in knots]
        found[rows] = np.interp(scores[rows], at, [k.log_odds_micro / _MICRO for k in knots])
    return found


def baseline(scores: Floats, outcomes: Bools) -> list[v1.BaselineBin]:
    """Return at most `MOST_BINS` bins of about equal count, equal scores together, lowest first.

    None has fewer than `LEAST_IN_BIN` subjects, or than `LEAST_OF_EACH` that defaulted or that did not, unless all
    are fewer: smaller ones would tell of chance, and of persons, as anyone may read a calibration.
    """
    if not scores.size:
        return []
    order = np.argsort(scores, kind="stable")
    bin_of = equal_count_bins(scores, MOST_BINS)[order]
    before = np.concatenate([[0], np.cumsum(outcomes[order])])
    ends = _ends_of([int(end) for end in np.flatnonzero(np.diff(bin_of)) + 1], before)
    return [
        v1.BaselineBin(
            up_to_score=round(float(scores[order[end - 1]])),
            subjects=end - start,
            defaults=int(outcomes[order[start:end]].sum()),
        )
        for start, end in pairwise([0, *ends])
    ]


def _ends_of(cuts: list[int], before: Ints) -> list[int]:
    """Return the ends of bins that are large enough, of the places where they may be cut.

    `before` are the defaults before each place, (n + 1,).
    """
    count, ends = len(before) - 1, [0]
    for cut in cuts:
        if _large(before, ends[-1], cut) and _large(before, cut, count):
            ends.append(cut)
    return [*ends[1:], count]


def _large(before: Ints, start: int, end: int) -> bool:
    subjects, defaults = end - start, int(before[end] - before[start])
    return subjects >= LEAST_IN_BIN and LEAST_OF_EACH <= defaults <= subjects - LEAST_OF_EACH


def _without(sample: Sample, fitted: CrossFit, place: int) -> v1.Measures:
    heard = np.ones(sample.scores.shape, np.bool_)
    heard[:, place] = False
    log_odds = out_of_fold(pooled_log_odds, fitted.models, fitted.fold, sample.scores, heard)
    return measures(probability(log_odds), sample.outcomes)
