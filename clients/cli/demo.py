"""`concordat demo`: everything once, from the first licence to a view verified offline."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clients.sandbox.demo import Demo
from clients.sandbox.processes import stop_on_sigterm

app = typer.Typer()


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for the view, the trust bundle and how to check them.")
    ] = Path("demo-out"),
) -> None:
    """Start a federation of eight providers on this machine and walk through it; under 90 seconds.

    Ends with the line "demo: ok". Exit codes: 0 all went as it should; 1 something did not.
    """
    console = Console()
    stop_on_sigterm()
    try:
        Demo(console, out).run()
    except KeyboardInterrupt:
        console.print("demo: interrupted; every process is stopped")
        raise typer.Exit(1) from None
    except Exception as error:
        name, notes = type(error).__name__, "\n".join(getattr(error, "__notes__", []))
        Console(stderr=True).print(
            f"demo: failed: {name}: {error}\n{notes}\nEvery process is stopped.",
            style="red",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        raise typer.Exit(1) from error
