"""How wide a fitted pool's intervals are: so that they hold what all providers together would say."""

import numpy as np

from concordat import v1
from concordat.pooling.fit.batch import REACH, readings_of, sums_of_terms, variance_left
from concordat.pooling.fit.sample import Sample
from concordat.pooling.measures import Ints

_ENOUGH = 100  # subjects for which a share of 90 % can be told


def set_widths(models: list[v1.PoolingModel], sample: Sample, fold: Ints, seed: int) -> None:
    """Set each model's `effect_micro`, `width_permille` and `fit_variance_micro`.

    Args:
        models: of each fold, and the one of everybody.
        sample: that they were fitted to.
        fold: (n,) each subject's.
        seed: draws the providers that are taken away.
    """
    said = [sums_of_terms(model, sample.scores) for model in models]
    for model, sums in zip(models, said, strict=True):
        readings = readings_of(model, sample.scores)[:, : len(model.providers)]
        centred = np.column_stack([np.ones(len(readings)), readings])
        slopes = np.linalg.lstsq(centred, sums, rcond=None)[0]
        for reading, slope in zip(model.providers, slopes[1:], strict=True):
            reading.effect_micro = round(max(float(slope), 0.0) * 1e6)
    # Jackknife over the folds: how far the fit itself would move with other subjects.
    spread = (len(models) - 2) * float(np.var(said[:-1], axis=0).mean())
    width = _width(models[:-1], sample, fold, spread, seed)
    for model in models:
        model.width_permille = min(round(1000 * width), 100_000)
        model.fit_variance_micro = round(spread * 1e6)


def _width(
    models: list[v1.PoolingModel], sample: Sample, fold: Ints, spread: float, seed: int
) -> float:
    """Return by how much to multiply variances so that 90 % of intervals hold what everybody would say.

    That is, for every number of providers heard of which there are enough subjects, at least.
    """
    rng = np.random.default_rng(seed)
    known = np.isfinite(sample.scores)
    keep = known & (rng.random(known.shape) < rng.random((len(sample), 1)))
    rows = keep.any(axis=1) & (known & ~keep).any(axis=1)
    if not rows.any():
        return 1.0
    ratio, heard = [], []
    for number, model in enumerate(models):
        mine = rows & (fold == number)
        if not mine.any():
            continue
        scores = sample.scores[mine]
        part, all_of_it = (sums_of_terms(model, scores, heard=h) for h in (keep[mine], None))
        missed = ((part - all_of_it) / REACH) ** 2
        left = variance_left(model, keep[mine])
        ratio.append(np.maximum(missed - spread, 0.0) / np.maximum(left, 1e-9))
        heard.append(keep[mine].sum(axis=1))
    ratios, counts = np.concatenate(ratio), np.concatenate(heard)
    groups = [ratios[counts == count] for count in np.unique(counts)]
    enough = [group for group in groups if len(group) >= _ENOUGH] or [ratios]
    return max(0.01, *(float(np.quantile(group, 0.9)) for group in enough))
