"""The index answers as a plain dictionary would, whatever the keys, at any time and while it changes."""

import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from exchange.listings.index import ENTRIES, Builder, Entry, ListingIndex, Removal
from exchange.listings.merging import merge
from exchange.listings.sorted_entries import SortedEntries

NOW = 1_800_000_000_000_000
NO_FEEDS: frozenset[int] = frozenset()
MERGE = "exchange.listings.index.merge"
REF, OTHER = bytes(range(32)), bytes(range(100, 132))
ENTRY = Entry(
    subject_ref=REF,
    listing_id=b"listing-00000001",
    kind=1,
    mark=4,
    band=3,
    basis=2,
    delinquent_day=20_000,
    effective_day=20_100,
    settled_day=20_200,
    expires_at=NOW + 1,
    feed=0,
    worded=True,
)


def build(*entries: Entry) -> ListingIndex:
    builder = Builder()
    builder.add_many(entries)
    return builder.finish()


def numbered(number: int, **fields: object) -> Entry:
    return replace(ENTRY, listing_id=number.to_bytes(16, "big"), **fields)  # type: ignore[arg-type]


def random_refs(count: int, seed: int = 1) -> list[bytes]:
    drawn = np.random.default_rng(seed).bytes(32 * count)
    return [drawn[at : at + 32] for at in range(0, len(drawn), 32)]


@pytest.fixture(params=["built", "put"])
def index_of(request: pytest.FixtureRequest) -> Callable[..., ListingIndex]:
    """Return what makes an index of entries, in its arrays or in the changes beside them."""

    def put(*entries: Entry) -> ListingIndex:
        index = ListingIndex()
        index.replace(entries)
        return index

    return build if request.param == "built" else put


def test_all_that_a_lender_is_told_comes_back(index_of: Callable[..., ListingIndex]) -> None:
    index = index_of(ENTRY)
    assert index.lookup(REF, NOW, NO_FEEDS) == [ENTRY]
    assert index.lookup_packed(OTHER + REF, NOW, NO_FEEDS) == {1: [ENTRY]}
    assert len(index) == 1


def test_nothing_is_shown_at_or_after_its_end(index_of: Callable[..., ListingIndex]) -> None:
    index = index_of(ENTRY)
    for now, shown in ((NOW, True), (NOW + 1, False), (NOW + 10**15, False)):
        assert bool(index.lookup(REF, now, NO_FEEDS)) is shown
        assert bool(index.lookup_packed(REF, now, NO_FEEDS)) is shown


def test_a_stale_feeds_listings_are_shown_to_nobody(index_of: Callable[..., ListingIndex]) -> None:
    index = index_of(replace(ENTRY, feed=65_535), replace(ENTRY, subject_ref=OTHER, feed=7))
    for feeds, shown in (
        (frozenset({7}), {1}),
        (frozenset({65_535, 7}), {0, 1}),
        (NO_FEEDS, set()),
    ):
        assert index.lookup_packed(REF + OTHER, NOW, feeds).keys() == shown
        assert index.lookup_packed(REF + OTHER, NOW, feeds.__contains__).keys() == shown
        assert bool(index.lookup(REF, NOW, feeds)) is (0 in shown)
        assert bool(index.lookup(OTHER, NOW, feeds.__contains__)) is (1 in shown)


def test_a_listing_without_a_feed_needs_none(index_of: Callable[..., ListingIndex]) -> None:
    assert index_of(ENTRY).lookup(REF, NOW, lambda feed: feed > 0) == [ENTRY]
    assert index_of(ENTRY).lookup_packed(REF, NOW, lambda feed: feed > 0) == {0: [ENTRY]}


def test_the_oldest_delinquency_comes_first_then_the_lower_id(
    index_of: Callable[..., ListingIndex],
) -> None:
    ids = [256, 255, 1 << 64, (1 << 64) - 1, 1 << 127, 3]
    entries = [numbered(n, delinquent_day=20_000 - (n == 3)) for n in ids]
    expected = sorted(entries, key=lambda e: (e.delinquent_day, e.listing_id))
    index = index_of(*entries)
    assert index.lookup(REF, NOW, NO_FEEDS) == expected
    assert index.lookup_packed(REF, NOW, NO_FEEDS) == {0: expected}


def test_a_listing_that_is_put_again_is_replaced(index_of: Callable[..., ListingIndex]) -> None:
    index = index_of(ENTRY, numbered(9))
    index.put(replace(ENTRY, mark=1, delinquent_day=30_000))
    shown = index.lookup(REF, NOW, NO_FEEDS)
    assert shown == [numbered(9), replace(ENTRY, mark=1, delinquent_day=30_000)]
    assert len(index) == 2


