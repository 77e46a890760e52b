"""What would lift a score to the next band: the smallest changes of the providers' scores that do.

    lift = lift_of(calibration, heard)
    lift.floor                       # 600: where the next band begins
    lift.changes                     # one way each: a provider's score alone, or two together

The pooled log-odds never rises where a score moves to its safer side, so the smallest change that is enough
is found by bisection over the whole scores of the provider's scale. "Counterfactual explanations without
opening the black box" (Wachter, Mittelstadt, Russell, 2018); here the box is open and the answer exact.

It says what the model would say of other scores. It does not say how to get them, how long that takes, or
what a lender would decide: each provider's own reasons say what its score rests on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

from concordat import v1
from concordat.pooling.calibration import CompiledCalibration
from concordat.pooling.points import band_of, floor_above
from concordat.pooling.pool import Heard, pool

_STEPS = 1000  # of the way to the safe ends of two scales, when two scores move together

Path: TypeAlias = tuple[int, Callable[[int], int]]
"""How many whole scores there are to a scale's safe end, and the score at each."""


@dataclass(frozen=True, slots=True)
class Change:
    """One provider's score, now and as it would have to be."""

    provider: str
    score: int
    needed: int


@dataclass(frozen=True, slots=True)
class Way:
    """Changes that lift the score together, and the points that there would be."""

    changes: tuple[Change, ...]
    points: int


@dataclass(frozen=True, slots=True)
class Lift:
    """How a score would reach the next band; ``ways`` is empty where no one or two scores can do it."""

    floor: int
    band: v1.Band.ValueType
    ways: tuple[Way, ...]


def lift_of(calibration: CompiledCalibration, heard: Sequence[Heard]) -> Lift | None:
    """Return what would lift the pooled points to the next band's floor; None in the best band.

    For each provider the smallest change of its score alone, in the order heard. Where none is enough alone, the
    two that have the least way to go: each the same share of what is left to its scale's safe end, to a
    thousandth, and no further than the other's makes needed. Everything else stays as it is. A provider that was
    not heard, or has no record, is not among them.

    Raises:
        ValueError, ScoreOutOfScale: as ``pool``.
    """
    floor = floor_above(pool(calibration, heard).points)
    if floor is None:
        return None
    search = _Search(calibration, dict(heard), floor)
    scored = [name for name, score in heard if score is not None]
    ways = [way for name in scored if (way := search.alone(name)) is not None]
    if not ways and (two := search.together(scored)) is not None:
        ways = [two]
    return Lift(floor, band_of(floor), tuple(ways))


@dataclass(frozen=True, slots=True)
class _Search:
    calibration: CompiledCalibration
    heard: dict[str, int | None]
    floor: int

    def alone(self, name: str) -> Way | None:
        """Return the smallest change of one score that is enough; None where none is."""
        steps, at = self._path(name)
        enough = _least(steps, lambda step: self._points({name: at(step)}) >= self.floor)
        return None if enough is None else self._way({name: at(enough)})

    def together(self, names: Sequence[str]) -> Way | None:
        """Return the way of the two scores that have the least to go; None where no two are enough."""
        best, found = _STEPS + 1, None
        for two in combinations(names, 2):
            paths = {name: self._path(name) for name in two}
            # Nothing beyond one look at a pair that has further to go than the best.
            share = _least(best - 1, self._enough_at(paths))
            if share is not None:
                best, found = share, paths
        return None if found is None else self._way(self._trimmed(found, best))

    def _enough_at(self, paths: dict[str, Path]) -> Callable[[int], bool]:
        return lambda share: self._points(_moved(paths, share)) >= self.floor

    def _trimmed(self, paths: dict[str, Path], share: int) -> dict[str, int]:
        """Return the scores at a share of their ways, each taken back as far as the other allows."""
        scores = _moved(paths, share)
        for name, (steps, at) in paths.items():
            least = _least(steps, self._enough_with(scores, name, at))
            scores[name] = scores[name] if least is None else at(least)
        return scores

    def _enough_with(
        self, scores: dict[str, int], name: str, at: Callable[[int], int]
    ) -> Callable[[int], bool]:
        return lambda step: self._points({**scores, name: at(step)}) >= self.floor

    def _path(self, name: str) -> Path:
        """Return how many whole scores there are to the scale's safe end, and the score at each."""
        scale = self.calibration.readings[self.calibration.places[name]].scale
        score = self.heard[name] or 0
        if scale.log_odds[-1] > scale.log_odds[0]:  # higher is riskier
            return score - scale.scores[0], lambda step: score - step
        return scale.scores[-1] - score, lambda step: score + step

    def _points(self, scores: dict[str, int]) -> int:
        return pool(self.calibration, list({**self.heard, **scores}.items())).points

    def _way(self, scores: dict[str, int]) -> Way:
        changes = [
            Change(name, self.heard[name] or 0, needed)
            for name, needed in scores.items()
            if needed != self.heard[name]
        ]
        return Way(tuple(changes), self._points(scores))


def _moved(paths: dict[str, Path], share: int) -> dict[str, int]:
    """Return the scores at ``share`` thousandths of their ways, rounded up."""
    return {name: at(-(-steps * share // _STEPS)) for name, (steps, at) in paths.items()}


def _least(steps: int, enough: Callable[[int], bool]) -> int | None:
    """Return the least of 0 to ``steps`` that is enough, where all above it are too; None for none."""
    if steps < 0 or not enough(steps):
        return None
    low, high = 0, steps
    while low < high:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle + 1
    return high
