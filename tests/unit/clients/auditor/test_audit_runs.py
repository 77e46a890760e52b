"""How an audit is run changes nothing of what it finds: in one go or resumed, by one process or several."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clients.auditor.audit import AuditOptions, AuditReport, audit
from clients.auditor.errors import (
    EntryWrong,
    ForkDetected,
    KeptUnusable,
    LogWrong,
    RollbackDetected,
    TileWrong,
)
from clients.auditor.policy import LogTrust
from clients.auditor.source import open_source
from concordat import v1
from concordat.trust.tiles import Tile
from tests.log_builders import DirLog, log_entries, log_entry


def audited(log: DirLog, state: Path | None = None, **options: object) -> AuditReport:
    chosen = AuditOptions(state=state, **({"bundles_a_stretch": 1} | options))  # type: ignore[arg-type]
    with open_source(str(log.folder)) as source:
        return audit(source, LogTrust(log.key), chosen)


class _Killed(BaseException):
    """As a kill leaves things: nothing of ours runs after it."""


def killed_after(log: DirLog, state: Path, entries: int, bundles: int = 1) -> None:
    def progress(done: int, _of: int) -> None:
        if done >= entries:
            raise _Killed

    options = AuditOptions(state=state, bundles_a_stretch=bundles)
    with open_source(str(log.folder)) as source, pytest.raises(_Killed):
        audit(source, LogTrust(log.key), options, progress)


# Resumed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("entries", [0, 256, 512, 600])
def test_an_audit_that_was_killed_goes_on_to_the_same_result(
    log: DirLog, tmp_path: Path, entries: int
) -> None:
    state = tmp_path / "audit.json"
    killed_after(log, state, entries)
    resumed, whole = audited(log, state), audited(log)
    assert resumed.kinds == whole.kinds
    assert (resumed.first_at, resumed.last_at) == (whole.first_at, whole.last_at)
    assert resumed.checkpoint == whole.checkpoint
    assert resumed.audited == 600 - entries // 256 * 256


@pytest.mark.slow
def test_an_audit_whose_process_was_killed_goes_on_to_the_same_result(
    large: DirLog, tmp_path: Path
) -> None:
    state = tmp_path / "audit.json"
    script = "from clients.cli.main import app; app()"
    command = [sys.executable, "-c", script, "log", "audit", str(large.folder)]
    options = ["--log-key", str(large.key), "--state", str(state), "--jobs", "2"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE)
    while not state.exists():
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    kept = json.loads(state.read_text())
    assert 0 < kept["size"] <= large.size
    resumed = audited(large, state)
    assert resumed.audited == large.size - kept["size"]
    assert resumed.kinds == {"access intent": large.size}


@pytest.mark.parametrize("sizes", [(1, 2), (100, 300, 600), (256, 512, 1100), (600, 600)])
def test_a_log_that_grew_is_audited_from_where_the_last_audit_stopped(
    tmp_path: Path, sizes: tuple[int, ...]
) -> None:
    log, state = DirLog(tmp_path / "log"), tmp_path / "audit.json"
    before = 0
    for size in sizes:
        log.append(log_entries(log.size, size))
        report = audited(log, state)
        assert report.audited == size - before // 256 * 256
        assert sum(report.kinds.values()) == size
        assert report.unique
        before = size


def test_a_large_log_is_taken_up_at_every_level(large: DirLog, tmp_path: Path) -> None:
    state = tmp_path / "audit.json"
    killed_after(large, state, 256 * 256, bundles=16)
    assert audited(large, state).audited == 256 + 44


def test_a_repeat_of_a_record_id_audited_before_is_found(log: DirLog, tmp_path: Path) -> None:
    state = tmp_path / "audit.json"
    audited(log, state)
    record_id = v1.LogEntry.FromString(log.entries[3]).record_id
    log.append([log_entry(600, record_id=record_id)])
    for _ in range(2):  # and the next run does not take it for settled
        with pytest.raises(EntryWrong, match=r"entry 600.* entry 3 too"):
            audited(log, state)


def test_a_time_before_that_of_the_last_entry_audited_is_found(
    tmp_path: Path,
) -> None:
    log, state = DirLog(tmp_path / "log").append(log_entries(0, 256)), tmp_path / "audit.json"
    audited(log, state)
    log.append([log_entry(256, at=1)])
    with pytest.raises(EntryWrong, match="entry 256"):
        audited(log, state)


def test_a_fork_since_the_last_audit_is_found_with_both_notes(log: DirLog, tmp_path: Path) -> None:
    state = tmp_path / "audit.json"
    audited(log, state)
    forked = DirLog(tmp_path / "forked").append(log_entries(0, 599))
    forked.append(log_entries(599, 700, branch="other"))
    with pytest.raises(ForkDetected) as caught:
        audited(forked, state)
    assert (caught.value.older, caught.value.newer) == (log.note, forked.note)
    audited(log, state)  # what was kept is still of the honest log


def test_a_rollback_since_the_last_audit_is_found(log: DirLog, tmp_path: Path) -> None:
    state = tmp_path / "audit.json"
    audited(log, state)
    log.publish(log.sign(599))
    with pytest.raises(RollbackDetected):
        audited(log, state)


def test_a_tile_that_changed_under_what_was_audited_is_found(large: DirLog, tmp_path: Path) -> None:
    state = tmp_path / "audit.json"
    killed_after(large, state, 256 * 100, bundles=20)
    path = large.path(Tile(1, 0))
    content = path.read_bytes()
    path.write_bytes(bytes(32) + content[32:])
    try:
        with pytest.raises(TileWrong, match="tile/1/000: it does not hold what was audited"):
            audited(large, state)
    finally:
        path.write_bytes(content)


# Kept state -------------------------------------------------------------------------------------


def test_the_state_of_another_log_is_refused(log: DirLog, tmp_path: Path) -> None:
    state = tmp_path / "audit.json"
    audited(log, state)
    other = DirLog(tmp_path / "other", origin="other.concordat/log").append(log_entries(0, 600))
    with pytest.raises(KeptUnusable, match="another log"):
        audited(other, state)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"size": 513},
        {"size": 256},
        {"edge": []},
        {"edge": ["zz"]},
        {"edge": None},
        {"note": 5},
        {"note": "no note"},
        {"size": 1 << 20, "edge": ["00" * 32]},
        {"more": 1},
    ],
)
def test_a_state_that_is_no_good_is_refused(
    log: DirLog, tmp_path: Path, change: dict[str, object]
) -> None:
    state = tmp_path / "audit.json"
    log.append(log_entries(600, 1024))
    audited(log, state)
    state.write_text(json.dumps(json.loads(state.read_text()) | change))
    with pytest.raises((KeptUnusable, LogWrong)) as caught:
        audited(log, state)
    assert isinstance(caught.value, KeptUnusable) or change == {"size": 256}


def test_garbage_in_place_of_a_state_is_refused(log: DirLog, tmp_path: Path) -> None:
    state = tmp_path / "audit.json"
    for garbage in (b"", b"{", b"[]", b"\xff\xfe"):
        state.write_bytes(garbage)
        with pytest.raises(KeptUnusable):
            audited(log, state)


def test_record_ids_that_were_not_kept_are_not_taken_for_unique(
    log: DirLog, tmp_path: Path
) -> None:
    state = tmp_path / "audit.json"
    audited(log, state, quick=True)
    with pytest.raises(KeptUnusable, match="--quick"):
        audited(log, state)
    assert not audited(log, state, quick=True).unique


def test_a_file_of_record_ids_that_was_cut_is_refused(log: DirLog, tmp_path: Path) -> None:
    state = tmp_path / "audit.json"
    audited(log, state)
    ids = tmp_path / "audit.json.ids"
    assert ids.stat().st_size == 16 * 600
    ids.write_bytes(ids.read_bytes()[:16])
    with pytest.raises(KeptUnusable, match=r"audit\.json\.ids"):
        audited(log, state)


# By several processes ---------------------------------------------------------------------------


@pytest.mark.slow
def test_several_processes_find_what_one_finds(large: DirLog, tmp_path: Path) -> None:
    parallel = audited(large, tmp_path / "parallel", bundles_a_stretch=16, jobs=2)
    assert parallel == audited(large, tmp_path / "serial", bundles_a_stretch=16)
    for suffix in ("", ".ids"):
        files = (tmp_path / f"parallel{suffix}", tmp_path / f"serial{suffix}")
        assert files[0].read_bytes() == files[1].read_bytes()


def test_several_processes_name_the_same_first_fault_with_its_evidence(
    tmp_path: Path,
) -> None:
    entries = log_entries(0, 2000)
    entries[700] = b"no entry"
    entries[1900] = b"nor this"
    log = DirLog(tmp_path).append(entries)
    found = []
    for jobs in (1, 2):
        with pytest.raises(EntryWrong) as caught:
            audited(log, jobs=jobs)
        found.append((str(caught.value), caught.value.where, caught.value.evidence))
    assert found[0] == found[1]
    assert found[0][2]["entry 700.bin"] == b"no entry"
