"""A backup is whole, and goes back only where its log is the newest that anybody can still show."""

import errno
import gzip
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from concordat.clock import Clock
from concordat.store.engine import migrate, open_engine
from concordat.store.exclusive import DatabaseInUseError, only_process
from concordat.store.group_commit import GroupCommit
from concordat.trust.checkpoint import Checkpoint, sign_checkpoint
from concordat.trust.merkle import EMPTY_ROOT, leaf_hash, root_of
from exchange.backup import progress
from exchange.backup.errors import (
    ANOTHER,
    SHORTER,
    BackupDamagedError,
    BackupError,
    LogNotContinuedError,
)
from exchange.backup.format import read_backup, read_header
from exchange.backup.known import ask_witnesses, enough
from exchange.backup.restoring import Request, restore
from exchange.backup.snapshot import header_of, snapshot, write_backup
from exchange.backup.starting import require_newest
from exchange.backup.whole_file import whole_file
from exchange.log import records, sequencing
from exchange.log import table as log
from exchange.log.growth import grow
from exchange.log.tile_store import CHECKPOINT, FileTiles
from exchange.log.witnesses import Witnesses
from exchange.main import app
from exchange.migrations import SCRIPTS
from exchange.vault import keyring as files
from exchange.vault.fitting import adopt
from exchange.vault.keyring import Keyring
from exchange.vault.sealing import seal
from tests.backup_builders import ASH, ELM, OAK, House, anchors_with, cosigned_by, witness
from tests.builders import AT, signer
from tests.sequencer_builders import LOG, ORIGIN, settle
from tests.vault_builders import KEYRING, exchange_engine
from tests.witness_servers import key_of, serve_app
from witness import MIGRATIONS
from witness.app import build_app
from witness.cosigner import Cosigner


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("backup") / "exchange.db"
    engine = exchange_engine(f"sqlite:///{path}")
    migrate(engine, SCRIPTS)
    engine.dispose()
    return path.read_bytes()


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for the disk: nobody pulls the plug here."""
    monkeypatch.setattr(os, "fsync", lambda _file: None)
    monkeypatch.setattr(os, "fdatasync", lambda _file: None)


@pytest.fixture
def quick_schema(monkeypatch: pytest.MonkeyPatch, migrated: bytes) -> None:
    """Migrate by copying what was migrated once."""

    def copy(engine: object, scripts: object) -> None:
        path = Path(engine.url.database)  # type: ignore[attr-defined]
        if not path.exists():
            path.write_bytes(migrated)

    monkeypatch.setattr("exchange.backup.target.migrate", copy)


@pytest.fixture
def house(tmp_path: Path, migrated: bytes, quick_schema: None) -> Iterator[House]:
    path = tmp_path / "exchange.db"
    path.write_bytes(migrated)
    house = House(tmp_path, f"sqlite:///{path}")
    house.fill()
    yield house
    house.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def remove(house: House) -> None:
    """Lose the database and the tiles."""
    house.close()
    for path in house.folder.glob("exchange.db*"):
        path.unlink()
    for path in sorted((house.folder / "log").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def run(house: House, *words: object) -> Result:
    """Type a command; logs would go to the runner's standard error, and later tests' to it too."""
    words = (*words, "--config", house.folder / "exchange.toml")
    with patch("exchange.commands.shared.configure_logs"):
        result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


# What comes back --------------------------------------------------------------------------------


def test_what_was_lost_comes_back_and_the_log_goes_on(house: House) -> None:
    house.grow(300)
    house.log.enter(3)  # wait in the queue
    kept = house.backup()
    before, published = house.contents(), house.audit()
    remove(house)
    done = house.restore(kept)
    assert house.contents() == before
    assert house.audit() == published
    assert (done.filled.size, done.header.size, done.moved_to) == (300, 300, None)
    assert house.log.state().lease_until == 0  # nobody's, so that the next may begin at once
    house.grow(5)
    assert house.audit().entries[:300] == published.entries
    assert house.audit().size == 308
    assert not list(house.folder.glob("*.restored*"))


def test_a_backup_is_of_one_moment_while_the_exchange_writes(house: House) -> None:
    house.grow(10)
    path = house.folder / "now.backup"
    with only_process(house.url), snapshot(house.url) as connection:  # as `serve` holds it
        header = header_of(connection, house.anchors, AT)
        house.grow(300)
        with whole_file(path) as file:
            end = write_backup(connection, header, file)
    assert (header.size, end.rows["log_opening"]) == (10, 10)
    assert house.audit().size == 310
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_empty_log_is_backed_up_and_restored(house: House) -> None:
    kept = house.backup()
    assert (house.made.header.size, house.made.header.root) == (0, EMPTY_ROOT)
    before = house.contents()
    remove(house)
    house.restore(kept)
    assert house.contents() == before
    house.grow(2)
    assert house.audit().size == 2


def test_an_empty_database_that_is_there_is_filled(house: House, migrated: bytes) -> None:
    house.grow(3)
    kept, before = house.backup(), house.contents()
    remove(house)
    (house.folder / "exchange.db").write_bytes(migrated)
    house.restore(kept)
    assert house.contents() == before


def test_entries_that_have_an_index_and_no_checkpoint_come_along(house: House) -> None:
    house.grow(10)
    house.log.enter(4)
    lease = house.sequencer._lease
    assert lease is not None
    assert house.store.run(lambda c: sequencing.assign(c, lease, AT)) is not None
    kept = house.backup()
    assert (house.made.header.entries, house.made.header.size) == (14, 10)
    remove(house)
    house.restore(kept)
    settle(house.sequencer)
    assert house.audit().size == 14


def test_what_was_published_after_the_backup_of_a_batch_is_not_taken_back(
    house: House, stack: ExitStack
) -> None:
    """The snapshot fell between the batch's indexes and its checkpoint, which a witness has."""
    house.grow(10)
    house.log.enter(4)
    lease = house.sequencer._lease
    assert lease is not None
    house.store.run(lambda c: sequencing.assign(c, lease, AT))
    kept = house.backup()
    settle(house.log.sequencer())
    published = house.audit()
    assert published.size == 14
    at = stack.enter_context(witness(cosigned_by(published.note, OAK)))
    house.witnesses, house.quorum = {OAK: at}, 1
    remove(house)
    done = house.restore(kept)
    assert (done.header.size, done.filled.size) == (10, 14)
    assert house.audit().entries == published.entries
    assert house.log.state().size == 14


