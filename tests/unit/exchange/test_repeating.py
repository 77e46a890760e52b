"""What is done on a timer goes on whatever fails, and every failure is counted under its own name."""

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import grpc.aio
import pytest
import structlog
from prometheus_client import generate_latest

from concordat.telemetry import labels
from concordat.telemetry.metric import REGISTRIES, Group
from exchange import repeating
from tests.exchange_services import Idling

LOST = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())
SOURCES = Path(repeating.__file__).parent


class Rounds:
    """Work that answers with each of ``results`` in turn, and is then cancelled."""

    def __init__(self, *results: object) -> None:
        self.left = list(results)

    async def __call__(self) -> object:
        if not self.left:
            raise asyncio.CancelledError
        result = self.left.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


def failures(task: str) -> float:
    page = generate_latest(REGISTRIES[Group.EXCHANGE]).decode()
    found = re.search(rf'_failures_total{{task="{task}"}} (\S+)', page)
    return float(found[1]) if found else 0.0


def run(
    work: Callable[..., object], wake: asyncio.Event | None = None, seconds: float = 5.0
) -> None:
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(repeating.repeat("keys", seconds, work, wake))  # type: ignore[arg-type]


@pytest.fixture
def idling(monkeypatch: pytest.MonkeyPatch) -> Idling:
    idling = Idling()
    monkeypatch.setattr(repeating, "asyncio", idling)
    # Whatever logs earlier tests of this process had configured: a logger that has logged keeps to those.
    monkeypatch.setattr(repeating, "_log", structlog.get_logger())
    return idling


def test_a_round_that_fails_is_counted_warned_of_in_a_line_and_done_again(idling: Idling) -> None:
    before = failures("keys")
    with structlog.testing.capture_logs() as logs:
        run(Rounds(OSError("no such file\n[parameters: Ada]"), None, LOST, 7))
    assert failures("keys") == before + 2
    assert [(each["task"], each["error"], each["detail"]) for each in logs] == [
        ("keys", "OSError", "no such file"),
        ("keys", "AioRpcError", "UNAVAILABLE"),
    ]
    assert idling.seconds == 20.0


def test_where_there_is_more_to_do_it_is_done_at_once(idling: Idling) -> None:
    run(Rounds(True, True, False, True))
    assert idling.seconds == 5.0


def test_who_is_woken_does_not_wait() -> None:
    wake, rounds = asyncio.Event(), Rounds(None, None)

    async def work() -> None:
        asyncio.get_running_loop().call_soon(wake.set)
        await rounds()

    began = time.monotonic()
    run(work, wake)
    assert time.monotonic() < began + 5.0


def test_who_is_woken_all_the_time_does_not_fail_all_the_time() -> None:
    wake, rounds = asyncio.Event(), Rounds(OSError(), OSError(), OSError())

    async def work() -> None:
        wake.set()  # by what is committed meanwhile
        await rounds()

    began = time.monotonic()
    run(work, wake, seconds=0.02)
    assert time.monotonic() >= began + 3 * 0.02


def test_every_timer_of_the_exchange_has_a_name_to_count_failures_by() -> None:
    used = {
        name
        for path in SOURCES.rglob("*.py")
        for name in re.findall(r'\brepeat\(\s*"(\w+)"', path.read_text())
    }
    assert used == (labels.TASK.values or set()) - {"other"}
