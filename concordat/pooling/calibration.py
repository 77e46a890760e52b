"""A calibration, checked and compiled: ready to pool."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from concordat import v1
from concordat.pooling.evidence import Reading
from concordat.pooling.points import Points
from concordat.pooling.scale import CompiledScale, divide_half_even
from concordat.pooling.terms import UNIT, Pairs, Ramps, Trees

_RISKIER = v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_RISKIER


class CalibrationInvalid(ValueError):  # noqa: N818 - read as a finding, like the others of its kind
    """A calibration contradicts itself; the message says which field to mend and how."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledCalibration:
    """A checked calibration; make one with `from_message`.

    Attributes:
        message: the calibration.
        readings: of its providers, in its order.
        places: each provider's place among them.
        points: the point scale.
        base: sum of the terms where nothing is known of the subject, millionths.
    """

    message: v1.Calibration
    readings: tuple[Reading, ...]
    places: dict[str, int]
    points: Points
    base: int
    ramps: Ramps
    pairs: Pairs
    trees: Trees
    told: CompiledScale | None

    @classmethod
    def from_message(cls, calibration: v1.Calibration) -> "CompiledCalibration":
        """Check and compile; the last 32 different ones are remembered.

        Raises:
            CalibrationInvalid: as `check_calibration`.
        """
        return _compiled(calibration.SerializeToString(deterministic=True))

    @property
    def no_record_counts(self) -> bool:
        """Whether it moves the score that a provider has no record."""
        return self.message.model.no_record_counts

    def log_odds(self, total: int) -> int:
        """Return the log-odds told for a sum of terms; both millionths."""
        if self.told is None:
            return total
        sums = self.told.scores
        held = max(sums[0], min(sums[-1], total))
        return self.told.log_odds_micro(held) + total - held

    def reads(self, provider: str, scale: v1.ScoreScale) -> bool:
        """Tell whether it covers `provider` on its present `scale`: the same ends, the same direction."""
        place = self.places.get(provider)
        if place is None:
            return False
        known = self.readings[place].scale
        ends = (known.scores[0], known.scores[-1]) == (scale.minimum, scale.maximum)
        return ends and _rises(known.log_odds) == (scale.direction == _RISKIER)


def check_calibration(calibration: v1.Calibration) -> None:
    """Check what the contract says of a calibration in words only, or raise.

    The rules in the protos bound each field by itself. This checks them together: maps that never turn
    back, terms that name readings there are and never fall in any of them.

    Raises:
        CalibrationInvalid: naming the first field that is wrong and what it must be.
    """
    model = calibration.model
    names = [reading.provider for reading in model.providers]
    if not names:
        raise CalibrationInvalid("model.providers: is empty; name at least one")
    for index, name in enumerate(names):
        if name in names[:index]:
            raise CalibrationInvalid(f"model.providers[{index}].provider: {name} is there already")
    for index, reading in enumerate(model.providers):
        _check_map(f"model.providers[{index}]", reading)
        if reading.record_loading_ppm and not model.no_record_counts:
            raise CalibrationInvalid(
                f"model.providers[{index}].record_loading_ppm: must be 0 unless no_record_counts"
            )
    _check_terms(model, len(names) + model.no_record_counts)
    _check_told(model)
    for index, fit in enumerate(calibration.report.providers):
        _check_baseline(f"report.providers[{index}].baseline", fit.baseline)


def _check_baseline(where: str, bins: Sequence[v1.BaselineBin]) -> None:
    """Check the bins that later scores are counted in, for drift."""
    for index, (one, after) in enumerate(pairwise(bins), start=1):
        if after.up_to_score <= one.up_to_score:
            raise CalibrationInvalid(
                f"{where}[{index}].up_to_score: is {after.up_to_score}; it must be above the one before"
            )
    for index, each in enumerate(bins):
        if not 0 < each.subjects >= each.defaults:
            raise CalibrationInvalid(
                f"{where}[{index}]: {each.defaults} of {each.subjects} subjects cannot have defaulted"
            )


def _check_map(where: str, reading: v1.ProviderReading) -> None:
    if len(reading.knots) < 2:  # noqa: PLR2004 - a line needs two points
        raise CalibrationInvalid(f"{where}.knots: give at least two, at both ends of the scale")
    if not reading.spread_micro:
        raise CalibrationInvalid(f"{where}.spread_micro: is 0; give a standard deviation")
    for index, (one, after) in enumerate(pairwise(reading.knots), start=1):
        if after.score <= one.score:
            raise CalibrationInvalid(
                f"{where}.knots[{index}].score: is {after.score}; it must be above the one before"
            )
    steps = [after.log_odds_micro - one.log_odds_micro for one, after in pairwise(reading.knots)]
    if any(step > 0 for step in steps) == any(step < 0 for step in steps):
        raise CalibrationInvalid(
            f"{where}.knots: log-odds must rise or fall over the scale, and never turn back"
        )


