"""Fitting a pool: maps, the shared risk, straight terms and trees, and how much each of the two counts.

1. A map from score to log-odds for each provider (`maps`).
2. The shared risk (`shared`), and with it every subject's readings. Some subjects come twice: as they are, and
   with some of their providers taken away, so that the terms also hold for those.
3. Straight terms (`lines`) and trees (`trees`), each a whole model of its own. Lines need few outcomes and
   reach beyond the sample, trees find what no line says.
4. Each subject's log-odds by models that were fitted without it, one fold after the other, and on those how
   much lines and trees count: a logistic regression that pulls the two towards 0.4 and 0.6.
5. On the same, the last step from the sum of all terms to the log-odds told (`maps.fit_told`).
6. The same on everybody, with the weights and the last step found.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from concordat import v1
from concordat.pooling.fit.batch import (
    pooled_log_odds,
    readings_of,
    sums_of_terms,
    variance_left,
)
from concordat.pooling.fit.lines import Lines, fit_lines
from concordat.pooling.fit.maps import RiskMap, fit_map, fit_told
from concordat.pooling.fit.nonneg import fit_logistic, logit
from concordat.pooling.fit.sample import Sample, Scale, check_sample
from concordat.pooling.fit.shared import Shared, expected, fit_shared
from concordat.pooling.fit.trees import Boosting, Grown, boost, tree_values
from concordat.pooling.fit.written import write_model

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Progress = Callable[[str, float], None]

METHOD = "shared-risk-1"
_TAKEN_AWAY, _HOW_MANY = (
    0.5,
    0.3,
)  # weight of a subject with some of its providers taken away; share of them
_LINES, _TREES, _PULL = (
    0.4,
    0.6,
    15.0,
)  # what the weights of lines and trees are pulled to, and how hard
_REACH = 1.645
_TOLD_FEWER = 0.5  # weight of a subject with some of its providers taken away, in the last step
_ENOUGH = 100  # subjects for which a share of 90 % can be told


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Everything fitted to one sample, before lines and trees are weighed."""

    maps: list[RiskMap]
    shared: Shared
    lines: Lines
    trees: list[Grown]
    start: float  # log-odds that the trees start from
    counts: bool

    def readings(self, scores: Floats) -> Floats:
        """Return the readings that the terms are of (n, d), everybody asked."""
        log_odds = np.column_stack([m(s) for m, s in zip(self.maps, scores.T, strict=True)])
        recorded = np.isfinite(scores).astype(np.float64) if self.counts else None
        return _used(expected(self.shared, log_odds, recorded), self.counts)

    def of_lines(self, readings: Floats) -> Floats:
        """Return the log-odds by the straight terms."""
        return self.lines(readings)

    def of_trees(self, readings: Floats) -> Floats:
        """Return the log-odds by the trees."""
        out = np.full(len(readings), self.start)
        for tree in self.trees:
            out += tree_values(tree, readings)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """How much lines and trees count: log-odds = start + lines * of_lines + trees * of_trees."""

    start: float
    lines: float
    trees: float


