"""The command line as a whole: quick to start, exit codes in its help, nothing unknown."""

import subprocess
import sys
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from clients.cli import member, view, wallet
from clients.cli.main import GROUPS, app

COMMANDS = [
    (group, command)
    for group, module in (("view", view), ("wallet", wallet), ("member", member))
    for command in typer.main.get_command(module.app).commands  # type: ignore[attr-defined]
]


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_help_names_every_group_and_the_exit_codes() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for group in GROUPS:
        assert group in result.stdout
    assert "Exit codes" in result.stdout


@pytest.mark.parametrize(("group", "command"), COMMANDS)
def test_every_command_documents_exit_codes_and_json(group: str, command: str) -> None:
    result = run(group, command, "--help")
    assert result.exit_code == 0
    assert "Exit codes: 0 ok, 1 refused" in result.stdout
    assert "--json" in result.stdout


@pytest.mark.parametrize("arguments", [["nonsense"], ["view", "nonsense"], ["view", "verify"]])
def test_a_wrong_command_line_exits_with_2(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_help_starts_without_importing_grpc() -> None:
    script = (
        "import sys; from clients.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'grpc', 'cryptography', 'sqlalchemy', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_the_version_is_the_packages() -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("concordat ")
