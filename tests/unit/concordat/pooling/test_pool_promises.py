"""What holds of the unified score under every lawful calibration, whatever is heard."""

from collections.abc import Sequence
from inspect import signature
from random import Random
from typing import get_args

import protovalidate
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from concordat import v1
from concordat.pooling import CompiledCalibration, Heard, band_of, check_calibration, pool
from concordat.pooling.evidence import gather, variance_left
from tests.pooling_builders import (
    MICRO,
    compiled,
    plain_model,
    random_calibration,
    random_heard,
)

seeds = st.integers(0, 2**32 - 1)
ordinary = st.builds(
    random_calibration, seeds, st.sampled_from([1, 2, 3, 5, 8]), switch=st.booleans()
)
extreme = st.builds(
    random_calibration,
    seeds,
    st.sampled_from([1, 2, 4, 32]),
    extreme=st.just(True),
    switch=st.booleans(),
)
calibrations = ordinary | extreme


def bytes_of(calibration: v1.Calibration, heard: Sequence[Heard]) -> bytes:
    unified = pool(CompiledCalibration.from_message(calibration), heard)
    return unified.SerializeToString(deterministic=True)


@settings(deadline=None)
@given(calibrations)
def test_calibrations_of_these_tests_are_lawful(calibration: v1.Calibration) -> None:
    protovalidate.validate(calibration)
    check_calibration(calibration)


@settings(max_examples=200, deadline=None)
@given(calibrations, seeds)
def test_result_is_valid_and_contributions_add_up_exactly(
    calibration: v1.Calibration, seed: int
) -> None:
    heard = random_heard(seed, calibration)
    unified = pool(CompiledCalibration.from_message(calibration), heard)
    protovalidate.validate(unified)
    assert (
        unified.base_points + sum(part.points for part in unified.contributions) == unified.points
    )
    assert unified.points_low <= unified.points <= unified.points_high
    assert unified.default_low_ppm <= unified.default_ppm <= unified.default_high_ppm
    assert unified.band == band_of(unified.points)
    counted = [
        (name, score or 0, score is None)
        for name, score in heard
        if score is not None or calibration.model.no_record_counts
    ]
    assert [(p.provider, p.score, p.no_record) for p in unified.contributions] == counted


@pytest.mark.parametrize("seed", [0, 1])
def test_calibration_of_every_size_that_the_contract_allows_is_pooled(seed: int) -> None:
    calibration = random_calibration(seed, 32, extreme=bool(seed), switch=True)
    model = calibration.model
    for more in range(12):
        drawn = random_calibration(more, 32, extreme=bool(seed), switch=True).model
        model.ramps.extend(drawn.ramps)
        model.pairs.extend(drawn.pairs)
        model.trees.extend(drawn.trees)
    for terms, most in ((model.ramps, 512), (model.pairs, 600), (model.trees, 2000)):
        whole = [*terms]
        del terms[:]
        terms.extend(whole[at % len(whole)] for at in range(most))
    protovalidate.validate(calibration)
    heard = random_heard(seed, calibration, everybody=True)
    protovalidate.validate(pool(CompiledCalibration.from_message(calibration), heard))


@settings(max_examples=200, deadline=None)
@given(calibrations, seeds)
def test_riskier_score_of_any_provider_never_raises_the_unified_score(
    calibration: v1.Calibration, seed: int
) -> None:
    heard = random_heard(seed, calibration)
    random = Random(seed)
    place = random.choice([at for at, (_, score) in enumerate(heard) if score is not None])
    name, score = heard[place]
    knots = next(p.knots for p in calibration.model.providers if p.provider == name)
    riskier = knots[-1].log_odds_micro > knots[0].log_odds_micro
    end = knots[-1].score if riskier else knots[0].score
    assert score is not None
    changed = random.choice([end, random.randint(*sorted((score, end)))])
    once = CompiledCalibration.from_message(calibration)
    before = pool(once, heard)
    after = pool(once, [*heard[:place], (name, changed), *heard[place + 1 :]])
    assert after.points <= before.points
    assert after.points_low <= before.points_low
    assert after.points_high <= before.points_high
    assert after.default_ppm >= before.default_ppm
    assert after.default_low_ppm >= before.default_low_ppm
    assert after.default_high_ppm >= before.default_high_ppm


