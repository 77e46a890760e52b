"""`concordat-witness`: the witness's commands. Exit codes: 0 ok, 1 failed, 2 usage."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from concordat.rpc.logs import configure_logs
from concordat.settings import load_settings
from concordat.store.engine import migrate, open_engine
from concordat.store.exclusive import only_process
from concordat.trust.keys import Ed25519Signer
from witness import MIGRATIONS
from witness.check import PROBLEMS
from witness.check import check as findings_of
from witness.serve import require_own_key, vkey_of
from witness.serve import serve as run_server
from witness.settings import WitnessSettings

app = typer.Typer(
    help=(
        "A witness of transparency logs (c2sp.org/tlog-witness): cosigns a checkpoint once it is "
        "proved to extend the one before. Exit codes: 0 done, 1 failed, 2 wrong usage."
    ),
    no_args_is_help=True,
)

Config = Annotated[Path, typer.Option("--config", "-c", help="The settings file (TOML).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn a failure into one line that says what to do, and exit code 1."""
    try:
        yield
    except (*PROBLEMS, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def init(config: Config) -> None:
    """Make the signing key, if there is none, and the database; print the verifier key.

    The verifier key is what the logs and their readers are told; it is the only line on standard output.
    """
    with told_plainly():
        settings = load_settings(WitnessSettings, config)
        path = settings.signing_key
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Ed25519Signer.generate().save(path, settings.passphrase())
            typer.echo(f"Made {path}. It must never leave this machine.", err=True)
        key = vkey_of(settings, require_own_key(settings))
        with only_process(settings.database):
            engine = open_engine(settings.database)
            migrate(engine, MIGRATIONS)
            engine.dispose()
    typer.echo("The database is at the newest schema.", err=True)
    typer.echo(str(key))


@app.command()
def serve(config: Config) -> None:
    """Serve logs and watchers until SIGTERM; logs are JSON lines on standard error."""
    with told_plainly():
        settings = load_settings(WitnessSettings, config)
        configure_logs("witness", settings.log_level)
        run_server(settings)


@app.command()
def check(config: Config, as_json: Json = False) -> None:
    """Tell whether key, logs and database are there and fit together."""
    with told_plainly():
        findings = list(findings_of(load_settings(WitnessSettings, config)))
    if as_json:
        rows = [{"what": f.what, "ok": f.ok, "detail": f.detail} for f in findings]
        typer.echo(json.dumps(rows, indent=2))
    else:
        for found in findings:
            typer.echo(f"{'ok    ' if found.ok else 'FAILED'}  {found.what}: {found.detail}")
    if not all(found.ok for found in findings):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
