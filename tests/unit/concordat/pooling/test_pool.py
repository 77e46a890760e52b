import os
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal, localcontext
from hashlib import sha256
from math import exp, log, sqrt
from pathlib import Path
from random import Random

import protovalidate
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from concordat import v1
from concordat.pooling import (
    CompiledScale,
    Scored,
    band_of,
    logit_micro,
    pool,
    reaches,
)
from concordat.pooling.pool import _AT_EVEN_ODDS, _HIGHEST, _LOWEST, _PER_MICRO, _POINT

ROOT = Path(__file__).parents[4]
DOCUMENT = ROOT / "docs" / "unified-score.md"

EXTREME = 13_815_510
log_odds = st.integers(-EXTREME, EXTREME)
evidence = st.lists(log_odds, min_size=1, max_size=32)
policies = st.builds(
    v1.ScorePolicy,
    version=st.just("test-1"),
    base_default_ppm=st.integers(1, 999_999),
    dependence_permille=st.integers(0, 1000),
    spread_milli=st.integers(1, 100_000),
    information_milli=st.integers(0, 100_000),
)


def policy_of(
    *, base: int = 500_000, dependence: int = 0, spread: int = 1_000, information: int = 0
) -> v1.ScorePolicy:
    return v1.ScorePolicy(
        version="test-1",
        base_default_ppm=base,
        dependence_permille=dependence,
        spread_milli=spread,
        information_milli=information,
    )


def scored_of(log_odds: Sequence[int]) -> list[Scored]:
    return [(f"provider-{index:02}", 500 + index, micro) for index, micro in enumerate(log_odds)]


def total_of(unified: v1.UnifiedScore) -> int:
    return unified.base_points + sum(part.points for part in unified.contributions)


# Values worked out by hand ----------------------------------------------------------------------


def test_even_odds_are_502_points() -> None:
    # 600 - 20 * log2(30) = 600 - 98.138 = 501.862
    unified = pool(policy_of(), scored_of([0]))
    assert (unified.points, unified.base_points, unified.default_ppm) == (502, 502, 500_000)
    assert unified.contributions[0].points == 0


def test_odds_of_30_to_1_against_default_are_600_points() -> None:
    # ln 30 = 3.401197; 1 / 31 = 32,258 ppm
    unified = pool(policy_of(), scored_of([-3_401_197]))
    assert (unified.points, unified.default_ppm) == (600, 32_258)
    assert unified.band == v1.Band.BAND_B


def test_twenty_points_double_the_odds() -> None:
    # ln 60 = 4.094345; 1 / 61 = 16,393 ppm. ln 15 = 2.708050; 1 / 16 = 62,500 ppm.
    twice = pool(policy_of(), scored_of([-4_094_345]))
    half = pool(policy_of(), scored_of([-2_708_050]))
    assert (twice.points, twice.default_ppm) == (620, 16_393)
    assert (half.points, half.default_ppm) == (580, 62_500)


def test_interval_is_1_645_standard_deviations_either_side() -> None:
    # spread 1, no information: sd 1; 1.645 * 28.854 = 47.465 points around 501.862
    unified = pool(policy_of(), scored_of([0]))
    assert (unified.points_low, unified.points_high) == (454, 549)
    # information 3 of one provider: variance 1/4, sd 1/2, 23.732 points
    unified = pool(policy_of(information=3_000), scored_of([0]))
    assert (unified.points_low, unified.points_high) == (478, 526)


def test_independent_evidence_adds_up_and_repeated_evidence_counts_once() -> None:
    # ln 2 twice: four times the odds, 40 points; or, where one repeats the other, 20 points.
    twice = scored_of([-693_147, -693_147])
    apart = pool(policy_of(dependence=0), twice)
    same = pool(policy_of(dependence=1000), twice)
    assert (apart.points, [part.points for part in apart.contributions]) == (542, [20, 20])
    assert (same.points, [part.points for part in same.contributions]) == (522, [10, 10])


def test_rounding_left_over_goes_to_the_largest_remainder() -> None:
    # Exact shares 3.2, 3.7 and -1.9 points make 506.862 of 501.862: 507 - 502 = 5 to split.
    # Rounded down 3 + 3 - 2 = 4, so one is left over; the remainders are .2, .7 and .1.
    shares = [-round(points / 28.8539008 * 1e6) for points in (3.2, 3.7, -1.9)]
    unified = pool(policy_of(), scored_of(shares))
    assert [part.points for part in unified.contributions] == [3, 4, -2]


