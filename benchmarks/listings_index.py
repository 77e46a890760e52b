"""The listings' index in one process: memory, lookups, changes, and lookups while changes are merged."""

import time
from collections.abc import Iterator
from threading import Thread

import numpy as np

from benchmarks.listings_load import (
    LIVE,
    NOW,
    PER_REQUEST,
    SECOND,
    asked_about,
    entries,
    listings,
    packed_requests,
    rate,
    resident,
    shown_refs,
)
from exchange.listings.index import Builder, ListingIndex

CHANGES_AT_ONCE = 1_000
PAUSE = 0.000_2  # seconds between lookups while changes are merged


def index_figures(size: int, seconds: float) -> dict[str, float]:
    """Return figures of an index of ``size`` entries; needs a process of its own to tell its memory."""
    before, began = resident(), time.perf_counter()
    builder, shown = Builder(), list[bytes]()
    for part in listings(size):
        builder.add_many(part)
        shown += shown_refs(part)
    index = builder.finish()
    built = time.perf_counter() - began
    grown = resident() - before - sum(map(len, shown))
    refs = asked_about(shown)
    single = rate(lambda ref: index.lookup(ref, NOW, LIVE), refs, seconds)
    batched = rate(lambda ask: index.lookup_packed(ask, NOW, LIVE), packed_requests(refs), seconds)
    return {
        "build_s": built,
        "bytes_per_listing": index.nbytes / size,
        "rss_bytes_per_listing": grown / size,
        "single_lookups_per_s": single,
        "lookups_per_s": batched * PER_REQUEST,
        **_changes(index, refs),
    }


def _changes(index: ListingIndex, refs: list[bytes]) -> dict[str, float]:
    """Put entries of as many subjects as start a merge, and look up while it runs."""
    due = max(10_000, len(index) // 16) * SECOND // (SECOND - 1) + CHANGES_AT_ONCE
    more = [entry for part in listings(due, seed=1) for entry in entries(part)]
    began = time.perf_counter()
    for at in range(0, due, CHANGES_AT_ONCE):
        index.replace(more[at : at + CHANGES_AT_ONCE])
    changed = time.perf_counter()
    merge = Thread(target=index.wait_for_merge)
    merge.start()
    held_up = [_held_up(index, refs[n % len(refs)]) for n in _while_alive(merge)]
    return {
        "changes_per_s": due / (changed - began),
        "merge_s": time.perf_counter() - changed,
        "merge_lookup_p99_ms": float(np.percentile(held_up, 99)),
        "merge_lookup_worst_ms": max(held_up),
    }


def _while_alive(thread: Thread) -> Iterator[int]:
    yield 0
    number = 0
    while thread.is_alive():
        number += 1
        yield number


def _held_up(index: ListingIndex, ref: bytes) -> float:
    """Return by how many milliseconds a lookup that begins in a moment ends late."""
    began = time.perf_counter()
    time.sleep(PAUSE)
    index.lookup(ref, NOW, LIVE)
    return 1000 * (time.perf_counter() - began - PAUSE)
