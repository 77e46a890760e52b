"""Calibrations of every lawful shape, by hand and at random, for tests of the pool."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import permutations
from math import factorial
from random import Random

from concordat import v1
from concordat.pooling import CompiledCalibration, Heard
from concordat.pooling.declared import POINTS

MICRO = 1_000_000
ENDS = 20 * MICRO
MOST = 14 * MICRO
_ABOVE, _BELOW, _ALL = (
    v1.RampSide.RAMP_SIDE_ABOVE,
    v1.RampSide.RAMP_SIDE_BELOW,
    v1.RampSide.RAMP_SIDE_ALL,
)


def calibration_of(model: v1.PoolingModel, points: v1.PointScale = POINTS) -> v1.Calibration:
    """Return a calibration of `model` that keeps to the contract's bounds."""
    calibration = v1.Calibration(
        calibration_id=bytes(16),
        federation="test.concordat",
        version=1,
        points=points,
        model=model,
        report=v1.FitReport(method="declared"),
    )
    calibration.made_at.FromDatetime(datetime(2026, 1, 1, tzinfo=UTC))
    calibration.not_before.FromDatetime(datetime(2026, 1, 1, tzinfo=UTC))
    calibration.stale_from.FromDatetime(datetime(2027, 1, 1, tzinfo=UTC))
    return calibration


def compiled(model: v1.PoolingModel, points: v1.PointScale = POINTS) -> CompiledCalibration:
    """Return a checked calibration of `model`."""
    return CompiledCalibration.from_message(calibration_of(model, points))


def plain_reading(provider: str, **fields: int) -> v1.ProviderReading:
    """Return a provider whose score, -10,000 to 10,000, is its log-odds of default in thousandths."""
    reading = v1.ProviderReading(provider=provider)
    for field, value in {"spread_micro": MICRO, "record_ppm": MICRO, **fields}.items():
        setattr(reading, field, value)
    for score in (-10_000, 10_000):
        reading.knots.add(score=score, log_odds_micro=1000 * score)
    return reading


def plain_model(count: int, weight: int = MICRO, **fields: int) -> v1.PoolingModel:
    """Return a model of providers that share nothing, whose log-odds are added up; even odds at 0."""
    return v1.PoolingModel(
        providers=[plain_reading(f"provider-{at:02}", **fields) for at in range(count)],
        ramps=[v1.Ramp(reading=at, side=_ALL, weight_micro=weight) for at in range(count)],
        width_permille=1000,
    )


def random_calibration(
    seed: int, providers: int, *, extreme: bool = False, switch: bool = False
) -> v1.Calibration:
    """Return a lawful calibration drawn by `seed`; an `extreme` one often lies at the contract's bounds."""
    drawn = _Drawn(seed, extreme)
    places = providers + switch
    model = v1.PoolingModel(
        providers=[drawn.reading(at, switch=switch) for at in range(providers)],
        no_record_counts=switch,
        intercept_micro=drawn.one(-3 * MICRO, MICRO, -MOST, MOST),
        ramps=[drawn.ramp(places) for _ in range(drawn.random.randint(0, 2 * providers))],
        trees=[
            drawn.tree(places, drawn.random.randint(1, 15))
            for _ in range(drawn.random.randint(0, 12))
        ],
        shared_floor_micro=drawn.one(-3 * MICRO, 0, -ENDS, 0),
        shared_ceiling_micro=drawn.one(0, 3 * MICRO, 0, ENDS),
        width_permille=drawn.one(0, 3000, 0, 100_000),
        fit_variance_micro=drawn.one(0, MICRO, 0, 100 * MICRO),
        told=drawn.told(),
    )
    if places > 1:
        model.pairs.extend(drawn.pair(places) for _ in range(drawn.random.randint(0, 8)))
    return calibration_of(model, drawn.points())


def random_heard(
    seed: int, calibration: v1.Calibration, *, no_record: float = 0.2, everybody: bool = False
) -> list[Heard]:
    """Return what some of its providers might have stated, one score at least, in any order."""
    random = Random(seed)
    model = calibration.model
    asked = list(model.providers)
    random.shuffle(asked)
    if not everybody:
        asked = asked[: random.randint(1, len(asked))]
    heard: list[Heard] = []
    for place, reading in enumerate(asked):
        ends = reading.knots[0].score, reading.knots[-1].score
        score = random.choice([*ends, random.choice(reading.knots).score, random.randint(*ends)])
        heard.append((reading.provider, None if place and random.random() < no_record else score))
    random.shuffle(heard)
    return heard