@dataclass(frozen=True, slots=True, eq=False)
class CrossFit:
    """Models that were fitted without a fold, and what each says of that fold.

    Attributes:
        log_odds: (n,) pooled, each by the model of its fold.
        fold: (n,) 0 to folds - 1.
        models: of each fold.
    """

    log_odds: Floats
    fold: Ints
    models: list[v1.PoolingModel]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A model, and the cross-fit that its figures come from."""

    model: v1.PoolingModel
    cross: CrossFit


def fit_pool(
    sample: Sample,
    scales: Mapping[str, Scale],
    *,
    no_record_counts: bool,
    folds: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
) -> Fitted:
    """Fit a pool to outcomes; the same arguments give the same model.

    Args:
        sample: scores and outcomes.
        scales: of each of its providers.
        no_record_counts: whether it is to move the score that a provider has no record. In a sample where
            everybody is on record everywhere it can't.
        folds: of the cross-fitting, 2 or more.
        seed: of everything that is drawn.
        progress: told what is being done and how much of it is, 0 to 1.

    Raises:
        SampleInvalid: the sample cannot be fitted to.
        ValueError: fewer than 2 folds, or more than there are defaults or others.
    """
    check_sample(sample, scales)
    tell = progress or _silent
    counts = no_record_counts and not bool(np.isfinite(sample.scores).all())
    ordered = [scales[provider] for provider in sample.providers]
    fold = folds_of(sample, folds, seed)
    parts = []
    for number in range(folds):
        tell(f"fold {number + 1} of {folds}", number / (folds + 1))
        parts.append(fit_parts(sample.of(fold != number), ordered, counts, seed))
    blend = _blend(sample, parts, fold)
    models = [write_model(sample.providers, p, blend) for p in parts]
    tell("everybody", folds / (folds + 1))
    whole = write_model(sample.providers, fit_parts(sample, ordered, counts, seed), blend)
    told = _told(sample, models, fold, seed)
    for model in (*models, whole):
        model.told.extend(told)
    cross = CrossFit(_out_of_fold(sample.scores, models, fold), fold, models)
    _widen([*models, whole], sample, cross, seed)
    tell("done", 1.0)
    return Fitted(whole, cross)


def folds_of(sample: Sample, folds: int, seed: int) -> Ints:
    """Return each subject's fold (n,), defaults and others spread evenly."""
    fewest = min(int(sample.outcomes.sum()), int((~sample.outcomes).sum()))
    if not 2 <= folds <= fewest:  # noqa: PLR2004 - one is no cross-fitting
        raise ValueError(
            f"{folds} folds; give 2 to {fewest}, as many as there are of the rarer outcome"
        )
    rng = np.random.default_rng(seed)
    fold = np.empty(len(sample), dtype=np.int64)
    for outcome in (False, True):
        rows = rng.permutation(np.flatnonzero(sample.outcomes == outcome))
        fold[rows] = np.arange(len(rows)) % folds
    return fold


def fit_parts(sample: Sample, scales: list[Scale], counts: bool, seed: int) -> Parts:  # noqa: FBT001 - a value
    """Fit maps, shared risk, lines and trees to a sample."""
    outcomes = sample.outcomes.astype(np.float64)
    known = np.isfinite(sample.scores)
    maps = [
        fit_map(column[k], outcomes[k], scale)
        for column, k, scale in zip(sample.scores.T, known.T, scales, strict=True)
    ]
    log_odds = np.column_stack([m(s) for m, s in zip(maps, sample.scores.T, strict=True)])
    start = logit((outcomes.sum() + 0.5) / (len(outcomes) + 1))
    shared = fit_shared(log_odds, start, record_counts=counts)
    rng = np.random.default_rng(seed)
    again = rng.permutation(len(sample))[: round(_HOW_MANY * len(sample))]
    keep = rng.random((len(again), known.shape[1])) < rng.random((len(again), 1))
    recorded = known.astype(np.float64) if counts else None
    fewer = expected(
        shared,
        np.where(keep, log_odds[again], np.nan),
        np.where(keep, known[again], np.nan) if counts else None,
    )
    readings = _used(np.vstack([expected(shared, log_odds, recorded), fewer]), counts)
    twice = np.concatenate([outcomes, outcomes[again]])
    weights = np.repeat([1.0, _TAKEN_AWAY], [len(sample), len(again)])
    strength = np.append(shared.loading, 1.0) if counts else shared.loading
    return Parts(
        maps,
        shared,
        fit_lines(readings, twice, weights, strength),
        boost(readings, twice, weights, start, Boosting(), rng),
        start,
        counts,
    )


def _used(readings: Floats, counts: bool) -> Floats:  # noqa: FBT001 - a value
    """Leave out the shared risk, which says nothing more where all else is known of a subject."""
    return readings if counts else readings[:, :-1]


