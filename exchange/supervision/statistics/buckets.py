"""Lengths of time in buckets, so that no table tells how long one request took. Pure."""

from bisect import bisect_left
from collections.abc import Mapping
from datetime import timedelta

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000

BOUNDS_MS: tuple[int, ...] = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND),
    *(MINUTE, 10 * MINUTE, HOUR, 6 * HOUR),
    *(DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY, 366 * DAY),
)
"""Upper ends of the buckets, milliseconds; one more bucket holds what is above."""

P50, P99 = 500, 990


def bucket_of(length: timedelta) -> int:
    """Return the bucket of a length of time; one below zero (two clocks) is in the first."""
    return bisect_left(BOUNDS_MS, length / timedelta(milliseconds=1))


def quantile(counts: Mapping[int, int], per_mille: int) -> int:
    """Return the bucket that a quantile lies in; ``counts`` by bucket are not all zero."""
    wanted = -(-sum(counts.values()) * per_mille // 1000)
    seen = 0
    for place in sorted(counts):
        seen += counts[place]
        if seen >= wanted:
            return place
    raise ValueError("nothing was counted")