def _check_terms(model: v1.PoolingModel, count: int) -> None:
    def check(where: str, reading: int) -> None:
        if reading >= count:
            raise CalibrationInvalid(f"{where}: is {reading}; there are {count} readings, from 0")

    for index, ramp in enumerate(model.ramps):
        check(f"model.ramps[{index}].reading", ramp.reading)
        if ramp.side == v1.RampSide.RAMP_SIDE_ALL and ramp.at_micro:
            raise CalibrationInvalid(f"model.ramps[{index}].at_micro: must be 0 for all of a line")
    for index, pair in enumerate(model.pairs):
        check(f"model.pairs[{index}].one", pair.one)
        check(f"model.pairs[{index}].other", pair.other)
        if pair.one == pair.other:
            raise CalibrationInvalid(f"model.pairs[{index}].other: must be another reading")
    for index, tree in enumerate(model.trees):
        _check_shape(f"model.trees[{index}]", tree)
        for split, reading in enumerate(tree.readings):
            check(f"model.trees[{index}].readings[{split}]", reading)
        _check_rise(f"model.trees[{index}]", tree)


def _check_told(model: v1.PoolingModel) -> None:
    for index, (one, after) in enumerate(pairwise(model.told), start=1):
        if after.sum_micro <= one.sum_micro or after.log_odds_micro <= one.log_odds_micro:
            raise CalibrationInvalid(f"model.told[{index}]: must be above the one before in both")


def _check_shape(where: str, tree: v1.Tree) -> None:
    splits = len(tree.readings)
    lengths = (len(tree.above_micro), len(tree.left), len(tree.right), len(tree.leaves_micro) - 1)
    if any(length != splits for length in lengths):
        raise CalibrationInvalid(f"{where}: give as many of each as splits, and one leaf more")
    led_to = sorted([*tree.left, *tree.right])
    if led_to != sorted([*range(-splits - 1, 0), *range(1, splits)]):
        raise CalibrationInvalid(
            f"{where}: lead once to every leaf and to every split but the first"
        )
    for split, children in enumerate(zip(tree.left, tree.right, strict=True)):
        if any(0 <= child <= split for child in children):
            raise CalibrationInvalid(f"{where}: split {split} must lead to later ones")


def _check_rise(where: str, tree: v1.Tree) -> None:
    ends: dict[int, tuple[int, int]] = {
        -1 - leaf: (value, value) for leaf, value in enumerate(tree.leaves_micro)
    }
    for split in reversed(range(len(tree.readings))):
        left, right = ends[tree.left[split]], ends[tree.right[split]]
        if left[1] > right[0]:
            raise CalibrationInvalid(
                f"{where}: falls at split {split}; no leaf on its left may be above one on its right"
            )
        ends[split] = left[0], right[1]


def _rises(log_odds: tuple[int, ...]) -> bool:
    return log_odds[-1] > log_odds[0]


@lru_cache(maxsize=32)
def _compiled(serialised: bytes) -> CompiledCalibration:
    calibration = v1.Calibration.FromString(serialised)
    check_calibration(calibration)
    model = calibration.model
    readings = tuple(
        Reading.of(reading, no_record_counts=model.no_record_counts) for reading in model.providers
    )
    ramps, pairs, trees = (
        Ramps.of(model.ramps),
        Pairs.of(model),
        Trees.of(model.trees, len(readings) + 1),
    )
    zeros, ignored = [0] * (len(readings) + 1), [0] * (len(readings) + 1)
    worth = sum(terms.add(zeros, ignored) for terms in (ramps, pairs, trees))
    return CompiledCalibration(
        message=calibration,
        readings=readings,
        places={reading.provider: place for place, reading in enumerate(readings)},
        points=Points.of(calibration.points),
        base=model.intercept_micro + divide_half_even(worth, UNIT // 10**6),
        ramps=ramps,
        pairs=pairs,
        trees=trees,
        told=CompiledScale(
            tuple(knot.sum_micro for knot in model.told),
            tuple(knot.log_odds_micro for knot in model.told),
        )
        if model.told
        else None,
    )