@settings(deadline=None)
@given(calibrations, seeds)
def test_order_of_providers_changes_only_the_order_of_contributions(
    calibration: v1.Calibration, seed: int
) -> None:
    heard = random_heard(seed, calibration)
    shuffled = Random(seed).sample(heard, len(heard))
    once = CompiledCalibration.from_message(calibration)
    one, other = pool(once, heard), pool(once, shuffled)
    for unified in (one, other):
        ordered = sorted(unified.contributions, key=lambda part: part.provider)
        del unified.contributions[:]
        unified.contributions.extend(ordered)
    assert one == other


def test_nothing_but_scores_and_absences_of_records_can_be_pooled() -> None:
    # R27: a refusal, a freeze, a dispute or a look-up has no way in; whoever is not heard is not in the call.
    assert list(signature(pool).parameters) == ["calibration", "heard"]
    assert get_args(Heard) == (str, int | None)


@settings(deadline=None)
@given(ordinary, seeds)
def test_no_record_is_as_if_not_asked_where_it_does_not_count(
    calibration: v1.Calibration, seed: int
) -> None:
    heard = random_heard(seed, calibration, no_record=0.5)
    scored = [(name, score) for name, score in heard if score is not None]
    same = bytes_of(calibration, heard) == bytes_of(calibration, scored)
    assert same or calibration.model.no_record_counts


@settings(deadline=None)
@given(calibrations, seeds)
def test_what_a_provider_that_is_not_heard_would_have_said_does_not_matter(
    calibration: v1.Calibration, seed: int
) -> None:
    everybody = random_heard(seed, calibration, everybody=True)
    heard = [one for at, one in enumerate(everybody) if at % 2 == 0]
    if all(score is None for _, score in heard):
        return
    missing = {name for name, _ in everybody[1::2]}
    other = v1.Calibration()
    other.CopyFrom(calibration)
    for reading in other.model.providers:
        if reading.provider in missing:
            # Its map, and where that lies: all that a score of its own would go through.
            del reading.knots[2:]
            reading.knots[0].log_odds_micro, reading.knots[1].log_odds_micro = -MICRO, MICRO
            reading.center_micro, reading.spread_micro = 0, MICRO
    assert bytes_of(calibration, heard) == bytes_of(other, heard)


@settings(deadline=None)
@given(calibrations, seeds)
def test_interval_never_widens_where_one_more_is_heard(
    calibration: v1.Calibration, seed: int
) -> None:
    once = CompiledCalibration.from_message(calibration)
    counts = calibration.model.no_record_counts
    heard = random_heard(seed, calibration, everybody=True)
    if not counts:
        heard = [(name, score) for name, score in heard if score is not None]
    places = [(once.places[name], score) for name, score in heard]
    left = [
        variance_left(once.readings, gather(once.readings, places[:n], no_record_counts=counts))
        for n in range(len(places) + 1)
    ]
    assert left == sorted(left, reverse=True)
    assert left[-1] >= 0


@settings(deadline=None)
@given(calibrations)
def test_provider_that_says_what_is_expected_of_anybody_moves_nothing(
    calibration: v1.Calibration,
) -> None:
    if calibration.model.no_record_counts:
        return
    for reading in calibration.model.providers:
        del reading.knots[1:-1]
        ends = reading.center_micro - MICRO, reading.center_micro + MICRO
        reading.center_micro = sum(ends) // 2
        if max(map(abs, ends)) > 14 * MICRO:
            ends, reading.center_micro = (-MICRO, MICRO), 0
        for knot, score, level in zip(reading.knots, (-100, 100), ends, strict=True):
            knot.score, knot.log_odds_micro = score, level
    heard: list[Heard] = [(reading.provider, 0) for reading in calibration.model.providers]
    unified = pool(CompiledCalibration.from_message(calibration), heard)
    assert unified.points == unified.base_points
    assert [part.points for part in unified.contributions] == [0] * len(heard)


@settings(deadline=None)
@given(st.integers(1, 32), seeds)
@example(32, 0)
def test_contribution_is_on_the_side_of_its_evidence_and_near_its_exact_share(
    count: int, seed: int
) -> None:
    random = Random(seed)
    heard: list[Heard] = [
        (f"provider-{at:02}", random.randint(-10_000, 10_000)) for at in range(count)
    ]
    unified = pool(compiled(plain_model(count, MICRO // count)), heard)
    for part, (_, score) in zip(unified.contributions, heard, strict=True):
        assert score is not None
        exact = -28.853900818 * score / 1000 * (MICRO // count) / MICRO
        assert abs(part.points - exact) < 1.001
