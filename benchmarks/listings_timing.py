"""How long a lookup takes that shows nothing, by why it shows nothing."""

import gc
import random
import time

import numpy as np
from numpy.typing import NDArray

from benchmarks.listings_load import LIVE, NOW, SECOND, STALE, chopped, fresh, listings
from exchange.listings.index import Builder, ListingIndex, Removal

NEVER = "never"
WHY = {
    NEVER: "never listed",
    "again": "never listed, others",
    "expired": "past their end",
    "stale": "of a stale feed",
    "removed": "removed, not yet merged",
}
PERCENTILES = (10, 50, 90, 99)
MOST = 10_000  # lookups of a kind: as many subjects may be removed without a merge

Nanoseconds = NDArray[np.int64]


def timing_figures(size: int) -> dict[str, float]:
    """Return percentiles of single lookups in nanoseconds, and their distance from those never listed.

    The distance is the two-sample Kolmogorov-Smirnov statistic: the largest difference between the shares
    that took at most some time; 0 where they are the same, 1 where they have nothing in common. Between
    samples of the same it is below 1.63 * sqrt(2 / samples) in 99 of 100 cases.
    """
    every = np.concatenate(list(listings(size)))
    kinds = _kinds(every)
    took = _measure(_index(every, kinds["removed"]), kinds)
    figures: dict[str, float] = {"timing_samples": len(took[NEVER])}
    for why, times in took.items():
        for percentile in PERCENTILES:
            figures[f"timing_{why}_p{percentile}_ns"] = float(np.percentile(times, percentile))
        figures[f"timing_{why}_ks"] = distance(took[NEVER], times)
    return figures


def distance(one: Nanoseconds, other: Nanoseconds) -> float:
    """Return the two-sample Kolmogorov-Smirnov statistic."""
    times = np.concatenate((one, other))
    shares = [np.sort(some).searchsorted(times, "right") / len(some) for some in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def _kinds(every: NDArray[np.void]) -> dict[str, NDArray[np.void]]:
    """Return refs by why nothing is shown of them, as many of each, in random order."""
    chance = np.random.default_rng(2)
    subjects = chance.permutation(every[np.arange(len(every)) % SECOND != SECOND - 1])
    expired = subjects["expires_at"] <= NOW
    stale = subjects["feed"] == STALE
    listed = {
        "expired": subjects["subject_ref"][expired & ~stale],
        "stale": subjects["subject_ref"][stale & ~expired],
        "removed": subjects["subject_ref"][~expired & ~stale],
    }
    most = min(MOST, *map(len, listed.values()))
    others = {
        why: np.frombuffer(chance.bytes(32 * most), "V32") for why in WHY if why not in listed
    }
    return {why: (others | listed)[why][:most] for why in WHY}


def _index(every: NDArray[np.void], removed: NDArray[np.void]) -> ListingIndex:
    builder = Builder()
    builder.add_many(every)
    index = builder.finish()
    listed = index.lookup_packed(removed.tobytes(), NOW, LIVE).values()
    index.replace(Removal(e.subject_ref, e.listing_id) for entries in listed for e in entries)
    return index


def _measure(index: ListingIndex, kinds: dict[str, NDArray[np.void]]) -> dict[str, Nanoseconds]:
    """Look each up once, all kinds in turn at random, so that nothing but the kind tells them apart."""
    asked = [(why, ref) for why, refs in kinds.items() for ref in chopped(refs.tobytes())]
    random.Random(3).shuffle(asked)
    refs = [fresh(ref) for _, ref in asked]
    lookup, clock, took, shown = index.lookup, time.perf_counter_ns, list[int](), 0
    gc.disable()
    for ref in refs:
        began = clock()
        found = lookup(ref, NOW, LIVE)
        took.append(clock() - began)
        shown += len(found)
    gc.enable()
    assert not shown
    whys, times = np.array([why for why, _ in asked]), np.array(took)
    return {why: times[whys == why] for why in kinds}
