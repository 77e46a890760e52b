"""What the doctor finds out: of files, a log and its witnesses, ports, and what never answers."""

import gzip
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from clients.auditor.policy import LogTrust
from clients.doctor import probe_backup, probe_clock, probe_log, probe_store
from clients.doctor.concurrently import Check, run
from clients.doctor.finding import Finding, Status, ok
from clients.doctor.settings import read
from exchange.migrations import SCRIPTS as EXCHANGE_SCRIPTS
from provider.migrations import SCRIPTS as PROVIDER_SCRIPTS
from tests.log_builders import START, DirLog, LogWitness, log_entries, serve

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def told(_done: int, _of: int) -> None:
    """Tell nobody."""


def test_a_probe_that_never_answers_holds_nobody_up() -> None:
    def stalls() -> list[Finding]:
        time.sleep(30)
        return []

    def breaks() -> list[Finding]:
        raise OSError("connection refused")

    checks = [
        Check("slow", stalls, "start it"),
        Check("broken", breaks, "mend it"),
        Check("nothing to say", list, ""),
        Check("well", lambda: [ok("well", "fine")], ""),
    ]
    began = time.monotonic()
    slow, broken, well = run(checks, 0.2, told)
    assert time.monotonic() - began < 5
    assert (slow.status, slow.found, slow.advice) == (Status.FAIL, "no answer in 0.2 s", "start it")
    assert (broken.status, broken.found, broken.advice) == (
        Status.FAIL,
        "connection refused",
        "mend it",
    )
    assert well == ok("well", "fine")


def test_whose_settings_they_are_is_told_by_their_tables(tmp_path: Path) -> None:
    common = 'signing_key = "a.key"\ndatabase = "sqlite:///data.db"\n'
    for more, party in (
        ('[log]\nlisten = "a:1"\nsigning_key = "b"\n', "exchange"),
        ('[identity]\nderivation_key = "b"\n', "registrar"),
        ('[[logs]]\nvkey = "b"\n', "witness"),
        ('[scores]\nsource = "store"\n', "provider"),
        ("", "provider"),
    ):
        path = tmp_path / "settings.toml"
        path.write_text(common + more, "utf-8")
        settings = read(path)
        assert settings.party == party
        assert settings.database == f"sqlite:///{tmp_path}/data.db"


@pytest.mark.parametrize(
    ("party", "scripts"), [("exchange", EXCHANGE_SCRIPTS), ("provider", PROVIDER_SCRIPTS)]
)
def test_the_newest_schema_is_found_as_alembic_finds_it(party: str, scripts: Path) -> None:
    head = ScriptDirectory(str(scripts)).get_current_head()
    assert probe_store.newest_revision(party) == head


def test_a_database_of_an_older_version_is_found_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('signing_key = "a"\ndatabase = "sqlite:///data.db"\n', "utf-8")
    engine = create_engine(f"sqlite:///{tmp_path}/data.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0001')")
    engine.dispose()
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    (found,) = probe_store.database("database", read(path))
    assert (found.status, "schema 0001" in found.found) == (Status.FAIL, True)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def backup(path: Path, made_at: datetime, federation: str = "test.concordat") -> None:
    header = {
        "format": "concordat-exchange-backup",
        "federation": federation,
        "made_at": made_at.isoformat(),
    }
    path.write_bytes(gzip.compress(json.dumps(header).encode() + b"\n"))


def test_the_newest_backup_counts_by_when_it_was_made_and_not_by_its_file(tmp_path: Path) -> None:
    backup(tmp_path / "old", NOW - timedelta(days=9))
    backup(tmp_path / "new", NOW - timedelta(hours=3))
    os.utime(tmp_path / "new", (0, 0))
    (tmp_path / "notes.txt").write_text("no backup", "utf-8")
    (found,) = probe_backup.probe(tmp_path, "test.concordat", NOW)
    assert (found.status, found.found[:4]) == (Status.OK, "new,")
    (old,) = probe_backup.probe(tmp_path / "old", "test.concordat", NOW)
    assert old.status == Status.FAIL


def test_another_federations_backup_is_none(tmp_path: Path) -> None:
    backup(tmp_path / "new", NOW, federation="other.concordat")
    (found,) = probe_backup.probe(tmp_path, "test.concordat", NOW)
    assert (found.status, "other.concordat" in found.found) == (Status.FAIL, True)
    (tmp_path / "empty").mkdir()
    (none,) = probe_backup.probe(tmp_path / "empty", "test.concordat", NOW)
    assert none.status == Status.FAIL


def test_a_backup_of_another_kind_goes_by_its_files_date(tmp_path: Path) -> None:
    (tmp_path / "dump.sql").write_text("--", "utf-8")
    os.utime(tmp_path / "dump.sql", (NOW.timestamp(), NOW.timestamp()))
    (found,) = probe_backup.probe(tmp_path, "test.concordat", NOW + timedelta(hours=1))
    assert (found.status, "not the exchange's format" in found.found) == (Status.OK, True)


def test_a_log_is_judged_by_its_last_entry_and_its_cosignatures(tmp_path: Path) -> None:
    witnesses = [LogWitness("oak.example/w"), LogWitness("elm.example/w")]
    log = DirLog(tmp_path / "log", witnesses=witnesses[:1]).append(log_entries(0, 300))
    trust = LogTrust(log.key, tuple(each.key for each in witnesses), 2)
    now = datetime.fromtimestamp(START + 360, UTC)
    fresh, quorum = probe_log.probe(str(log.folder), trust, now)
    assert (fresh.status, fresh.found[:11]) == (Status.OK, "300 entries")
    assert (quorum.status, quorum.found) == (Status.FAIL, "1 of 2 cosigned, 2 are needed")


def test_a_witness_that_holds_another_log_is_a_failure(tmp_path: Path) -> None:
    log = DirLog(tmp_path / "log").append(log_entries(0, 30))
    same = DirLog(tmp_path / "same").append(log_entries(0, 20))
    forked = DirLog(tmp_path / "forked").append(log_entries(0, 20, "other"))
    trust = LogTrust(log.key)

    def seen(other: Path) -> Finding:
        (found,) = probe_log.witness(str(other), str(log.folder), trust)
        return found

    assert (seen(same.folder).status, seen(same.folder).found) == (
        Status.OK,
        "the same log, 10 entries behind",
    )
    assert seen(forked.folder).status == Status.FAIL
    assert seen(tmp_path / "nobody").status == Status.WARN


def test_a_clock_that_is_wrong_is_found_by_the_date_of_an_answer(tmp_path: Path) -> None:
    with serve(tmp_path) as url:
        (right,) = probe_clock.probe(url, lambda: datetime.now(UTC))
        (wrong,) = probe_clock.probe(url, lambda: datetime.now(UTC) + timedelta(minutes=4))
    assert (right.status, wrong.status) == (Status.OK, Status.FAIL)
    assert "ahead of" in wrong.found
