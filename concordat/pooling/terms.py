"""The terms that make one log-odds of readings, and what each reading adds to them: exact integers.

A term's value is shared among its readings as a game among them (Shapley 1953), where a reading that
does not play stands at 0, what is expected of a subject of whom nothing is known. A ramp has one
reading; a pair shares by halves; a leaf of a tree by the readings that lead to it from here and from
0. So shares are exact in `UNIT`s, which every fraction that can come up divides, and add up to what
the terms are worth here less what they are worth at 0.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial, lcm

import numpy as np
import numpy.typing as npt

from concordat import v1
from concordat.pooling.scale import MICRO

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_MOST_SPLITS = 15
_FRACTION = 2 * lcm(*range(1, _MOST_SPLITS + 2))
# The readings of one leaf share by (a - 1)! b! / (a + b)!, a + b being at most the splits on its path;
# every such fraction is a multiple of 1 / _FRACTION.

UNIT = _FRACTION * 10**18
"""Units of value to one log-odds."""

_MICRO_UNITS = UNIT // MICRO
_TERA_UNITS = UNIT // MICRO**2
_HALF_CUBE = UNIT // MICRO**3 // 2

_ABOVE, _BELOW = v1.RampSide.RAMP_SIDE_ABOVE, v1.RampSide.RAMP_SIDE_BELOW

# (a - 1)! b! / (a + b)! times _FRACTION, 0 where a is 0: the share of each of `a` readings that lead to a
# leaf that `b` others, at 0, would lead to.
_JOINED = np.array(
    [
        [
            _FRACTION * factorial(a - 1) * factorial(b) // factorial(a + b) if a else 0
            for b in range(_MOST_SPLITS + 1)
        ]
        for a in range(_MOST_SPLITS + 1)
    ],
    dtype=np.int64,
)


@dataclass(frozen=True, slots=True)
class Ramps:
    """Terms of one reading."""

    terms: tuple[tuple[int, int, int, int], ...]  # reading, side, at, weight

    @classmethod
    def of(cls, ramps: Sequence[v1.Ramp]) -> "Ramps":
        """Compile."""
        return cls(tuple((r.reading, r.side, r.at_micro, r.weight_micro) for r in ramps))

    def add(self, readings: Sequence[int], shares: list[int]) -> int:
        """Add each reading's share to `shares`; return what the terms are worth at 0."""
        at_zero = 0
        for reading, side, at, weight in self.terms:
            zero = weight * _along(side, 0, at)
            at_zero += zero
            shares[reading] += (weight * _along(side, readings[reading], at) - zero) * _TERA_UNITS
        return at_zero * _TERA_UNITS


def _along(side: int, reading: int, at: int) -> int:
    if side == _ABOVE:
        return max(reading - at, 0)
    if side == _BELOW:
        return min(reading - at, 0)
    return reading


