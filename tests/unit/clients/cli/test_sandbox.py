"""`concordat sandbox up` and `concordat demo`, without the federation: what is told where, and codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clients.cli import demo, sandbox
from clients.cli.main import app
from clients.sandbox import Sandbox, SandboxError
from clients.sandbox.demo import Demo


class FakeProcess:
    """A process that is said to run, or not to."""

    def __init__(self, name: str, *, running: bool = True) -> None:
        self.name, self.running = name, running
        self.pid, self.config, self.log = 7, Path("settings.toml"), Path("log.jsonl")

    def log_tail(self) -> str:
        return f"the end of {self.name}'s log"


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[Sandbox]:
    """Make sandboxes that start nothing; return those that were stopped."""
    stopped: list[Sandbox] = []

    class Fake(Sandbox):
        def start(self) -> None:
            self.processes = {name: FakeProcess(name) for name in self.processes}  # type: ignore[misc]

        def close(self) -> None:
            stopped.append(self)

        @property
        def pki(self) -> Any:
            class NoPki:
                def member(self, member_id: str) -> Any:
                    return type("Files", (), {"folder": Path(member_id)})

            return NoPki()

    monkeypatch.setattr(Sandbox, "prepare", lambda self: None)
    monkeypatch.setattr(sandbox, "Sandbox", Fake)
    monkeypatch.setattr(sandbox, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(sandbox, "stop_on_sigterm", lambda: None)
    monkeypatch.setattr(demo, "stop_on_sigterm", lambda: None)
    return stopped


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def failing(*_: object) -> None:
    raise SandboxError("alder-bank ended by itself.")


UP = ("sandbox", "up", "--providers", "2")


def test_a_sandbox_in_json_says_what_runs_where(
    stopped: list[Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_watch", interrupted)
    result = run(*UP, "--json")
    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    assert facts["ok"] is True
    members = [process["member_id"] for process in facts["processes"]]
    assert members[:2] == ["concordat-exchange", "civil-registrar"]
    assert len(members) == 4
    assert Path(facts["trust_bundle"]).is_relative_to(facts["folder"])
    assert result.stderr.strip() == "stopped"
    assert len(stopped) == 1


def test_a_sandbox_whose_process_ends_by_itself_stops_the_others_and_fails(
    stopped: list[Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(federation: Sandbox) -> dict[str, Any]:
        name = federation.provider_ids[0]
        federation.processes[name].running = False  # type: ignore[misc]
        return {}

    monkeypatch.setattr(sandbox, "_facts", dying)
    result = run(*UP, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"ok": True}  # it was, and one object is what was promised
    assert "quillmere-bank-pool ended by itself" in result.stderr
    assert "the end of quillmere-bank-pool's log" in result.stderr
    assert len(stopped) == 1


def test_a_sandbox_that_cannot_start_says_why(
    stopped: list[Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sandbox, "prepare", failing)
    plain, machine = run(*UP), run(*UP, "--json")
    assert (plain.exit_code, machine.exit_code) == (1, 1)
    assert "the sandbox could not start: SandboxError: alder-bank ended" in plain.stderr
    told = json.loads(machine.stdout)
    assert (told["ok"], told["reason"]) == (False, "SandboxError")
    assert "alder-bank" in told["advice"]
    assert len(stopped) == 2


@pytest.mark.parametrize("command", [("demo",), ("sandbox", "up")])
def test_a_folder_with_something_in_it_is_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "root-1.key").touch()
    result = run(*command, "--folder", tmp_path)
    assert result.exit_code == 2
    assert "not empty" in result.stderr.replace("\n", " ")


@pytest.mark.parametrize("count", ["1", "9"])
def test_a_demo_needs_two_providers_and_has_eight(count: str) -> None:
    assert run("demo", "--providers", count).exit_code == 2


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_demo_is_told_on_standard_output_unless_that_is_for_json(
    flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ok(self: Demo) -> dict[str, Any]:
        self._console.print("demo: ok")
        return {"view": Path("demo-out/view.cbundle")}

    monkeypatch.setattr(Demo, "run", ok)
    monkeypatch.setattr(demo, "stop_on_sigterm", lambda: None)
    result = run("demo", *flags)
    assert result.exit_code == 0
    if flags:
        assert json.loads(result.stdout) == {"ok": True, "view": "demo-out/view.cbundle"}
        assert result.stderr == "demo: ok\n"
    else:
        assert (result.stdout, result.stderr) == ("demo: ok\n", "")


@pytest.mark.parametrize(
    ("fault", "reason"), [(interrupted, "INTERRUPTED"), (failing, "SandboxError")]
)
def test_a_demo_that_does_not_come_to_its_end_exits_with_1(
    fault: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Demo, "run", fault)
    monkeypatch.setattr(demo, "stop_on_sigterm", lambda: None)
    plain, machine = run("demo"), run("demo", "--json")
    assert (plain.exit_code, machine.exit_code) == (1, 1)
    assert "demo: ok" not in plain.output
    told = json.loads(machine.stdout)
    assert (told["ok"], told["reason"]) == (False, reason)
