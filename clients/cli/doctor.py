"""`concordat doctor`: look a deployment over, and say what to do about what is not well."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clients.cli.console import Exit, JsonOption, TrustBundle, console, echo_json, failing
from clients.cli.console import fail as stop
from clients.doctor.concurrently import Told
from clients.doctor.examine import Given, examine
from clients.doctor.finding import Finding, Status, passes
from concordat.federation.anchors import load_anchors

_STYLES = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}


def doctor(
    trust_bundle: TrustBundle,
    member: Annotated[
        Path | None,
        typer.Option(
            help="A member's folder (tls.crt, tls.key): its certificate, and members' ports, too."
        ),
    ] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option(
            "--config",
            "-c",
            help="A process's settings on this machine: its database, certificate and disks too. Repeatable.",
        ),
    ] = None,
    backup: Annotated[
        Path | None, typer.Option(help="A backup of the exchange, or the folder that they are in.")
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A witness's prefix; those in the trust bundle and the settings are asked anyway. Repeatable.",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Take a warning for a failure.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only what is not well, as for cron.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(min=1, max=300, help="The longest that each round of checks may take.")
    ] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Look over clock, certificates, licences, members, databases, log, witnesses, disks and backups.

    It writes nothing and asks for nothing about anybody. What can't be looked at with what was given is named.

    Exit codes: 0 all well, or warnings only; 1 something failed (with --strict, or is warned of); 2 usage.
    """
    with failing("the deployment was not looked over", as_json=as_json):
        given = Given(
            load_anchors(trust_bundle),
            member,
            tuple(config or ()),
            backup,
            tuple(witness or ()),
            seconds,
            now=lambda: datetime.now(UTC),
        )
        with _shown() as told:
            findings = examine(given, told)
    well = passes(findings, strict=strict)
    if as_json:
        _print_json(findings, given.unseen, well=well)
    else:
        _print(findings, given.unseen, quiet=quiet)
    if not well:
        raise typer.Exit(Exit.REFUSED)


@contextmanager
def _shown() -> Iterator[Told]:
    """Show on a terminal how many checks are done."""
    err = Console(stderr=True)
    if not err.is_terminal:
        yield lambda _done, _of: None
        return
    with err.status("looking") as status:
        yield lambda done, of: status.update(f"looking: {done} of {of} checks")


def _print_json(findings: Sequence[Finding], unseen: Sequence[str], *, well: bool) -> None:
    """Print the JSON of an examination; its keys stay as they are."""
    facts = {"checks": [asdict(finding) for finding in findings], "not_looked_at": list(unseen)}
    if well:
        echo_json(ok=True, **facts)
        return
    bad = [each for each in findings if each.status != Status.OK]
    advice = "; ".join(dict.fromkeys(f"{each.check}: {each.advice}" for each in bad))
    stop("something is not well", Exit.REFUSED, "NOT_WELL", advice, as_json=True, **facts)


def _print(findings: Sequence[Finding], unseen: Sequence[str], *, quiet: bool) -> None:
    shown = [each for each in findings if not quiet or each.status != Status.OK]
    out = console()
    if shown:
        table = Table("check", "", "what was found, and what to do")
        for each in shown:
            advice = f"\n→ {each.advice}" if each.advice else ""
            status = Text(each.status.value, _STYLES[each.status])
            table.add_row(each.check, status, each.found + advice)
        out.print(table)
    if not quiet:
        for what in unseen:
            out.print(f"not looked at: {what}")
        count = {status: sum(each.status == status for each in findings) for status in Status}
        out.print(", ".join(f"{number} {status.value}" for status, number in count.items()))
