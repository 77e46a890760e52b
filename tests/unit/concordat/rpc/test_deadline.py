"""Each hop gets less time than the one before."""

import pytest

from concordat.refusal import Refusal
from concordat.rpc.deadline import MAX_SECONDS, MIN_SECONDS, next_hop_seconds
from concordat.v1 import Reason


@pytest.mark.parametrize(("left", "next_hop"), [(1.0, 0.8), (10.0, 8.9), (2.0, 1.7)])
def test_the_next_hop_gets_a_tenth_and_100_ms_less(left: float, next_hop: float) -> None:
    assert next_hop_seconds(left) == pytest.approx(next_hop)


def test_no_hop_gets_more_than_its_cap_or_30_s() -> None:
    assert next_hop_seconds(1e9) == MAX_SECONDS
    assert next_hop_seconds(10.0, cap=2.0) == 2.0
    assert next_hop_seconds(float("inf")) == MAX_SECONDS


def test_deadlines_shrink_until_there_is_too_little() -> None:
    left, hops = 5.0, 0
    while left > 0.2:
        shorter = next_hop_seconds(left)
        assert MIN_SECONDS <= shorter < left
        left, hops = shorter, hops + 1
    assert hops > 5
    with pytest.raises(Refusal) as refused:
        next_hop_seconds(0.15)
    assert refused.value.reason == Reason.REASON_DEADLINE_TOO_SHORT


@pytest.mark.parametrize("left", [0.0, -1.0, 0.05, 0.16])
def test_a_call_that_is_almost_over_is_refused_and_not_passed_on(left: float) -> None:
    with pytest.raises(Refusal, match="DEADLINE_TOO_SHORT"):
        next_hop_seconds(left)
