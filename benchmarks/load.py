"""Closed-loop load: so many in flight, each starting anew when answered; rates and percentiles."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Run:
    """What one run gave."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: dict[str, float]  # CPU microseconds per item, by process


async def closed_loop(
    one: Callable[[], Awaitable[int]],
    in_flight: int,
    seconds: float,
    processes: Mapping[str, Sequence[int]],
) -> Run:
    """Keep ``in_flight`` calls of ``one`` (which returns how many items it did) going for ``seconds``.

    CPU is the user and system time of each named group of process ids over the run.
    """
    latencies: list[float] = []
    done = 0
    before = {name: _cpu(pids) for name, pids in processes.items()}
    start = time.perf_counter()
    end = start + seconds

    async def worker() -> None:
        nonlocal done
        while (began := time.perf_counter()) < end:
            items = await one()
            done += items
            latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    took = time.perf_counter() - start
    latencies.sort()
    return Run(
        per_s=done / took,
        p50_ms=latencies[len(latencies) // 2] * 1e3,
        p99_ms=latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)] * 1e3,
        cpu_us={name: (_cpu(pids) - before[name]) / done * 1e6 for name, pids in processes.items()},
    )


def _cpu(pids: Sequence[int]) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(t.user + t.system for t in times)
