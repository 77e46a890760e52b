"""A log whose disk, database or witnesses fail or lie signs nothing wrong, loses nothing, and goes on."""

import asyncio
import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Connection

from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.trust.checkpoint import open_checkpoint
from concordat.trust.merkle import leaf_hash, root_of
from concordat.trust.tiles import ENTRIES, Tile
from concordat.v1 import LogEntryKind, Reason
from concordat.verify.receipt import open_receipt
from exchange.log import book as book_module
from exchange.log import sequencer as sequencer_module
from exchange.log import witnesses as witnesses_module
from exchange.log.book import LogBook, WitnessPolicy
from exchange.log.growth import TileDamagedError
from exchange.log.sequencer import LogRolledBackError, Sequencer
from exchange.log.tile_store import CHECKPOINT, DatabaseTiles, FileTiles, TileStoreError
from exchange.log.witnesses import Witnesses
from exchange.tables import metadata
from tests.builders import AT, Federation, Granted
from tests.exchange_builders import ExchangeDesk
from tests.sequencer_builders import (
    LOG,
    ORIGIN,
    Hooked,
    LogSide,
    RecordingSigner,
    audit,
    settle,
)
from tests.unit.witness.desk import WITNESS_KEY
from tests.unit.witness.desk import Desk as WitnessDesk
from tests.unit.witness.desk import Log as WitnessedLog
from tests.vault_builders import exchange_engine
from tests.witness_servers import key_of, serve_answers, serve_app, trusting

