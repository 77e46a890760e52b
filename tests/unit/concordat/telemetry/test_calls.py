"""What is counted of a call, by the reason that it ended with."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import pytest
from prometheus_client import generate_latest

from concordat.refusal import Refusal
from concordat.telemetry.calls import Answering
from concordat.telemetry.metric import REGISTRIES, Group
from concordat.v1 import Reason

METHOD = "ReviewService/GetReview"
PATH = f"/concordat.v1.{METHOD}"
REVOKED = Refusal(Reason.REASON_CONSENT_REVOKED, "a detail")


def counted(name: str, labels: str) -> float:
    page = generate_latest(REGISTRIES[Group.SERVER]).decode()
    lines = [line for line in page.splitlines() if line.startswith(f"{name}{{{labels}}} ")]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0


def unread() -> Mapping[str, str]:
    raise AssertionError("metadata is read only where calls are traced")


def requests(reason: str, method: str = METHOD) -> float:
    return counted("concordat_rpc_requests_total", f'method="{method}",reason="{reason}"')


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (REVOKED, "CONSENT_REVOKED"),
        (NotImplementedError(), "METHOD_NOT_SERVED"),
        (ValueError("0f" * 32), "INTERNAL"),
        (asyncio.CancelledError(), "CANCELLED"),
        (GeneratorExit(), "CANCELLED"),
    ],
)
def test_a_call_that_fails_is_counted_by_its_reason(error: BaseException, reason: str) -> None:
    before = requests(reason)
    with pytest.raises(type(error)), Answering(PATH, unread, trusted=True):
        raise error
    assert requests(reason) == before + 1


def test_what_the_edge_knows_counts_and_not_what_ends_the_call() -> None:
    before = requests("CONSENT_REVOKED"), requests("INTERNAL")
    with suppress(ValueError), Answering(PATH, unread, trusted=True) as answering:
        answering.failed(REVOKED)
        raise ValueError("aborted")
    assert (requests("CONSENT_REVOKED"), requests("INTERNAL")) == (before[0] + 1, before[1])


def test_a_call_is_in_flight_until_it_is_answered_and_is_timed() -> None:
    seconds = "concordat_rpc_duration_seconds_count"
    before, timed = requests("OK"), counted(seconds, f'method="{METHOD}"')
    with Answering(PATH, unread, trusted=True):
        assert counted("concordat_rpc_in_flight", f'method="{METHOD}"') == 1
    assert counted("concordat_rpc_in_flight", f'method="{METHOD}"') == 0
    assert requests("OK") == before + 1
    assert counted(seconds, f'method="{METHOD}"') == timed + 1


def test_a_stream_is_counted_and_not_timed() -> None:
    seconds = "concordat_rpc_duration_seconds_count"
    before, timed = requests("OK"), counted(seconds, f'method="{METHOD}"')
    with Answering(PATH, unread, trusted=True, stream=True):
        pass
    assert requests("OK") == before + 1
    assert counted(seconds, f'method="{METHOD}"') == timed


def test_methods_that_a_stranger_makes_up_are_one_series() -> None:
    before = requests("METHOD_NOT_SERVED", "other")
    for number in range(3):
        made_up = Answering(f"/made.Up/{number}", unread, trusted=False)
        with pytest.raises(NotImplementedError), made_up:
            raise NotImplementedError
    assert requests("METHOD_NOT_SERVED", "other") == before + 3
