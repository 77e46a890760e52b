"""The bins of a calibration's baselines, and which of them a score lies in: pure."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache

from concordat import v1
from concordat.federation.calibrations import OpenedCalibration
from exchange.drift.rules import Bin
from exchange.drift.table import Cell


def baselines_of(calibration: v1.Calibration) -> dict[str, Sequence[v1.BaselineBin]]:
    """Return the baseline of each provider that has one, lowest bin first."""
    return {fit.provider: fit.baseline for fit in calibration.report.providers if fit.baseline}


def bin_of(edges: Sequence[int], score: int) -> int:
    """Return the place of the bin that a score lies in; the last one holds what is above it too."""
    return min(bisect_left(edges, score), len(edges) - 1)


def cells_of(calibration: OpenedCalibration, scores: Iterable[tuple[str, int]]) -> tuple[Cell, ...]:
    """Return the cells that the scores of one subject, by provider, are counted in.

    A provider without a baseline is not counted.
    """
    edges = _edges(calibration)
    return tuple(
        (calibration.version, provider, bin_of(edges[provider], score))
        for provider, score in scores
        if provider in edges
    )


@lru_cache(maxsize=8)
def _edges(calibration: OpenedCalibration) -> dict[str, tuple[int, ...]]:
    return {
        provider: tuple(each.up_to_score for each in baseline)
        for provider, baseline in baselines_of(calibration.message).items()
    }


def bins_of(
    baseline: Sequence[v1.BaselineBin],
    scores: Sequence[int],
    outcomes: Sequence[tuple[int, int]],
) -> list[Bin]:
    """Put a baseline, current scores and (outcomes, defaults) together, bin by bin."""
    return [
        Bin(then.up_to_score, then.subjects, then.defaults, now, *told)
        for then, now, told in zip(baseline, scores, outcomes, strict=True)
    ]