UNAVAILABLE = Reason.REASON_LOG_UNAVAILABLE
UNWITNESSED = Reason.REASON_LOG_UNWITNESSED
Fault = Callable[[object], None]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again sooner than an exchange does, and do not wait for the disk."""
    monkeypatch.setattr(book_module, "_FAILED_SECONDS", 0.01)
    monkeypatch.setattr(sequencer_module, "ASK_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(witnesses_module, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(os, "fsync", sound)
    monkeypatch.setattr(os, "fdatasync", sound)


def eventually(condition: Callable[[], object], seconds: float = 10) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.005)


def breaking(number: int) -> Fault:
    """Return a fault: what a file system says with this error."""

    def fail(_what: object) -> None:
        raise TileStoreError(f"cannot write the log's tiles: {os.strerror(number)}") from OSError(
            number, os.strerror(number)
        )

    return fail


def sound(_what: object) -> None:
    """No fault."""


def refused_by(desk: ExchangeDesk, granted: Granted, request: v1.Envelope, **given: float) -> int:
    """Ask for a view; return why there is none, whether the item or the whole call was refused."""
    try:
        result = desk.ask(granted, request, **given)
    except Refusal as refusal:
        return refusal.reason
    assert isinstance(result, Refusal)
    return result.reason


def kinds(desk: ExchangeDesk) -> list[str]:
    """Return what the log holds, in order, as anybody reads it."""
    entries = [v1.LogEntry.FromString(each) for each in audit(desk.tiles).entries]
    prefix = len("LOG_ENTRY_KIND_")
    return [LogEntryKind.Name(entry.kind)[prefix:] for entry in entries]


# A disk that is full, read-only or gone -----------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ExchangeDesk]:
    desk = ExchangeDesk(make_tiles=lambda _store: Hooked(FileTiles(tmp_path / "log")))
    yield desk
    desk.close()


def hooks(desk: ExchangeDesk) -> Hooked:
    assert isinstance(desk.tiles, Hooked)
    return desk.tiles


@pytest.mark.parametrize("step", ["on_write", "on_publish"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_no_view_goes_out_while_tiles_cannot_be_written_and_nothing_is_lost(
    desk: ExchangeDesk, step: str, number: int
) -> None:
    granted, others = desk.grant(max_uses=1), [desk.grant() for _ in range(3)]
    eventually(lambda: len(audit(desk.tiles).entries) == 4)
    note = desk.tiles.read(CHECKPOINT)
    setattr(hooks(desk), step, breaking(number))
    request = desk.federation.view_request(granted)
    assert refused_by(desk, granted, request, seconds_left=0.4) == UNAVAILABLE
    eventually(lambda: desk.book.health["failure"])
    assert refused_by(desk, granted, request) == UNAVAILABLE
    assert desk.links.sent == [], "no provider hears of what is not in the log"
    assert desk.tiles.read(CHECKPOINT) == note
    assert os.strerror(number) in str(desk.book.health["failure"])
    assert desk.book.refused >= 2

    setattr(hooks(desk), step, sound)
    eventually(lambda: not desk.book.health["failure"])
    view = desk.verify(granted, request, desk.ask(granted, request)).view
    (entry,) = desk.entries()
    assert view.receipt.access_id == entry.access_id
    assert desk.uses(granted) == 1
    for other in others:
        mine = desk.federation.view_request(other)
        desk.verify(other, mine, desk.ask(other, mine))
    assert kinds(desk) == ["CONSENT"] * 4 + ["ACCESS_INTENT", "ACCESS_RELEASE"] * 4


@pytest.mark.parametrize("seconds", [0.2, 0.3, 0.5])
def test_one_in_a_hurry_hears_of_the_log_and_not_of_the_deadline(
    desk: ExchangeDesk, seconds: float
) -> None:
    granted = desk.grant()
    request = desk.federation.view_request(granted)
    hooks(desk).on_write = breaking(errno.ENOSPC)
    assert refused_by(desk, granted, request, seconds_left=seconds) == UNAVAILABLE


def test_a_view_whose_release_cannot_be_logged_is_not_released(desk: ExchangeDesk) -> None:
    granted = desk.grant()
    request = desk.federation.view_request(granted)
    honest = desk.links.honest("alder-bank")

    async def then_the_disk_is_full(message: v1.RequestScoresRequest) -> Sequence[v1.ScoreResult]:
        hooks(desk).on_write = breaking(errno.ENOSPC)
        return await honest(message)

    desk.links.answers["alder-bank"] = then_the_disk_is_full
    assert refused_by(desk, granted, request, seconds_left=0.8) == UNAVAILABLE
    assert len(desk.links.sent) == 3, "providers were asked"
    assert kinds(desk) == ["CONSENT", "ACCESS_INTENT"]

    del desk.links.answers["alder-bank"]
    hooks(desk).on_write = sound
    eventually(lambda: not desk.book.health["failure"])
    view = desk.verify(granted, request, desk.ask(granted, request)).view
    (entry,) = desk.entries()
    assert view.receipt.access_id == entry.access_id
    assert desk.uses(granted) == 1
    assert kinds(desk)[:2] == ["CONSENT", "ACCESS_INTENT"]
    assert set(kinds(desk)[2:]) == {"ACCESS_RELEASE"}


def test_attempts_that_overlap_get_the_same_entry(desk: ExchangeDesk) -> None:
    granted = desk.grant()
    ask = desk.federation.ask(granted)
    eventually(
        lambda: len(audit(desk.tiles).entries) == 1
    )  # the consent: else it meets the full disk
    hooks(desk).on_write = breaking(errno.ENOSPC)

    async def overlap() -> list[v1.RequestViewResponse | Refusal]:
        hasty = asyncio.create_task(desk.answer([ask], 0.3))
        patient = asyncio.create_task(desk.answer([ask, ask], 5.0))
        (first,) = await hasty
        hooks(desk).on_write = sound
        return [first, *await patient]

    first, *others = asyncio.run(overlap())
    assert isinstance(first, Refusal)
    assert first.reason == UNAVAILABLE
    views = [desk.verify(granted, ask.request, each).view for each in others]
    assert len({view.receipt.access_id for view in views}) == 1
    assert desk.uses(granted) == 1
    assert kinds(desk).count("ACCESS_INTENT") == 1


def test_tiles_that_are_gone_stop_the_log_until_they_are_back(tmp_path: Path) -> None:
    """A mount that fell off, with a file in its place: permissions would not stop the superuser."""
    folder, away = tmp_path / "log", tmp_path / "away"
    desk = ExchangeDesk(make_tiles=lambda _store: FileTiles(folder))
    try:
        granted = desk.grant()
        request = desk.federation.view_request(granted)
        eventually(lambda: len(audit(desk.tiles).entries) == 1)
        folder.rename(away)
        folder.write_bytes(b"")
        assert refused_by(desk, granted, request, seconds_left=0.4) == UNAVAILABLE
        folder.unlink()
        away.rename(folder)
        eventually(lambda: not desk.book.health["failure"])
        desk.verify(granted, request, desk.ask(granted, request))
        assert kinds(desk) == ["CONSENT", "ACCESS_INTENT", "ACCESS_RELEASE"]
    finally:
        desk.close()


def test_a_disk_that_fills_up_leaves_the_old_tile_and_no_litter(tmp_path: Path) -> None:
    """A device that is always full stands where the new tile is written first."""
    tiles, tile = FileTiles(tmp_path), Tile(0, 0, 3)
    tiles.write({tile: b"old"})
    file = tmp_path / tile.path
    file.with_name(file.name + tiles._suffix).symlink_to("/dev/full")
    with pytest.raises(TileStoreError, match="No space left"):
        tiles.write({tile: b"new"})
    assert tiles.read(tile.path) == b"old"
    assert [each.name for each in file.parent.iterdir()] == ["3"]
    tiles.write({tile: b"new"})
    assert tiles.read(tile.path) == b"new"


def test_tiles_outlive_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes before the name, the name before the answer, and every new folder's name in its parent."""
    root, done = tmp_path / "log", list[str]()
    fsync, replace = os.fsync, Path.replace

    def synced(file: int) -> None:
        path = Path(f"/proc/self/fd/{file}").readlink()
        done.append(f"sync {path.relative_to(tmp_path)}".split(".pid")[0])
        fsync(file)

    def renamed(path: Path, to: Path) -> Path:
        done.append(f"name {to.relative_to(tmp_path)}")
        return replace(path, to)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "fdatasync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    tiles = FileTiles(root)
    tiles._suffix = ".pid-new"
    tile, second = Tile(0, 1234, 5), Tile(0, 1234, 6)
    tiles.write({tile: b"x"})
    assert done == [
        "sync .",
        "sync log",
        "sync log/tile",
        "sync log/tile/0",
        "sync log/tile/0/x001",
        "sync log/tile/0/x001/234.p/5",
        "name log/tile/0/x001/234.p/5",
        "sync log/tile/0/x001/234.p",
    ]
    done.clear()
    tiles.write({second: b"y"})
    assert done == [
        f"sync log/{second.path}",
        f"name log/{second.path}",
        "sync log/tile/0/x001/234.p",
    ]
    done.clear()
    tiles.publish(cast("Connection", None), b"note")
    assert done == ["sync log/checkpoint", "name log/checkpoint", "sync log"]


