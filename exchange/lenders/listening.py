"""Who waits in this process for changes of a lender, and is woken as they are written. Nothing depends on it.

A change is written by the database thread, before it is committed; whoever is woken reads on that same thread, and
so after the commit. What another process wrote is found by looking now and then.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterable, Iterator

_Listener = tuple[asyncio.AbstractEventLoop, asyncio.Event]

_lock = threading.Lock()
_listeners: dict[str, set[_Listener]] = {}


@contextlib.contextmanager
def listening(lender: str) -> Iterator[asyncio.Event]:
    """Give an event of the running loop that is set whenever a change of the lender is written here."""
    listener = asyncio.get_running_loop(), asyncio.Event()
    with _lock:
        _listeners.setdefault(lender, set()).add(listener)
    try:
        yield listener[1]
    finally:
        with _lock:
            _listeners[lender].discard(listener)
            if not _listeners[lender]:
                del _listeners[lender]


def written(lenders: Iterable[str]) -> None:
    """Wake who listens for these lenders; to be called from any thread, within the transaction."""
    with _lock:
        woken = [each for lender in lenders for each in _listeners.get(lender, ())]
    for loop, event in woken:
        with contextlib.suppress(RuntimeError):  # its loop was closed
            loop.call_soon_threadsafe(event.set)
