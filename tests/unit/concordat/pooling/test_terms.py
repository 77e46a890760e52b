"""What each term is worth and how it is shared, held against walking and enumeration in exact fractions."""

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concordat import v1
from concordat.pooling.terms import UNIT, Pairs, Ramps, Trees
from tests.pooling_builders import (
    MICRO,
    random_calibration,
    random_tree,
    shapley,
    walked,
)

seeds = st.integers(0, 2**32 - 1)


def readings_of(seed: int, count: int) -> list[int]:
    """Return readings, some of them at 0 or at a bound."""
    random = Random(seed)
    return [
        random.choice([0, -1, 1, random.randint(-3 * MICRO, 3 * MICRO), random.randint(-999, 999)])
        for _ in range(count)
    ]


@settings(deadline=None)
@given(seeds, st.integers(1, 15), st.booleans())
def test_trees_are_worth_what_walking_them_comes_to(seed: int, splits: int, chain: bool) -> None:
    trees = [random_tree(Random(seed + at), 6, splits, chain=chain) for at in range(4)]
    readings = readings_of(seed, 6)
    shares = [0] * 6
    worth = Trees.of(trees, 6).add(readings, shares) + sum(shares)
    assert worth == sum(walked(tree, readings) for tree in trees) * (UNIT // MICRO)


def check_shares(trees: list[v1.Tree], readings: list[int]) -> None:
    shares = [0] * len(readings)
    worth = Trees.of(trees, len(readings)).add(readings, shares)
    assert worth == sum(walked(tree, [0] * len(readings)) for tree in trees) * (UNIT // MICRO)
    exact = shapley(lambda here: sum(walked(tree, here) for tree in trees), readings)
    assert [Fraction(share * MICRO, UNIT) for share in shares] == exact


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 5), st.integers(1, 15), st.booleans())
def test_shares_of_a_tree_are_those_of_enumeration(
    seed: int, count: int, splits: int, chain: bool
) -> None:
    check_shares([random_tree(Random(seed), count, splits, chain=chain)], readings_of(seed, count))


@pytest.mark.parametrize("seed", range(3))
def test_shares_of_trees_of_six_readings_are_those_of_enumeration(seed: int) -> None:
    check_shares([random_tree(Random(seed), 6, 15) for _ in range(2)], readings_of(seed, 6))


@pytest.mark.parametrize("highest", [1, 8, 15])
def test_leaf_that_fifteen_readings_lead_to_is_shared_exactly(highest: int) -> None:
    # A chain of 15 readings whose last leaf needs all of those above 0: they share it equally.
    tree = v1.Tree(
        readings=range(15),
        above_micro=[0] * 15,
        left=range(-1, -16, -1),
        right=[*range(1, 15), -16],
        leaves_micro=[0] * 15 + [MICRO],
    )
    shares = [0] * 15
    readings = [1] * highest + [0] * (15 - highest)
    assert Trees.of([tree], 15).add(readings, shares) == 0
    assert shares == [UNIT // 15 if highest == 15 else 0] * 15


def test_no_trees_are_worth_nothing() -> None:
    shares = [0, 0]
    assert Trees.of([], 2).add([MICRO, -MICRO], shares) == 0
    assert shares == [0, 0]


@settings(deadline=None)
@given(seeds)
def test_shares_of_pairs_are_those_of_enumeration(seed: int) -> None:
    model = random_calibration(seed, 3, switch=True).model
    readings = readings_of(seed, 4)
    ends = [(p.floor_micro, p.ceiling_micro) for p in model.providers]
    ends.append((model.shared_floor_micro, model.shared_ceiling_micro))

    def worth(here: object) -> Fraction:
        assert isinstance(here, list)
        held = [max(low, min(high, x)) for x, (low, high) in zip(here, ends, strict=True)]
        return sum(
            (
                Fraction(
                    p.both_high_micro
                    * (held[p.one] - ends[p.one][0])
                    * (held[p.other] - ends[p.other][0])
                    - p.both_low_micro
                    * (ends[p.one][1] - held[p.one])
                    * (ends[p.other][1] - held[p.other]),
                    MICRO**3,
                )
                for p in model.pairs
            ),
            Fraction(0),
        )

    shares = [0] * 4
    at_zero = Pairs.of(model).add(readings, shares)
    assert Fraction(at_zero, UNIT) == worth([0, 0, 0, 0])
    assert [Fraction(share, UNIT) for share in shares] == shapley(worth, readings)


@pytest.mark.parametrize(
    ("side", "at", "reading", "share", "at_zero"),
    [
        (v1.RampSide.RAMP_SIDE_ALL, 0, 1_500, 3_000, 0),
        (v1.RampSide.RAMP_SIDE_ALL, 0, -1_500, -3_000, 0),
        (v1.RampSide.RAMP_SIDE_ABOVE, 1_000, 1_500, 1_000, 0),
        (v1.RampSide.RAMP_SIDE_ABOVE, 1_000, 500, 0, 0),
        (v1.RampSide.RAMP_SIDE_ABOVE, -1_000, 500, 1_000, 2_000),
        (v1.RampSide.RAMP_SIDE_ABOVE, -1_000, -1_500, -2_000, 2_000),
        (v1.RampSide.RAMP_SIDE_BELOW, 1_000, 1_500, 2_000, -2_000),
        (v1.RampSide.RAMP_SIDE_BELOW, -1_000, -1_500, -1_000, 0),
        (v1.RampSide.RAMP_SIDE_BELOW, -1_000, 500, 0, 0),
    ],
)
def test_ramp_is_worth_what_it_adds_to_a_reading_of_nothing(
    side: v1.RampSide.ValueType, at: int, reading: int, share: int, at_zero: int
) -> None:
    ramps = Ramps.of([v1.Ramp(reading=1, side=side, at_micro=at, weight_micro=2 * MICRO)])
    shares = [0, 0]
    assert ramps.add([7, reading], shares) * MICRO == at_zero * UNIT
    assert [each * MICRO for each in shares] == [0, share * UNIT]
