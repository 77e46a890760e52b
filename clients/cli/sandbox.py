"""`concordat sandbox`: a whole federation on this machine, for trying things out."""

import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clients.cli.demo import app as demo
from clients.sandbox import LENDER, REGISTRAR, Sandbox, SandboxError
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
) -> None:
    """Start exchange, registrar and providers, and keep them until Ctrl-C.

    Exit codes: 0 stopped; 1 it could not start, or a process ended by itself; 2 wrong usage.
    """
    console = Console()
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise typer.BadParameter(f"{folder} is not empty; name a new folder")
    stop_on_sigterm()
    stage = console.status("")
    federation = Sandbox(providers=providers, scores=scores, folder=folder, say=stage.update)
    try:
        stage.start()
        with federation:
            stage.stop()
            _explain(console, federation)
            _watch(federation)
    except KeyboardInterrupt:
        console.print("stopped")
    except (SandboxError, OSError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
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


def _explain(console: Console, federation: Sandbox) -> None:
    """Print what runs where, and commands to go on with."""
    console.print(processes(federation))
    person = Path(EXAMPLE_WALLET)
    code = f"concordat-registrar issue-code -c {federation.config(REGISTRAR)} --identity {BORROWER}"
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
        "Ctrl-C stops everything.",
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