def test_a_removed_listing_is_gone_and_its_neighbours_are_not(
    index_of: Callable[..., ListingIndex],
) -> None:
    other = replace(ENTRY, subject_ref=OTHER)
    index = index_of(ENTRY, numbered(9), other)
    index.remove(REF, ENTRY.listing_id)
    index.remove(REF, b"never-was-listed")
    index.remove(bytes(32), ENTRY.listing_id)
    assert index.lookup_packed(REF + OTHER, NOW, NO_FEEDS) == {0: [numbered(9)], 1: [other]}
    index.remove(REF, numbered(9).listing_id)
    assert index.lookup(REF, NOW, NO_FEEDS) == []
    assert len(index) == 1


def test_nobody_in_an_empty_index_is_listed() -> None:
    index = ListingIndex()
    for ref in (bytes(32), b"\xff" * 32, REF):
        assert index.lookup(ref, 0, NO_FEEDS) == []
        assert index.lookup(ref, -1, NO_FEEDS) == []
    assert index.lookup_packed(bytes(32) + b"\xff" * 32, -1, NO_FEEDS) == {}
    assert index.lookup_packed(b"", NOW, NO_FEEDS) == {}
    assert len(index) == 0


@pytest.mark.parametrize("why", ["never listed", "past its end", "removed"])
def test_who_has_nothing_to_show_is_checked_all_the_same(why: str) -> None:
    index = build(*(replace(ENTRY, subject_ref=ref, feed=5) for ref in random_refs(1000)))
    ref = random_refs(1001)[-1]
    if why != "never listed":
        index.put(replace(ENTRY, subject_ref=ref, expires_at=NOW))
    if why == "removed":
        index.remove(ref, ENTRY.listing_id)
    asked: list[int] = []

    def is_live(feed: int) -> bool:
        asked.append(feed)
        return True

    assert index.lookup(ref, NOW, is_live) == []
    assert len(asked) == 1


def test_an_array_of_entries_makes_the_same_index_as_the_entries() -> None:
    entries = [
        numbered(n, subject_ref=ref, feed=n % 3, worded=n % 2 == 0, settled_day=n)
        for n, ref in enumerate(random_refs(500) * 2)
    ]
    array = np.zeros(len(entries), ENTRIES)
    for name in ENTRIES.names or ():
        array[name] = [getattr(entry, name) for entry in entries]
    builder = Builder()
    builder.add_many(array[:300])
    builder.add_many(iter(entries[300:]))
    index, refs = builder.finish(), b"".join(random_refs(500))
    assert len(index) == 1000
    found = index.lookup_packed(refs, NOW, frozenset({1, 2}))
    assert found == build(*entries).lookup_packed(refs, NOW, frozenset({1, 2}))
    assert sorted(found[0], key=lambda e: e.listing_id) == [entries[0], entries[500]]


def test_a_listing_takes_56_bytes_and_the_table_two() -> None:
    array = np.zeros(100_000, ENTRIES)
    array["subject_ref"] = np.frombuffer(b"".join(random_refs(100_000)), "V32")
    builder = Builder()
    builder.add_many(array)
    assert builder.finish().nbytes < 100_000 * 58


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject_ref": bytes(31)},
        {"listing_id": bytes(17)},
        {"kind": 256},
        {"mark": -1},
        {"delinquent_day": 65_536},
        {"settled_day": -1},
        {"feed": 65_536},
        {"expires_at": 1 << 63},
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(wrong: dict[str, object]) -> None:
    entry = replace(ENTRY, **wrong)  # type: ignore[arg-type]
    index = build(ENTRY)
    with pytest.raises(ValueError):
        index.replace([Removal(REF, ENTRY.listing_id), entry])
    assert index.lookup(REF, NOW, NO_FEEDS) == [ENTRY]
    with pytest.raises(ValueError):
        Builder().add_many([entry])


def test_a_removal_must_name_one_listing() -> None:
    index = build(ENTRY)
    for ref, listing_id in ((REF, b""), (REF[:16], ENTRY.listing_id)):
        with pytest.raises(ValueError):
            index.remove(ref, listing_id)
    assert len(index) == 1


def test_arrays_of_another_form_are_refused() -> None:
    late = np.zeros(3, ENTRIES)
    late["effective_day"][1] = 65_536
    for array in (np.zeros(3, np.uint8), np.zeros((3, 3), ENTRIES), late):
        with pytest.raises(ValueError):
            Builder().add_many(array)


def test_a_listing_is_built_in_once() -> None:
    with pytest.raises(ValueError, match="1 listings are given twice"):
        build(ENTRY, numbered(9), replace(ENTRY, delinquent_day=1))
    assert len(build(ENTRY, replace(ENTRY, subject_ref=OTHER))) == 2


