"""A backup is one file for both databases: what leaves either comes back in either."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from concordat.store.engine import migrate
from exchange.backup.errors import BackupError, LogNotContinuedError
from exchange.log import table
from exchange.migrations import SCRIPTS
from exchange.tables import metadata
from tests.backup_builders import OAK, House, cosigned_by, witness
from tests.sequencer_builders import draft
from tests.vault_builders import exchange_engine

_SOURCE, _TARGET = "backup_source", "backup_target"


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for the disk: nobody pulls the plug here."""
    monkeypatch.setattr(os, "fsync", lambda _file: None)
    monkeypatch.setattr(os, "fdatasync", lambda _file: None)


def _migrated(url: str) -> str:
    engine = exchange_engine(url)
    migrate(engine, SCRIPTS)
    engine.dispose()
    return url


@pytest.fixture(scope="module")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("backup") / "exchange.db"
    _migrated(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture(scope="module")
def postgres(postgres_url: str) -> dict[str, str]:
    """Return the URLs of a database at the newest schema and of one that has no tables yet."""
    server: Engine = exchange_engine(postgres_url)
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for name in (_SOURCE, _TARGET):
            connection.execute(text(f"CREATE DATABASE {name}"))
            connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    server.dispose()
    url = make_url(postgres_url)
    urls = {
        name: url.set(database=name).render_as_string(hide_password=False)
        for name in (_SOURCE, _TARGET)
    }
    _migrated(urls[_SOURCE])
    return urls


def _emptied(url: str) -> str:
    engine = exchange_engine(url)
    with engine.begin() as connection:
        if connection.exec_driver_sql("SELECT to_regclass('log_state')").scalar() is not None:
            connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)}"))
    engine.dispose()
    return url


@pytest.fixture
def source(request: pytest.FixtureRequest, tmp_path: Path, sqlite_file: bytes) -> Iterator[House]:
    """Return the exchange that is backed up: on PostgreSQL with its tiles in the database."""
    folder = tmp_path / "source"
    folder.mkdir()
    if request.param == "sqlite":
        (folder / "exchange.db").write_bytes(sqlite_file)
        house = House(folder, f"sqlite:///{folder}/exchange.db")
    else:
        urls = request.getfixturevalue("postgres")
        house = House(folder, _emptied(urls[_SOURCE]), tiles="database")
    house.fill()
    yield house
    house.close()


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Return the place that it is restored to, empty, with its tiles in files."""
    folder = tmp_path / "target"
    folder.mkdir()
    if request.param == "sqlite":
        url = f"sqlite:///{folder}/exchange.db"
    else:
        url = _emptied(request.getfixturevalue("postgres")[_TARGET])
    house = House(folder, url)
    yield house
    house.close()


WAYS = [("sqlite", "postgres"), ("postgres", "sqlite"), ("postgres", "postgres")]
every_way = pytest.mark.parametrize(
    ("source", "target"), WAYS, indirect=True, ids=["-to-".join(way) for way in WAYS]
)


def plain(contents: dict[str, list[tuple[object, ...]]]) -> dict[str, list[tuple[object, ...]]]:
    """Let true be 1: that is how SQLite lays it down."""
    return {
        name: [tuple(int(v) if isinstance(v, bool) else v for v in row) for row in rows]
        for name, rows in contents.items()
    }


@every_way
def test_every_table_comes_back_as_it_was_and_the_exchange_goes_on(
    source: House, target: House
) -> None:
    source.grow(300)
    source.log.enter(3)  # wait in the queue
    kept = source.backup()
    before, published = source.contents(), source.audit()
    if target.url.startswith("sqlite"):
        (target.folder / "exchange.db").unlink(missing_ok=True)
    target.restore(kept)
    assert plain(target.contents()) == plain(before)
    assert target.audit() == published  # made again, in files
    target.log.enter(2)  # numbered after those that wait
    target.grow(1)
    assert target.audit().size == 306
    assert target.audit().entries[:300] == published.entries


@every_way
def test_an_older_backup_is_refused_and_a_full_database_is_not_written_over(
    source: House, target: House
) -> None:
    source.grow(10)
    old = source.backup("old.backup")
    source.grow(1)
    new = source.backup("new.backup")
    with witness(cosigned_by(source.note(), OAK)) as url:
        target.witnesses, target.quorum = {OAK: url}, 1
        with pytest.raises(LogNotContinuedError) as refused:
            target.restore(old)
        assert refused.value.newest.size == 11
        target.restore(new)
        with pytest.raises(BackupError, match="is not empty"):
            target.restore(new)
    assert target.log.state().size == 11


@pytest.mark.parametrize("source", ["postgres"], indirect=True)
def test_a_backup_is_of_one_moment_beside_processes_that_write(source: House) -> None:
    source.grow(5)
    written = 0

    def write(_what: str, _done: int, _of: int) -> None:
        nonlocal written
        written += 1
        source.store.run(lambda connection: table.enqueue(connection, [draft()]))

    source.backup(tell=write)
    assert written
    assert source.made.end.rows["log_queue"] == 0


@pytest.mark.parametrize("target", ["postgres"], indirect=True)
def test_a_shared_database_is_not_moved_aside(target: House) -> None:
    with pytest.raises(BackupError, match="create an empty database"):
        target.restore(target.folder / "any.backup", replace=True)