# An older log, another log ----------------------------------------------------------------------


def test_last_weeks_backup_is_refused_with_both_checkpoints_shown(
    house: House, stack: ExitStack
) -> None:
    house.grow(10)
    old = house.audit()
    kept = house.backup("last-week.backup")
    house.grow(12)
    new = house.audit()
    at = stack.enter_context(witness(cosigned_by(new.note, OAK)))
    house.witnesses, house.quorum = {OAK: at}, 1
    remove(house)
    house.configure()
    told = run(house, "restore", kept)
    assert told.exit_code == 1
    roots = [note.split(b"\n")[2].decode() for note in (old.note, new.note)]
    said = " ".join(told.stderr.split())
    assert "it ends before it" in said
    assert f"the backup: 10 entries, root {roots[0]}, 2026-05-25 12:00:00 UTC" in said
    assert f"newest known: 22 entries, root {roots[1]}, 2026-06-01 12:00:00 UTC" in said
    assert f"from witness {OAK}" in said
    assert "Restore a newer backup" in said
    assert "a new origin and a new trust bundle" in said
    assert not (house.folder / "exchange.db").exists()
    facts = json.loads(run(house, "restore", kept, "--json").stdout)
    assert facts["ok"] is False
    assert (facts["backup"]["size"], facts["backup"]["root"]) == (10, roots[0])
    assert (facts["newest"]["size"], facts["newest"]["root"]) == (22, roots[1])
    house.open()


def test_a_backup_of_a_fork_is_refused(house: House, stack: ExitStack) -> None:
    house.grow(10)
    kept = house.backup()
    for size in (10, 7):
        forked = Checkpoint(ORIGIN, size, bytes(32))
        note = cosigned_by(sign_checkpoint(forked, signer("log")), OAK)
        at = stack.enter_context(witness(note))
        house.witnesses, house.quorum = {OAK: at}, 1
        with pytest.raises(LogNotContinuedError, match="another log") as refused:
            house.restore(kept, replace=True)
        assert refused.value.how == ANOTHER
        assert refused.value.newest.size == size
        assert refused.value.ours is not None
        assert refused.value.ours.size == 10


