"""What a new calibration changes, and for whom: on a sample, or on the scores that its report states."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from clients.calibration.errors import CalibrationError
from concordat import v1
from concordat.pooling import band_of
from concordat.pooling.fit import Sample, pooled_log_odds
from concordat.pooling.fit.report_groups import shown_groups
from concordat.pooling.measures import Bools, Floats, measures
from concordat.pooling.odds import points_of, probability

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the change in points."""

MOST_STATED: Final = 10_000_000
"""Subjects of a baseline; one that states more is of no sample, and would fill the memory."""


@dataclass(frozen=True, slots=True)
class Change:
    """How points change for some subjects.

    Attributes:
        who: "all", a provider whose subjects they are, or an attribute and group.
        subjects: how many.
        moved: share whose band moves, 0 to 1.
        mean: mean change in points; above 0 the new one gives more.
        quantiles: of the change in points, at `QUANTILES`.
    """

    who: str
    subjects: int
    moved: float
    mean: float
    quantiles: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One calibration on the subjects that are compared."""

    calibration: v1.Calibration
    log_odds: Floats
    measures: v1.Measures

    @property
    def points(self) -> Floats:
        """Points, not rounded."""
        return points_of(self.log_odds, self.calibration.points)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two calibrations on the subjects of a sample that both score.

    Attributes:
        old: the one.
        new: the other.
        sample: of those subjects.
        unscored: subjects left out, since one of the two reads none of their scores.
        changes: for all, by provider, by group that is large enough to tell of.
    """

    old: Side
    new: Side
    sample: Sample
    unscored: int
    changes: list[Change]


def compare_on(old: v1.Calibration, new: v1.Calibration, sample: Sample) -> Comparison:
    """Compare on a sample.

    Raises:
        CalibrationError: the two score nobody in common, or all of those have the same outcome.
    """
    both = [log_odds_by(each, sample) for each in (old, new)]
    scored = ~np.isnan(both[0]) & ~np.isnan(both[1])
    if not scored.any():
        raise CalibrationError("the two calibrations have no subject of the sample in common")
    kept = sample.of(scored)
    if kept.outcomes.all() or not kept.outcomes.any():
        raise CalibrationError(
            "all subjects that both score have the same outcome: give a sample with some that defaulted and "
            "some that did not"
        )
    sides = [
        Side(each, log_odds[scored], measures(probability(log_odds[scored]), kept.outcomes))
        for each, log_odds in zip((old, new), both, strict=True)
    ]
    unscored = int((~scored).sum())
    return Comparison(sides[0], sides[1], kept, unscored, _changes(sides[0], sides[1], kept))


def log_odds_by(calibration: v1.Calibration, sample: Sample) -> Floats:
    """Return pooled log-odds (n,); NaN where no provider that it reads has a score of the subject."""
    scores, heard = read_by(calibration, sample)
    scored = ~np.isnan(scores).all(axis=1)
    found = np.full(len(sample), np.nan)
    if scored.any():
        found[scored] = pooled_log_odds(calibration.model, scores[scored], heard=heard[scored])
    return found


def read_by(calibration: v1.Calibration, sample: Sample) -> tuple[Floats, Bools]:
    """Return the scores that a calibration reads, (n, k) in its order, and who counts as heard, (n, k).

    A provider counts as not heard where the sample has no column of it, or the score is off the scale
    that the calibration knows: it reads no other.
    """
    readings = calibration.model.providers
    scores = np.full((len(sample), len(readings)), np.nan)
    heard = np.zeros(scores.shape, np.bool_)
    for place, reading in enumerate(readings):
        if reading.provider in sample.providers:
            column = sample.scores[:, sample.providers.index(reading.provider)]
            off = (column < reading.knots[0].score) | (column > reading.knots[-1].score)
            scores[:, place], heard[:, place] = np.where(off, np.nan, column), ~off
    return scores, heard


def compare_baselines(old: v1.Calibration, new: v1.Calibration) -> list[Change]:
    """Compare on the scores that the reports state, provider by provider, each heard alone.

    Of a bin every subject is taken to have its highest score. The bins are the new report's, or the old
    one's where it alone has any; providers that one of the two does not read are left out.

    Raises:
        CalibrationError: a baseline states more subjects than `MOST_STATED`.
    """
    found = []
    reads = [{reading.provider for reading in each.model.providers} for each in (old, new)]
    stated = _baselines(old) | _baselines(new)
    for provider in sorted(reads[0] & reads[1] & set(stated)):
        scores, weights = stated[provider]
        if sum(weights) > MOST_STATED:
            raise CalibrationError(
                f"the baseline of {provider} states {sum(weights):,} subjects, which no sample has; do not sign it"
            )
        points = [
            points_of(_heard_alone(each.model, provider, scores), each.points)
            for each in (old, new)
        ]
        found.append(change(provider, np.repeat(points[0], weights), np.repeat(points[1], weights)))
    return found


def change(who: str, old: Floats, new: Floats) -> Change:
    """Describe the change from points to points, (n,) both, n at least 1."""
    difference = new - old
    return Change(
        who=who,
        subjects=difference.size,
        moved=float((bands(old) != bands(new)).mean()),
        mean=float(difference.mean()),
        quantiles=tuple(float(each) for each in np.quantile(difference, QUANTILES)),
    )


def bands(points: Floats) -> Floats:
    """Return the band's number of each."""
    whole, place = np.unique(np.rint(points), return_inverse=True)
    return np.array([band_of(int(each)) for each in whole], np.float64)[place]


def _changes(old: Side, new: Side, sample: Sample) -> list[Change]:
    found = [change("all", old.points, new.points)]
    for place, provider in enumerate(sample.providers):
        known = ~np.isnan(sample.scores[:, place])
        if known.any():
            found.append(change(f"known to {provider}", old.points[known], new.points[known]))
    for attribute, names in sorted(sample.groups.items()):
        for group, of in shown_groups(names, sample.outcomes).items():
            found.append(change(f"{attribute}: {group}", old.points[of], new.points[of]))
    return found


def _baselines(calibration: v1.Calibration) -> dict[str, tuple[Floats, list[int]]]:
    return {
        fit.provider: (
            np.array([each.up_to_score for each in fit.baseline], np.float64),
            [each.subjects for each in fit.baseline],
        )
        for fit in calibration.report.providers
        if sum(each.subjects for each in fit.baseline)
    }


def _heard_alone(model: v1.PoolingModel, provider: str, scores: Floats) -> Floats:
    names = [reading.provider for reading in model.providers]
    rows = np.full((scores.size, len(names)), np.nan)
    rows[:, names.index(provider)] = scores
    return pooled_log_odds(model, rows, heard=~np.isnan(rows))
