"""Made-up listings and whom lenders ask about, and how fast something answers."""

import gc
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import psutil
from numpy.typing import NDArray

from exchange.listings.index import ENTRIES, Entry

NOW = 1_800_000_000_000_000  # microseconds since 1970
TODAY = NOW // 86_400_000_000
YEAR = 365 * 86_400_000_000
COURTS = 20
STALE = COURTS  # the court whose feed is stale; the other feeds are fresh
LIVE = frozenset(range(1, COURTS))
SECOND = 5  # every fifth listing is a second one of its subject, with the same court and end
EXPIRED = 0.1
JUDGMENT = 2
PER_REQUEST = 1_000  # subjects that a screen request may name
HITS = 0.01
ASKED = (
    400_000  # subjects asked about in turn: their records are more than a processor's cache holds
)

_AT_ONCE = 250_000  # a multiple of SECOND


def listings(size: int, seed: int = 0) -> Iterator[NDArray[np.void]]:
    """Yield ``size`` entries in parts; the same each time, others with another seed."""
    for first in range(0, size, _AT_ONCE):
        yield _part(np.random.default_rng((seed, first)), min(_AT_ONCE, size - first))


def label(size: int) -> str:
    """Return how a number of listings is named in figures: 1e6, or 250000."""
    power = len(str(size)) - 1
    return f"1e{power}" if size == 10**power else str(size)


def _part(chance: np.random.Generator, size: int) -> NDArray[np.void]:
    part = np.zeros(size, ENTRIES)
    part["subject_ref"] = np.frombuffer(chance.bytes(32 * size), "V32")
    part["listing_id"] = np.frombuffer(chance.bytes(16 * size), "V16")
    for name, most in (("kind", 2), ("mark", 4), ("band", 4), ("basis", 5)):
        part[name] = chance.integers(1, most + 1, size)
    part["delinquent_day"] = TODAY - chance.integers(200, 2_000, size)
    part["effective_day"] = part["delinquent_day"] + 120
    courts = chance.integers(1, COURTS + 1, size)
    part["feed"] = np.where(part["kind"] == JUDGMENT, courts, 0)
    ends = NOW + chance.integers(1, YEAR, size)
    part["expires_at"] = np.where(chance.random(size) < EXPIRED, ends - YEAR, ends)
    for name in ("subject_ref", "kind", "feed", "expires_at"):
        part[name][SECOND - 1 :: SECOND] = part[name][SECOND - 2 :: SECOND][: size // SECOND]
    return part


def entries(part: NDArray[np.void]) -> Iterator[Entry]:
    """Yield the same as objects."""
    for row in part:
        ref, listing_id, *rest = row.tolist()
        yield Entry(bytes(ref), bytes(listing_id), *rest)


def shown_refs(part: NDArray[np.void]) -> list[bytes]:
    """Return refs of subjects with something to show, of about one in fifty listings."""
    shown = (part["expires_at"] > NOW) & (part["feed"] != STALE)
    return chopped(part["subject_ref"][shown][::50].tobytes())


def asked_about(shown: Sequence[bytes]) -> list[bytes]:
    """Return refs in random order: one in a hundred of ``shown``, the others of people never listed."""
    chance = np.random.default_rng(1)
    drawn = chopped(chance.bytes(32 * ASKED))
    hits = chance.random(ASKED) < HITS
    picked = chance.integers(0, len(shown), ASKED)
    return [
        fresh(shown[n]) if hit else ref for ref, hit, n in zip(drawn, hits, picked, strict=True)
    ]


def fresh(ref: bytes) -> bytes:
    """Return a copy, which lies elsewhere in memory."""
    return bytes(bytearray(ref))


def chopped(packed: bytes) -> list[bytes]:
    """Return the refs of packed ones."""
    return [packed[at : at + 32] for at in range(0, len(packed), 32)]


def packed_requests(refs: Sequence[bytes]) -> list[bytes]:
    """Return packed refs, as many in each as a screen request may name."""
    return [
        b"".join(refs[at : at + PER_REQUEST])
        for at in range(0, len(refs) - PER_REQUEST + 1, PER_REQUEST)
    ]


def rate(one: Callable[[bytes], object], asks: Sequence[bytes], seconds: float) -> float:
    """Return how many calls a second ``one`` takes, asks in turn, over at least ``seconds``."""
    done, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        start = done % len(asks)
        for ask in asks[start : start + 200]:
            one(ask)
        done += len(asks[start : start + 200])
    return done / took


def resident() -> int:
    """Return the bytes of memory that this process has in use, after what is garbage was freed."""
    gc.collect()
    return int(psutil.Process().memory_info().rss)