def test_equal_remainders_go_by_member_id_not_by_place() -> None:
    # 10.4 points each: 502 + 20.8 = 522.66, 523 - 502 = 21 to split in two equal shares.
    each = -round(10.4 / 28.8539008 * 1e6)
    forth = pool(policy_of(), [("acme", 1, each), ("zenith", 1, each)])
    back = pool(policy_of(), [("zenith", 1, each), ("acme", 1, each)])
    assert [(part.provider, part.points) for part in forth.contributions] == [
        ("acme", 11),
        ("zenith", 10),
    ]
    assert [(part.provider, part.points) for part in back.contributions] == [
        ("zenith", 10),
        ("acme", 11),
    ]


def test_evidence_beyond_the_range_is_cut_off_in_proportion() -> None:
    # 20 - 5 = 15 is cut off at 13.81551, 398.631 points: 4/3 and -1/3 of it are 531.5 and -132.9.
    unified = pool(policy_of(), scored_of([-10_000_000, -10_000_000, 5_000_000]))
    assert (unified.points, unified.base_points, unified.default_ppm) == (900, 502, 1)
    assert [part.points for part in unified.contributions] == [266, 265, -133]
    assert unified.points_high == 900


@pytest.mark.parametrize(
    ("points", "band"),
    [
        (900, v1.Band.BAND_A),
        (640, v1.Band.BAND_A),
        (639, v1.Band.BAND_B),
        (600, v1.Band.BAND_B),
        (599, v1.Band.BAND_C),
        (560, v1.Band.BAND_C),
        (559, v1.Band.BAND_D),
        (520, v1.Band.BAND_D),
        (519, v1.Band.BAND_E),
        (100, v1.Band.BAND_E),
    ],
)
def test_bands_begin_at_640_600_560_and_520_points(points: int, band: v1.Band.ValueType) -> None:
    assert band_of(points) == band


def test_threshold_is_reached_by_equal_points() -> None:
    assert reaches(600, 600)
    assert reaches(601, 600)
    assert not reaches(599, 600)


def test_fixed_point_constants_are_the_formula_to_their_last_digit() -> None:
    with localcontext(prec=60):
        slope = Decimal(20) / Decimal(2).ln()
        assert round(slope * 10**12) == _PER_MICRO
        assert round((600 - slope * Decimal(30).ln()) * 10**18) == _AT_EVEN_ODDS


def test_no_log_odds_lie_halfway_between_two_points() -> None:
    # The slope is coprime to ten, so just one residue of the log-odds gives a tie.
    tie = (_AT_EVEN_ODDS - _POINT // 2) * pow(_PER_MICRO, -1, _POINT) % _POINT
    reach = 2 * EXTREME + 100 * 1_000_000
    assert reach < tie < _POINT - reach


# What is refused --------------------------------------------------------------------------------


def test_nothing_to_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="no provider stated a score"):
        pool(policy_of(), [])


def test_provider_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="named twice"):
        pool(policy_of(), [("acme", 1, 0), ("acme", 2, 0)])


def test_policy_without_a_base_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="no log-odds"):
        pool(v1.ScorePolicy(), scored_of([0]))


# Promises for every input -----------------------------------------------------------------------


@given(policies, evidence)
@example(policy_of(base=1, spread=100_000), [EXTREME] * 32)
@example(policy_of(base=999_999, spread=100_000), [-EXTREME] * 32)
@example(policy_of(base=1), [-EXTREME])
@example(policy_of(base=1, spread=1, information=100_000), [-EXTREME] * 32)
def test_result_is_valid_and_contributions_add_up_exactly(
    policy: v1.ScorePolicy, micros: list[int]
) -> None:
    unified = pool(policy, scored_of(micros))
    protovalidate.validate(unified)
    assert total_of(unified) == unified.points
    assert unified.points_low <= unified.points <= unified.points_high
    assert unified.band == band_of(unified.points)
    assert [(part.provider, part.score, part.log_odds_micro) for part in unified.contributions] == (
        scored_of(micros)
    )


@given(policies, evidence)
def test_contribution_is_on_the_side_of_its_evidence_and_near_its_exact_share(
    policy: v1.ScorePolicy, micros: list[int]
) -> None:
    base = logit_micro(policy.base_default_ppm)
    weight = 1 / (1 + (len(micros) - 1) * policy.dependence_permille / 1000)
    exact = base + weight * sum(micro - base for micro in micros)
    if not _LOWEST <= exact <= _HIGHEST:
        weight *= (max(_LOWEST, min(_HIGHEST, exact)) - base) / (exact - base)
    for part in pool(policy, scored_of(micros)).contributions:
        share = -20 / log(2) * weight * (part.log_odds_micro - base) / 1e6
        assert abs(part.points - share) < 1.001