# Tiles that are not what was signed ---------------------------------------------------------------


@dataclass
class Bench:
    """A log in files, grown to a size, and all that was signed."""

    folder: Path
    side: LogSide
    key: RecordingSigner
    sequencer: Sequencer

    def path(self, tile: Tile) -> Path:
        return self.folder / tile.path


@contextmanager
def bench_of(folder: Path, size: int, database: str = "sqlite://") -> Iterator[Bench]:
    engine = exchange_engine(database)
    metadata.create_all(engine)
    store = GroupCommit(engine)
    side, key = LogSide(store, FileTiles(folder)), RecordingSigner()
    bench = Bench(folder, side, key, side.sequencer(key=key))
    if size:
        side.grow(size, bench.sequencer)
    yield bench
    store.close()
    engine.dispose()


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0" * 32)


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(bytes(data))


def missing(path: Path) -> None:
    path.unlink()


DAMAGES = [truncated, empty, longer, flipped, missing]
EDGE = [Tile(0, 2, 88), Tile(1, 0, 2), Tile(ENTRIES, 2, 88)]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("tile", EDGE, ids=lambda tile: tile.path)
def test_a_damaged_edge_is_found_before_the_next_signature_and_not_signed_over(
    tmp_path: Path, damage: Callable[[Path], None], tile: Tile
) -> None:
    with bench_of(tmp_path / "log", 600) as bench:
        note, signed = bench.side.tiles.read(CHECKPOINT), len(bench.key.signed)
        whole = bench.path(tile).read_bytes()
        damage(bench.path(tile))
        left = {path: path.read_bytes() for path in bench.folder.rglob("*") if path.is_file()}
        bench.side.enter(3)
        restarted = bench.side.sequencer(key=bench.key)
        for sequencer in (bench.sequencer, bench.sequencer, restarted):
            with pytest.raises(TileDamagedError):
                sequencer.round()
        assert bench.side.tiles.read(CHECKPOINT) == note
        assert len(bench.key.signed) == signed
        now = {path: path.read_bytes() for path in bench.folder.rglob("*") if path.is_file()}
        assert now == left, "nothing was written over the evidence"
        bench.path(tile).write_bytes(whole)
        settle(restarted)
        audited = audit(bench.side.tiles)
        assert audited.size == 603
        bench.side.check_chains(audited.entries)


