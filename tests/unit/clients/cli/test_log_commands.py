"""`concordat log` as it is run: exit codes, JSON, files, and an alarm that nobody overlooks."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from clients.auditor import http_files
from clients.cli import log as log_commands
from clients.cli import log_watch
from clients.cli.main import app
from concordat import v1
from concordat.federation.anchors import save_bundle
from concordat.trust.tiles import ENTRIES, Tile
from tests.builders import Federation
from tests.log_builders import DirLog, LogWitness, log_entries, serve

WITNESS = LogWitness("ash")


@dataclass
class Desk:
    """A log, and an auditor who types commands."""

    log: DirLog
    folder: Path

    def run(self, *arguments: object, code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["log", *(str(a) for a in arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert result.exit_code == code, result.output
        return result

    def json(self, *arguments: object, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    @property
    def keys(self) -> tuple[str, ...]:
        return ("--log-key", str(self.log.key), "--witness", str(WITNESS.key))

    @property
    def here(self) -> tuple[object, ...]:
        return (self.log.folder, *self.keys)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    log = DirLog(tmp_path / "log", witnesses=[WITNESS]).append(log_entries(0, 300))
    return Desk(log, tmp_path)


@pytest.fixture
def bundle(desk: Desk) -> Callable[..., Path]:
    """Return a function that writes a trust bundle of the log; keywords are its fields."""

    def write(**fields: Any) -> Path:
        made = v1.TrustBundle()
        made.CopyFrom(Federation().bundle)
        made.log_origin, made.log_key = desk.log.origin, desk.log.key.public_key
        made.MergeFrom(v1.TrustBundle(witnesses=[str(WITNESS.key)], witness_quorum=1, **fields))
        save_bundle(made, desk.folder / "bundle.json")
        return desk.folder / "bundle.json"

    return write


@pytest.mark.parametrize("command", typer.main.get_command(log_commands.app).commands)  # type: ignore[attr-defined]
def test_every_command_documents_exit_codes_and_json(command: str) -> None:
    result = CliRunner().invoke(app, ["log", command, "--help"])
    assert result.exit_code == 0
    assert "Exit codes: 0 ok, 1 the log or the proof is wrong" in result.stdout
    assert "--json" in result.stdout


# Audit ------------------------------------------------------------------------------------------


def test_an_audit_reads_well(desk: Desk) -> None:
    output = desk.run("audit", *desk.here).stdout
    for part in (
        "test.concordat/log",
        "300 entries",
        "access intent",
        "ash",
        "no two alike",
        "ok:",
    ):
        assert part in output


def test_an_audit_in_json_has_the_documented_keys(desk: Desk) -> None:
    facts = desk.json("audit", *desk.here)
    assert facts.pop("seconds") > 0
    assert facts.pop("entries_a_second") > 0
    assert facts == {
        "ok": True,
        "origin": "test.concordat/log",
        "size": 300,
        "root": desk.log.root().hex(),
        "witnesses": [{"name": "ash", "cosigned_at": "2026-05-28T20:26:40+00:00"}],
        "kinds": {"access intent": 300},
        "first_logged_at": "2026-05-28T20:26:40+00:00",
        "last_logged_at": "2026-05-28T20:31:39+00:00",
        "audited": 300,
        "record_ids_unique": True,
        "case_notices_overdue": 0,
    }


def test_an_empty_log_is_shown_too(desk: Desk) -> None:
    log = DirLog(desk.folder / "empty", witnesses=[WITNESS])
    assert "0 entries" in desk.run("audit", log.folder, *desk.keys).stdout
    assert desk.json("audit", log.folder, *desk.keys)["last_logged_at"] is None


def test_a_log_that_is_wrong_exits_with_1_and_leaves_its_evidence(desk: Desk) -> None:
    path = desk.log.path(Tile(ENTRIES, 0))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    evidence = desk.folder / "findings"
    facts = desk.json("audit", *desk.here, "--evidence", evidence, code=1)
    assert (facts["ok"], facts["reason"]) == (False, "BUNDLE_WRONG")
    assert facts["where"] == "tile/entries/000"
    assert "entry 255" in facts["advice"]
    assert facts["evidence"] == str(evidence / "evidence-1")
    assert (evidence / "evidence-1/tile-entries-000").read_bytes() == path.read_bytes()
    assert (evidence / "evidence-1/seen.checkpoint").read_bytes() == desk.log.note
    told = desk.run("audit", *desk.here, "--evidence", evidence, code=1).stderr
    assert "reason: BUNDLE_WRONG" in told
    assert "evidence-1" in told


def test_a_log_that_does_not_answer_exits_with_3(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_files, "FIRST_DELAY", 0.001)
    with serve(lambda _path: (500, {}, b"")) as prefix:
        facts = desk.json("audit", prefix, *desk.keys, code=3)
    assert facts["reason"] == "LOG_UNREADABLE"
    assert "HTTP 500" in facts["advice"]


def test_a_state_is_gone_on_from(desk: Desk) -> None:
    state = ("--state", desk.folder / "audit.json")
    assert desk.json("audit", *desk.here, *state)["audited"] == 300
    desk.log.append(log_entries(300, 400))
    assert desk.json("audit", *desk.here, *state)["audited"] == 144
    (desk.folder / "audit.json").write_text("nonsense")
    assert desk.json("audit", *desk.here, *state, code=2)["reason"] == "STATE_UNUSABLE"


def test_a_quick_audit_says_what_it_left_out(desk: Desk) -> None:
    assert "not compared" in desk.run("audit", *desk.here, "--quick").stdout


# Whose log --------------------------------------------------------------------------------------


def test_a_trust_bundle_names_the_log_its_witnesses_and_where_it_is(
    desk: Desk, bundle: Callable[..., Path]
) -> None:
    with serve(desk.log.folder) as prefix:
        facts = desk.json("audit", "--trust-bundle", bundle(log_url=prefix))
    assert facts["size"] == 300
    assert [witness["name"] for witness in facts["witnesses"]] == ["ash"]


def test_the_quorum_of_the_trust_bundle_holds(desk: Desk, bundle: Callable[..., Path]) -> None:
    desk.log.witnesses = ()
    desk.log.publish()
    trust = ("--trust-bundle", bundle())
    facts = desk.json("audit", desk.log.folder, *trust, code=1)
    assert facts["reason"] == "CHECKPOINT_INVALID"
    assert desk.json("audit", desk.log.folder, *trust, "--quorum", 0)["witnesses"] == []


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ([], "nothing says whose log it is"),
        (["--witness", str(WITNESS.key)], "--witness goes with --log-key"),
        (["--log-key", "nonsense"], "no verifier key"),
        (["--log-key", str(WITNESS.key)], "a key of type 4, not 1"),
        (["--log-key", "{key}"], "nothing says where the log is"),
        (["--log-key", "{key}", "--quorum", "1"], "never reached"),
        (["--trust-bundle", "none.json"], "none.json"),
    ],
)
def test_options_that_do_not_say_whose_log_exit_with_2(
    desk: Desk, arguments: list[str], advice: str
) -> None:
    given = [argument.format(key=desk.log.key) for argument in arguments]
    assert advice in desk.json("audit", *given, code=2)["advice"]


# Prove ------------------------------------------------------------------------------------------


def test_a_proof_goes_to_a_file_and_checks_offline(desk: Desk) -> None:
    proof, entry = desk.folder / "7.tlog-proof", desk.folder / "7.entry"
    out = ("--out", proof, "--entry-out", entry)
    assert "entry 7 of 300" in desk.run("prove", 7, *desk.here, *out).stdout
    assert "entry 7 of 300" in desk.run("check-proof", proof, "--entry", entry, *desk.keys).stdout
    facts = desk.json("check-proof", proof, "--entry", desk.log.entries[7].hex(), *desk.keys)
    assert (facts["ok"], facts["index"], facts["size"]) == (True, 7, 300)
    facts = desk.json(
        "check-proof", proof, "--entry", desk.log.entries[8].hex(), *desk.keys, code=1
    )
    assert facts["reason"] == "PROOF_WRONG"


def test_a_proof_goes_to_standard_output_and_nothing_else_does(desk: Desk) -> None:
    output = desk.run("prove", 299, *desk.here).stdout
    assert output.startswith("c2sp.org/tlog-proof@v1\nindex 299\n")
    assert output.encode().endswith(desk.log.note)
    facts = desk.json("prove", 299, *desk.here)
    assert facts["proof"] == output
    assert facts["entry"] == desk.log.entries[299].hex()


def test_an_entry_is_proven_by_its_record_id(desk: Desk) -> None:
    record_id = v1.LogEntry.FromString(desk.log.entries[42]).record_id.hex()
    assert desk.json("prove", record_id, *desk.here)["index"] == 42
    assert desk.json("prove", "0" * 32, *desk.here, code=1)["reason"] == "ENTRY_NOT_FOUND"


@pytest.mark.parametrize("entry", ["1_0", "+1", "", "0x10", "٣", "f" * 31])
def test_what_names_no_entry_exits_with_2(desk: Desk, entry: str) -> None:
    assert "neither" in desk.json("prove", entry, *desk.here, code=2)["advice"]


def test_files_that_cannot_be_used_exit_with_2(desk: Desk) -> None:
    proof = desk.folder / "proof"
    desk.json("check-proof", proof, "--entry", "00", *desk.keys, code=2)
    proof.write_bytes(bytes(2_000_000))
    assert (
        "too long" in desk.json("check-proof", proof, "--entry", "0", *desk.keys, code=2)["advice"]
    )
    proof.write_bytes(b"")
    desk.json("check-proof", proof, "--entry", "zz", *desk.keys, code=2)


# Watch ------------------------------------------------------------------------------------------


def test_a_look_says_how_the_log_grew(desk: Desk) -> None:
    watch = ("watch", *desk.here, "--once", "--state", desk.folder / "state")
    assert "first: 300 entries" in desk.run(*watch).stdout
    desk.log.append(log_entries(300, 400))
    facts = desk.json(*watch)
    assert (facts["ok"], facts["step"], facts["size"]) == (True, "grown", 400)
    assert facts["problems"] == facts["agreeing"] == []


def test_a_fork_raises_the_alarm_and_leaves_both_notes(desk: Desk) -> None:
    state = desk.folder / "state"
    watch = ("watch", *desk.here, "--once", "--state", state)
    desk.run(*watch)
    kept = desk.log.note
    fork = DirLog(desk.folder / "fork", witnesses=[WITNESS])
    fork.append(log_entries(0, 400, branch="other"))
    watch = ("watch", fork.folder, *watch[2:])
    result = desk.run(*watch, code=1)
    assert "ALARM: FORK_DETECTED" in result.stderr
    assert (state / "evidence-1/kept.checkpoint").read_bytes() == kept
    assert (state / "evidence-1/seen.checkpoint").read_bytes() == fork.note
    facts = desk.json(*watch, code=1)
    assert (facts["error"], facts["reason"]) == ("alarm", "FORK_DETECTED")
    assert facts["evidence"] == str(state / "evidence-1")
    assert (state / "checkpoint").read_bytes() == kept


def test_a_peer_that_cannot_be_asked_exits_with_3_and_one_that_forks_with_1(desk: Desk) -> None:
    watch = ("watch", *desk.here, "--once", "--state", desk.folder / "state")
    result = desk.run(*watch, "--peer", desk.folder / "none", code=3)
    assert "not compared: LOG_UNREADABLE: peer" in result.stderr
    fork = DirLog(desk.folder / "fork").append(log_entries(0, 300, branch="other"))
    result = desk.run(*watch, "--peer", fork.path("checkpoint"), code=1)
    assert "ALARM" in result.stderr


def test_a_kept_checkpoint_that_is_no_good_exits_with_2(desk: Desk) -> None:
    state = desk.folder / "state"
    state.mkdir()
    (state / "checkpoint").write_bytes(b"nonsense")
    watch = ("watch", *desk.here, "--state", state)
    assert desk.json(*watch, "--once", code=2)["reason"] == "STATE_UNUSABLE"
    assert desk.json(*watch, code=2)["reason"] == "STATE_UNUSABLE"


class Sleeps:
    """Stands in for time: before each wait ends, what comes next happens."""

    def __init__(self, *happens: Callable[[], object]) -> None:
        self.happens = list(happens)
        self.waits: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        if not self.happens:
            raise SystemExit(99)
        self.happens.pop(0)()


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Sleeps]:
    def put(*happens: Callable[[], object]) -> Sleeps:
        made = Sleeps(*happens)
        monkeypatch.setattr(log_watch, "SLEEP", made)
        return made

    return put


def test_watching_goes_on_until_there_is_an_alarm(
    desk: Desk, sleeps: Callable[..., Sleeps]
) -> None:
    log = desk.log
    waited = sleeps(
        lambda: log.append(log_entries(300, 400)),
        lambda: log.publish(b"garbage"),
        lambda: log.path("checkpoint").unlink(),
        log.publish,
        lambda: log.publish(log.sign(399)),
    )
    watch = ("watch", *desk.here, "--interval", 10, "--state", desk.folder / "state")
    result = desk.run(*watch, "--json", code=1)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line.get("step") or line["reason"] for line in lines] == [
        *("first", "grown", "CHECKPOINT_INVALID", "LOG_UNREADABLE", "same", "ROLLBACK_DETECTED")
    ]
    assert waited.waits == [10, 10, 20, 40, 10]
    assert "ALARM: ROLLBACK_DETECTED" in result.stderr


def test_watching_goes_on_after_an_alarm_where_that_was_asked_for(
    desk: Desk, sleeps: Callable[..., Sleeps]
) -> None:
    log = desk.log
    sleeps(
        lambda: log.publish(log.sign(299)),
        lambda: None,
        log.publish,
    )
    watch = ("watch", *desk.here, "--keep-going", "--state", desk.folder / "state")
    result = desk.run(*watch, code=99)
    assert result.stderr.count("ALARM") == 2
    assert result.stdout.splitlines()[-1].split()[1] == "same:"
    assert len(list((desk.folder / "state").glob("evidence-*"))) == 1