@given(policies, evidence, st.randoms(use_true_random=False))
def test_order_of_providers_changes_only_the_order_of_contributions(
    policy: v1.ScorePolicy, micros: list[int], random: Random
) -> None:
    scored = scored_of(micros)
    shuffled = random.sample(scored, len(scored))
    one, other = pool(policy, scored), pool(policy, shuffled)
    assert [part.provider for part in other.contributions] == [name for name, _, _ in shuffled]
    ordered = sorted(other.contributions, key=lambda part: part.provider)
    del other.contributions[:]
    other.contributions.extend(ordered)
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)


@given(policies, evidence, st.data())
def test_safer_score_of_any_provider_never_lowers_the_unified_score(
    policy: v1.ScorePolicy, micros: list[int], data: st.DataObject
) -> None:
    changed = data.draw(st.integers(0, len(micros) - 1))
    safer = list(micros)
    safer[changed] = data.draw(st.integers(-EXTREME, micros[changed]))
    before, after = pool(policy, scored_of(micros)), pool(policy, scored_of(safer))
    assert after.points >= before.points
    assert after.default_ppm <= before.default_ppm
    assert after.points_low >= before.points_low
    assert after.points_high >= before.points_high


@given(policies, st.integers(1, 31))
def test_interval_narrows_as_providers_that_say_the_same_are_added(
    policy: v1.ScorePolicy, count: int
) -> None:
    base = logit_micro(policy.base_default_ppm)
    fewer, more = (pool(policy, scored_of([base] * n)) for n in (count, count + 1))
    assert fewer.points == more.points == more.base_points
    assert fewer.points_low <= more.points_low <= more.points_high <= fewer.points_high


@given(
    policies.filter(lambda policy: policy.dependence_permille == 0) | st.just(policy_of()), evidence
)
def test_independent_provider_that_adds_no_evidence_moves_nothing_but_the_interval(
    policy: v1.ScorePolicy, micros: list[int]
) -> None:
    base = logit_micro(policy.base_default_ppm)
    fewer, more = pool(policy, scored_of(micros)), pool(policy, scored_of([*micros, base]))
    assert (fewer.points, fewer.default_ppm) == (more.points, more.default_ppm)
    assert fewer.points_low <= more.points_low <= more.points_high <= fewer.points_high


def test_interval_of_eight_providers_is_narrower_than_of_one() -> None:
    policy = policy_of(base=50_000, dependence=300, spread=1_500, information=800)
    base = logit_micro(50_000)
    widths = [
        unified.points_high - unified.points_low
        for unified in (pool(policy, scored_of([base] * n)) for n in range(1, 9))
    ]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < widths[0]


@given(policies, evidence)
def test_result_agrees_with_an_independent_reference_in_floats(
    policy: v1.ScorePolicy, micros: list[int]
) -> None:
    limit = log(999_999)
    odds = policy.base_default_ppm / (1_000_000 - policy.base_default_ppm)
    effective = 1 + (len(micros) - 1) * policy.dependence_permille / 1000
    pooled = log(odds) + sum(micro / 1e6 - log(odds) for micro in micros) / effective
    pooled = max(-limit, min(limit, pooled))
    information = policy.information_milli / 1000 * len(micros)
    reach = 1.645 * sqrt(policy.spread_milli / 1000 / (1 + information))

    def points(at: float) -> float:
        return max(100.0, min(900.0, 600 + 20 / log(2) * (-at - log(30))))

    unified = pool(policy, scored_of(micros))
    assert abs(unified.points - points(pooled)) <= 0.501
    assert abs(unified.base_points - points(log(odds))) <= 0.501
    assert abs(unified.points_low - points(pooled + reach)) <= 0.501
    assert abs(unified.points_high - points(pooled - reach)) <= 0.501
    reference = max(1.0, min(999_999.0, 1e6 / (1 + exp(-pooled))))
    # Half a millionth of log-odds moves it by 0.125 at most: L once, the base once a provider.
    assert abs(unified.default_ppm - reference) <= 0.5 + 0.126 * (1 + len(micros))


# The same everywhere ----------------------------------------------------------------------------


