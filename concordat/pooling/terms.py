"""The terms that make one log-odds of readings, and what each reading adds to them: exact integers.

A term's value is shared among its readings as a game among them (Shapley 1953), where a reading that
does not play stands at 0, what is expected of a subject of whom nothing is known. A ramp has one
reading; a pair shares by halves; a tree of three levels by sixths. So shares are exact in `UNIT`s,
sixths of 1e-18, and add up to what the terms are worth here less what they are worth at 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from concordat import v1
from concordat.pooling.scale import MICRO

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

UNIT = 6 * 10**18
"""Units of value to one log-odds."""

_MICRO_UNITS = UNIT // MICRO
_TERA_UNITS = UNIT // MICRO**2
_SIXTHS_OF_MICRO = _MICRO_UNITS // 6
_HALF_CUBE = UNIT // MICRO**3 // 2

LEVELS, SPLITS, LEAVES = 3, 7, 8
NO_SPLIT = 2_000_000_000

# The split that each of a tree's eight leaves passes at each level, and on which side of it.
_PATH = np.array([[0, 1 + leaf // 4, 3 + leaf // 2] for leaf in range(LEAVES)])
_RIGHT = np.array([[leaf // 4, leaf // 2 % 2, leaf % 2] for leaf in range(LEAVES)], dtype=np.bool_)

# Six times (a - 1)! b! / (a + b)!: the share of each of `a` readings that lead to a leaf while `b`
# others, at 0, would. Its transpose is what each of the `b` takes away.
_FACTORIAL = (1, 1, 2, 6)
_JOINED = np.array(
    [
        [
            6 * _FACTORIAL[a - 1] * _FACTORIAL[b] // _FACTORIAL[a + b]
            if a and a + b <= LEVELS
            else 0
            for b in range(LEVELS + 1)
        ]
        for a in range(LEVELS + 1)
    ]
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
    if side == v1.RampSide.RAMP_SIDE_ABOVE:
        return max(reading - at, 0)
    if side == v1.RampSide.RAMP_SIDE_BELOW:
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
    """Trees of three levels, leaf by leaf: (8 T, 3) arrays, a row a leaf, a column a level."""

    readings: Ints
    above: Ints
    right: Bools
    values: Ints  # (8 T,), millionths
    first: Bools  # whether the level is the first on the path with its reading
    same: tuple[
        Bools, Bools, Bools
    ]  # whether levels 0 and 1, 0 and 2, 1 and 2 have the same reading
    at_zero: tuple[Bools, int]  # sides at 0 as `_together` gives them, and the value there

    @classmethod
    def of(cls, trees: Sequence[v1.Tree]) -> "Trees":
        """Compile."""
        count = len(trees)
        readings = np.array([t.readings for t in trees], dtype=np.int64).reshape(count, SPLITS)
        above = np.array([t.above_micro for t in trees], dtype=np.int64).reshape(count, SPLITS)
        values = np.array([t.leaves_micro for t in trees], dtype=np.int64).reshape(count * LEAVES)
        of_leaf = readings[:, _PATH].reshape(count * LEAVES, LEVELS)
        same = (
            of_leaf[:, 0] == of_leaf[:, 1],
            of_leaf[:, 0] == of_leaf[:, 2],
            of_leaf[:, 1] == of_leaf[:, 2],
        )
        first = np.stack([np.ones(len(of_leaf), np.bool_), ~same[0], ~(same[1] | same[2])], axis=1)
        right = np.tile(_RIGHT, (count, 1))
        thresholds = above[:, _PATH].reshape(count * LEAVES, LEVELS)
        zero = _together((thresholds < 0) == right, same)
        worth = int(values[zero.all(axis=1)].sum())
        return cls(of_leaf, thresholds, right, values, first, same, (zero, worth))

    def add(self, readings: Sequence[int], shares: list[int]) -> int:
        """Add each reading's share to `shares`; return what the trees are worth at 0."""
        if not len(self.values):
            return 0
        here = np.array(readings, dtype=np.int64)[self.readings]
        inside = _together((here > self.above) == self.right, self.same)
        zero, worth = self.at_zero
        alive = (inside | zero).all(axis=1)
        leads, leaves = inside & ~zero & self.first, zero & ~inside & self.first
        a, b = leads.sum(axis=1), leaves.sum(axis=1)
        joined, parted = _JOINED[a, b], _JOINED[b, a]
        each = leads * joined[:, None] - leaves * parted[:, None]
        each *= np.where(alive, self.values, 0)[:, None]
        total = np.zeros(len(readings), dtype=np.int64)
        np.add.at(total, self.readings, each)
        for place, sixths in enumerate(total.tolist()):
            shares[place] += sixths * _SIXTHS_OF_MICRO
        return worth * _MICRO_UNITS


def _together(sides: Bools, same: tuple[Bools, Bools, Bools]) -> Bools:
    """Let the first level with a reading answer for the later ones: all of a path's splits on it at once."""
    second = sides[:, 1] & (sides[:, 2] | ~same[2])
    first = sides[:, 0] & (second | ~same[0]) & (sides[:, 2] | ~same[1])
    # A level that is not the first with its reading holds by itself: it must not be counted twice.
    third = sides[:, 2] | same[1] | same[2]
    return np.stack([first, second | same[0], third], axis=1)
