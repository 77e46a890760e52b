"""Anybody sees that a case look-up was not told to its subject in time, and of nobody who that is."""

import hashlib
import json
from pathlib import Path

from typer.testing import CliRunner

from clients.auditor.audit import AuditOptions, audit
from clients.auditor.policy import LogTrust
from clients.auditor.source import open_source
from clients.cli.main import app
from concordat import v1
from concordat.verify.case_notice import notice_record_id
from tests.log_builders import START, DirLog, log_entries, log_entry

K = v1.LogEntryKind
DAY = 86_400


def sealed(name: str, day: int, kind: K.ValueType = K.LOG_ENTRY_KIND_CASE_LOOK_UP) -> bytes:
    return log_entry(0, kind=kind, at=START + day * DAY, record_id=_id(name), branch=name)


def notice(name: str, day: int) -> bytes:
    kind, own_id = K.LOG_ENTRY_KIND_CASE_NOTICE, notice_record_id(_id(name))
    return log_entry(1, kind=kind, at=START + day * DAY, record_id=own_id, branch=name)


def _id(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:16]


def overdue(log: DirLog, state: Path | None = None) -> int:
    with open_source(str(log.folder)) as source:
        return audit(source, LogTrust(log.key), AuditOptions(state=state)).overdue


def test_a_look_up_that_was_told_in_time_passes(tmp_path: Path) -> None:
    log = DirLog(tmp_path / "log")
    log.append([sealed("a", 0), sealed("b", 1), notice("b", 1), notice("a", 180), sealed("c", 300)])
    assert overdue(log) == 0


def test_each_that_was_not_is_counted_whatever_else_was_told_early(tmp_path: Path) -> None:
    log = DirLog(tmp_path / "log")
    told = [e for day in range(1, 20) for e in (sealed(str(day), day), notice(str(day), day))]
    refused = sealed("refused", 20, K.LOG_ENTRY_KIND_CASE_REFUSAL)
    log.append([sealed("withheld", 0), *told, refused, sealed("fresh", 201)])
    assert overdue(log) == 1  # the refusal has a day left
    log.append([notice("fresh", 202)])
    assert overdue(log) == 2


def test_an_audit_that_goes_on_remembers_what_is_owed(tmp_path: Path) -> None:
    log, state = DirLog(tmp_path / "log"), tmp_path / "audit.json"
    log.append([sealed("a", 0), sealed("b", 0)])
    log.append(log_entry(n, at=START + DAY) for n in range(300))
    assert overdue(log, state) == 0
    log.append([notice("b", 30), log_entry(999, at=START + 200 * DAY)])
    assert overdue(log, state) == 1
    log.append([notice("a", 201)])  # late, and told
    assert overdue(log, state) == 0


def test_the_command_says_so_and_ends_with_one(tmp_path: Path) -> None:
    log = DirLog(tmp_path / "log")
    log.append([sealed("a", 0), log_entry(1, at=START + 182 * DAY)])
    command = ["log", "audit", str(log.folder), "--log-key", str(log.key), "--json"]
    done = CliRunner().invoke(app, command)
    said = json.loads(done.stdout)
    assert (done.exit_code, said["reason"]) == (1, "CASE_NOTICE_OVERDUE")
    assert said["case_notices_overdue"] == 1
    clean = DirLog(tmp_path / "clean")
    clean.append(log_entries(0, 3))
    command[2] = str(clean.folder)
    assert json.loads(CliRunner().invoke(app, command).stdout)["case_notices_overdue"] == 0
