"""What the log promises on SQLite and on PostgreSQL, with tiles in files and in the database alike."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import make_url

from concordat import v1
from concordat.clock import Clock, from_micros
from concordat.refusal import Refusal
from concordat.store.engine import migrate
from concordat.store.group_commit import GroupCommit
from concordat.trust.checkpoint import Checkpoint, open_checkpoint
from concordat.trust.tiles import ENTRIES, WIDTH, Tile, tile_at
from concordat.v1 import LogEntryKind, Reason
from concordat.verify.receipt import open_receipt
from exchange.log import table
from exchange.log.book import LogBook, WitnessPolicy
from exchange.log.erasure import erase_expired
from exchange.log.sequencer import Sequencer
from exchange.log.sequencing import MAX_BATCH
from exchange.log.tile_store import CHECKPOINT, DatabaseTiles, FileTiles, TileStore, TileStoreError
from exchange.migrations import SCRIPTS
from exchange.tables import metadata
from exchange.views.admit import admit_many
from tests.builders import AT, DAY, Federation
from tests.exchange_builders import checked, put_on_record, read_entries
from tests.sequencer_builders import (
    LOG,
    LONG,
    Audited,
    Hooked,
    LogSide,
    RecordingSigner,
    audit,
    draft,
    ref_of,
    served,
    settle,
)
from tests.vault_builders import exchange_engine

_DATABASE = "log_store_contract"


class Place(LogSide):
    """A database, a place for tiles, and as many processes' openers of both as a test wants."""

    def __init__(self, url: str, folder: Path | None) -> None:
        self.url = url
        self.folder = folder
        self.engine = exchange_engine(url)
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA synchronous=OFF")
        store = GroupCommit(self.engine)
        super().__init__(store, self.tiles_of(store))
        self._others: list[tuple[GroupCommit, Engine]] = []

    def tiles_of(self, store: GroupCommit) -> TileStore:
        return DatabaseTiles(store) if self.folder is None else FileTiles(self.folder)

    def another(self) -> GroupCommit:
        """Return what a second process would have: on SQLite, which allows one, the first again."""
        if self.engine.dialect.name == "sqlite":
            return self.store
        engine = exchange_engine(self.url)
        self._others.append((GroupCommit(engine), engine))
        return self._others[-1][0]

    def second(self, holder: str = "two", **fields: Any) -> Sequencer:
        """Return a sequencer as another process would have it."""
        store = self.another()
        given: dict[str, Any] = {"store": store, "tiles": self.tiles_of(store)} | fields
        return self.sequencer(holder, **given)

    def close(self) -> None:
        for store, engine in [*self._others, (self.store, self.engine)]:
            store.close()
            engine.dispose()


def ids(place: Place) -> list[bytes]:
    return [row.record_id for row in place.rows()]


