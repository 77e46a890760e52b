"""Rotation: beside a process that serves, alone, cut off; and new references while all are stopped."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from concordat.store.engine import StoreError
from concordat.store.exclusive import only_process
from concordat.store.group_commit import GroupCommit
from exchange.database import open_database
from exchange.log import sequencing
from exchange.log import table as log
from exchange.log.records import Draft
from exchange.tables import keyring_mark, log_queue, metadata
from exchange.vault import fitting, rotating, rotation
from exchange.vault import keyring as files
from exchange.vault.erasing import forget
from exchange.vault.fitting import adopt, ready_keyring, require_fitting
from exchange.vault.keyring import Keyring, KeyringError
from exchange.vault.rotating import replace_references, rotate
from tests.builders import AT

REFS = [bytes([n]) * 32 for n in range(1, 30)]


@dataclass
class Place:
    """A database in a file, with its keyring beside it."""

    folder: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/exchange.db"

    @property
    def keys(self) -> Path:
        return self.folder / "storage_keys.json"

    def open(self, keyring: Keyring | None = None) -> GroupCommit:
        """Open it with the keyring in its file, or with another that is in none."""
        if keyring is not None:
            return GroupCommit(open_database(self.url, keyring))
        return GroupCommit(open_database(self.url, files.load(self.keys), self.keys))

    def records(self, keyring: Keyring | None = None) -> list[Any]:
        """Return whose records there are, and what they say."""
        store = self.open(keyring)
        try:
            rows = store.run(lambda connection: log.waiting(connection, 1 << 30))
            return [(row.subject_ref, row.record) for row in rows]
        finally:
            store.close()

    def rotate(self, *, discard_old: bool = False) -> rotating.Rotated:
        return rotate(self.url, self.keys, lambda *_: None, discard_old=discard_old)


def draft(ref: bytes) -> Draft:
    return Draft(ref[:16], 1, ref, b"record of " + ref)  # type: ignore[arg-type]  # any kind


SAID = [(ref, b"record of " + ref) for ref in REFS]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(rotation, "EVERY_SECONDS", 0.02)
    monkeypatch.setattr(rotating, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(rotating, "AT_ONCE", 8)
    monkeypatch.setattr(fitting, "require_current", lambda *_: None)  # the tables are made here
    place = Place(tmp_path)
    files.save(place.keys, Keyring.generate())
    store = place.open()
    metadata.create_all(store._engine)
    store.run(adopt)
    store.run(lambda connection: log.enqueue(connection, [draft(ref) for ref in REFS]))
    store.close()
    return place


def test_every_key_gets_under_the_new_one_and_the_old_one_may_be_discarded(place: Place) -> None:
    before = files.load(place.keys)
    done = place.rotate(discard_old=True)
    assert (done.wrapping_key, done.subjects, done.discarded) == (2, len(REFS), 1)
    after = files.load(place.keys)
    assert set(after.wrapping_keys) == {2}
    assert place.records() == SAID
    with pytest.raises(KeyringError, match="copy the newest keyring"):
        place.records(Keyring(after.reference_key, before.wrapping_keys))


def test_the_process_that_serves_rotates_while_others_write(place: Place) -> None:
    more = [bytes([n]) * 32 for n in range(100, 130)]

    async def serve() -> rotating.Rotated:
        store = place.open()
        vault = require_fitting(store._engine, place.keys)
        watch = asyncio.create_task(rotation.watch_keys(store, vault, place.keys))
        with ThreadPoolExecutor(1) as threads:
            loop = asyncio.get_running_loop()
            rotated = loop.run_in_executor(threads, lambda: place.rotate(discard_old=True))
            for ref in more:
                await store.arun(lambda c, ref=ref: log.enqueue(c, [draft(ref)]))  # type: ignore[misc]
                await asyncio.sleep(0.005)
            done = await rotated
        await asyncio.sleep(0.1)  # the keyring without the old key is taken too
        assert set(vault.keyring.wrapping_keys) == {2}
        watch.cancel()
        store.close()
        store._engine.dispose()
        return done

    with only_process(place.url):
        done = asyncio.run(serve())
    assert done.wrapping_key == 2
    assert place.records() == SAID + [(ref, b"record of " + ref) for ref in more]


def test_a_rotation_that_was_cut_off_is_finished_with_the_key_that_it_made(place: Place) -> None:
    newer = files.load(place.keys).with_wrapping_key()
    files.save(place.keys, newer)
    store = place.open()
    store.run(rotation.require_from_now)
    assert store.run(lambda connection: rotation.rewrap_some(connection, 5)) == 5
    store.close()
    assert place.rotate().wrapping_key == 2
    assert files.load(place.keys) == newer
    assert place.rotate().wrapping_key == 3
    assert place.records() == SAID


def test_a_process_that_does_not_take_the_key_is_told_of_and_nothing_is_discarded(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotating, "PATIENCE_SECONDS", 0.1)
    with only_process(place.url), pytest.raises(StoreError, match="does not take the new key"):
        place.rotate(discard_old=True)
    assert set(files.load(place.keys).wrapping_keys) == {1, 2}
    assert place.records() == SAID


def test_what_a_process_erased_before_it_died_leaves_the_write_ahead_log_with_the_next_start(
    place: Place,
) -> None:
    store = place.open()
    with store._engine.begin() as connection:
        forget(connection, REFS[0])
    log_file = place.folder / "exchange.db-wal"
    assert log_file.stat().st_size  # the erasure is durable; then it dies

    async def serve() -> None:
        vault = require_fitting(store._engine, place.keys)
        vault.erasures = 0
        watch = asyncio.create_task(rotation.watch_keys(store, vault, place.keys))
        await asyncio.sleep(0.1)
        watch.cancel()

    asyncio.run(serve())
    assert log_file.stat().st_size == 0
    store.close()
    store._engine.dispose()


# References -----------------------------------------------------------------------------------------


def on_disk(place: Place) -> list[bytes]:
    store = place.open()
    raw = store.run(
        lambda c: [bytes(r[0]) for r in c.exec_driver_sql("SELECT subject_ref FROM log_queue")]
    )
    store.close()
    return raw


def test_all_references_get_under_a_new_key(place: Place) -> None:
    before, old = on_disk(place), files.load(place.keys)
    assert replace_references(place.url, place.keys, AT, lambda *_: None) == len(REFS)
    assert not set(before) & set(on_disk(place))
    assert place.records() == SAID
    assert files.load(place.keys).next_reference_key is None
    engine = open_database(place.url, old)
    with pytest.raises(KeyringError, match="another database's"):
        require_fitting(engine, place.keys)
    engine.dispose()


def test_references_are_not_touched_while_a_process_serves(place: Place) -> None:
    with only_process(place.url), pytest.raises(StoreError, match="another process holds"):
        replace_references(place.url, place.keys, AT, lambda *_: None)
    store = place.open()
    assert store.run(lambda c: sequencing.take_lease(c, "another", 3.0, AT)) is not None
    store.close()
    with pytest.raises(StoreError, match="stop all of them"):
        replace_references(place.url, place.keys, AT, lambda *_: None)
    later = AT + timedelta(seconds=4)
    assert replace_references(place.url, place.keys, later, lambda *_: None) == len(REFS)
    assert place.records() == SAID


@pytest.mark.parametrize("committed", [False, True])
def test_cut_off_before_or_after_the_commit_the_database_tells_which_key_is_its_own(
    place: Place, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    def die(*_: object) -> None:
        raise OSError("no power")

    monkeypatch.setattr(rotating, "_finish" if committed else "_replace", die)
    with pytest.raises(OSError, match="no power"):
        replace_references(place.url, place.keys, AT, lambda *_: None)
    under_way = files.load(place.keys)
    assert under_way.next_reference_key is not None
    engine = open_database(place.url, under_way, place.keys)
    vault = require_fitting(engine, place.keys)
    engine.dispose()
    now = files.load(place.keys)
    assert vault.keyring == now
    assert now.next_reference_key is None
    assert (now.reference_key == under_way.next_reference_key) is committed
    assert place.records() == SAID


# Whose keyring it is --------------------------------------------------------------------------------


def test_a_database_that_has_a_keyring_gets_no_other(place: Place) -> None:
    store = place.open()
    store.close()
    kept = files.load(place.keys)
    place.keys.unlink()
    with pytest.raises(KeyringError, match="restore its own"):
        ready_keyring(store._engine, place.keys)
    files.save(place.keys, Keyring.generate())
    with pytest.raises(KeyringError, match="another database's"):
        place.rotate()
    files.save(place.keys, kept)
    assert ready_keyring(store._engine, place.keys) == kept


def test_a_new_database_gets_a_keyring_and_keeps_whose_it_is(tmp_path: Path) -> None:
    place = Place(tmp_path)
    engine = open_database(place.url, Keyring.generate())
    keyring = ready_keyring(engine, place.keys)
    assert ready_keyring(engine, place.keys) == keyring == files.load(place.keys)
    metadata.create_all(engine, tables=[keyring_mark, log_queue])
    with pytest.raises(KeyringError, match="run init first"):
        require_fitting(engine, place.keys)
    engine.dispose()
    store = place.open()
    store.run(adopt)
    store.run(adopt)
    assert len(store.run(lambda c: c.execute(select(keyring_mark)).all())) == 1
    require_fitting(store._engine, place.keys)
    store.close()


# Who changes it -------------------------------------------------------------------------------------


def test_two_rotations_at_once_do_not_overwrite_each_others_key(place: Place) -> None:
    with files.only_changer(place.keys):
        with pytest.raises(KeyringError, match="wait until it is done"):
            place.rotate()
        with pytest.raises(KeyringError, match="wait until it is done"):
            replace_references(place.url, place.keys, AT, lambda *_: None)
    assert set(files.load(place.keys).wrapping_keys) == {1}
    assert place.rotate().wrapping_key == 2


def test_a_process_that_starts_while_references_are_replaced_takes_nothing_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = rotating._replace

    def start_meanwhile(*args: Any) -> int:
        engine = open_database(place.url, files.load(place.keys), place.keys)
        with pytest.raises(KeyringError, match="wait until it is done"):
            require_fitting(engine, place.keys)
        engine.dispose()
        return replace(*args)

    monkeypatch.setattr(rotating, "_replace", start_meanwhile)
    assert replace_references(place.url, place.keys, AT, lambda *_: None) == len(REFS)
    assert place.records() == SAID


def test_a_rotation_after_references_that_were_cut_off_goes_on_with_those_of_the_database(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise OSError("no power")

    monkeypatch.setattr(rotating, "_finish", die)
    with pytest.raises(OSError, match="no power"):
        replace_references(place.url, place.keys, AT, lambda *_: None)
    assert place.rotate().wrapping_key == 2
    assert files.load(place.keys).next_reference_key is None
    assert place.records() == SAID


def test_what_a_change_that_was_cut_off_left_beside_the_keyring_goes_with_the_next(
    place: Place,
) -> None:
    left = place.keys.with_name(f".{place.keys.name}.0a1b2c3d")
    left.write_bytes(place.keys.read_bytes())
    place.rotate(discard_old=True)
    assert not left.exists()
