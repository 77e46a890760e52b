"""Stretches of a log checked in order, in this process or by several."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait

from clients.auditor.chunks import Checked, Stretch, check_stretch
from clients.auditor.entries import CheckEntry
from clients.auditor.errors import LogUnreadable
from clients.auditor.source import LogSource, open_source

AHEAD = 2
"""Stretches a process may be ahead of what was taken, so that results do not pile up in memory."""


def check_stretches(
    source: LogSource, stretches: Iterable[Stretch], check: CheckEntry, jobs: int
) -> Generator[Checked, None, None]:
    """Yield what each stretch holds, in their order; raise for the first that is wrong.

    Close the iterator, or exhaust it, to end the processes. Each opens ``source.name`` for itself.
    """
    if jobs == 1:
        for stretch in stretches:
            yield check_stretch(source, stretch, check)
        return
    # Processes are started afresh: a fork would copy whatever threads hold at that moment.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, _start, (source.name, check))
    try:
        yield from _in_order(pool, stretches, jobs)
    except BrokenProcessPool as error:
        raise LogUnreadable(
            "a process that checked entries was killed; fewer --jobs take less memory"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, stretches: Iterable[Stretch], jobs: int
) -> Iterator[Checked]:
    waiting: deque[Future[Checked]] = deque()
    for stretch in stretches:
        waiting.append(pool.submit(_check, stretch))
        if len(waiting) > AHEAD * jobs:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


_here: tuple[LogSource, CheckEntry] | None = None  # of a worker process


def _start(source: str, check: CheckEntry) -> None:
    global _here  # noqa: PLW0603 - an initializer has no other way to hand on what it made
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _here = open_source(source), check


def _end_with_parent() -> None:
    """A worker of a parent that was killed would otherwise wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _check(stretch: Stretch) -> Checked:
    if _here is None:
        raise RuntimeError("the worker process was not started by check_stretches")
    source, check = _here
    return check_stretch(source, stretch, check)
