"""The bins of a baseline: each score in one, and no calibration whose bins contradict themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concordat import v1
from concordat.pooling import CalibrationInvalid, check_calibration
from concordat.pooling.baseline import baselines_of, bin_of, edges_of
from tests.builders import PROVIDERS
from tests.drift_builders import EDGES, fitted, report

ALDER = PROVIDERS[0]


def calibration() -> v1.Calibration:
    message = v1.Calibration()
    message.CopyFrom(fitted().directory.calibrations()[-1].message)
    return message


@pytest.mark.parametrize(
    ("score", "place"), [(-50, 0), (500, 0), (501, 1), (600, 1), (601, 2), (850, 3), (2000, 3)]
)
def test_a_bin_holds_what_is_above_the_one_before_and_up_to_its_end(score: int, place: int) -> None:
    assert bin_of(EDGES, score) == place


@given(
    edges=st.lists(st.integers(0, 1000), min_size=1, max_size=20, unique=True).map(sorted),
    score=st.integers(-100, 1100),
)
def test_every_score_has_exactly_one_bin(edges: list[int], score: int) -> None:
    place = bin_of(edges, score)
    assert 0 <= place < len(edges)
    assert place == 0 or score > edges[place - 1]
    assert place == len(edges) - 1 or score <= edges[place]


def test_only_providers_that_were_fitted_have_bins() -> None:
    message = calibration()
    del message.report.providers[1].baseline[:]
    assert list(baselines_of(message)) == [PROVIDERS[0], PROVIDERS[2]]
    assert edges_of(message)[ALDER] == EDGES


def test_a_lawful_baseline_passes() -> None:
    check_calibration(calibration())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"up_to_score": 500}, r"baseline\[1\].up_to_score: is 500"),
        ({"up_to_score": 400}, "must be above the one before"),
        ({"subjects": 0, "defaults": 0}, r"0 of 0 subjects"),
        ({"subjects": 5, "defaults": 6}, r"6 of 5 subjects"),
    ],
)
def test_bins_that_contradict_themselves_are_refused(change: dict[str, int], told: str) -> None:
    message = calibration()
    message.report.CopyFrom(report())
    for name, value in change.items():
        setattr(message.report.providers[0].baseline[1], name, value)
    with pytest.raises(CalibrationInvalid, match=told):
        check_calibration(message)