def digest_of_many_results() -> str:
    """Return a digest over results that visit every part of the arithmetic."""
    random = Random(8)
    whole = sha256()
    for count in (*range(1, 33), 8, 8, 8):
        policy = policy_of(
            base=random.randint(1, 999_999),
            dependence=random.randint(0, 1000),
            spread=random.randint(1, 100_000),
            information=random.randint(0, 100_000),
        )
        scale = v1.ScoreScale(
            minimum=0,
            maximum=1000,
            direction=v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_SAFER,
            anchors=[
                v1.ScoreAnchor(score=0, default_ppm=random.randint(600_000, 999_999)),
                v1.ScoreAnchor(score=random.randint(1, 999), default_ppm=random.randint(999, 9999)),
                v1.ScoreAnchor(score=1000, default_ppm=random.randint(1, 99)),
            ],
        )
        compiled = CompiledScale.from_message(scale)
        scores = [random.randint(0, 1000) for _ in range(count)]
        scored = [(f"p-{at}", own, compiled.log_odds_micro(own)) for at, own in enumerate(scores)]
        whole.update(pool(policy, scored).SerializeToString(deterministic=True))
    return whole.hexdigest()


ELSEWHERE = """
import decimal, importlib.util, sys
hostile = decimal.Context(prec=3, rounding=decimal.ROUND_UP, Emin=-4, Emax=4, clamp=1,
                          traps=[decimal.InvalidOperation])
for context in (decimal.DefaultContext, decimal.getcontext()):
    context.prec, context.rounding = hostile.prec, hostile.rounding
    context.Emin, context.Emax, context.clamp = hostile.Emin, hostile.Emax, hostile.clamp
    context.traps[decimal.Inexact] = True
spec = importlib.util.spec_from_file_location("elsewhere", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(module.digest_of_many_results())
"""


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_another_process_with_other_hashes_and_decimal_context_gives_the_same_bytes(
    seed: str,
) -> None:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, __file__],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
        text=True,
    )
    assert ran.stdout.strip() == digest_of_many_results()


# The document -----------------------------------------------------------------------------------


def table_after(heading: str) -> list[list[str]]:
    """Return the rows of the first table under `heading`, without its head."""
    text = DOCUMENT.read_text("utf-8").split(f"\n### {heading}\n", maxsplit=1)[1]
    rows = []
    for line in text.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
        elif rows:
            break
    return rows[2:]


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


def documented_policy() -> v1.ScorePolicy:
    fields = {field: number(value) for field, value in table_after("Policy")}
    policy = v1.ScorePolicy(
        version="first-1",
        base_default_ppm=fields.pop("base_default_ppm"),
        dependence_permille=fields.pop("dependence_permille"),
        spread_milli=fields.pop("spread_milli"),
        information_milli=fields.pop("information_milli"),
    )
    assert not fields
    return policy


def test_worked_example_in_the_documentation_is_what_the_code_computes() -> None:
    policy = documented_policy()
    scored, shares = [], []
    for provider, direction, declared, own, micro, points in table_after("Providers"):
        halves = [pair.split(": ") for pair in declared.split("; ")]
        pairs = [(number(score), number(ppm)) for score, ppm in halves]
        scale = v1.ScoreScale(
            minimum=pairs[0][0],
            maximum=pairs[-1][0],
            direction=v1.ScoreDirection.Value(f"SCORE_DIRECTION_HIGHER_IS_{direction.upper()}"),
            anchors=[v1.ScoreAnchor(score=score, default_ppm=ppm) for score, ppm in pairs],
        )
        assert CompiledScale.from_message(scale).log_odds_micro(number(own)) == number(micro)
        scored.append((provider, number(own), number(micro)))
        shares.append(number(points))
    unified = pool(policy, scored)
    assert [part.points for part in unified.contributions] == shares
    told = {
        "base_points": unified.base_points,
        "points": unified.points,
        "default_ppm": unified.default_ppm,
        "points_low": unified.points_low,
        "points_high": unified.points_high,
    }
    rows = dict(table_after("Result"))
    assert rows.pop("band") == v1.Band.Name(unified.band)
    assert {field: number(value) for field, value in rows.items()} == told


def test_documented_interval_widens_with_each_provider_that_is_missing() -> None:
    policy = documented_policy()
    at_base = logit_micro(policy.base_default_ppm)
    rows = table_after("Missing providers")
    for count, low, high in rows:
        unified = pool(policy, scored_of([at_base] * number(count)))
        assert (unified.points_low, unified.points_high) == (number(low), number(high))
    assert len(rows) == 4
