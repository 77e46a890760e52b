"""The exchange and the registrar in processes of their own, under a clock that the run moves.

The clock is a number in shared memory: microseconds since 1970. Moving it makes nothing happen by itself;
``Exchange.pass_time`` returns once the exchange's timer has found nothing more to do.
"""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import structlog
import uvloop
from sqlalchemy import func, select

from benchmarks.chargeoffs.world import EXCHANGE, REGISTRAR, World
from concordat.clock import Clock, from_micros, to_micros
from concordat.settings import load_settings
from concordat.store.exclusive import only_process
from concordat.v1 import ListingState
from exchange.listings.table import listing
from exchange.log import table as log
from exchange.serve import open_exchange
from exchange.services import Parts
from exchange.settings import ExchangeSettings
from registrar.serve import serve as serve_registrar
from registrar.settings import RegistrarSettings

Counts = dict[tuple[str, str], int]
"""Listings by profile and state."""

_READY, _STOP = "ready", "stop"
_PREFIX = "LISTING_STATE_"


class Time:
    """The time of the run, one for all processes."""

    def __init__(self, start: datetime, context: SpawnContext) -> None:
        """Begin at ``start``."""
        self.shared: Synchronized[int] = context.Value("q", to_micros(start))
        self.clock = clock_of(self.shared)

    def set(self, moment: datetime) -> None:
        """Move on."""
        self.shared.value = to_micros(moment)


def clock_of(shared: "Synchronized[int]") -> Clock:
    """Return a clock that tells the time of the run."""
    return Clock(source=lambda: from_micros(shared.value))


class Exchange:
    """The exchange's process."""

    def __init__(self, process: SpawnProcess, pipe: Connection) -> None:
        """Talk to it through ``pipe``."""
        self.pid = process.pid
        self._pipe = pipe

    def pass_time(self) -> int:
        """Let the timer do all that is due by now, and the memory hear of it; return to how many listings."""
        done: int = self._ask("pass")
        return done

    def counts(self) -> Counts:
        """Return how many listings there are by profile and state."""
        counts: Counts = self._ask("count")
        return counts

    def log_drained(self) -> None:
        """Return once all that was entered is in a signed checkpoint."""
        self._ask("drain")

    def _ask(self, what: str) -> Any:
        self._pipe.send(what)
        return self._pipe.recv()


@contextmanager
def running(
    world: World, time: Time, context: SpawnContext
) -> Iterator[tuple[Exchange, int | None]]:
    """Start both; yield the exchange and the registrar's process id. On leaving, both are stopped."""
    ours, theirs = context.Pipe()
    stop_ours, stop_theirs = context.Pipe()
    exchange = context.Process(
        target=_run_exchange, args=(world.layout.config(EXCHANGE), theirs, time.shared)
    )
    registrar = context.Process(
        target=_run_registrar, args=(world.layout.config(REGISTRAR), stop_theirs, time.shared)
    )
    exchange.start()
    theirs.close()
    registrar.start()
    stop_theirs.close()
    try:
        assert ours.recv() == _READY
        yield Exchange(exchange, ours), registrar.pid
    finally:
        for pipe in (ours, stop_ours):
            pipe.send(_STOP)
        for process in (exchange, registrar):
            process.join(60)
            if process.is_alive():
                process.kill()


def new_context() -> SpawnContext:
    """Return how processes are made: afresh, for gRPC does not survive a fork."""
    return get_context("spawn")


def quietly() -> None:
    """Log warnings alone."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


# In the exchange's process ----------------------------------------------------------------------


def _run_exchange(config: Path, pipe: Connection, shared: "Synchronized[int]") -> None:
    quietly()
    settings = load_settings(ExchangeSettings, config)
    with only_process(settings.database):
        uvloop.run(_exchange(settings, pipe, clock_of(shared)))


async def _exchange(settings: ExchangeSettings, pipe: Connection, clock: Clock) -> None:
    async with open_exchange(settings, lambda _line: pipe.send(_READY), clock) as parts:
        while True:
            match await asyncio.to_thread(_received, pipe):
                case "pass":
                    pipe.send(await _pass_time(parts))
                case "count":
                    pipe.send(await _count(parts))
                case "drain":
                    pipe.send(await _drained(parts))
                case _:
                    return


def _received(pipe: Connection) -> str:
    try:
        return str(pipe.recv())
    except EOFError:  # whoever drives is gone
        return _STOP


async def _pass_time(parts: Parts) -> int:
    done = await asyncio.to_thread(parts.listings.run_due_now, parts.clock)
    await parts.listings.book.refresh()
    return done


async def _drained(parts: Parts) -> bool:
    while await parts.store.arun(log.anything_waits):  # noqa: ASYNC110 - another thread's
        await asyncio.sleep(0.01)
    return True


async def _count(parts: Parts) -> Counts:
    query = select(listing.c.profile, listing.c.state, func.count()).group_by(
        listing.c.profile, listing.c.state
    )
    rows = await parts.store.arun(lambda connection: connection.execute(query).all())
    return {
        (profile, ListingState.Name(state).removeprefix(_PREFIX)): count
        for profile, state, count in rows
    }


def _run_registrar(config: Path, pipe: Connection, shared: "Synchronized[int]") -> None:
    quietly()
    stop = threading.Event()

    def wait() -> None:
        _received(pipe)
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    serve_registrar(load_settings(RegistrarSettings, config), stop, clock_of(shared))
