"""One stretch of a log, checked by itself: entries, the bundles that carry them, the tiles of level 0.

What spans stretches is the caller's: the levels above, time across the borders, record ids. So several
processes can check stretches at once.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from clients.auditor.cases import CASE_KINDS
from clients.auditor.entries import CheckEntry, EntryFacts
from clients.auditor.errors import BundleWrong, EntryWrong
from clients.auditor.source import LogSource
from concordat.trust.errors import MalformedNoteError, TrustError
from concordat.trust.merkle import leaf_hash, root_of
from concordat.trust.tiles import ENTRIES, WIDTH, Tile, decode_bundle, split_tile, tile_at


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bundles ``first`` to before ``end`` of a log of ``size`` entries."""

    first: int
    end: int
    size: int

    def tiles(self) -> Iterator[Tile]:
        """Yield the tiles of level 0."""
        return (tile_at(0, index, self.size) for index in range(self.first, self.end))


@dataclass(slots=True)
class Checked:
    """What a stretch was found to hold.

    ``roots`` are those of its full bundles, ``tail`` the leaf hashes of a last partial one. ``record_ids``
    are 16 bytes an entry, joined.
    """

    first_entry: int
    entries: int = 0
    roots: list[bytes] = field(default_factory=list)
    tail: list[bytes] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    first_at: int = 0
    last_at: int = 0
    record_ids: bytearray = field(default_factory=bytearray)
    cases: list[EntryFacts] = field(default_factory=list)  # look-ups, refusals and notices


def check_stretch(source: LogSource, stretch: Stretch, check: CheckEntry) -> Checked:
    """Check every entry of at least one bundle; raise ``LogWrong`` for the first that is not right."""
    found = Checked(stretch.first * WIDTH)
    for tile, hashes, bundle in _fetched(source, stretch):
        leaves = _check_bundle(tile, hashes, bundle)
        for entry in leaves:
            _check_entry(found, entry, check)
        own = split_tile(hashes, tile.width)
        if tile.width == WIDTH:
            found.roots.append(root_of(own))
        else:
            found.tail = own
    return found


def _fetched(source: LogSource, stretch: Stretch) -> Iterator[tuple[Tile, bytes, bytes]]:
    """Yield each tile with its bytes and its bundle's; read several at once where that helps."""

    def both(tile: Tile) -> tuple[Tile, bytes, bytes]:
        return tile, source.tile(tile), source.tile(_bundle_of(tile))

    if source.concurrency == 1:
        yield from map(both, stretch.tiles())
        return
    with ThreadPoolExecutor(source.concurrency) as pool:
        for first in range(stretch.first, stretch.end, source.concurrency):  # no more in memory
            end = min(first + source.concurrency, stretch.end)
            yield from pool.map(both, Stretch(first, end, stretch.size).tiles())


def _bundle_of(tile: Tile) -> Tile:
    return Tile(ENTRIES, tile.index, tile.width)


def _check_bundle(tile: Tile, hashes: bytes, bundle: bytes) -> list[bytes]:
    """Return the entries of a bundle, each of which hashes to the tile's hash at its place."""
    path = _bundle_of(tile).path
    evidence = {path: bundle, tile.path: hashes}
    try:
        entries = decode_bundle(bundle, tile.width)
    except MalformedNoteError as error:
        raise BundleWrong(str(error), where=path, evidence=evidence) from error
    for place, (entry, expected) in enumerate(
        zip(entries, split_tile(hashes, tile.width), strict=True)
    ):
        if leaf_hash(entry) != expected:
            text = f"entry {tile.index * WIDTH + place} does not hash to its place in {tile.path}"
            raise BundleWrong(text, where=path, evidence=evidence)
    return entries


def _check_entry(found: Checked, entry: bytes, check: CheckEntry) -> None:
    where = f"entry {found.first_entry + found.entries}"
    try:
        facts = check(entry)
    except TrustError as error:
        raise EntryWrong(str(error), where=where, evidence={f"{where}.bin": entry}) from error
    if not found.entries:
        found.first_at = facts.at
    elif facts.at < found.last_at:
        raise earlier(where, facts.at, found.last_at, {f"{where}.bin": entry})
    found.last_at = facts.at
    found.entries += 1
    found.kinds[facts.kind] += 1
    found.record_ids += facts.record_id
    if facts.kind in CASE_KINDS:
        found.cases.append(facts)


def earlier(where: str, at: int, before: int, evidence: dict[str, bytes]) -> EntryWrong:
    """Return the error of an entry whose time is before that of the entry ahead of it."""
    behind = (before - at) / 1e9
    text = f"its time is {behind:.9g} s before that of the entry ahead of it"
    return EntryWrong(text, where=where, evidence=evidence)
