"""`concordat demo`: everything once, from the first licence to a view verified offline."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clients.cli.console import Exit, JsonOption, echo_json, new_folder, stop_with
from clients.sandbox.demo import FEWEST, Demo
from clients.sandbox.processes import stop_on_sigterm

app = typer.Typer()


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for the view, the trust bundle and how to check them.")
    ] = Path("demo-out"),
    providers: Annotated[int, typer.Option(min=FEWEST, max=8, help="How many providers.")] = 8,
    folder: Annotated[
        Path | None, typer.Option(help="Keep keys, databases and logs here; empty or not there.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start a federation of eight providers on this machine and walk through it; under 90 seconds.

    Ends with the line "demo: ok". With --json the walk is told on standard error, and what it showed
    is printed at the end.

    Exit codes: 0 all went as it should; 1 something did not; 2 wrong usage.
    """
    new_folder(folder)
    console = Console(stderr=as_json)
    stop_on_sigterm()
    try:
        facts = Demo(console, out, providers, folder).run()
    except KeyboardInterrupt:
        console.print("demo: interrupted; every process is stopped")
        if as_json:
            echo_json(ok=False, error="the demo was interrupted", reason="INTERRUPTED", advice="")
        raise typer.Exit(Exit.REFUSED) from None
    except Exception as error:  # noqa: BLE001 - whatever went wrong is told
        stop_with("demo: failed", error, "Every process is stopped.", as_json=as_json)
    if as_json:
        echo_json(ok=True, **facts)