OLDER = [Tile(0, 1), Tile(ENTRIES, 4)]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("tile", OLDER, ids=lambda tile: tile.path)
def test_a_damaged_older_tile_is_found_within_one_rotation(
    tmp_path: Path, damage: Callable[[Path], None], tile: Tile
) -> None:
    full = 5
    with bench_of(tmp_path / "log", full * 256 + 9) as bench:
        whole = bench.path(tile).read_bytes()
        damage(bench.path(tile))
        found: list[Tile | None] = []
        note, signed = bench.side.tiles.read(CHECKPOINT), len(bench.key.signed)
        for _round in range(full + 3):
            bench.side.enter(1)
            try:
                bench.sequencer.round()
            except TileDamagedError as error:
                found.append(error.tile)
            if not found:
                note, signed = bench.side.tiles.read(CHECKPOINT), len(bench.key.signed)
        assert len(found) >= 4, "found in its turn, and then nothing more is signed"
        assert set(found) <= {tile, Tile(0, tile.index)}
        assert bench.side.tiles.read(CHECKPOINT) == note
        assert len(bench.key.signed) == signed
        bench.path(tile).write_bytes(whole)
        settle(bench.sequencer)
        audited = audit(bench.side.tiles)
        assert audited.size == full * 256 + 9 + full + 3
        bench.side.check_chains(audited.entries)


def test_damage_is_reported_and_refuses_views(tmp_path: Path) -> None:
    desk = ExchangeDesk(make_tiles=lambda _store: FileTiles(tmp_path / "log"))
    try:
        granted = desk.grant()
        request = desk.federation.view_request(granted)
        eventually(lambda: len(audit(desk.tiles).entries) == 1)
        tile = tmp_path / "log" / Tile(0, 0, 1).path
        whole = tile.read_bytes()
        flipped(tile)
        assert refused_by(desk, granted, request, seconds_left=0.4) == UNAVAILABLE
        assert "TileDamagedError" in str(desk.book.health["failure"])
        tile.write_bytes(whole)
        eventually(lambda: not desk.book.health["failure"])
        desk.verify(granted, request, desk.ask(granted, request))
    finally:
        desk.close()


def test_a_damaged_older_tile_makes_no_false_receipt_and_keeps_nobody_else_waiting(
    tmp_path: Path,
) -> None:
    with bench_of(tmp_path / "log", 0) as bench:
        drafts = bench.side.enter(700)
        settle(bench.sequencer)
        flipped(bench.path(Tile(0, 0)))
        book = LogBook(
            bench.side.store,
            bench.sequencer,
            bench.side.tiles,
            WitnessPolicy(),
            batch_seconds=0.001,
        )
        book.start()
        keys = [(each.subject_ref, each.record_id) for each in (drafts[3], drafts[690])]
        bad, good = asyncio.run(book.receipts(keys, 0.5))
        book.stop()
        assert isinstance(bad, Refusal)
        assert isinstance(good, v1.LogReceipt)
        assert open_receipt(good, Federation().anchors).index == 690


# A database from a backup -------------------------------------------------------------------------


def copied(database: Path, to: Path) -> None:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


@pytest.mark.parametrize("entered_since", [0, 5, 400])
def test_an_old_database_under_newer_tiles_is_a_rollback_and_nothing_is_signed(
    tmp_path: Path, entered_since: int
) -> None:
    folder, backup = tmp_path / "log", tmp_path / "backup.db"
    with bench_of(folder, 100, f"sqlite:///{tmp_path}/exchange.db") as bench:
        copied(tmp_path / "exchange.db", backup)
        bench.side.grow(200, bench.sequencer)
    published = (folder / CHECKPOINT).read_bytes()
    files = sorted(path for path in folder.rglob("*"))
    with bench_of(folder, 0, f"sqlite:///{backup}") as bench:
        if entered_since:
            bench.side.enter(entered_since)
        bench.side.wall.step(100)
        for _ in range(3):
            with pytest.raises(LogRolledBackError) as failure:
                bench.sequencer.round()
            assert failure.value.published == published
            assert open_checkpoint(failure.value.recorded, LOG).size == 100
        assert bench.key.signed == []
        assert not bench.sequencer.leads
        book = LogBook(
            bench.side.store,
            bench.sequencer,
            bench.side.tiles,
            WitnessPolicy(),
            batch_seconds=0.001,
        )
        book.start()
        eventually(lambda: book.health["failure"])
        for _ in range(50):  # and says so all the time
            with pytest.raises(Refusal) as refusal:
                book.require_open(AT)
            assert refusal.value.reason == UNAVAILABLE
            time.sleep(0.002)
        book.stop()
        assert bench.key.signed == []
    assert (folder / CHECKPOINT).read_bytes() == published
    assert sorted(path for path in folder.rglob("*")) == files