class _Drawn:
    """Draws from an ordinary range, or, where extreme, often one of the contract's bounds."""

    def __init__(self, seed: int, extreme: bool) -> None:
        self.random, self.extreme = Random(seed), extreme

    def one(self, low: int, high: int, least: int, most: int) -> int:
        if self.extreme and self.random.random() < 0.5:
            return self.random.choice([least, most, max(least, 0)])
        return self.random.randint(low, high)

    def points(self) -> v1.PointScale:
        if not self.extreme:
            return POINTS
        return v1.PointScale(
            at_odds=self.one(500, 700, 100, 900),
            odds=self.one(10, 50, 1, 10_000),
            to_double=self.one(10, 40, 1, 200),
        )

    def reading(self, place: int, *, switch: bool) -> v1.ProviderReading:
        return v1.ProviderReading(
            provider=f"provider-{place:02}",
            knots=self.knots(),
            center_micro=self.one(-4 * MICRO, 0, -MOST, MOST),
            spread_micro=self.one(300_000, 2 * MICRO, 1000, MOST),
            loading_ppm=self.one(0, 900_000, 0, 950_000),
            floor_micro=self.one(-3 * MICRO, 0, -ENDS, 0),
            ceiling_micro=self.one(0, 3 * MICRO, 0, ENDS),
            record_ppm=self.one(100_000, 900_000, 1, MICRO),
            record_loading_ppm=self.one(-500_000, 500_000, -950_000, 950_000) if switch else 0,
            effect_micro=self.one(0, MICRO, 0, MOST),
        )

    def knots(self) -> list[v1.CalibrationKnot]:
        """Return a monotone map, level in places, whichever way it runs."""
        count = self.random.choice([2, 3, 8, 128 if self.extreme else 20])
        span = self.random.choice([count + 1, 550, 2**31 - 1 if self.extreme else 1000])
        scores = sorted(self.random.sample(range(-(span // 4), max(span, 2 * count)), count))
        if self.extreme and self.random.random() < 0.3:
            scores[0], scores[-1] = -(2**31), 2**31 - 1
        levels = sorted(self.one(-6 * MICRO, 3 * MICRO, -MOST, MOST) for _ in scores)
        if levels[0] == levels[-1]:
            levels[-1] = levels[0] + 1 if levels[0] < MOST else levels[-1]
            levels[0] = levels[-1] - 1
        if self.random.random() < 0.5:
            levels.reverse()
        return [
            v1.CalibrationKnot(score=score, log_odds_micro=level)
            for score, level in zip(scores, levels, strict=True)
        ]

    def ramp(self, places: int) -> v1.Ramp:
        side = self.random.choice([_ABOVE, _BELOW, _ALL])
        return v1.Ramp(
            reading=self.random.randrange(places),
            side=side,
            at_micro=0 if side == _ALL else self.one(-2 * MICRO, 2 * MICRO, -ENDS, ENDS),
            weight_micro=self.one(0, 600_000, 0, MOST),
        )

    def told(self) -> list[v1.ToldKnot]:
        """Return the last step's map, of no knots to 32."""
        count = self.random.choice([0, 0, 1, 2, 9, 32])
        reach = 100 * MICRO if self.extreme else 6 * MICRO
        sums, levels = (sorted(self.random.sample(range(-reach, reach), count)) for _ in range(2))
        return [
            v1.ToldKnot(sum_micro=at, log_odds_micro=level)
            for at, level in zip(sums, levels, strict=True)
        ]

    def pair(self, places: int) -> v1.Pair:
        one, other = self.random.sample(range(places), 2)
        return v1.Pair(
            one=one,
            other=other,
            both_high_micro=self.one(0, 60_000, 0, MOST),
            both_low_micro=self.one(0, 60_000, 0, MOST),
        )

    def tree(self, places: int, splits: int) -> v1.Tree:
        most = MOST if self.extreme else 200_000
        return random_tree(self.random, places, splits, most=most, chain=self.random.random() < 0.3)


def random_tree(
    random: Random, places: int, splits: int, *, most: int = 200_000, chain: bool = False
) -> v1.Tree:
    """Return a tree that never falls; a `chain` is as deep as it has splits."""
    left, right = [0] * splits, [0] * splits
    open_ends: list[tuple[list[int], int]] = [(left, 0), (right, 0)]  # in order of risk
    for split in range(1, splits):
        at = random.choice([0, len(open_ends) - 1]) if chain else random.randrange(len(open_ends))
        side, parent = open_ends[at]
        side[parent] = split
        open_ends[at : at + 1] = [(left, split), (right, split)]
    values = sorted(random.randint(-most, most) for _ in open_ends)
    order = random.sample(range(len(open_ends)), len(open_ends))
    leaves = [0] * len(open_ends)
    for (side, parent), leaf, value in zip(open_ends, order, values, strict=True):
        side[parent] = -1 - leaf
        leaves[leaf] = value
    return v1.Tree(
        readings=[random.randrange(places) for _ in range(splits)],
        above_micro=[random.choice([0, -1, random.randint(-2 * MICRO, 2 * MICRO)]) for _ in left],
        left=left,
        right=right,
        leaves_micro=leaves,
    )


def walked(tree: v1.Tree, readings: Sequence[int]) -> int:
    """Return the value of the leaf that `readings` come to, as the contract words it."""
    child = 0
    while child >= 0:
        above = readings[tree.readings[child]] > tree.above_micro[child]
        child = (tree.right if above else tree.left)[child]
    return tree.leaves_micro[-1 - child]


def shapley(
    value: Callable[[Sequence[int]], Fraction | int], readings: Sequence[int]
) -> list[Fraction]:
    """Return each reading's share by enumeration: over all orders, what it adds when it leaves 0."""
    shares = [Fraction(0)] * len(readings)
    for order in permutations(range(len(readings))):
        here = [0] * len(readings)
        before = value(here)
        for place in order:
            here[place] = readings[place]
            after = value(here)
            shares[place] += Fraction(after - before, factorial(len(readings)))
            before = after
    return shares