def _blend(sample: Sample, parts: list[Parts], fold: Ints) -> Blend:
    of_lines, of_trees = np.empty(len(sample)), np.empty(len(sample))
    for number, part in enumerate(parts):
        rows = fold == number
        readings = part.readings(sample.scores[rows])
        of_lines[rows], of_trees[rows] = part.of_lines(readings), part.of_trees(readings)
    rate = logit(float(sample.outcomes.mean()))
    both = np.column_stack([of_lines - rate, of_trees - rate])
    # Coefficients are pulled to 0; so what they are to be pulled to stands in the offset.
    b = fit_logistic(
        np.column_stack([np.ones(len(both)), both]),
        sample.outcomes.astype(np.float64),
        np.ones(len(both)),
        np.diag([0.0, _PULL, _PULL]),
        np.array([False, False, False]),
        rate + both @ np.array([_LINES, _TREES]),
    )
    lines, trees = max(0.0, _LINES + float(b[1])), max(0.0, _TREES + float(b[2]))
    return Blend(rate + float(b[0]) - rate * (lines + trees), lines, trees)


def _out_of_fold(
    scores: Floats, models: list[v1.PoolingModel], fold: Ints, heard: Bools | None = None
) -> Floats:
    """Return the log-odds of each subject by the model of its fold."""
    log_odds = np.empty(len(scores))
    for number, model in enumerate(models):
        rows = fold == number
        asked = None if heard is None else heard[rows]
        log_odds[rows] = pooled_log_odds(model, scores[rows], heard=asked)
    return log_odds


def _told(
    sample: Sample, models: list[v1.PoolingModel], fold: Ints, seed: int
) -> list[v1.ToldKnot]:
    """Fit the last step: from sums of terms that did not see a subject to what became of it."""
    rng = np.random.default_rng(seed)
    known = np.isfinite(sample.scores)
    keep = rng.random(known.shape) < rng.random((len(sample), 1))
    fewer = (known & keep).any(axis=1)
    sums = np.concatenate(
        [
            _out_of_fold(sample.scores, models, fold),
            _out_of_fold(sample.scores, models, fold, keep)[fewer],
        ]
    )
    outcomes = np.concatenate([sample.outcomes, sample.outcomes[fewer]]).astype(np.float64)
    weights = np.repeat([1.0, _TOLD_FEWER], [len(sample), int(fewer.sum())])
    knots, levels = fit_told(sums, outcomes, weights)
    return [
        v1.ToldKnot(sum_micro=round(at * 1e6), log_odds_micro=round(level * 1e6))
        for at, level in zip(knots.tolist(), levels.tolist(), strict=True)
    ]


def _widen(models: list[v1.PoolingModel], sample: Sample, cross: CrossFit, seed: int) -> None:
    """Set each model's `effect_micro`, `width_permille` and `fit_variance_micro`."""
    for model in models:
        readings = readings_of(model, sample.scores)[:, : len(model.providers)]
        centred = np.column_stack([np.ones(len(readings)), readings])
        slopes = np.linalg.lstsq(centred, sums_of_terms(model, sample.scores), rcond=None)[0]
        for reading, slope in zip(model.providers, slopes[1:], strict=True):
            reading.effect_micro = round(max(float(slope), 0.0) * 1e6)
    said = np.stack([sums_of_terms(m, sample.scores) for m in models[:-1]])
    # Jackknife over the folds: how far the fit itself would move with other subjects.
    spread = (len(said) - 1) * float(said.var(axis=0).mean())
    width = _width(sample, cross, spread, seed)
    for model in models:
        model.width_permille = min(round(1000 * width), 100_000)
        model.fit_variance_micro = round(spread * 1e6)


def _width(sample: Sample, cross: CrossFit, spread: float, seed: int) -> float:
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
    for number, model in enumerate(cross.models):
        mine = rows & (cross.fold == number)
        if not mine.any():
            continue
        scores = sample.scores[mine]
        part, all_of_it = (sums_of_terms(model, scores, heard=h) for h in (keep[mine], None))
        missed = ((part - all_of_it) / _REACH) ** 2
        left = variance_left(model, keep[mine])
        ratio.append(np.maximum(missed - spread, 0.0) / np.maximum(left, 1e-9))
        heard.append(keep[mine].sum(axis=1))
    ratios, counts = np.concatenate(ratio), np.concatenate(heard)
    groups = [ratios[counts == count] for count in np.unique(counts)]
    enough = [group for group in groups if len(group) >= _ENOUGH] or [ratios]
    return max(0.01, *(float(np.quantile(group, 0.9)) for group in enough))


def _silent(what: str, share: float) -> None:
    del what, share