@dataclass(frozen=True, slots=True)
class Pairs:
    """Terms of two readings."""

    terms: tuple[tuple[int, int, int, int], ...]  # one, other, both_high, both_low
    ends: tuple[tuple[int, int], ...]  # floor and ceiling of each reading

    @classmethod
    def of(cls, model: v1.PoolingModel) -> "Pairs":
        """Compile the pairs of `model`."""
        ends = [(p.floor_micro, p.ceiling_micro) for p in model.providers]
        ends.append((model.shared_floor_micro, model.shared_ceiling_micro))
        terms = [(p.one, p.other, p.both_high_micro, p.both_low_micro) for p in model.pairs]
        return cls(tuple(terms), tuple(ends))

    def add(self, readings: Sequence[int], shares: list[int]) -> int:
        """Add each reading's share to `shares`; return what the terms are worth at 0."""
        held = [
            max(floor, min(ceiling, reading))
            for reading, (floor, ceiling) in zip(readings, self.ends, strict=True)
        ]
        at_zero = 0
        for one, other, high, low in self.terms:
            floor_x, ceiling_x = self.ends[one]
            floor_y, ceiling_y = self.ends[other]
            x, y = held[one], held[other]
            corners = [
                high * (a - floor_x) * (b - floor_y) - low * (ceiling_x - a) * (ceiling_y - b)
                for a, b in ((0, 0), (x, 0), (0, y), (x, y))
            ]
            neither, only_x, only_y, both = corners
            at_zero += neither
            shares[one] += (only_x - neither + both - only_y) * _HALF_CUBE
            shares[other] += (only_y - neither + both - only_x) * _HALF_CUBE
        return at_zero * 2 * _HALF_CUBE


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """All leaves of all trees: each is a box of readings, with a value.

    Where a reading lies among the thresholds that the trees split it at decides which boxes it is within, so
    that is looked up and not compared.

    Attributes:
        steps: by reading, its thresholds, increasing.
        within: by reading, (thresholds + 1, leaves): whether a reading there is within each leaf's box.
        at_zero: (readings, leaves), whether 0 is.
        values: (leaves,), millionths.
        worth: sum of the values where every reading is 0.
    """

    steps: tuple[tuple[int, ...], ...]
    within: tuple[Bools, ...]
    at_zero: Bools
    values: Ints
    worth: int

    @classmethod
    def of(cls, trees: Sequence[v1.Tree], readings: int) -> "Trees":
        """Compile trees over that many readings."""
        leaves = [leaf for tree in trees for leaf in _leaves(tree)]
        steps = tuple(
            tuple(sorted({above for path, _ in leaves for at, above, _ in path if at == reading}))
            for reading in range(readings)
        )
        within = tuple(
            np.ones((len(of_reading) + 1, len(leaves)), dtype=np.bool_) for of_reading in steps
        )
        for leaf, (path, _) in enumerate(leaves):
            for reading, above, right in path:
                at = bisect_left(steps[reading], above)
                (within[reading][: at + 1] if right else within[reading][at + 1 :])[:, leaf] = False
        values = np.array([value for _, value in leaves], dtype=np.int64)
        at_zero = _boxes(steps, within, [0] * readings)
        return cls(steps, within, at_zero, values, int(values[at_zero.all(axis=0)].sum()))

    def add(self, readings: Sequence[int], shares: list[int]) -> int:
        """Add each reading's share to `shares`; return what the trees are worth at 0."""
        inside = _boxes(self.steps, self.within, readings)
        moved = np.flatnonzero(
            (inside | self.at_zero).all(axis=0) & (inside != self.at_zero).any(axis=0)
        )
        inside, at_zero, values = inside[:, moved], self.at_zero[:, moved], self.values[moved]
        leads, leaves = inside & ~at_zero, at_zero & ~inside
        a, b = leads.sum(axis=0), leaves.sum(axis=0)
        gained, lost = values * _JOINED[a, b], values * _JOINED[b, a]
        for reading, each in enumerate((leads * gained - leaves * lost).sum(axis=1).tolist()):
            shares[reading] += each * (_MICRO_UNITS // _FRACTION)
        return self.worth * _MICRO_UNITS


def _boxes(
    steps: tuple[tuple[int, ...], ...], within: tuple[Bools, ...], readings: Sequence[int]
) -> Bools:
    """Return (readings, leaves): whether each reading is within each leaf's box."""
    return np.stack(
        [
            rows[bisect_left(thresholds, reading)]
            for thresholds, rows, reading in zip(steps, within, readings, strict=True)
        ]
    )


def _leaves(tree: v1.Tree) -> list[tuple[list[tuple[int, int, bool]], int]]:
    """Return each leaf of a tree: the splits on its path (reading, above, side), and its value."""
    found = []
    waiting: list[tuple[int, list[tuple[int, int, bool]]]] = [(0, [])]
    while waiting:
        child, path = waiting.pop()
        if child < 0:
            found.append((path, tree.leaves_micro[-1 - child]))
            continue
        split = tree.readings[child], tree.above_micro[child]
        waiting.append((tree.left[child], [*path, (*split, False)]))
        waiting.append((tree.right[child], [*path, (*split, True)]))
    return found
