"""How far it has come, on standard error, once it takes longer than two seconds."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from exchange.backup.snapshot import Tell

SILENT_SECONDS = 2.0
SECONDS_A_LINE = 5.0
_EVERY = 256  # steps between looks at the clock


@contextmanager
def progress_shown(console: Console) -> Iterator[Tell]:
    """Yield what to call after each step: a bar on a terminal, else a line now and then."""
    with ExitStack() as stack:
        yield (_bar if console.is_terminal else _lines)(console, stack)


def _lines(console: Console, _stack: ExitStack) -> Tell:
    due, looked = time.monotonic() + SILENT_SECONDS, 0

    def tell(what: str, done: int, of: int) -> None:
        nonlocal due, looked
        if abs(done - looked) < _EVERY:
            return
        looked = done
        if time.monotonic() >= due:
            due = time.monotonic() + SECONDS_A_LINE
            console.print(f"{what}: {done:,} of {of:,}", markup=False, highlight=False)

    return tell


def _bar(console: Console, stack: ExitStack) -> Tell:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
    progress = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
    task = progress.add_task("starting", total=None)
    begins, begun, looked = time.monotonic() + SILENT_SECONDS, False, 0

    def tell(what: str, done: int, of: int) -> None:
        nonlocal begun, looked
        if abs(done - looked) < _EVERY:
            return
        looked = done
        if not begun and time.monotonic() >= begins:
            begun = True
            stack.enter_context(progress)
        progress.update(task, description=what, completed=done, total=of)

    return tell