def test_a_real_witness_keeps_an_old_log_from_coming_back(house: House, stack: ExitStack) -> None:
    engine = open_engine(f"sqlite:///{house.folder}/witness.db")
    migrate(engine, MIGRATIONS)
    memory = GroupCommit(engine)
    stack.callback(memory.close)
    cosigner = Cosigner(OAK, signer(OAK), [LOG], memory, Clock(source=lambda: AT))
    url = stack.enter_context(serve_app(build_app(cosigner, max_body_bytes=20_000)))
    asking = Witnesses([(key_of(OAK), url)], 1, 5.0)
    stack.callback(asking.close)
    house.witnesses, house.quorum = {OAK: url}, 1
    house.grow(10, witnesses=asking)
    kept = house.backup()
    remove(house)
    assert house.restore(kept).known[0].size == 10
    house.grow(12, witnesses=asking)  # goes on from there, and the witness with it
    remove(house)
    with pytest.raises(LogNotContinuedError) as refused:
        house.restore(kept)
    assert (refused.value.newest.size, refused.value.newest.at) == (22, AT)
    assert (refused.value.ours.size, refused.value.how) == (10, SHORTER)  # type: ignore[union-attr]


def test_a_backup_newer_than_what_was_witnessed_is_restored(house: House, stack: ExitStack) -> None:
    house.grow(10)
    at = stack.enter_context(witness(cosigned_by(house.note(), OAK)))
    house.witnesses, house.quorum = {OAK: at}, 1
    house.grow(290)
    kept = house.backup()
    remove(house)
    done = house.restore(kept)
    assert [(each.size, each.source) for each in done.known] == [(10, f"witness {OAK}")]
    assert house.audit().size == 300


def test_the_database_that_would_be_replaced_is_newer(house: House) -> None:
    house.tiles = "database"
    house.close()
    house.open()
    house.grow(10)
    kept = house.backup()
    house.grow(1)
    with pytest.raises(LogNotContinuedError, match="the database that is replaced"):
        house.restore(kept, replace=True)
    assert house.audit().size == 11


def test_the_published_files_are_newer(house: House) -> None:
    house.grow(10)
    kept = house.backup()
    house.grow(1)
    house.close()
    (house.folder / "exchange.db").unlink()
    with pytest.raises(LogNotContinuedError, match="the published log in log") as refused:
        house.restore(kept)
    assert refused.value.how == SHORTER


def test_a_log_of_another_key_is_not_written_over(house: House) -> None:
    house.grow(10)
    kept = house.backup()
    remove(house)
    (house.folder / "log").mkdir(exist_ok=True)
    note = sign_checkpoint(Checkpoint(ORIGIN, 3, bytes(32)), signer("another"))
    (house.folder / "log" / CHECKPOINT).write_bytes(note)
    with pytest.raises(BackupError, match="move the folder away"):
        house.restore(kept)


# Who is heard -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "quorum", "needed"),
    [(0, 0, 0), (2, 0, 0), (1, 1, 1), (3, 2, 2), (3, 1, 3), (5, 3, 3)],
)
def test_so_many_are_needed_that_no_quorum_is_left_unheard(
    asked: int, quorum: int, needed: int
) -> None:
    assert enough(asked, quorum) == needed
    assert not quorum or asked - needed < quorum


def test_too_few_witnesses_refuse_unless_a_checkpoint_is_given(
    house: House, stack: ExitStack
) -> None:
    house.grow(10)
    kept, note = house.backup(), house.note()
    away, new = stack.enter_context(witness(None)), house.folder / "new"
    held = stack.enter_context(witness(cosigned_by(note, OAK)))
    house.witnesses, house.quorum = {OAK: held, ELM: away, ASH: "http://127.0.0.1:1"}, 2
    new.write_bytes(note)
    house.grow(1)
    newer = house.folder / "newer"
    newer.write_bytes(house.note())
    remove(house)
    with pytest.raises(BackupError, match="1 of at least 2 witnesses") as refused:
        house.restore(kept)
    assert f"{ELM}: it knows nothing" in str(refused.value)
    assert "--checkpoint FILE" in str(refused.value)
    with pytest.raises(LogNotContinuedError, match="from newer"):
        house.restore(kept, new, newer)
    assert not (house.folder / "exchange.db").exists() or not house.log.rows()
    remove(house)
    done = house.restore(kept, new)
    assert set(done.silent) == {ELM, ASH}
    assert house.audit().size == 10


