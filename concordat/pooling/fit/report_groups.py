"""The same measures group by group. Groups are audited; no model ever reads them."""

from typing import Final

import numpy as np
import numpy.typing as npt

from concordat import v1
from concordat.pooling.fit import Sample
from concordat.pooling.measures import Bools, Floats, calibration_gap, measures
from concordat.pooling.odds import points_of, probability

LEAST_SUBJECTS: Final = 30
LEAST_OF_EACH: Final = 10
"""A group with fewer subjects, or fewer that defaulted or that did not, is not told of by itself: its
figures would tell of chance, and of persons."""

OTHERS: Final = "(others)"
"""Such groups together."""

THRESHOLDS: Final = (640, 600, 560, 520)
"""Floors of the bands A to D, points."""

_PPM = 1_000_000


def group_fits(
    sample: Sample, log_odds: Floats, other: Floats, points: v1.PointScale
) -> list[v1.GroupFit]:
    """Measure each group that is large enough, and the others together.

    Args:
        sample: with `groups`; who has none under an attribute ("") belongs to none.
        log_odds: cross-fitted, (n,).
        other: the same with no_record_counts the other way.
        points: how log-odds become points.
    """
    fits = []
    for attribute, names in sorted(sample.groups.items()):
        for group, members in shown_groups(names, sample.outcomes).items():
            fit = _fit_of(sample, members, log_odds, other, points)
            fit.attribute, fit.group = attribute, group
            fits.append(fit)
    return fits


def shown_groups(names: npt.NDArray[np.str_], outcomes: Bools) -> dict[str, Bools]:
    """Return the members of each group that is told of, in alphabetical order, `OTHERS` last.

    Groups that are too small are joined, with the next smallest as long as they are too few together: no
    group can be worked out by taking the others from all. Nothing is told of an attribute whose
    groups are too small all together.
    """
    groups = {str(name): names == name for name in np.unique(names) if name}
    by_size = sorted(groups, key=lambda name: (int(groups[name].sum()), name))
    joined = [name for name in by_size if not _large(outcomes[groups[name]])]
    alone = [name for name in by_size if name not in joined]
    others = np.isin(names, joined)
    while joined and alone and not _large(outcomes[others]):
        joined.append(alone.pop(0))
        others = np.isin(names, joined)
    shown = {name: groups[name] for name in sorted(alone)}
    if joined and _large(outcomes[others]):
        shown[OTHERS] = others
    return shown


def _large(outcomes: Bools) -> bool:
    defaults = int(outcomes.sum())
    return outcomes.size >= LEAST_SUBJECTS and (
        LEAST_OF_EACH <= defaults <= outcomes.size - LEAST_OF_EACH
    )


def _fit_of(
    sample: Sample, members: Bools, log_odds: Floats, other: Floats, points: v1.PointScale
) -> v1.GroupFit:
    default, outcome = probability(log_odds[members]), sample.outcomes[members]
    told, turned = points_of(log_odds[members], points), points_of(other[members], points)
    return v1.GroupFit(
        measures=measures(default, outcome),
        calibration_gap=calibration_gap(default, outcome).to_estimate(),
        approvals=[
            v1.Approval(
                threshold=threshold,
                share_ppm=round(float((np.rint(told) >= threshold).mean()) * _PPM),
            )
            for threshold in THRESHOLDS
        ],
        no_record_effect_milli=round(float((turned - told).mean()) * 1000),
    )
