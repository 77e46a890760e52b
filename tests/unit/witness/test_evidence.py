"""What a log's own signatures say against it is kept, told once, and bounded."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from concordat.rpc.logs import configure_logs
from concordat.trust.checkpoint import add_signatures, open_checkpoint, sign_checkpoint
from concordat.trust.note import NoteSignature
from concordat.trust.witness_request import AddCheckpoint
from tests.unit.witness.desk import Desk, Log


@pytest.fixture(autouse=True)
def logging() -> Iterator[None]:
    configure_logs("witness", "info")
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def alarms(capture: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    logged = [json.loads(line) for line in capture.readouterr().err.splitlines()]
    return [line for line in logged if line["level"] == "error"]


def evidence(desk: Desk, log: Log) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.get(f"/evidence/{log.origin_hash}").json()
    return found


@pytest.mark.parametrize(("old", "status"), [(5, 409), (3, 409), (0, 409)])
def test_two_roots_at_one_size_are_kept_whatever_old_size_was_given(
    desk: Desk, log: Log, capsys: pytest.CaptureFixture[str], old: int, status: int
) -> None:
    desk.cosigned(log, 0, 5)
    fork = log.fork(2)
    assert desk.post(AddCheckpoint(old, (), fork.note(5)).encode()).status_code == status
    (found,) = evidence(desk, log)
    assert found["kind"] == "fork"
    kept, offered = found["kept_note"].encode(), found["offered_note"].encode()
    assert (kept, offered) == (log.note(5), fork.note(5))
    one, other = (open_checkpoint(note, log.vkey) for note in (kept, offered))
    assert one.size == other.size
    assert one.root != other.root
    (alarm,) = alarms(capsys)
    assert alarm["event"] == "log_inconsistent"
    assert (alarm["kind"], alarm["origin"], alarm["size"]) == ("fork", log.origin, 5)
    assert alarm["kept_note"].encode() == kept  # so that the log alone can prove it
    assert alarm["offered_note"].encode() == offered


def test_a_fork_shown_again_is_told_once(
    desk: Desk, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.cosigned(log, 0, 5)
    stray = NoteSignature("stray.example", b"abcd", b"signature")
    for note in (log.fork(2).note(5), add_signatures(log.fork(2).note(5), [stray])):
        desk.post(AddCheckpoint(5, (), note).encode())
    assert len(evidence(desk, log)) == len(alarms(capsys)) == 1


def test_a_proof_that_fails_is_kept_with_both_notes(
    desk: Desk, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.cosigned(log, 0, 5)
    fork = log.fork(4)
    desk.post(fork.request(5, 9))
    (found,) = evidence(desk, log)
    assert found["kind"] == "unproven"
    assert found["kept_note"].encode() == log.note(5)
    assert found["offered_note"].encode() == fork.note(9)
    assert [alarm["kind"] for alarm in alarms(capsys)] == ["unproven"]


def test_an_empty_tree_with_a_root_speaks_against_itself(desk: Desk, log: Log) -> None:
    empty = log.checkpoint(0)
    odd = sign_checkpoint(type(empty)(empty.origin, 0, bytes(32)), log.signer)
    desk.post(AddCheckpoint(0, (), odd).encode())
    (found,) = evidence(desk, log)
    assert (found["kind"], found["kept_note"]) == ("fork", None)
    assert found["offered_note"].encode() == odd


def test_an_honest_log_that_is_behind_leaves_nothing(
    desk: Desk, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.cosigned(log, 0, 9)
    desk.post(log.request(0, 5))
    desk.post(log.request(5, 9))
    desk.post(AddCheckpoint(9, (), log.note(5)).encode())
    assert evidence(desk, log) == []
    assert alarms(capsys) == []


def test_failing_proofs_do_not_fill_the_disk_nor_crowd_out_a_fork(
    desk: Desk, log: Log, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("witness.records.MOST_EVIDENCE", 3)
    desk.cosigned(log, 0, 5)
    for size in range(6, 16):
        assert desk.post(AddCheckpoint(5, (), log.note(size)).encode()).status_code == 422
    desk.post(log.fork(2).request(5, 5))
    kinds = [found["kind"] for found in evidence(desk, log)]
    assert sorted(kinds) == ["fork", "unproven", "unproven", "unproven"]
    assert len(alarms(capsys)) == 4


def test_evidence_outlives_the_process(desk: Desk, log: Log) -> None:
    desk.cosigned(log, 0, 5)
    desk.post(log.fork(2).request(5, 5))
    before = evidence(desk, log)
    again = desk.restarted()
    assert evidence(again, log) == before
    again.store.close()
