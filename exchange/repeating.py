"""What is done again and again, on a timer or when woken: no failure ends it, and every one is counted."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import grpc.aio
import structlog

from concordat.telemetry.metrics import TASK_FAILURES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_log = structlog.get_logger("concordat.timers")
_DETAIL = 200  # characters


async def repeat(
    task: str,
    seconds: float,
    work: Callable[[], Awaitable[object]],
    wake: asyncio.Event | None = None,
) -> None:
    """Do ``work`` every ``seconds``, or when woken, until cancelled; at once again where it returns True.

    ``task`` is of ``labels.TASK``. A round that fails, because the database is away for instance, is counted and
    warned of; what it had to do is still to be done, in the next, which nobody wakes before its time.
    """
    while True:
        try:
            more = await work()
        except Exception as error:  # noqa: BLE001 - whatever it was, the next round may do
            TASK_FAILURES.add(task)
            _log.warning(
                "round_failed", task=task, error=type(error).__name__, detail=_detail(error)
            )
            await asyncio.sleep(seconds)
            continue
        if more is not True:
            await _pause(seconds, wake)


async def _pause(seconds: float, wake: asyncio.Event | None) -> None:
    if wake is None:
        await asyncio.sleep(seconds)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wake.wait()
    wake.clear()


def _detail(error: Exception) -> str:
    """Return what an error says, in a line; databases quote the row in those below it."""
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code().name
    return str(error).partition("\n")[0][:_DETAIL]
