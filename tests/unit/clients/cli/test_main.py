"""The command lines as a whole: quick to start, exit codes in every help, JSON from every command."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from clients.cli.main import GROUPS, app
from exchange.main import app as exchange
from provider.main import app as provider
from registrar.main import app as registrar

PROGRAMS = {
    "concordat": app,
    "concordat-exchange": exchange,
    "concordat-provider": provider,
    "concordat-registrar": registrar,
}
# They say one thing when they are ready, and log JSON until they are stopped.
SERVERS = {f"{program} serve" for program in PROGRAMS if program != "concordat"}


def commands(command: Any, path: str) -> Iterator[str]:
    """Yield every command under a group, by what is typed."""
    if not hasattr(command, "list_commands"):
        yield path
        return
    for name in command.list_commands(None):
        yield from commands(command.get_command(None, name), f"{path} {name}")


COMMANDS = [
    path
    for program, found in PROGRAMS.items()
    for path in commands(typer.main.get_command(found), program)
]


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_help_names_every_group_and_the_exit_codes() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for group in GROUPS:
        assert group in result.stdout
    assert "Exit codes" in result.stdout


def test_every_program_and_group_is_walked_through() -> None:
    walked = {" ".join(path.split()[:2]) for path in COMMANDS}
    assert {f"concordat {group}" for group in GROUPS} | SERVERS <= walked
    assert {"concordat demo", "concordat sandbox up", "concordat pki init"} <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_documents_its_exit_codes_and_has_json(path: str) -> None:
    program, *words = path.split()
    result = CliRunner().invoke(PROGRAMS[program], [*words, "--help"])
    assert result.exit_code == 0
    assert "Exit codes: 0 " in result.stdout
    assert ("--json" in result.stdout) == (path not in SERVERS)


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


def test_no_command_but_those_that_serve_loads_what_serves_pages_or_metrics() -> None:
    script = (
        "import sys\n"
        "import clients.cli.lender, clients.cli.regulator, clients.cli.wallet\n"
        "heavy = {'clients.console', 'prometheus_client', 'uvicorn'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_the_version_is_the_packages() -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("concordat ")