def test_a_subject_with_more_listings_than_can_be_counted_is_refused() -> None:
    array = np.zeros(65_536, ENTRIES)
    array["listing_id"] = np.arange(2 * 65_536, dtype=np.uint64).view("V16")
    builder, most = Builder(), Builder()
    builder.add_many(array)
    with pytest.raises(ValueError, match="more than 65535"):
        builder.finish()
    most.add_many(array[:-1])
    index = most.finish()
    with pytest.raises(ValueError, match="more than 65535"):
        index.put(replace(ENTRY, subject_ref=bytes(32)))
    assert len(index) == 65_535


def test_refs_of_the_wrong_length_are_refused() -> None:
    index = build(ENTRY)
    for ref in (b"", REF[:31], REF + b"0", REF + OTHER):
        with pytest.raises(ValueError):
            index.lookup(ref, NOW, NO_FEEDS)
    with pytest.raises(ValueError):
        index.lookup_packed(REF + OTHER[:31], NOW, NO_FEEDS)


def test_changes_made_while_others_are_merged_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    started, go_on = threading.Event(), threading.Event()

    def held(base: SortedEntries, changes: Iterable[dict[bytes, bytes]]) -> SortedEntries:
        started.set()
        assert go_on.wait(30)
        return merge(base, changes)

    monkeypatch.setattr(MERGE, held)
    refs = random_refs(40)
    entries = [replace(ENTRY, subject_ref=ref) for ref in refs]
    index = ListingIndex(build(*entries[:20])._state.base, merge_above=10)
    index.replace(entries[20:31])
    assert started.wait(30)
    changed = [replace(entries[25], mark=1), *entries[31:]]
    index.replace([Removal(refs[0], ENTRY.listing_id), Removal(refs[30], ENTRY.listing_id)])
    index.replace(changed)
    expected = {n: [entry] for n, entry in enumerate(entries) if n not in {0, 30}} | {
        25: changed[:1]
    }
    assert index.lookup_packed(b"".join(refs), NOW, NO_FEEDS) == expected
    go_on.set()
    index.wait_for_merge()
    assert index.lookup_packed(b"".join(refs), NOW, NO_FEEDS) == expected
    assert {
        n: shown for n, ref in enumerate(refs) if (shown := index.lookup(ref, NOW, NO_FEEDS))
    } == (expected)
    assert len(index) == len(expected) == 38
    assert len(index._state.base) == 31


def test_a_merge_keeps_keys_in_order_that_begin_alike() -> None:
    refs = [bytes(8) + n.to_bytes(8, sys.byteorder) + bytes(16) for n in range(100)]
    entries = [replace(ENTRY, subject_ref=ref) for ref in refs]
    index = ListingIndex(build(*entries[1::2])._state.base, merge_above=10)
    index.replace(entries[::2])
    index.wait_for_merge()
    assert len(index._state.base) == 100
    assert index.lookup_packed(b"".join(refs), NOW, NO_FEEDS).keys() == set(range(100))
    assert [index.lookup(ref, NOW, NO_FEEDS) for ref in refs] == [[entry] for entry in entries]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_merge_that_fails_loses_nothing_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> object:
        raise MemoryError

    index = ListingIndex(merge_above=0)
    with monkeypatch.context() as patch:
        patch.setattr(MERGE, fails)
        index.put(ENTRY)
        index.wait_for_merge()
    assert index.lookup(REF, NOW, NO_FEEDS) == [ENTRY]
    index.put(numbered(9))
    index.wait_for_merge()
    assert len(index._state.base) == 2
    assert len(index.lookup(REF, NOW, NO_FEEDS)) == 2


def test_a_lookup_sees_all_of_a_change_or_nothing_of_it() -> None:
    refs = random_refs(64)
    packed = b"".join(refs)
    rounds = [
        [replace(ENTRY, subject_ref=r, delinquent_day=day) for r in refs] for day in range(300)
    ]
    index = ListingIndex(build(*rounds[0])._state.base, merge_above=20)
    wrong: list[object] = []
    done = threading.Event()

    def look() -> None:
        last = 0
        while not done.is_set():
            found = index.lookup_packed(packed, NOW, NO_FEEDS)
            days = {entry.delinquent_day for entries in found.values() for entry in entries}
            one = index.lookup(refs[5], NOW, NO_FEEDS)
            if len(found) != 64 or len(days) != 1 or min(days) < last or len(one) != 1:
                wrong.append((len(found), days, last, one))
            last = max(days, default=last)

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for changes in rounds:
        index.replace(changes)
    done.set()
    for reader in readers:
        reader.join()
    index.wait_for_merge()
    assert wrong == []
    assert index.lookup_packed(packed, NOW, NO_FEEDS) == {n: [e] for n, e in enumerate(rounds[-1])}


