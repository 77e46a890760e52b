"""Which cells a subject's scores are counted in, and the counts of a baseline put together: pure."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from concordat import v1
from concordat.federation.calibrations import OpenedCalibration
from concordat.pooling.baseline import bin_of, edges_of
from exchange.drift.rules import Bin
from exchange.drift.table import Cell


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
    return edges_of(calibration.message)


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
