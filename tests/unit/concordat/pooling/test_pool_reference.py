"""The pool held against a slow and independent one: linear algebra, walked trees and enumerated shares."""

from collections.abc import Sequence
from fractions import Fraction
from math import log

import numpy as np
import pytest

from concordat import v1
from concordat.pooling import CompiledCalibration, Heard, pool
from concordat.pooling.evidence import Evidence, gather
from concordat.pooling.fit import pooled_log_odds
from tests.pooling_builders import MICRO, random_calibration, random_heard, shapley, walked

POINTS_OF_ONE = 20 / log(2)


def drawn(seed: int) -> tuple[v1.Calibration, list[Heard]]:
    calibration = random_calibration(seed, 1 + seed % 4, switch=seed % 2 == 0)
    return calibration, random_heard(seed, calibration, no_record=0.3)


def evidence_of(calibration: v1.Calibration, heard: Sequence[Heard]) -> Evidence:
    compiled, counts = (
        CompiledCalibration.from_message(calibration),
        calibration.model.no_record_counts,
    )
    places = [
        (compiled.places[name], score) for name, score in heard if counts or score is not None
    ]
    return gather(compiled.readings, places, no_record_counts=counts)


def terms_of(model: v1.PoolingModel, here: Sequence[int]) -> Fraction:
    """Return what all terms are worth, as the contract words them; millionths."""
    worth = Fraction(sum(walked(tree, here) for tree in model.trees))
    for ramp in model.ramps:
        along = {
            v1.RampSide.RAMP_SIDE_ALL: here[ramp.reading],
            v1.RampSide.RAMP_SIDE_ABOVE: max(here[ramp.reading] - ramp.at_micro, 0),
            v1.RampSide.RAMP_SIDE_BELOW: min(here[ramp.reading] - ramp.at_micro, 0),
        }[ramp.side]
        worth += Fraction(ramp.weight_micro * along, MICRO)
    ends = [(p.floor_micro, p.ceiling_micro) for p in model.providers]
    ends.append((model.shared_floor_micro, model.shared_ceiling_micro))
    for pair in model.pairs:
        (low_x, high_x), (low_y, high_y) = ends[pair.one], ends[pair.other]
        x = max(low_x, min(high_x, here[pair.one]))
        y = max(low_y, min(high_y, here[pair.other]))
        high = pair.both_high_micro * (x - low_x) * (y - low_y)
        worth += Fraction(high - pair.both_low_micro * (high_x - x) * (high_y - y), MICRO**2)
    return worth


def told_of(model: v1.PoolingModel, total: float) -> float:
    """Return the last step of a sum, in log-odds and held to the range of the result."""
    if model.told:
        sums = [knot.sum_micro / MICRO for knot in model.told]
        held = min(max(total, sums[0]), sums[-1])
        levels = [knot.log_odds_micro / MICRO for knot in model.told]
        total = float(np.interp(held, sums, levels)) + total - held
    return min(max(total, -log(999_999)), log(999_999))


@pytest.mark.parametrize("seed", range(40))
def test_evidence_is_the_conditional_mean_of_what_was_heard(seed: int) -> None:
    calibration, heard = drawn(seed)
    model, told = calibration.model, dict(heard)
    names = [reading.provider for reading in model.providers]
    loading, known = [1.0], [np.nan]  # the shared risk first
    for reading in model.providers:
        score = told.get(reading.provider)
        knots = [k.score for k in reading.knots], [k.log_odds_micro for k in reading.knots]
        log_odds = np.nan if score is None else float(np.interp(score, *knots))
        loading.append(reading.loading_ppm / MICRO)
        known.append((log_odds - reading.center_micro) / reading.spread_micro)
    for reading in model.providers if model.no_record_counts else []:
        share = reading.record_ppm / MICRO
        flag = float(told.get(reading.provider) is not None) - share
        loading.append(reading.record_loading_ppm / MICRO)
        asked = reading.provider in told
        known.append(flag / np.sqrt(share * (1 - share)) if asked else np.nan)
    values, each = np.array(known), np.array(loading)
    covariance = np.outer(each, each)
    np.fill_diagonal(covariance, 1.0)
    seen = np.isfinite(values)
    rest = covariance[:, seen] @ np.linalg.solve(covariance[np.ix_(seen, seen)], values[seen])
    exact = np.where(seen, values, rest)[: len(names) + 1]
    found = np.array(evidence_of(calibration, heard).readings) / MICRO
    assert found == pytest.approx([*exact[1:], exact[0]], abs=1e-4)


@pytest.mark.parametrize("seed", range(40))
def test_contributions_are_enumerated_shares_in_points(seed: int) -> None:
    calibration, heard = drawn(seed)
    model, evidence = calibration.model, evidence_of(calibration, heard)
    zero = [0] * len(evidence.readings)
    shares = shapley(lambda here: terms_of(model, here), evidence.readings)
    start = (model.intercept_micro + terms_of(model, zero)) / MICRO
    moved = sum(shares) / MICRO
    base, told = told_of(model, float(start)), told_of(model, float(start + moved))
    unified = pool(CompiledCalibration.from_message(calibration), heard)
    assert unified.default_ppm == pytest.approx(MICRO / (1 + np.exp(-told)), abs=1.5)
    factor = (told - base) / float(moved) if moved else 0.0
    whole = sum(abs(each) for each in evidence.told.values())
    expected = sum(share for at, share in enumerate(shares) if at not in evidence.log_odds)
    places = {reading.provider: at for at, reading in enumerate(model.providers)}
    for part in unified.contributions:
        place = places[part.provider]
        own = shares[place] if place in evidence.log_odds else 0
        inferred = expected * Fraction(abs(evidence.told[place]), whole) if whole else 0
        exact = -POINTS_OF_ONE * factor * float(own + inferred) / MICRO
        if whole:
            assert abs(part.points - exact) < 2.001  # one, and the rounding of both ends


def test_many_subjects_at_once_are_pooled_as_each_alone_whatever_the_model() -> None:
    missed = []
    for seed in range(60):
        calibration, heard = drawn(seed)
        told, names = dict(heard), [p.provider for p in calibration.model.providers]
        scores = np.array([[np.nan if (s := told.get(n)) is None else float(s) for n in names]])
        asked = np.array([[name in told for name in names]])
        log_odds = float(pooled_log_odds(calibration.model, scores, heard=asked)[0])
        p = 1 / (1 + np.exp(-min(max(log_odds, -log(999_999)), log(999_999))))
        one = pool(CompiledCalibration.from_message(calibration), heard).default_ppm
        missed.append(abs(one - MICRO * p) > 1 + 100 * p * (1 - p))
    assert sum(missed) <= 1  # a reading at a threshold of a tree
