"""`concordat`: everyone's client but the exchange's and the providers' own. One file a group of commands.

A group's module is imported when a command of it is run: `--help` and `--version` start at once.
"""

import os
from importlib import import_module, metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

GROUPS = {
    "pki": ("clients.cli.pki", "app", "Set up a federation's trust, offline."),
    "wallet": (
        "clients.cli.wallet",
        "app",
        "A subject's wallet: key, consents, listings, disputes.",
    ),
    "view": ("clients.cli.view", "app", "Request a view, show one, verify one offline."),
    "listings": ("clients.cli.listings", "app", "A lender's checks of listings, and recalls."),
    "lender": (
        "clients.cli.lender",
        "app",
        "A lender's duties after an access, and its watch over consented subjects.",
    ),
    "review": ("clients.cli.review", "app", "A reviewer's queue, evidence and rulings."),
    "regulator": (
        "clients.cli.regulator",
        "app",
        "License and supervise: members, cases, statistics, orders.",
    ),
    "member": ("clients.cli.member", "app", "List the members; submit licences and statuses."),
    "log": ("clients.cli.log", "app", "Audit the transparency log, watch it, prove entries."),
    "calibrate": (
        "clients.cli.calibrate",
        "app",
        "How scores are pooled: fit, audit, compare, sign; drift.",
    ),
    "doctor": (
        "clients.cli.doctor",
        "doctor",
        "Look a deployment over; say what is not well and what to do.",
    ),
    "sandbox": (
        "clients.cli.sandbox",
        "app",
        "A whole federation on this machine, for trying out.",
    ),
    "demo": ("clients.cli.sandbox", "demo", "Show everything once, from licence to verified view."),
}
"""Name of each group: its module, the typer app in it, and what it is for."""

EPILOG = (
    "Exit codes: 0 ok; 1 refused or not verified; 2 wrong usage, or a local file that cannot be used "
    "(pki: 1); 3 a peer cannot be reached; 4 a partial view that was not accepted. "
    "With --json every command prints one JSON object with the key 'ok'; a failure has 'error', 'reason' "
    "and 'advice' too. A wrong command line is told in words."
)


class LazyGroup(TyperGroup):
    """Knows its groups by name, and imports one when it is called."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in the order that a newcomer needs them."""
        del ctx
        return list(GROUPS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a group: a stand-in with its summary where only help is printed."""
        del ctx
        if cmd_name not in GROUPS:
            return None
        module, name, summary = GROUPS[cmd_name]
        if self._listing:
            return TyperGroup(name=cmd_name, help=summary)
        try:
            found = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            return None
        if not isinstance(found, typer.Typer):  # a single command, not a group
            single = typer.Typer(add_completion=False)
            single.command(epilog=EPILOG)(found)
            found = single
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print help from the summaries, without importing the groups."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


app = typer.Typer(
    cls=LazyGroup,
    help="Concordat: one verified credit view from independent providers.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"concordat {metadata.version('concordat')}")
        raise typer.Exit


def _trace() -> None:
    """Trace the command's calls; exit with 2 where that can't be done as the environment says."""
    from concordat.settings import SettingsError  # noqa: PLC0415 - seldom needed, and slow
    from concordat.telemetry.traces import configure_traces  # noqa: PLC0415 - likewise

    try:
        configure_traces("concordat")
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hold the options of every command, and trace its calls where the environment asks for it."""
    del version
    if os.environ.get("OTEL_TRACES_EXPORTER"):
        _trace()


if __name__ == "__main__":
    app(prog_name="concordat")