def test_a_copy_taken_between_the_indexes_and_the_checkpoint_leads_to_what_was_published(
    tmp_path: Path,
) -> None:
    folder, backup = tmp_path / "log", tmp_path / "backup.db"
    with bench_of(folder, 100, f"sqlite:///{tmp_path}/exchange.db") as bench:
        hooked = Hooked(bench.side.tiles)
        bench.sequencer._tiles = hooked
        hooked.on_write = lambda _tiles: copied(tmp_path / "exchange.db", backup)
        bench.side.grow(200, bench.sequencer)
    before = (folder / CHECKPOINT).read_bytes()
    with bench_of(folder, 0, f"sqlite:///{backup}") as bench:
        bench.side.wall.step(100)
        bench.side.enter(1)
        settle(bench.sequencer)
        audited = audit(bench.side.tiles)
        assert audited.size == 301
        bench.side.check_chains(audited.entries)
        older = open_checkpoint(before, LOG)
        assert older.root == root_of([leaf_hash(each) for each in audited.entries[:300]])


# Witnesses ----------------------------------------------------------------------------------------


def witnessed_desk(
    url: str, *, engine_url: str = "sqlite://", refuse: bool = True, seconds: float = 30.0
) -> ExchangeDesk:
    engine = exchange_engine(engine_url)
    metadata.create_all(engine)
    return ExchangeDesk(
        engine=engine,
        make_tiles=DatabaseTiles,
        witnesses=Witnesses([(WITNESS_KEY, url)], 1, 2.0),
        policy=WitnessPolicy(refuse, seconds),
    )


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[WitnessDesk]:
    desk = WitnessDesk(f"sqlite:///{tmp_path}/witness.db", [WitnessedLog(origin=ORIGIN)])
    yield desk
    desk.store.close()


def test_a_database_restored_with_its_tiles_is_caught_by_the_witness(
    tmp_path: Path, witness: WitnessDesk
) -> None:
    """Nothing here can tell: the whole exchange is as it was. The witness remembers."""
    now, backup = tmp_path / "exchange.db", tmp_path / "backup.db"
    with serve_app(witness.app) as url:
        desk = witnessed_desk(url, engine_url=f"sqlite:///{now}")
        granted = desk.grant(max_uses=1)
        eventually(lambda: desk.sequencer.witnesses.cosigned)
        eventually(lambda: len(audit(desk.tiles).entries) == 1)
        copied(now, backup)
        request = desk.federation.view_request(granted)
        desk.verify(granted, request, desk.ask(granted, request))
        desk.close()
        assert witness.size_of(WitnessedLog(origin=ORIGIN)) == 3

        restored = witnessed_desk(url, engine_url=f"sqlite:///{backup}", seconds=0)
        restored.federation.at += timedelta(seconds=60)
        again = restored.grant(restored.federation.subject("bob"))  # another second entry
        eventually(lambda: restored.book.health["unwitnessed_since"])
        restored.federation.at += timedelta(seconds=1)
        asked = restored.federation.view_request(again)
        assert refused_by(restored, again, asked) == UNWITNESSED
        for n in range(3):  # nor when it has grown past what the witness knows
            restored.grant(restored.federation.subject(f"p{n}"))
        eventually(lambda: len(audit(restored.tiles).entries) == 5)
        assert refused_by(restored, again, asked) == UNWITNESSED
        assert restored.links.sent == []
        assert restored.sequencer.witnesses.cosigned == 0
        assert witness.size_of(WitnessedLog(origin=ORIGIN)) == 3
        restored.close()


