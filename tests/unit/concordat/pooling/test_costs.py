"""Why a score is not higher: reason codes, ranked by what their providers took."""

import protovalidate

from concordat import v1
from concordat.pooling import with_costs


def score_of(*contributions: tuple[str, int]) -> v1.UnifiedScore:
    score = v1.UnifiedScore(points=600, band=v1.Band.BAND_B, default_ppm=1)
    for provider, points in contributions:
        score.contributions.add(provider=provider, points=points)
    return score


def costs_of(score: v1.UnifiedScore) -> list[tuple[str, str, int]]:
    return [(cost.provider, cost.code, cost.points) for cost in score.costs]


def test_costliest_provider_comes_first_and_each_ones_codes_in_its_own_order() -> None:
    score = score_of(("alder-bank", -3), ("birch-payments", 5), ("cedar-guarantee", -9))
    with_costs(
        score,
        {
            "alder-bank": ["BK02", "BK01"],
            "birch-payments": ["BK07"],
            "cedar-guarantee": ["CG1", "CG2"],
        },
    )
    assert costs_of(score) == [
        ("cedar-guarantee", "CG1", 9),
        ("cedar-guarantee", "CG2", 9),
        ("alder-bank", "BK02", 3),
        ("alder-bank", "BK01", 3),
    ]
    for cost in score.costs:
        protovalidate.validate(cost)


def test_equally_costly_providers_come_by_member_id() -> None:
    score = score_of(("zenith", -4), ("acme", -4))
    with_costs(score, {"zenith": ["Z1"], "acme": ["A1"]})
    assert [provider for provider, _, _ in costs_of(score)] == ["acme", "zenith"]


def test_provider_that_took_nothing_costs_nothing() -> None:
    score = score_of(("alder-bank", 0), ("birch-payments", 1))
    with_costs(score, {"alder-bank": ["BK01"], "birch-payments": ["BK01"]})
    assert costs_of(score) == []


def test_having_no_record_costs_without_a_code() -> None:
    score = score_of(("alder-bank", -2))
    score.contributions.add(provider="birch-payments", points=-3, no_record=True)
    with_costs(score, {"alder-bank": ["BK01"], "birch-payments": ["BK09"]})
    assert costs_of(score) == [("birch-payments", "", 3), ("alder-bank", "BK01", 2)]


def test_thirty_two_costs_are_told_at_most_and_old_ones_are_replaced() -> None:
    names = [f"provider-{at:02}" for at in range(12)]
    score = score_of(*((name, -1) for name in names))
    codes = {name: ["AA1", "AA2", "AA3"] for name in names}
    for _ in range(2):
        with_costs(score, codes)
        assert len(score.costs) == 32
    assert costs_of(score)[-1] == ("provider-10", "AA2", 1)


def test_provider_without_reasons_has_none_to_tell() -> None:
    score = score_of(("alder-bank", -2))
    with_costs(score, {})
    assert costs_of(score) == []
