"""A whole log, audited: what passes, and every way in which a log can be wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clients.auditor.audit import AuditOptions, AuditReport, audit
from clients.auditor.entries import EntryFacts, check_log_entry
from clients.auditor.errors import (
    SEEN_NOTE,
    AuditorError,
    BundleWrong,
    CheckpointInvalid,
    EntryWrong,
    LogUnreadable,
    LogWrong,
    ResourceMissing,
    ResourceOversize,
    RootWrong,
    TileWrong,
)
from clients.auditor.policy import LogTrust
from clients.auditor.source import open_source
from concordat import v1
from concordat.trust.merkle import EMPTY_ROOT
from concordat.trust.note import SignedNote
from concordat.trust.tiles import ENTRIES, Tile, encode_bundle
from tests.builders import signer
from tests.log_builders import START, DirLog, LogWitness, log_entries, log_entry


def audited(log: DirLog, trust: LogTrust | None = None, **options: Any) -> AuditReport:
    with open_source(str(log.folder)) as source:
        return audit(source, trust or LogTrust(log.key), AuditOptions(**options))


def refused(log: DirLog, kind: type[AuditorError], where: str = "", **options: Any) -> LogWrong:
    with pytest.raises(kind) as caught:
        audited(log, **options)
    error = caught.value
    assert type(error) is kind
    assert isinstance(error, LogWrong)
    assert error.where == where
    assert where in str(error)
    return error


@contextmanager
def bent(path: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """Change a file for a while."""
    content = path.read_bytes()
    path.write_bytes(change(content))
    try:
        yield
    finally:
        path.write_bytes(content)


def flipped(content: bytes, at: int = -1) -> bytes:
    """Return the content with one bit of one byte changed."""
    bent = bytearray(content)
    bent[at] ^= 1
    return bytes(bent)


# What passes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 512, 600])
def test_a_log_of_any_size_passes(tmp_path: Path, size: int) -> None:
    report = audited(DirLog(tmp_path).append(log_entries(0, size)))
    assert report.checkpoint.size == size
    assert sum(report.kinds.values()) == report.audited == size


def test_an_empty_log_has_the_empty_root(tmp_path: Path) -> None:
    assert audited(DirLog(tmp_path)).checkpoint.root == EMPTY_ROOT


def test_the_report_counts_kinds_and_tells_the_span_of_time(tmp_path: Path) -> None:
    log = DirLog(tmp_path).append(log_entries(0, 300))
    log.append([log_entry(300, kind=v1.LogEntryKind.LOG_ENTRY_KIND_ERASURE)])
    report = audited(log)
    assert report.kinds == {"access intent": 300, "erasure": 1}
    assert report.first_at == START * 1_000_000_000
    assert report.last_at == (START + 300) * 1_000_000_000
    assert report.unique


def test_entries_of_the_same_time_pass(tmp_path: Path) -> None:
    audited(DirLog(tmp_path).append(log_entry(n, at=START) for n in range(300)))


def test_a_partial_tile_may_give_way_to_the_full_one(log: DirLog, trust: LogTrust) -> None:
    note = log.note
    log.append(log_entries(600, 900))
    log.publish(note)
    log.drop_partial(0, 2)
    log.drop_partial(ENTRIES, 2)
    report = audited(log)
    assert report.checkpoint.size == 600


def test_progress_starts_where_the_audit_does_and_ends_at_its_size(log: DirLog) -> None:
    told: list[tuple[int, int]] = []
    with open_source(str(log.folder)) as source:
        options = AuditOptions(bundles_a_stretch=1)
        audit(source, LogTrust(log.key), options, lambda *progress: told.append(progress))
    assert told == [(0, 600), (256, 600), (512, 600), (600, 600)]


# Tiles ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tile", "kind", "where"),
    [
        (Tile(0, 0), BundleWrong, "tile/entries/000"),
        (Tile(0, 256), BundleWrong, "tile/entries/256"),
        (Tile(0, 257, 44), BundleWrong, "tile/entries/257.p/44"),
        (Tile(1, 0), TileWrong, "tile/1/000"),
        (Tile(1, 1, 1), TileWrong, "tile/1/001.p/1"),
        (Tile(2, 0, 1), TileWrong, "tile/2/000.p/1"),
        (Tile(ENTRIES, 0), BundleWrong, "tile/entries/000"),
        (Tile(ENTRIES, 257, 44), BundleWrong, "tile/entries/257.p/44"),
    ],
)
def test_a_flipped_bit_at_any_level_is_found_where_it_is(
    large: DirLog, tile: Tile, kind: type[AuditorError], where: str
) -> None:
    with bent(large.path(tile), flipped):
        error = refused(large, kind, where)
    assert tile.path in error.evidence
    assert error.evidence[SEEN_NOTE] == large.note
    audited(large, quick=True)


def test_the_entry_that_does_not_hash_to_its_tile_is_named(log: DirLog) -> None:
    bundle = log.path(Tile(ENTRIES, 1))
    entries = log.entries[256:512]
    entries[7] = log_entry(263, branch="other")
    bundle.write_bytes(encode_bundle(entries))
    assert "entry 263" in str(refused(log, BundleWrong, "tile/entries/001"))


def test_a_changed_entry_with_its_tile_changed_too_does_not_fit_the_level_above(
    large: DirLog, tmp_path: Path
) -> None:
    forged = DirLog(tmp_path).append([log_entry(0, branch="other"), *log_entries(1, 256)])
    with (
        bent(large.path(Tile(ENTRIES, 0)), lambda _: forged.path(Tile(ENTRIES, 0)).read_bytes()),
        bent(large.path(Tile(0, 0)), lambda _: forged.path(Tile(0, 0)).read_bytes()),
    ):
        error = refused(large, TileWrong, "tile/1/000")
    assert "hash 0 is not the root of tile/0/000" in str(error)


def test_a_history_that_is_changed_throughout_does_not_make_up_the_signed_root(
    log: DirLog, tmp_path: Path
) -> None:
    forged = DirLog(tmp_path / "forged").append(log_entries(0, 600, branch="other"))
    forged.publish(log.note)
    refused(forged, RootWrong, "checkpoint")


@pytest.mark.parametrize("level", [0, ENTRIES])
def test_swapped_tiles_are_found(log: DirLog, level: int) -> None:
    first, second = log.path(Tile(level, 0)), log.path(Tile(level, 1))
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    refused(log, BundleWrong, "tile/entries/000")


def test_tiles_swapped_with_their_bundles_are_found(log: DirLog) -> None:
    for level in (0, ENTRIES):
        first, second = log.path(Tile(level, 0)), log.path(Tile(level, 1))
        one, other = first.read_bytes(), second.read_bytes()
        first.write_bytes(other)
        second.write_bytes(one)
    # The times tell; where they do not, the level above does.
    refused(log, EntryWrong, "entry 256")
    refused(log, TileWrong, "tile/1/000.p/2", quick=True, check=_timeless)


def _timeless(raw: bytes) -> EntryFacts:
    return check_log_entry(raw)._replace(at=0)


@pytest.mark.parametrize(
    ("tile", "where"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 2, 88), "tile/0/002.p/88"),
        (Tile(1, 0, 2), "tile/1/000.p/2"),
        (Tile(ENTRIES, 1), "tile/entries/001"),
        (Tile(ENTRIES, 2, 88), "tile/entries/002.p/88"),
    ],
)
def test_a_missing_tile_is_named(log: DirLog, tile: Tile, where: str) -> None:
    log.path(tile).unlink()
    refused(log, ResourceMissing, where)


def test_a_tile_that_is_cut_short_is_named(log: DirLog) -> None:
    with bent(log.path(Tile(0, 0)), lambda content: content[:-1]):
        assert "8191 bytes" in str(refused(log, TileWrong, "tile/0/000"))


def test_a_tile_that_is_too_long_is_not_read_to_its_end(log: DirLog) -> None:
    with bent(log.path(Tile(0, 0)), lambda content: content + b"x" * 1_000_000):
        refused(log, ResourceOversize, "tile/0/000")


@pytest.mark.parametrize("cut", [1, 60, 10_000])
def test_a_bundle_that_is_cut_short_is_named(log: DirLog, cut: int) -> None:
    with bent(log.path(Tile(ENTRIES, 0)), lambda content: content[:-cut]):
        refused(log, BundleWrong, "tile/entries/000")


def test_a_bundle_with_something_after_its_entries_is_named(log: DirLog) -> None:
    with bent(log.path(Tile(ENTRIES, 0)), lambda content: content + b"\0\0"):
        refused(log, BundleWrong, "tile/entries/000")


# Checkpoints ------------------------------------------------------------------------------------


def test_a_checkpoint_that_another_key_signed_is_refused(log: DirLog) -> None:
    log.signer = signer("somebody else")
    log.publish()
    with pytest.raises(CheckpointInvalid):
        audited(log, LogTrust(DirLog(log.folder / "other").key))


@pytest.mark.parametrize("at", [0, 20, 40, -3])
def test_a_checkpoint_with_one_bit_changed_is_refused(log: DirLog, at: int) -> None:
    trust = LogTrust(log.key)
    with (
        bent(log.path("checkpoint"), lambda note: flipped(note, at)),
        pytest.raises(CheckpointInvalid),
    ):
        audited(log, trust)


def test_a_signed_root_of_other_entries_is_refused(log: DirLog) -> None:
    log.publish(log.sign(root=bytes(32)))
    refused(log, RootWrong, "checkpoint")


def test_a_checkpoint_ahead_of_its_tiles_is_refused(log: DirLog) -> None:
    log.publish(log.sign(601, root=bytes(32)))
    refused(log, ResourceMissing, "tile/0/002.p/89")


def test_a_size_that_no_log_has_costs_no_more_than_the_first_tile_that_is_missing(
    log: DirLog,
) -> None:
    log.publish(log.sign(2**62, root=bytes(32)))
    refused(log, ResourceMissing, "tile/0/002")


def test_lines_of_unknown_signers_change_nothing(log: DirLog) -> None:
    text = SignedNote.parse(log.note).text
    log.publish(log.note + LogWitness("stranger").cosign(text))
    assert audited(log).checkpoint.cosignatures == ()


def test_a_log_without_a_checkpoint_is_unreadable_and_not_wrong(
    tmp_path: Path, log: DirLog
) -> None:
    log.path("checkpoint").unlink()
    with pytest.raises(LogUnreadable):
        audited(log)


# Witnesses --------------------------------------------------------------------------------------


def witnessed(folder: Path, *names: str) -> DirLog:
    return DirLog(folder, witnesses=[LogWitness(name) for name in names]).append(log_entries(0, 3))


def quorum_of(log: DirLog, quorum: int, *names: str) -> LogTrust:
    return LogTrust(log.key, [LogWitness(name).key for name in names], quorum)


def test_a_checkpoint_with_a_quorum_of_witnesses_passes(tmp_path: Path) -> None:
    log = witnessed(tmp_path, "ash", "elm")
    report = audited(log, quorum_of(log, 2, "ash", "elm", "oak"))
    assert [each.name for each in report.checkpoint.cosignatures] == ["ash", "elm"]


def test_fewer_witnesses_than_the_quorum_do_not_count(tmp_path: Path) -> None:
    log = witnessed(tmp_path, "ash", "stranger")
    with pytest.raises(CheckpointInvalid, match="1 of at least 2 witnesses"):
        audited(log, quorum_of(log, 2, "ash", "elm"))


def test_one_witness_twice_does_not_make_two(tmp_path: Path) -> None:
    log = witnessed(tmp_path, "ash")
    text = SignedNote.parse(log.note).text
    log.publish(log.note + LogWitness("ash").cosign(text, START + 1))
    with pytest.raises(CheckpointInvalid, match="1 of at least 2 witnesses"):
        audited(log, quorum_of(log, 2, "ash", "elm"))


def test_a_forged_cosignature_makes_the_checkpoint_invalid(tmp_path: Path) -> None:
    log = witnessed(tmp_path)
    other = SignedNote.parse(log.sign(2)).text
    log.publish(log.note + LogWitness("ash").cosign(other))
    with pytest.raises(CheckpointInvalid):
        audited(log, quorum_of(log, 0, "ash"))


# Entries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"no entry",
        log_entry(600) + b"\xf8\x07\x01",  # a field unknown here might carry anything
        log_entry(600, kind=v1.LogEntryKind.LOG_ENTRY_KIND_UNSPECIFIED),
        log_entry(600, record_id=b"short"),
    ],
    ids=["empty", "garbage", "unknown-field", "no-kind", "short-id"],
)
def test_an_entry_that_is_none_is_named(log: DirLog, entry: bytes) -> None:
    log.append([entry])
    error = refused(log, EntryWrong, "entry 600")
    assert error.evidence["entry 600.bin"] == entry


@pytest.mark.parametrize("index", [1, 255, 256, 512, 599])
def test_a_time_that_goes_back_is_found_at_its_entry(tmp_path: Path, index: int) -> None:
    entries = log_entries(0, 600)
    entries[index] = log_entry(index, at=START - 1)
    log = DirLog(tmp_path).append(entries)
    refused(log, EntryWrong, f"entry {index}")
    refused(log, EntryWrong, f"entry {index}", bundles_a_stretch=1)


@pytest.mark.parametrize(("first", "again"), [(0, 1), (0, 599), (255, 256), (300, 599)])
def test_a_record_id_that_repeats_is_found_with_both_entries(
    tmp_path: Path, first: int, again: int
) -> None:
    entries = log_entries(0, 600)
    record_id = v1.LogEntry.FromString(entries[first]).record_id
    entries[again] = log_entry(again, record_id=record_id)
    log = DirLog(tmp_path).append(entries)
    error = refused(log, EntryWrong, f"entry {again}")
    assert f"entry {first} too" in str(error)
    assert record_id.hex() in str(error)


def test_a_quick_audit_does_not_compare_record_ids_and_says_so(tmp_path: Path) -> None:
    entries = [log_entry(0), log_entry(1, record_id=bytes(16)), log_entry(2, record_id=bytes(16))]
    report = audited(DirLog(tmp_path).append(entries), quick=True)
    assert not report.unique
