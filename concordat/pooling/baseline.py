"""The bins of a calibration's baselines, and which of them a score lies in; pure."""

from bisect import bisect_left
from collections.abc import Sequence

from concordat import v1


def baselines_of(calibration: v1.Calibration) -> dict[str, Sequence[v1.BaselineBin]]:
    """Return the baseline of each provider that has one, lowest bin first; one that was declared has none."""
    return {fit.provider: fit.baseline for fit in calibration.report.providers if fit.baseline}


def edges_of(calibration: v1.Calibration) -> dict[str, tuple[int, ...]]:
    """Return the highest score of each bin, by provider."""
    return {
        provider: tuple(each.up_to_score for each in baseline)
        for provider, baseline in baselines_of(calibration).items()
    }


def bin_of(edges: Sequence[int], score: int) -> int:
    """Return the place of the bin that a score lies in; the last one holds what is above it too."""
    return min(bisect_left(edges, score), len(edges) - 1)