def test_settings_that_name_too_few_witnesses_are_refused(house: House) -> None:
    house.grow(1)
    kept = house.backup()
    house.witnesses, house.quorum = {OAK: "http://127.0.0.1:1"}, 2
    remove(house)
    with patch.object(House, "anchors", anchors_with([OAK, ELM], 2)):
        house.configure()
    told = run(house, "restore", kept)
    assert told.exit_code == 2
    assert "quorum" in told.stderr
    house.open()


@pytest.mark.parametrize("content", [b"", b"no note\n", b"\xff"])
def test_a_file_that_is_no_checkpoint_is_not_one(house: House, content: bytes) -> None:
    house.grow(1)
    kept = house.backup()
    path = house.folder / "note"
    path.write_bytes(content)
    remove(house)
    with pytest.raises(BackupError, match="no checkpoint"):
        house.restore(kept, path)
    with pytest.raises(BackupError, match="cannot read"):
        house.restore(kept, house.folder / "nothing")


def lies(house: House) -> dict[str, bytes]:
    true = house.note()
    other = sign_checkpoint(Checkpoint(ORIGIN, 99, bytes(32)), signer("another"))
    return {
        "not cosigned": true,
        "by another witness": cosigned_by(true, ELM),
        "by another log": cosigned_by(other, OAK),
        "nothing": b"",
        "endless": b"x" * 100_000,
    }


def test_a_witness_counts_only_for_what_the_log_and_it_have_signed(
    house: House, stack: ExitStack
) -> None:
    house.grow(3)
    for said in lies(house).values():
        at = stack.enter_context(witness(said))
        heard = ask_witnesses([(key_of(OAK), at)], LOG, 2.0)
        assert (heard.known, set(heard.silent)) == ({}, {OAK})
    at = stack.enter_context(witness(cosigned_by(house.note(), OAK)))
    assert ask_witnesses([(key_of(OAK), at + "/")], LOG, 2.0).known[OAK].size == 3


def test_a_witness_that_has_forgotten_is_not_heard(house: House, stack: ExitStack) -> None:
    house.grow(3)
    older = cosigned_by(house.note(), OAK)
    house.witnesses, house.quorum = {OAK: stack.enter_context(witness(older))}, 1
    house.grow(4)
    note = cosigned_by(house.note(), OAK)
    house.store.run(lambda c: c.exec_driver_sql("UPDATE log_state SET checkpoint = ?", (note,)))
    kept = house.backup()
    remove(house)
    with pytest.raises(BackupError, match="forgotten that it cosigned 7"):
        house.restore(kept)


# Files that are not whole -----------------------------------------------------------------------


