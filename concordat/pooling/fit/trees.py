"""Boosted trees of up to 12 leaves that never fall in any reading.

Gradient boosting with second-order steps (Friedman 2001; Chen and Guestrin 2016) on histograms, the leaf
with the largest gain first. A split is taken only where the right side is worth at least the left, and what
lies below either side is held to its side of their middle, so that the whole tree is monotone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from concordat.pooling.measures import Floats, Ints
from concordat.pooling.odds import sigmoid

BINS = 128


@dataclass(frozen=True, slots=True)
class Boosting:
    """How trees are grown."""

    bags: int = 4
    rounds: int = 110
    rate: float = 0.045
    leaves: int = 12
    share: float = 0.8  # of the rows in each bag
    readings: float = 0.5  # share of the readings that each split may use
    least: float = 10.0  # curvature in a leaf: some 60 subjects at a default rate of one fifth
    shrink: float = 12.0  # added to a leaf's curvature


@dataclass(slots=True)
class Grown:
    """One tree. Children that are not negative are splits; -1 - i is leaf i."""

    readings: list[int] = field(default_factory=list)
    above: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    leaves: list[float] = field(default_factory=list)


def tree_values(tree: Grown, readings: Floats) -> Floats:
    """Return the value of the leaf that each row of `readings` (n, d) comes to."""
    out = np.empty(len(readings))
    waiting = [(0 if tree.readings else -1, np.arange(len(readings)))]
    while waiting:
        child, rows = waiting.pop()
        if child < 0:
            out[rows] = tree.leaves[-1 - child]
            continue
        goes_right = readings[rows, tree.readings[child]] > tree.above[child]
        waiting.append((tree.left[child], rows[~goes_right]))
        waiting.append((tree.right[child], rows[goes_right]))
    return out


def with_trees(start: Floats | float, trees: Iterable[Grown], readings: Floats) -> Floats:
    """Return `start`, a number or (n,), and what all `trees` are worth at each row of `readings` (n, d)."""
    out = np.full(len(readings), start)
    for tree in trees:
        out += tree_values(tree, readings)
    return out


def boost(
    readings: Floats,
    outcomes: Floats,
    weights: Floats,
    start: float,
    boosting: Boosting,
    rng: np.random.Generator,
) -> list[Grown]:
    """Return trees whose sum, added to `start`, is the log-odds; bags are averaged.

    Args:
        readings: (n, d).
        outcomes: (n,), 0 or 1.
        weights: (n,), at least 0.
        start: log-odds to boost from.
        boosting: how.
        rng: draws bags and readings.
    """
    edges = [_edges(column) for column in readings.T]
    binned = np.stack(
        [np.searchsorted(e, column) for e, column in zip(edges, readings.T, strict=True)], axis=1
    )
    grown = []
    for _ in range(boosting.bags):
        rows = rng.permutation(len(readings))[: max(1, round(boosting.share * len(readings)))]
        bag = _Bag(binned[rows], edges, outcomes[rows], weights[rows], boosting, rng)
        grown.extend(bag.grow(start))
    return grown


def _edges(column: Floats) -> Floats:
    """Return up to 127 distinct thresholds, halfway between neighbouring quantiles."""
    distinct = np.unique(column)
    if len(distinct) > BINS:
        distinct = np.unique(np.quantile(column, np.linspace(0, 1, BINS), method="nearest"))
    middles: Floats = (distinct[:-1] + distinct[1:]) / 2
    return middles


@dataclass(slots=True)
class _Leaf:
    """A leaf that may be split: its rows, the bounds of its value, sums by reading and bin, its best split."""

    rows: Ints
    low: float
    high: float
    sums: Floats  # (2, d, BINS): slope, curvature
    parent: tuple[int, bool] | None  # the split that it hangs from, and whether on the right
    gain: float = 0.0
    reading: int = 0
    bin: int = 0
    middle: float = 0.0


class _Bag:
    """One bag's rows, binned."""

    def __init__(
        self,
        binned: Ints,
        edges: list[Floats],
        outcomes: Floats,
        weights: Floats,
        boosting: Boosting,
        rng: np.random.Generator,
    ) -> None:
        self.binned, self.edges, self.boosting, self.rng = binned, edges, boosting, rng
        self.outcomes, self.weights = outcomes, weights
        self.width = binned.shape[1]
        self.flat = binned + np.arange(self.width) * BINS

    def grow(self, start: float) -> list[Grown]:
        log_odds = np.full(len(self.binned), start)
        trees = []
        for _ in range(self.boosting.rounds):
            p = sigmoid(log_odds)
            gradients = np.stack([self.weights * (self.outcomes - p), self.weights * p * (1 - p)])
            tree, leaves = self._tree(gradients)
            for leaf, value in zip(leaves, tree.leaves, strict=True):
                log_odds[leaf.rows] += value
            if tree.readings:
                tree.leaves = [value / self.boosting.bags for value in tree.leaves]
                trees.append(tree)
        return trees

    def _tree(self, gradients: Floats) -> tuple[Grown, list[_Leaf]]:
        rows = np.arange(len(self.binned))
        leaves = [_Leaf(rows, -np.inf, np.inf, self._sums(rows, gradients), None)]
        self._look(leaves[0])
        tree = Grown()
        while len(leaves) < self.boosting.leaves:
            place = max(range(len(leaves)), key=lambda at: leaves[at].gain)
            if leaves[place].gain <= 0:
                break
            leaf = leaves.pop(place)
            leaves[place:place] = self._split(tree, leaf, gradients)
        for index, leaf in enumerate(leaves):
            self._hang(tree, leaf, -1 - index)
            total = leaf.sums[:, 0].sum(axis=1)
            tree.leaves.append(self.boosting.rate * self._worth(total, leaf.low, leaf.high).item())
        return tree, leaves

    def _split(self, tree: Grown, leaf: _Leaf, gradients: Floats) -> list[_Leaf]:
        index = len(tree.readings)
        self._hang(tree, leaf, index)
        tree.readings.append(leaf.reading)
        tree.above.append(float(self.edges[leaf.reading][leaf.bin]))
        tree.left.append(0)
        tree.right.append(0)
        goes_right = self.binned[leaf.rows, leaf.reading] > leaf.bin
        left, right = leaf.rows[~goes_right], leaf.rows[goes_right]
        if len(left) <= len(right):
            of_left = self._sums(left, gradients)
            of_right = leaf.sums - of_left
        else:
            of_right = self._sums(right, gradients)
            of_left = leaf.sums - of_right
        sides = [
            _Leaf(left, leaf.low, leaf.middle, of_left, (index, False)),
            _Leaf(right, leaf.middle, leaf.high, of_right, (index, True)),
        ]
        for side in sides:
            self._look(side)
        return sides

    def _hang(self, tree: Grown, leaf: _Leaf, child: int) -> None:
        if leaf.parent is not None:
            index, on_right = leaf.parent
            (tree.right if on_right else tree.left)[index] = child

    def _sums(self, rows: Ints, gradients: Floats) -> Floats:
        flat, size = self.flat[rows].ravel(), self.width * BINS
        sums = [np.bincount(flat, np.repeat(g[rows], self.width), size) for g in gradients]
        stacked: Floats = np.stack(sums).reshape(2, self.width, BINS).astype(np.float64)
        return stacked

    def _look(self, leaf: _Leaf) -> None:
        """Find the leaf's best split."""
        drawn = self.rng.permutation(self.width)[
            : max(1, round(self.boosting.readings * self.width))
        ]
        left = leaf.sums[:, drawn].cumsum(axis=2)
        right: Floats = left[:, :, -1:] - left
        of_left, of_right = (self._worth(side, leaf.low, leaf.high) for side in (left, right))
        gain = self._gain(left, of_left) + self._gain(right, of_right)
        least = self.boosting.least
        allowed = (of_left < of_right) & (left[1] >= least) & (right[1] >= least)
        gain = np.where(allowed, gain, -np.inf)
        at, bin_ = divmod(int(gain.argmax()), BINS)
        whole = left[:, 0, -1]
        stays = self._gain(whole, self._worth(whole, leaf.low, leaf.high))
        leaf.gain = float(gain[at, bin_] - stays)
        leaf.reading, leaf.bin = int(drawn[at]), bin_
        leaf.middle = float(of_left[at, bin_] + of_right[at, bin_]) / 2

    def _worth(self, side: Floats, low: float, high: float) -> Floats:
        step: Floats = np.clip(side[0] / (side[1] + self.boosting.shrink), low, high)
        return step

    def _gain(self, side: Floats, worth: Floats) -> Floats:
        gain: Floats = side[0] * worth - 0.5 * (side[1] + self.boosting.shrink) * worth**2
        return gain