# Keys whose halves are the same, next to each other, or at the ends.
HALVES = [bytes(8), b"\1" + bytes(7), bytes(7) + b"\1", b"\xff" * 8, b"\xfe" + b"\xff" * 7]
SKEWED = [high + low + high + low for high in HALVES for low in HALVES]
refs = st.sampled_from(SKEWED + random_refs(5))
ids = st.sampled_from([bytes(16), bytes(15) + b"\1", b"\1" + bytes(15), b"\xff" * 16])
days = st.sampled_from([0, 1, 65_535])
times = st.integers(-2, 4)
feeds = st.sampled_from([0, 1, 2, 65_535])
entries = st.builds(
    Entry,
    subject_ref=refs,
    listing_id=ids,
    kind=st.integers(0, 255),
    mark=st.integers(0, 255),
    band=st.integers(0, 255),
    basis=st.integers(0, 255),
    delinquent_day=days,
    effective_day=days,
    settled_day=days,
    expires_at=times,
    feed=feeds,
    worded=st.booleans(),
)
live = st.frozensets(feeds)


class AsADictionary(RuleBasedStateMachine):
    """Changes, merges and lookups in any order, beside a dictionary of the same entries."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[tuple[bytes, bytes], Entry] = {}
        self.index = ListingIndex()

    @initialize(
        entries=st.lists(entries, max_size=40, unique_by=lambda e: (e.subject_ref, e.listing_id)),
        merge_above=st.integers(0, 12),
    )
    def start(self, entries: list[Entry], merge_above: int) -> None:
        self.model = {(e.subject_ref, e.listing_id): e for e in entries}
        self.index = ListingIndex(build(*entries)._state.base, merge_above=merge_above)

    @rule(changes=st.lists(st.one_of(entries, st.builds(Removal, refs, ids)), max_size=12))
    def change(self, changes: list[Entry | Removal]) -> None:
        self.index.replace(changes)
        for change in changes:
            key = change.subject_ref, change.listing_id
            if isinstance(change, Entry):
                self.model[key] = change
            else:
                self.model.pop(key, None)

    @rule()
    def empty(self) -> None:
        self.index.replace(Removal(*key) for key in self.model)
        self.model.clear()

    @rule()
    def merge(self) -> None:
        self.index.wait_for_merge()

    @rule(ref=refs, now=times, live=live)
    def look_up(self, ref: bytes, now: int, live: frozenset[int]) -> None:
        assert self.index.lookup(ref, now, live) == self.shown(ref, now, live)
        assert self.index.lookup(ref, now, live.__contains__) == self.shown(ref, now, live)

    @rule(asked=st.lists(refs, max_size=60), now=times, live=live)
    def look_up_packed(self, asked: list[bytes], now: int, live: frozenset[int]) -> None:
        found = self.index.lookup_packed(b"".join(asked), now, live)
        assert found == {n: s for n, ref in enumerate(asked) if (s := self.shown(ref, now, live))}
        assert list(found) == sorted(found)

    @invariant()
    def counts(self) -> None:
        assert len(self.index) == len(self.model)

    def teardown(self) -> None:
        self.index.wait_for_merge()
        for ref in SKEWED:
            assert self.index.lookup(ref, -9, NO_FEEDS) == self.shown(ref, -9, NO_FEEDS)

    def shown(self, ref: bytes, now: int, live: frozenset[int]) -> list[Entry]:
        return sorted(
            (
                entry
                for entry in self.model.values()
                if entry.subject_ref == ref
                and now < entry.expires_at
                and (entry.feed == 0 or entry.feed in live)
            ),
            key=lambda entry: (entry.delinquent_day, entry.listing_id),
        )


AsADictionary.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestTheIndexAnswersAsADictionaryWould = AsADictionary.TestCase


@settings(deadline=None, max_examples=50)
@given(count=st.integers(0, 3000), shared_bits=st.integers(0, 63))
def test_every_key_is_found_however_the_keys_are_spread(count: int, shared_bits: int) -> None:
    chance = np.random.default_rng(count * 65 + shared_bits)
    high = chance.integers(0, 1 << 64, count, np.uint64, endpoint=False)
    words = np.zeros((count, 4), np.uint64)
    words[:, 0], words[:, 1] = high >> np.uint64(shared_bits), np.arange(count)
    array = np.zeros(count, ENTRIES)
    array["subject_ref"] = words.view("V32")[:, 0]
    array["expires_at"] = 1
    builder = Builder()
    builder.add_many(array)
    index = builder.finish()
    assert len(index.lookup_packed(words.tobytes(), 0, NO_FEEDS)) == count
    words[:, 1] += np.uint64(count)
    assert index.lookup_packed(words.tobytes(), 0, NO_FEEDS) == {}
    for one in words[:10]:
        assert index.lookup(one.tobytes(), 0, NO_FEEDS) == []