def test_views_are_refused_once_the_bound_is_over_and_released_when_the_witness_is_back() -> None:
    up = [False]
    name = WITNESS_KEY.name

    def answer(body: bytes) -> tuple[int, bytes]:
        return trusting(name)(body) if up[0] else (503, b"later\n")

    with serve_answers(answer) as url:
        desk = witnessed_desk(url)
        desk.sequencer.witnesses._witnesses[0].key = key_of(name)
        fed = desk.federation
        people = [desk.grant(fed.subject(f"p{n}")) for n in range(4)]
        eventually(lambda: desk.book.health["unwitnessed_since"] == AT.isoformat())
        for granted, seconds in zip(people, (0, 30), strict=False):  # up to the bound all goes on
            fed.at = AT + timedelta(seconds=seconds)
            asked = fed.view_request(granted)
            desk.verify(granted, asked, desk.ask(granted, asked))
        fed.at = AT + timedelta(seconds=31)
        asked = fed.view_request(people[2])
        sent = len(desk.links.sent)
        assert refused_by(desk, people[2], asked) == UNWITNESSED
        assert len(desk.links.sent) == sent
        assert desk.uses(people[2]) == 0, "a request that is not let in costs no use"
        health = desk.book.health
        assert health["checkpoints_witnessed"] == 0
        assert desk.sequencer.witnesses.unwitnessed >= 3
        assert desk.book.refused == 1

        up[0] = True
        eventually(lambda: desk.book.health["unwitnessed_since"] is None)
        result = desk.ask(people[2], asked)
        desk.verify(people[2], asked, result)
        assert isinstance(result, v1.RequestViewResponse)
        witnesses = [key_of(name)]
        for receipt in (result.intent, result.release):
            open_checkpoint(receipt.checkpoint, LOG, witnesses, 1)
        assert desk.sequencer.witnesses.cosigned >= 1
        desk.close()


def test_views_go_on_without_witnesses_where_the_policy_says_so_and_it_is_counted() -> None:
    with serve_answers(lambda _body: (503, b"later\n")) as url:
        desk = witnessed_desk(url, refuse=False, seconds=0)
        granted = desk.grant()
        eventually(lambda: desk.book.health["unwitnessed_since"])
        desk.federation.at += timedelta(hours=5)
        asked = desk.federation.view_request(granted)
        desk.verify(granted, asked, desk.ask(granted, asked))
        assert desk.book.health["unwitnessed_since"] == AT.isoformat()
        assert desk.book.refused == 0
        assert desk.sequencer.witnesses.unwitnessed >= 3
        desk.close()


def test_a_restart_does_not_begin_the_bound_anew(tmp_path: Path) -> None:
    with serve_answers(lambda _body: (503, b"later\n")) as url:
        database = f"sqlite:///{tmp_path}/exchange.db"
        desk = witnessed_desk(url, engine_url=database)
        granted = desk.grant()
        eventually(lambda: desk.book.health["unwitnessed_since"])
        desk.close()
        again = witnessed_desk(url, engine_url=database)
        again.federation.at += timedelta(seconds=31)
        eventually(lambda: again.book.health["unwitnessed_since"] == AT.isoformat())
        asked = again.federation.view_request(granted)
        assert refused_by(again, granted, asked) == UNWITNESSED
        again.close()


def test_a_witness_that_lies_leaves_checkpoints_that_verify_everywhere() -> None:
    """Its line would make every reader refuse the checkpoint, were it let in."""

    def lie(body: bytes) -> tuple[int, bytes]:
        return 200, trusting("mallory")(body)[1].replace(b"mallory", WITNESS_KEY.name.encode())

    with serve_answers(lie) as url:
        desk = witnessed_desk(url)
        granted = desk.grant()
        request = desk.federation.view_request(granted)
        result = desk.ask(granted, request)
        assert isinstance(result, v1.RequestViewResponse)
        anchors: Anchors = desk.federation.anchors
        open_checkpoint(result.release.checkpoint, anchors.log, [WITNESS_KEY])
        assert desk.sequencer.witnesses.cosigned == 0
        desk.close()


def test_a_folder_that_somebody_emptied_is_not_a_new_log(tmp_path: Path) -> None:
    with bench_of(tmp_path / "log", 300) as bench:
        signed = len(bench.key.signed)
        shutil.rmtree(bench.folder)
        bench.side.enter(1)
        for sequencer in (bench.sequencer, bench.side.sequencer(key=bench.key)):
            with pytest.raises(TileDamagedError, match="missing"):
                sequencer.round()
        assert len(bench.key.signed) == signed
        assert not bench.folder.exists()
