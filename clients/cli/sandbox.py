"""`concordat sandbox`: a whole federation on this machine, for trying things out."""

import threading
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from clients.cli.console import JsonOption, echo_json, new_folder, stop_with
from clients.cli.demo import app as demo
from clients.sandbox import LENDER, REGISTRAR, REVIEWER, Debt, Sandbox, SandboxError
from clients.sandbox.demo_tables import processes
from clients.sandbox.processes import stop_on_sigterm

__all__ = ["app", "demo"]

app = typer.Typer(help="A whole federation on this machine, for trying out.", no_args_is_help=True)

BORROWER, EXAMPLE_WALLET = "SBA-1011794009", "my-wallet"
_LOOK_SECONDS = 1.0


@app.callback()
def sandbox() -> None:
    """Hold the commands of the group."""


@app.command()
def up(
    folder: Annotated[
        Path | None, typer.Option(help="Keep keys, databases and logs here; empty or not there.")
    ] = None,
    providers: Annotated[int, typer.Option(min=1, max=8, help="How many providers.")] = 8,
    scores: Annotated[bool, typer.Option(help="Load the real scores (takes longer).")] = True,
    as_json: JsonOption = False,
) -> None:
    """Start exchange, registrar and providers, and keep them until Ctrl-C or SIGTERM.

    With --json one object says what runs where, once all of it answers.

    Exit codes: 0 stopped; 1 it could not start, or a process ended by itself; 2 wrong usage.
    """
    new_folder(folder)
    console = Console(stderr=as_json)
    stop_on_sigterm()
    stage = console.status("")
    federation = Sandbox(providers=providers, scores=scores, folder=folder, say=stage.update)
    answered = False
    try:
        stage.start()
        with federation:
            stage.stop()
            if as_json:
                echo_json(ok=True, **_facts(federation))
            else:
                _explain(console, federation)
            answered = True
            _watch(federation)
    except KeyboardInterrupt:
        console.print("stopped")
    except (SandboxError, OSError) as error:
        what = "the sandbox could not go on" if answered else "the sandbox could not start"
        stop_with(what, error, as_json=as_json and not answered)
    finally:
        stage.stop()


def _watch(federation: Sandbox) -> None:
    """Wait for ever; raise ``SandboxError`` once a process has ended by itself."""
    nothing = threading.Event()
    while True:
        nothing.wait(_LOOK_SECONDS)
        for process in federation.processes.values():
            if not process.running:
                raise SandboxError(f"{process.name} ended by itself.\n{process.log_tail()}")


def _facts(federation: Sandbox) -> dict[str, Any]:
    """Return what runs where, for programs."""
    return {
        "folder": federation.folder,
        "trust_bundle": federation.trust_bundle,
        "lender": federation.pki.member(LENDER).folder,
        "reviewer": federation.pki.member(REVIEWER).folder,
        "processes": [
            {
                "member_id": member_id,
                "pid": process.pid,
                "members": federation.ports[member_id].member_address,
                "subjects": federation.ports[member_id].public_address,
                "settings": process.config,
                "log": process.log,
                "scores_loaded": federation.rows_loaded.get(member_id),
            }
            for member_id, process in federation.processes.items()
        ],
    }


def _explain(console: Console, federation: Sandbox) -> None:
    """Print what runs where, and commands to go on with."""
    console.print(processes(federation))
    person = Path(EXAMPLE_WALLET)
    code = f"concordat-registrar issue-code -c {federation.config(REGISTRAR)} --identity {BORROWER}"
    furnisher = federation.config(federation.provider_ids[0])
    debt = Debt(reference="L-1", amount="750.00", delinquent_since="2012-03-01").typed
    asked = " ".join(f"--provider {name}" for name in federation.provider_ids)
    lender = federation.pki.member(LENDER).folder
    lines = [
        f"folder: {federation.folder} (settings, data and log of each process; keys in pki/)",
        "",
        "Try, in another terminal:",
        f"export CONCORDAT_TRUST_BUNDLE={federation.trust_bundle} CONCORDAT_WALLET={person}",
        "concordat member list",
        "concordat wallet new",
        f'concordat wallet bind --identity-number {BORROWER} --enrolment-code "$({code} | head -1)"',
        f"concordat wallet grant --recipient {LENDER} {asked} --out {person}.consent",
        f"concordat view request --member {lender} --consent {person}.consent --out my-view.cbundle",
        "concordat view verify my-view.cbundle",
        "",
        "And a listing, whose notice period is of seconds:",
        "echo agreement > agreement.pdf",
        f"concordat-provider listings file -c {furnisher} --identity-number {BORROWER} {debt}",
        "concordat wallet inbox",
        "concordat wallet listings",
        f"concordat review queue --member {federation.pki.member(REVIEWER).folder}",
        "",
        "Ctrl-C stops everything.",
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