def require_one_history(audited: Audited, key: RecordingSigner) -> None:
    """Every tree that was ever signed is one that the log has grown through."""
    for signed in key.signed:
        checkpoint = Checkpoint.parse(signed)
        assert checkpoint.size <= audited.size
        assert checkpoint.root == audited.root(checkpoint.size)


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for the disk: nobody pulls the plug here."""
    monkeypatch.setattr(os, "fsync", lambda _file: None)
    monkeypatch.setattr(os, "fdatasync", lambda _file: None)


class LogStoreContract:
    """Run on each pair of stores by the classes below."""

    # Order ------------------------------------------------------------------------------------

    def test_entries_get_consecutive_indexes_in_the_order_of_the_queue(self, place: Place) -> None:
        sequencer = place.sequencer()
        entered: list[bytes] = []
        for count in (1, 1, 253, 2, 300, MAX_BATCH + 7):
            entered += [each.record_id for each in place.enter(count)]
            settle(sequencer)
            assert place.state().size == len(entered)
        assert ids(place) == entered
        assert place.waiting() == 0
        audited = audit(place.tiles)
        assert [v1.LogEntry.FromString(each).record_id for each in audited.entries] == entered
        place.check_chains(audited.entries)

    def test_what_many_writers_enter_at_once_is_in_the_log_once(self, place: Place) -> None:
        sequencer = place.sequencer()
        stores = [place.store, place.another()]

        def write(writer: int) -> list[bytes]:
            made: list[bytes] = []
            for _ in range(12):
                drafts = [draft(f"p{writer % 3}") for _ in range(3)]
                stores[writer % 2].run(partial(table.enqueue, drafts=drafts))
                made += [each.record_id for each in drafts]
            return made

        with ThreadPoolExecutor(6) as threads:
            writers = [threads.submit(write, n) for n in range(6)]
            while not all(each.done() for each in writers):
                sequencer.round()
        settle(sequencer)
        written = [each.result() for each in writers]
        assert sorted(ids(place)) == sorted(each for mine in written for each in mine)
        for mine in written:  # each writer's in its own order
            assert [each for each in ids(place) if each in set(mine)] == mine
        place.check_chains(audit(place.tiles).entries)

    def test_a_subjects_chain_is_linked_across_batches_and_within_one(self, place: Place) -> None:
        sequencer = place.sequencer()
        for people in (["ada", "ada", "bob"], ["bob"], ["", "ada", "", "bob"]):
            place.enter(len(people), *people)
            settle(sequencer)
        place.check_chains(audit(place.tiles).entries)
        rows = place.rows()
        assert [row.sequence for row in rows if row.subject_ref == ref_of("ada")] == [1, 2, 3]
        assert [row.sequence for row in rows if row.subject_ref == b""] == [1, 2]
        assert len({row.salt for row in rows} | {row.link_salt for row in rows}) == 2 * len(rows)

    def test_log_time_never_decreases_whatever_the_clock_does(self, place: Place) -> None:
        sequencer = place.sequencer()
        for seconds in (0, 5, -3600, 1, -DAY.total_seconds()):
            place.wall.step(seconds)
            place.enter(2)
            settle(sequencer)
        place.wall.step(-10)
        other = place.second(holder="one")  # restarted, on a machine whose clock is behind
        place.enter(2)
        settle(other)
        times = [row.logged_at for row in place.rows()]
        assert times == sorted(times)
        assert from_micros(times[-1]) == AT + timedelta(seconds=5)
        place.check_chains(audit(place.tiles).entries)

    # One sequencer ------------------------------------------------------------------------------

    def test_who_has_no_lease_changes_nothing(self, place: Place) -> None:
        first, second = place.sequencer(), place.second()
        place.grow(3, first)
        place.enter(3)
        before = place.state()
        assert second.round() is None
        assert not second.leads
        assert place.state() == before
        assert place.waiting() == 3

    def test_a_lease_that_was_given_up_is_taken_at_once(self, place: Place) -> None:
        first, second = place.sequencer(), place.second()
        place.grow(3, first)
        first.step_down()
        place.enter(4)
        published = second.round()
        assert published is not None
        assert published.size == 7
        assert first.round() is None or not first.leads
        place.check_chains(audit(place.tiles).entries)

    def test_two_sequencers_at_once_make_one_history(self, place: Place) -> None:
        keys, clock = [RecordingSigner(), RecordingSigner()], Clock()
        both = [
            place.sequencer("one", clock=clock, key=keys[0], lease_seconds=0.1),
            place.second("two", clock=clock, key=keys[1], lease_seconds=0.1),
        ]
        ends, enough = time.monotonic() + 30, threading.Event()
        led = [0, 0]

        def sequence(number: int) -> None:
            stretch = 0
            while not enough.is_set():
                assert time.monotonic() < ends, led
                if both[number].round() is not None:
                    led[number] += 1
                    stretch = (stretch + 1) % 3
                    time.sleep(0.001 if stretch else 0.2)  # now and then longer than the lease
                elif min(led) >= 3:
                    enough.set()

        entered: list[bytes] = []
        with ThreadPoolExecutor(2) as threads:
            runs = [threads.submit(sequence, number) for number in (0, 1)]
            while not all(run.done() for run in runs):
                entered += [each.record_id for each in place.enter(7)]
                time.sleep(0.01)
        for run in runs:
            run.result()
        time.sleep(0.1)
        settle(place.sequencer("three", clock=clock))
        assert ids(place) == entered
        audited = audit(place.tiles)
        place.check_chains(audited.entries)
        for key in keys:
            require_one_history(audited, key)

    @pytest.mark.parametrize("step", ["read", "write", "publish"])
    @pytest.mark.parametrize("others", [1, 700])
    def test_a_zombie_publishes_nothing_over_a_newer_checkpoint_and_signs_no_other_tree(
        self, place: Place, step: str, others: int
    ) -> None:
        store, key = place.another(), RecordingSigner()
        hooked, reached, resume = (
            Hooked(place.tiles_of(store)),
            threading.Event(),
            threading.Event(),
        )
        zombie = place.sequencer("zombie", store=store, tiles=hooked, key=key)
        place.grow(200, zombie)

        def pause(_what: object) -> None:
            reached.set()
            assert resume.wait(20)

        if step == "publish":  # after signing, before the transaction that would make it public
            publish = zombie._publish

            def late(*given: Any) -> Any:
                pause(None)
                return publish(*given)

            zombie._publish = late  # type: ignore[method-assign,assignment]
        else:
            setattr(hooked, f"on_{step}", pause)
        place.enter(30)
        with ThreadPoolExecutor(1) as threads:
            round_ = threads.submit(zombie.round)
            assert reached.wait(20)
            place.wall.step(LONG + 1)
            heir_key = RecordingSigner()
            heir = place.sequencer("heir", key=heir_key)
            settle(heir)
            place.grow(others, heir)
            newest = place.tiles.read(CHECKPOINT)
            resume.set()
            assert round_.result(20) is None
        assert not zombie.leads
        assert place.tiles.read(CHECKPOINT) == newest
        audited = audit(place.tiles)
        assert audited.size == 230 + others
        require_one_history(audited, key)
        require_one_history(audited, heir_key)
        place.check_chains(audited.entries)
        place.grow(3, heir)  # what the zombie wrote late is in nobody's way
        assert audit(place.tiles).size == 233 + others

    @pytest.mark.parametrize("count", [1, 30, 700])
    def test_what_has_an_index_when_its_process_dies_is_published_by_the_next(
        self, place: Place, count: int
    ) -> None:
        key = RecordingSigner()
        hooked = Hooked(place.tiles)
        first = place.sequencer(tiles=hooked, key=key)
        place.grow(250, first)

        def die(_tiles: object) -> None:
            raise SystemExit

        hooked.on_write = die
        entered = [each.record_id for each in place.enter(count)]
        with pytest.raises(SystemExit):
            first.round()
        assert place.waiting() == 0
        assert place.state().size == 250
        assigned = ids(place)
        assert assigned[250:] == entered
        later = [each.record_id for each in place.enter(5)]
        place.wall.step(LONG + 1)
        second = place.second()
        settle(second)
        assert ids(place) == assigned + later
        audited = audit(place.tiles)
        place.check_chains(audited.entries)
        require_one_history(audited, key)

    @pytest.mark.parametrize("count", [5, 300, 700])
    def test_a_death_between_tiles_and_checkpoint_leaves_a_log_that_goes_on(
        self, place: Place, count: int
    ) -> None:
        """Tiles of the larger tree are there, and the partial ones of the smaller may be gone."""
        key = RecordingSigner()
        first = place.sequencer(key=key)
        place.grow(250, first)
        place.enter(count)

        def die(*_given: Any) -> Any:
            raise SystemExit

        first._publish = die  # type: ignore[method-assign,assignment]
        with pytest.raises(SystemExit):
            first.round()
        assert audit(place.tiles).size == 250  # as anybody sees it meanwhile
        place.wall.step(LONG + 1)
        second = place.second()
        place.grow(3, second)
        audited = audit(place.tiles)
        assert audited.size == 253 + count
        place.check_chains(audited.entries)
        require_one_history(audited, key)

    @pytest.mark.parametrize("after", [0, 3])
    def test_an_assignment_whose_answer_was_lost_is_found_again(
        self, place: Place, after: int
    ) -> None:
        """The connection dies after the commit and before the sequencer hears of it."""
        key = RecordingSigner()
        sequencer = place.sequencer(key=key)
        place.grow(10, sequencer)
        run = place.store.run

        def lossy(work: Callable[[Connection], Any]) -> Any:
            run(work)
            raise Refusal(Reason.REASON_UNAVAILABLE, "the database failed")

        place.enter(5)
        place.store.run = lossy  # type: ignore[method-assign]
        with pytest.raises(Refusal):
            sequencer.round()
        place.store.run = run  # type: ignore[method-assign]
        assert (place.state().next_index, place.state().size) == (15, 10)
        if after:
            place.enter(after)
        settle(sequencer)
        audited = audit(place.tiles)
        assert audited.size == 15 + after
        place.check_chains(audited.entries)
        require_one_history(audited, key)

    def test_a_publication_whose_answer_was_lost_is_no_fork(self, place: Place) -> None:
        key = RecordingSigner()
        sequencer = place.sequencer(key=key)
        place.grow(10, sequencer)
        publish, before = sequencer._publish, sequencer.signed

        def lossy(*given: Any) -> Any:
            publish(*given)
            sequencer._signed = before  # it never heard
            raise Refusal(Reason.REASON_UNAVAILABLE, "the database failed")

        place.enter(300)
        sequencer._publish = lossy  # type: ignore[method-assign,assignment]
        with pytest.raises(Refusal):
            sequencer.round()
        assert place.state().size == 310
        sequencer._publish = publish  # type: ignore[method-assign]
        place.enter(1)
        settle(sequencer)
        audited = audit(place.tiles)
        assert audited.size == 311
        place.check_chains(audited.entries)
        require_one_history(audited, key)

    # Receipts -----------------------------------------------------------------------------------

    def test_everybody_gets_a_receipt_that_verifies(self, place: Place) -> None:
        fed = Federation()
        book = LogBook(
            place.store, place.sequencer(), place.tiles, WitnessPolicy(), batch_seconds=0.001
        )
        drafts = place.enter(280)
        early = [(each.subject_ref, each.record_id) for each in drafts]
        book.start()

        async def wait() -> list[v1.LogReceipt | Refusal]:
            first = await book.receipts([early[3], early[3], early[270]], 10)
            last = await asyncio.to_thread(place.enter, 1)
            keys = [early[3], (last[0].subject_ref, last[0].record_id), (b"?" * 32, b"?" * 16)]
            again, more = await asyncio.gather(
                book.receipts(keys, 0.5), book.receipts([keys[1]], 10)
            )
            return first + again + more

        got = asyncio.run(wait())
        book.stop()
        assert isinstance(got[5], Refusal)  # an entry that there is not
        assert got[5].reason == Reason.REASON_LOG_UNAVAILABLE
        indexes = []
        for each in got[:5] + got[6:]:
            assert isinstance(each, v1.LogReceipt)
            logged = open_receipt(each, fed.anchors)
            assert logged.record.record_id == logged.entry.record_id
            indexes.append(logged.index)
        assert indexes == [3, 3, 270, 3, 280, 280]
        assert book._awaited == {}

    def test_one_who_gives_up_waiting_takes_nothing_from_another_who_waits_for_the_same(
        self, place: Place
    ) -> None:
        """A retry overlaps with the first attempt: both wait for the one access entry."""
        book = LogBook(
            place.store, place.sequencer(), place.tiles, WitnessPolicy(), batch_seconds=0.001
        )
        (one,) = place.enter(1)
        key = (one.subject_ref, one.record_id)

        async def wait() -> tuple[object, object]:
            patient = asyncio.create_task(book.receipts([key], 10))
            cancelled = asyncio.create_task(book.receipts([key], 10))
            (hasty,) = await book.receipts([key], 0.01)
            cancelled.cancel()
            book.start()
            (got,) = await patient
            return hasty, got

        hasty, got = asyncio.run(wait())
        book.stop()
        assert isinstance(hasty, Refusal)
        assert isinstance(got, v1.LogReceipt)
        assert book._awaited == {}

    def test_a_process_that_follows_hands_out_receipts_too(self, place: Place) -> None:
        leader, follower = place.sequencer(), place.second()
        place.grow(300, leader)
        book = LogBook(
            follower._store, follower, follower._tiles, WitnessPolicy(), batch_seconds=0.001
        )
        book.start()
        (one,) = place.enter(1)

        async def wait() -> list[v1.LogReceipt | Refusal]:
            waiting = asyncio.create_task(book.receipts([(one.subject_ref, one.record_id)], 10))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            await asyncio.to_thread(settle, leader)
            return await waiting

        (got,) = asyncio.run(wait())
        book.stop()
        assert isinstance(got, v1.LogReceipt)
        assert open_receipt(got, Federation().anchors).index == 300

    # Tiles --------------------------------------------------------------------------------------

    def test_a_tile_is_read_as_it_was_written_last(self, place: Place) -> None:
        tile, bundle = Tile(0, 1234, 7), Tile(ENTRIES, 1234, 7)
        assert place.tiles.read(tile.path) is None
        place.tiles.write({tile: b"a" * 224, bundle: b"first"})
        place.tiles.write({tile: b"b" * 224})
        assert place.tiles.read(tile.path) == b"b" * 224
        assert place.tiles.read(bundle.path) == b"first"
        assert place.tiles.read(Tile(0, 1234).path) is None

    def test_a_reader_never_sees_half_a_tile(self, place: Place) -> None:
        tile, contents = Tile(0, 0), [b"a" * 8192, b"b" * 4096]
        place.tiles.write({tile: contents[0]})
        reader, stop = place.tiles_of(place.another()), threading.Event()
        seen: set[bytes | None] = set()

        def read() -> None:
            while not stop.is_set():
                seen.add(reader.read(tile.path))

        with ThreadPoolExecutor(1) as threads:
            reading = threads.submit(read)
            for n in range(40):
                place.tiles.write({tile: contents[n % 2]})
            stop.set()
            reading.result(10)
        assert seen <= set(contents)

    def test_two_processes_that_write_the_same_tile_spoil_none(self, place: Place) -> None:
        stores = [place.tiles, place.tiles_of(place.another())]
        tiles: Mapping[Tile, bytes] = {
            Tile(0, n, w): bytes([n]) * w for n in range(3) for w in (5, 6)
        }

        def write(store: TileStore) -> None:
            for _ in range(15):
                store.write(tiles)

        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(write, each) for each in stores]:
                done.result(20)
        for tile, data in tiles.items():
            assert place.tiles.read(tile.path) == data

    def test_partial_tiles_go_only_when_a_full_one_stands_in_their_place(
        self, place: Place
    ) -> None:
        hooked = Hooked(place.tiles)
        sequencer = place.sequencer(tiles=hooked)
        partials: set[Tile] = set()
        size = 0

        def look(_note: bytes) -> None:
            """What the public checkpoint needs is there although a larger tree's tiles are written."""
            if size:
                assert audit(place.tiles).size == size

        def remember(tiles: Mapping[Tile, bytes]) -> None:
            partials.update(tile for tile in tiles if tile.width < WIDTH)

        hooked.on_write, hooked.on_publish = remember, look
        for count in (1, 254, 1, 1, 255, 600, 3, 500):
            if isinstance(place.tiles, DatabaseTiles):
                hooked.on_publish = lambda _note: None  # called on the thread that it would ask
            place.enter(count)
            settle(sequencer)
            size += count
            assert audit(place.tiles).size == size
            for tile in partials:
                served(place.tiles, tile)
            edge = [tile_at(0, size // WIDTH, size)] if size % WIDTH else []
            for tile in edge:
                assert place.tiles.read(tile.path) is not None
        gone = [tile for tile in partials if place.tiles.read(tile.path) is None]
        assert gone, "they are not kept for ever"
        assert all(tile.index < size // WIDTH for tile in gone)

    def test_a_checkpoint_is_public_only_with_the_state_that_records_it(self, place: Place) -> None:
        sequencer = place.sequencer()
        place.grow(5, sequencer)
        note = place.tiles.read(CHECKPOINT)
        assert note is not None
        assert note == place.state().checkpoint
        assert open_checkpoint(note, LOG).size == 5

    # Erasure ------------------------------------------------------------------------------------

    def test_erasure_leaves_the_log_valid_and_is_logged(self, place: Place) -> None:
        fed, sequencer = Federation(), place.sequencer()
        granted = fed.consent(fed.subject())
        put_on_record(fed, place.store, granted)
        admitted = place.store.submit_to(admit_many, checked(fed, granted)).result()
        settle(sequencer)
        before = audit(place.tiles)
        (entry,) = place.store.run(read_entries)
        assert entry.access_id == admitted.access_id

        later = AT + 10 * DAY
        place.wall.at = later
        place.enter(1)
        settle(sequencer)
        erased = place.store.run(lambda connection: erase_expired(connection, later, 9))
        assert erased == 2  # the consent and the access
        settle(sequencer)

        audited = audit(place.tiles)
        assert audited.entries[: before.size] == before.entries
        place.check_chains(audited.entries)
        rows = place.rows()
        assert [row.record is None for row in rows] == [True, True, False, False]
        assert [row.salt is None for row in rows] == [True, True, False, False]
        assert place.store.run(read_entries) == []
        record = v1.LogRecord.FromString(rows[-1].record)
        assert v1.LogEntry.FromString(rows[-1].entry).kind == LogEntryKind.LOG_ENTRY_KIND_ERASURE
        assert list(record.erasure.record_ids) == [rows[0].record_id, rows[1].record_id]
        assert place.store.run(lambda c: erase_expired(c, later, 9)) == 0

    def test_the_chain_goes_on_over_what_was_erased(self, place: Place) -> None:
        sequencer = place.sequencer()
        place.enter(3, "ada")
        settle(sequencer)
        place.wall.step(100)
        now = place.wall.at
        assert place.store.run(lambda c: erase_expired(c, now, 0)) == 3
        place.enter(2, "ada")
        settle(sequencer)
        place.check_chains(audit(place.tiles).entries)
        mine = [row for row in place.rows() if row.subject_ref == ref_of("ada")]
        assert [row.sequence for row in mine] == [1, 2, 3, 4, 5]
        assert [row.record is None for row in mine] == [True] * 3 + [False] * 2


@pytest.fixture(scope="module")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database at the newest schema, to be copied: migrating takes a while."""
    path = tmp_path_factory.mktemp("log") / "exchange.db"
    engine = exchange_engine(f"sqlite:///{path}")
    migrate(engine, SCRIPTS)
    engine.dispose()
    return path


def _sqlite_at(migrated: Path, folder: Path) -> str:
    path = folder / "exchange.db"
    path.write_bytes(migrated.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def postgres_log(postgres_url: str) -> str:
    """Return the URL of a PostgreSQL database at the newest schema."""
    url = make_url(postgres_url)
    server = exchange_engine(postgres_url)
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {_DATABASE}"))
        connection.execute(text(f"ALTER DATABASE {_DATABASE} SET synchronous_commit = off"))
    server.dispose()
    own = url.set(database=_DATABASE).render_as_string(hide_password=False)
    engine = exchange_engine(own)
    migrate(engine, SCRIPTS)
    engine.dispose()
    return own


def _emptied(place: Place) -> Place:
    with place.engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)}"))
    return place


class TestOnSqliteWithFiles(LogStoreContract):
    @pytest.fixture
    def place(self, migrated_sqlite: Path, tmp_path: Path) -> Iterator[Place]:
        place = Place(_sqlite_at(migrated_sqlite, tmp_path), tmp_path / "log")
        yield place
        place.close()


class TestOnSqliteAlone(LogStoreContract):
    @pytest.fixture
    def place(self, migrated_sqlite: Path, tmp_path: Path) -> Iterator[Place]:
        place = Place(_sqlite_at(migrated_sqlite, tmp_path), None)
        yield place
        place.close()


@pytest.mark.slow
class TestOnPostgresWithFiles(LogStoreContract):
    @pytest.fixture
    def place(self, postgres_log: str, tmp_path: Path) -> Iterator[Place]:
        place = _emptied(Place(postgres_log, tmp_path / "log"))
        yield place
        place.close()


class TestOnPostgresAlone(LogStoreContract):
    @pytest.fixture
    def place(self, postgres_log: str) -> Iterator[Place]:
        place = _emptied(Place(postgres_log, None))
        yield place
        place.close()


def test_a_database_that_is_away_is_a_tile_store_that_is(tmp_path: Path) -> None:
    engine = exchange_engine(f"sqlite:///{tmp_path}/empty.db")  # without tables
    store = GroupCommit(engine)
    tiles = DatabaseTiles(store)
    with pytest.raises(TileStoreError, match="cannot read"):
        tiles.read("tile/0/000")
    with pytest.raises(TileStoreError, match="cannot write"):
        tiles.write({Tile(0, 0): b""})
    store.close()
    engine.dispose()
