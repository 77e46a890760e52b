"""Whether the time that a check takes over gRPC tells why nothing is shown."""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from benchmarks.listings_fill import NEVER, SHOWN
from benchmarks.listings_timing import PERCENTILES, distance

T = TypeVar("T")
WORDS = {
    NEVER: "never listed",
    "noticed": "notice pending",
    "suppressed": "suppressed by a dispute",
    "expired": "expired",
    "withdrawn": "withdrawn",
    "repaired": "repaired",
    SHOWN: "listed, for contrast",
}


async def answer_times(
    check: Callable[[T], Awaitable[tuple[float, int]]],
    people: Mapping[str, Sequence[T]],
    samples: int,
) -> dict[str, list[float]]:
    """Check everybody of each kind in turn at random, one at a time; return seconds, ``samples`` of each kind.

    ``check`` returns how long it took and how many listings it was shown. Everybody is checked once before.
    """
    for person in (each for some in people.values() for each in some):
        await check(person)
    order = [
        (why, some[number % len(some)]) for why, some in people.items() for number in range(samples)
    ]
    random.Random(4).shuffle(order)
    took: dict[str, list[float]] = {why: [] for why in people}
    for why, person in order:
        seconds, shown = await check(person)
        assert bool(shown) is (why == SHOWN), why
        took[why].append(seconds)
    return took


def distances(took: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return percentiles in milliseconds, and the distance of each kind from those never listed.

    The distance is that of Kolmogorov and Smirnov, as in ``listings_timing``.
    """
    never = _nanoseconds(took[NEVER])
    figures: dict[str, float] = {"grpc_timing_samples": len(never)}
    for why, seconds in took.items():
        for percentile in PERCENTILES:
            value = float(np.percentile(seconds, percentile)) * 1e3
            figures[f"grpc_timing_{why}_p{percentile}_ms"] = value
        figures[f"grpc_timing_{why}_ks"] = distance(never, _nanoseconds(seconds))
    figures["grpc_timing_ks_critical"] = 1.63 * (2 / len(never)) ** 0.5
    return figures


def _nanoseconds(seconds: Sequence[float]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return (np.array(seconds) * 1e9).astype(np.int64)
