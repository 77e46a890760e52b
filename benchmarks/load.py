"""Closed-loop load: so many in flight, each starting anew when answered; rates and percentiles."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import psutil

MESSAGES = 4  # of a stream that are on the way at once
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run gave."""

    items: int
    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: dict[str, float]  # CPU microseconds per item, by process


async def closed_loop(
    one: Callable[[T], Awaitable[int]],
    supply: Iterable[T],
    in_flight: int,
    seconds: float,
    processes: Mapping[str, int],
) -> Run:
    """Keep ``in_flight`` calls of ``one`` (which returns how many items it did) going for ``seconds``.

    Each call gets the next of ``supply``; the run ends sooner where that is used up. What it costs to make
    the supply is part of the run unless it was made before. CPU is the user and system time of each
    process (by name, its id) over the run.
    """
    latencies: list[float] = []
    done = 0
    waiting = iter(supply)
    before = {name: _cpu(pid) for name, pid in processes.items()}
    start = time.perf_counter()
    end = start + seconds

    async def worker() -> None:
        nonlocal done
        while (began := time.perf_counter()) < end:
            try:
                item = next(waiting)
            except StopIteration:
                return
            items = await one(item)  # apart: others add to `done` meanwhile
            done += items
            latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    took = time.perf_counter() - start
    latencies.sort()
    return Run(
        items=done,
        per_s=done / took,
        p50_ms=latencies[len(latencies) // 2] * 1e3,
        p99_ms=latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)] * 1e3,
        cpu_us={name: (_cpu(pid) - before[name]) / done * 1e6 for name, pid in processes.items()},
    )


async def made_ahead(
    load: Callable[[Iterable[T], float], Awaitable[Run]],
    supply: Iterator[T],
    per_item: int,
    seconds: float,
) -> Run:
    """Run for a moment to learn the rate, make enough for ``seconds`` and half as many again, and run.

    ``per_item`` is how many items each of ``supply`` counts for.
    """
    trial = await load(supply, min(1.0, seconds))
    enough = math.ceil(1.5 * trial.per_s * seconds / per_item) + MESSAGES
    return await load(list(islice(supply, enough)), seconds)


async def streamed(
    send: Callable[[T], Awaitable[None]],
    messages: Iterable[T],
    receive: Callable[[], Awaitable[int]],
    seconds: float,
    processes: Mapping[str, int],
) -> Run:
    """Keep four messages on the way; those that are when the time is up are waited for and counted."""
    sending, receiving = asyncio.Lock(), asyncio.Lock()  # a stream takes one of each at a time

    async def one(message: T) -> int:
        async with sending:
            await send(message)
        async with receiving:
            return await receive()

    return await closed_loop(one, messages, MESSAGES, seconds, processes)


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