def altered(content: bytes) -> Iterator[bytes]:
    for cut in (0, 5, 40, len(content) // 2, len(content) - 9, len(content) - 1):
        yield content[:cut]
    for at in range(20, len(content) - 8, max(1, len(content) // 40)):
        yield content[:at] + bytes([content[at] ^ 0x41]) + content[at + 1 :]
    lines = gzip.decompress(content).splitlines(keepends=True)
    row = next(n for n, line in enumerate(lines) if b"no_match" in line)
    yield gzip.compress(b"".join([*lines[:row], lines[row].replace(b"7", b"8"), *lines[row + 1 :]]))
    yield gzip.compress(b"".join([*lines[:row], *lines[row + 1 :]]))
    yield gzip.compress(b"".join([*lines, lines[row]]))
    yield gzip.compress(b"".join(lines[:-1]))
    yield gzip.compress(b"".join([*lines[:-1], b'{"end": []}\n']))
    yield gzip.compress(b"[1, 2]\n" + b"".join(lines))
    yield content + content
    yield b"this is no backup"


def test_a_file_that_was_cut_short_or_altered_is_refused(house: House) -> None:
    house.grow(5)
    kept = house.backup()
    content, whole = kept.read_bytes(), list(read_backup(kept))
    remove(house)
    changed = 0
    for each in altered(content):
        kept.write_bytes(each)
        try:
            found = list(read_backup(kept))
        except BackupDamagedError:
            changed += 1
        else:
            assert found == whole  # a bit of gzip's own header that says nothing
    assert changed > 40
    house.configure()
    kept.write_bytes(content[:-20])
    told = run(house, "restore", kept)
    assert told.exit_code == 1
    assert "cut short" in told.stderr
    assert not (house.folder / "exchange.db").exists()
    house.open()


def test_a_backup_whose_log_does_not_give_its_checkpoint_is_not_made(house: House) -> None:
    house.grow(5)
    house.backup()
    change = "UPDATE log_opening SET entry = x'00' WHERE leaf_index = 2"
    house.store.run(lambda connection: connection.exec_driver_sql(change))
    with pytest.raises(BackupError, match="damaged"):
        house.backup("second.backup")
    assert [path.name for path in house.folder.glob("*backup*")] == ["kept.backup"]


def test_a_full_disk_leaves_no_file_and_the_one_before(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.grow(5)
    kept = house.backup()
    before = kept.read_bytes()
    house.grow(1)

    def full(_file: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for name in ("kept.backup", "other.backup"):
        with pytest.raises(BackupError, match="No space left on device; no file was left"):
            house.backup(name)
    assert kept.read_bytes() == before
    assert [path.name for path in house.folder.glob("*backup*")] == ["kept.backup"]
    with pytest.raises(BackupError, match="No such file"):
        house.backup("nowhere/kept.backup")


# Where it may go --------------------------------------------------------------------------------


def test_a_database_that_holds_anything_is_not_written_over(house: House) -> None:
    house.grow(5)
    kept, before = house.backup(), house.contents()
    house.close()
    house.configure()
    told = run(house, "restore", kept)
    assert told.exit_code == 1
    assert "exchange.db is not empty" in told.stderr
    assert "--replace moves it aside" in told.stderr
    house.open()
    assert house.contents() == before


def test_a_running_exchange_is_not_restored_beneath(house: House) -> None:
    kept = house.backup()
    house.configure()
    with only_process(house.url):
        told = run(house, "restore", kept, "--replace")
        assert told.exit_code == 1
        assert "stop it first" in " ".join(told.stderr.split())
        with pytest.raises(DatabaseInUseError), only_process(house.url):
            pass


def test_replacing_moves_the_old_database_aside_and_no_clock_back(house: House) -> None:
    house.grow(5)
    kept, before = house.backup(), house.contents()
    later = 1_790_000_000_000_000
    house.store.run(lambda c: c.exec_driver_sql("UPDATE clock_mark SET at = ?", (later,)))
    house.close()
    old = house.folder / "exchange.db"
    (house.folder / "exchange.db-wal").write_bytes(b"")
    house.configure()
    told = run(house, "restore", kept, "--replace", "--json")
    facts = json.loads(told.stdout)
    assert (told.exit_code, facts["ok"], facts["size"]) == (0, True, 5)
    aside = Path(facts["moved_to"])
    assert aside.name.startswith("exchange.db.replaced-")
    assert aside.exists()
    assert old.exists()
    assert not (house.folder / "exchange.db-wal").exists()
    house.open()
    assert house.contents() == {**before, "clock_mark": [(1, later)]}


def test_a_stopped_exchange_is_backed_up_too(house: House) -> None:
    house.grow(5)
    before = house.contents()
    house.close()
    kept = house.backup()
    remove(house)
    house.restore(kept)
    assert house.contents() == before


def test_a_write_ahead_log_that_was_left_behind_is_not_taken_for_the_new_ones(
    house: House,
) -> None:
    house.grow(5)
    kept, before = house.backup(), house.contents()
    remove(house)
    left = house.folder / "exchange.db-wal"
    left.write_bytes(b"of a database that is gone")
    house.configure()
    told = run(house, "restore", kept)
    assert (told.exit_code, "--replace" in told.stderr) == (1, True)
    told = run(house, "restore", kept, "--replace")
    assert told.exit_code == 0, told.stderr
    assert not left.exists()
    house.open()
    assert house.contents() == before


def test_a_database_that_cannot_be_read_is_replaced_and_that_is_said(house: House) -> None:
    house.grow(5)
    kept, before = house.backup(), house.contents()
    house.store.run(lambda c: c.exec_driver_sql("UPDATE log_state SET checkpoint = x'00'"))
    assert "does not verify" in str(house.restore(kept, replace=True).unreadable)
    house.close()
    (house.folder / "exchange.db").write_bytes(b"this is no database" * 100)
    house.configure()
    told = run(house, "restore", kept, "--replace")
    assert told.exit_code == 0, told.stderr
    assert "the database before could not be read" in told.stdout
    assert "log: 5 entries, hashed again" in told.stdout
    assert "no witness was heard" in told.stdout
    house.open()
    assert house.contents() == before


def test_what_fails_halfway_leaves_all_as_it_was(house: House) -> None:
    house.grow(5)
    kept, before = house.backup(), house.contents()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with (
        patch.object(FileTiles, "_replace", full),
        pytest.raises(BackupError, match="No space left"),
    ):
        house.restore(kept, replace=True)
    assert house.contents() == before
    assert not list(house.folder.glob("exchange.db.*re*"))


@pytest.mark.parametrize("change", [{"schema": "0001"}, {"federation": "x"}, {"origin": "x"}])
def test_a_backup_of_another_version_or_federation_is_refused_with_advice(
    house: House, change: dict[str, str]
) -> None:
    house.grow(1)
    kept = house.backup()
    first, *rest = gzip.decompress(kept.read_bytes()).splitlines(keepends=True)
    header = json.dumps(json.loads(first) | change).encode() + b"\n"
    kept.write_bytes(gzip.compress(header + b"".join(rest)))
    remove(house)
    told = "then run init of this version" if "schema" in change else "settings it was made with"
    with pytest.raises(BackupError, match=told):
        house.restore(kept)


def test_a_format_that_is_newer_is_not_guessed_at(house: House) -> None:
    kept = house.backup()
    content = gzip.decompress(kept.read_bytes()).replace(b'"version":1', b'"version":2', 1)
    kept.write_bytes(gzip.compress(content))
    with pytest.raises(BackupError, match="version 2"):
        read_header(kept)


# At the start of an exchange --------------------------------------------------------------------


def start(house: House) -> None:
    require_newest(house.settings.log, house.anchors, house.store, house.log.tiles)


def older(house: House) -> None:
    """Put the database back to 10 entries, in some way that asks nobody."""
    for change in (
        "DELETE FROM log_opening WHERE leaf_index >= 10",
        "UPDATE log_state SET next_index = 10, size = 10",
    ):
        with house.engine.begin() as connection:
            connection.exec_driver_sql(change)
    root = root_of([leaf_hash(row.entry) for row in house.log.rows()])
    note = sign_checkpoint(Checkpoint(ORIGIN, 10, root), signer("log"))
    house.store.run(
        lambda c: c.exec_driver_sql("UPDATE log_state SET root = ?, checkpoint = ?", (root, note))
    )


def test_an_exchange_does_not_start_on_a_database_older_than_what_is_published(
    house: House,
) -> None:
    house.grow(22)
    start(house)
    older(house)
    with pytest.raises(LogNotContinuedError, match="the published log") as refused:
        start(house)
    assert (refused.value.ours.size, refused.value.newest.size) == (10, 22)  # type: ignore[union-attr]


@pytest.mark.parametrize("forked", [False, True])
def test_an_exchange_does_not_start_on_a_log_that_a_witness_knows_otherwise(
    house: House, stack: ExitStack, *, forked: bool
) -> None:
    house.tiles = "database"
    house.close()
    house.open()
    house.grow(22)
    known = sign_checkpoint(Checkpoint(ORIGIN, 9, bytes(32)), signer("log"))
    at = stack.enter_context(witness(cosigned_by(known if forked else house.note(), OAK)))
    house.witnesses, house.quorum = {OAK: at}, 1
    if not forked:
        start(house)
        older(house)
    with pytest.raises(LogNotContinuedError, match=f"witness {OAK}") as refused:
        start(house)
    assert refused.value.how == (ANOTHER if forked else SHORTER)


def test_an_exchange_starts_where_witnesses_are_away_or_tiles_a_batch_ahead(
    house: House,
) -> None:
    house.grow(10)
    house.witnesses, house.quorum = {OAK: "http://127.0.0.1:1"}, 1
    start(house)
    house.log.enter(3)
    lease = house.sequencer._lease
    assert lease is not None
    batch = house.store.run(lambda c: sequencing.assign(c, lease, AT))
    assert batch is not None
    grown = grow(10, house.log.state().root, batch.entries, house.log.tiles.read)
    note = sign_checkpoint(Checkpoint(ORIGIN, 13, grown.root), signer("log"))
    (house.folder / "log" / CHECKPOINT).write_bytes(
        note
    )  # published, and died before it was recorded
    start(house)
    note = sign_checkpoint(Checkpoint(ORIGIN, 13, bytes(32)), signer("log"))
    (house.folder / "log" / CHECKPOINT).write_bytes(note)
    with pytest.raises(LogNotContinuedError, match="another log"):
        start(house)


# Who was erased ---------------------------------------------------------------------------------


@pytest.mark.parametrize("indexed", [True, False])
def test_who_was_erased_a_moment_ago_does_not_come_back(house: House, *, indexed: bool) -> None:
    house.grow(5)
    kept = house.backup()
    act = records.erasure_request(b"ada" + bytes(29), bytes(32), 3, 0, AT)
    house.store.run(lambda connection: log.enqueue(connection, [act]))
    if indexed:
        lease = house.store.run(
            lambda c: sequencing.take_lease(c, "a", 3.0, AT + timedelta(days=1))
        )
        assert lease is not None
        house.store.run(lambda c: sequencing.assign(c, lease, AT + timedelta(days=1)))
    before = house.contents()
    with pytest.raises(BackupError, match="has erased people 1 times since its last checkpoint"):
        house.restore(kept, replace=True)
    assert house.contents() == before


def test_a_backup_whose_keys_the_keyring_has_discarded_is_refused_before_anything_changes(
    house: House,
) -> None:
    with house.engine.begin() as connection:
        adopt(connection)
        seal(connection, b"ada" + bytes(29), b"of Ada")
    kept, before = house.backup(), house.contents()
    keys = house.folder / "storage_keys.json"
    house.close()

    def put_back() -> None:
        settings = house.settings.model_copy(update={"storage_keys": keys})
        restore(settings, house.anchors, Request(kept, replace=True), AT)

    files.save(keys, KEYRING.with_wrapping_key().with_newest_alone())
    with pytest.raises(BackupError, match="under wrapping key 1, which the keyring has no more"):
        put_back()
    files.save(keys, Keyring.generate())
    with pytest.raises(BackupError, match="not that of the backup's database"):
        put_back()
    files.save(keys, KEYRING.with_wrapping_key())
    put_back()
    house.open()
    assert house.contents() == before


# To the eye -------------------------------------------------------------------------------------


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_once_it_takes_long(
    monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    now = [0.0]
    monkeypatch.setattr("exchange.backup.progress.time.monotonic", lambda: now[0])
    console = Console(force_terminal=terminal, width=100)
    with console.capture() as shown, progress.progress_shown(console) as tell:
        tell("backing up", 300, 1000)
        assert console.file is not None
        now[0] = 3.0
        tell("backing up", 600, 1000)
    assert "backing up" in shown.get()
    assert ("600 of 1,000" in shown.get()) is not terminal
    with console.capture() as shown, progress.progress_shown(console) as tell:
        tell("backing up", 300, 1000)
    assert shown.get() == ""


def test_the_command_says_what_it_wrote_and_what_to_keep_apart(house: House) -> None:
    house.grow(5)
    house.configure()
    path = house.folder / "a.backup"
    told = run(house, "backup", "--out", path)
    assert told.exit_code == 0
    assert "log of 5 entries" in told.stdout
    assert "keyring" in told.stdout
    facts = json.loads(run(house, "backup", "--out", path, "--json").stdout)
    assert (facts["ok"], facts["size"], facts["rows"]["log_opening"]) == (True, 5, 5)
    missing = json.loads(run(house, "backup", "--out", house.folder / "x" / "y", "--json").stdout)
    assert missing["ok"] is False
    assert "cannot back up" in missing["error"]
