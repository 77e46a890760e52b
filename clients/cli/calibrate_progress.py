"""How far a fit has come: a bar on a terminal, else a line now and then, on standard error."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

SECONDS_A_LINE = 5.0


@contextmanager
def progress_shown() -> Iterator[Callable[[str, float], None]]:
    """Yield what to call with what is being done and the share of it that is done, 0 to 1."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task("starting", total=1.0)
        yield lambda what, share: progress.update(task, description=what, completed=share)


def _lines(console: Console) -> Callable[[str, float], None]:
    last = time.monotonic()

    def tell(what: str, share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_A_LINE:
            last = time.monotonic()
            console.print(f"{what}: {share:.0%}", markup=False, highlight=False)

    return tell
