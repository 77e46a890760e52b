"""`concordat-registrar`: the registrar's commands. Exit codes: 0 ok, 1 failed, 2 usage."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from concordat.federation.anchors import load_anchors
from concordat.rpc.logs import configure_logs
from concordat.settings import SettingsError, load_settings
from concordat.store.engine import migrate, open_engine
from concordat.store.exclusive import only_process
from concordat.telemetry.traces import configure_traces
from registrar import MIGRATIONS
from registrar.check import PROBLEMS
from registrar.check import check as findings_of
from registrar.codes import EnrolmentCodes
from registrar.derivation import KeyedHashDerivation, load_key, make_key
from registrar.issue import (
    IdentityMalformedError,
    Issuer,
    issue_many,
    open_secret_file,
    read_numbers,
)
from registrar.serve import form_of
from registrar.serve import serve as run_server
from registrar.settings import RegistrarSettings

CODES = "Exit codes: 0 done, 1 failed, 2 wrong usage."

app = typer.Typer(
    help=(
        "The registrar of a Concordat federation: turns identity numbers into subject references, "
        "binds subjects' keys."
    ),
    epilog=CODES,
    no_args_is_help=True,
)

Config = Annotated[Path, typer.Option("--config", "-c", help="The settings file (TOML).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def told_plainly(*, as_json: bool = False) -> Iterator[None]:
    """Turn a failure into one line that says what to do, and exit code 1."""
    try:
        yield
    except (*PROBLEMS, IdentityMalformedError, OSError) as error:
        if as_json:
            typer.echo(json.dumps({"ok": False, "error": str(error)}))
        else:
            typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


@app.command(epilog=CODES)
def init(config: Config, as_json: Json = False) -> None:
    """Make the derivation key, if there is none, and bring the database to the newest schema."""
    with told_plainly(as_json=as_json):
        settings = load_settings(RegistrarSettings, config)
        key = settings.identity.derivation_key
        made = make_key(key)
        load_key(key)
        with only_process(settings.database):
            engine = open_engine(settings.database)
            migrate(engine, MIGRATIONS)
            engine.dispose()
    if as_json:
        typer.echo(json.dumps({"ok": True, "derivation_key": str(key), "made": made}))
        return
    if made:
        typer.echo(f"Made {key}. Keep a copy under lock: without it every reference is lost.")
    typer.echo("The database is at the newest schema.")


@app.command(epilog=CODES)
def serve(config: Config) -> None:
    """Serve members and subjects until SIGTERM; logs are JSON lines on standard error."""
    with told_plainly():
        settings = load_settings(RegistrarSettings, config)
        configure_logs("registrar", settings.log_level)
        configure_traces("concordat-registrar")
        run_server(settings)


@app.command("issue-code", epilog=CODES)
def issue_code(
    config: Config,
    identity: Annotated[
        str | None,
        typer.Option(help="The person's identity number; asked for if not given."),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Issue for many: a file, one number a line.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --from: the CSV to write; only you can read it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Issue a one-time code once you know who the person is. Shown once, stored nowhere.

    Works while the registrar is serving: it needs the key and no database.
    """
    if (source is None) != (out is None) or (source and identity):
        raise typer.BadParameter("give --identity, or --from and --out together")
    with told_plainly():
        settings = load_settings(RegistrarSettings, config)
        issuer = _issuer(settings)
        expires_at = datetime.now(UTC) + timedelta(hours=settings.identity.code_hours)
        if source is not None and out is not None:
            return _issue_file(issuer, source, out, expires_at, as_json)
        number = identity or typer.prompt("Identity number", hide_input=True)
        code = issuer.issue(number, expires_at)
    until = expires_at.isoformat(timespec="minutes")
    typer.echo(
        json.dumps({"enrolment_code": code, "expires_at": until})
        if as_json
        else f"{code}\nworks once, until {until}"
    )
    return None


@app.command(epilog=CODES)
def check(config: Config, as_json: Json = False) -> None:
    """Tell whether keys, certificate, trust bundle and database are there and fit together."""
    with told_plainly():
        findings = list(findings_of(load_settings(RegistrarSettings, config)))
    if as_json:
        rows = [{"what": f.what, "ok": f.ok, "detail": f.detail} for f in findings]
        typer.echo(json.dumps(rows, indent=2))
    else:
        for found in findings:
            typer.echo(f"{'ok    ' if found.ok else 'FAILED'}  {found.what}: {found.detail}")
    if not all(found.ok for found in findings):
        raise typer.Exit(1)


def _issuer(settings: RegistrarSettings) -> Issuer:
    federation = load_anchors(settings.trust_bundle).federation
    key = load_key(settings.identity.derivation_key)
    return Issuer(
        KeyedHashDerivation(key, federation, form_of(settings)), EnrolmentCodes(key, federation)
    )


def _issue_file(
    issuer: Issuer, source: Path, out: Path, expires_at: datetime, as_json: bool
) -> None:
    numbers = read_numbers(source)
    if not numbers:
        raise SettingsError(f"{source} holds no identity number")
    with open_secret_file(out) as file:
        try:
            for _ in track(
                issue_many(issuer, numbers, expires_at, file),
                "Issuing",
                total=len(numbers),
                console=Console(stderr=True),
            ):
                pass
        except BaseException:
            out.unlink()
            raise
    facts = {"codes": len(numbers), "out": str(out), "expires_at": expires_at.isoformat()}
    typer.echo(json.dumps(facts) if as_json else f"Wrote {len(numbers)} codes to {out}.")


if __name__ == "__main__":
    app()
