"""Group commit: many callers' small jobs in one durable transaction, on one database thread."""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from time import perf_counter
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from concordat.refusal import Refusal
from concordat.telemetry.metrics import BATCH_JOBS, COMMIT_SECONDS, STORE_FAILURES
from concordat.v1 import Reason

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - an item of a bulk job
MAX_GROUP = 256
TRIES_AGAIN = 3  # two processes may lock each other out, and then insert the same key

Bulk = Callable[[Connection, Sequence[I]], Sequence[T | Refusal]]

_log = structlog.get_logger("concordat.store")


class _Job:
    """One caller's item for a bulk function, and where its answer goes."""

    __slots__ = ("bulk", "future", "item", "result")

    def __init__(self, bulk: Bulk[Any, Any], item: object) -> None:
        self.bulk = bulk
        self.item = item
        self.future: Future[Any] = Future()
        self.result: object = None

    def settle(self) -> None:
        """Tell the caller, once the transaction is durable."""
        if not self.future.set_running_or_notify_cancel():
            return
        if isinstance(self.result, Refusal):
            self.future.set_exception(self.result)
        else:
            self.future.set_result(self.result)

    def fail(self, error: Exception) -> None:
        """Tell the caller that nothing was written."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


def _one_by_one(
    connection: Connection, works: Sequence[Callable[[Connection], T]]
) -> list[T | Refusal]:
    """Run single jobs in order; a ``Refusal`` is one job's answer."""
    results: list[T | Refusal] = []
    for work in works:
        try:
            results.append(work(connection))
        except Refusal as refusal:
            results.append(refusal)
    return results


class GroupCommit:
    """Runs jobs on one thread; an answer comes only after the commit that made it durable.

    A bulk job gets all items that wait for it at once, so that it can read and write them together, and
    returns one result for each; a ``Refusal`` among them is that caller's answer, and what was written
    for it stays. A single job must raise ``Refusal`` *before* its first write. Should anything else go
    wrong, the group is rolled back and every job is run again alone: one job's fault is no other's.
    """

    def __init__(self, engine: Engine, name: str = "store") -> None:
        """Start the thread."""
        self._engine = engine
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Queue a single job."""
        return self.submit_to(_one_by_one, work)

    def submit_to(self, bulk: "Bulk[I, T]", item: I) -> "Future[T]":
        """Queue an item for a bulk job; ``bulk`` is the same function object for items to be joined."""
        job = _Job(bulk, item)
        with (
            self._closing
        ):  # nothing is queued behind the end of the queue, where nobody would find it
            if not self._closed:
                self._jobs.put(job)
                return job.future
        job.fail(Refusal(Reason.REASON_UNAVAILABLE, "the store is closed"))
        return job.future

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do a single job and wait for it to be durable; for synchronous callers."""
        return self.submit(work).result()

    async def arun(self, work: Callable[[Connection], T]) -> T:
        """Do a single job and wait for it to be durable. Cancelling the caller does not undo it."""
        return await asyncio.shield(asyncio.wrap_future(self.submit(work)))

    async def arun_in(self, bulk: "Bulk[I, T]", item: I) -> T:
        """Do a bulk job's item and wait for it to be durable. Cancelling the caller does not undo it."""
        return await asyncio.shield(asyncio.wrap_future(self.submit_to(bulk, item)))

    def close(self) -> None:
        """Finish what is queued and stop; jobs that come later are refused (REASON_UNAVAILABLE)."""
        with self._closing:
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            group, stop = [first], False
            while len(group) < MAX_GROUP and not self._jobs.empty():
                job = self._jobs.get()
                if job is None:
                    stop = True
                    break
                group.append(job)
            self._commit(group)
            if stop:
                return

    def _commit(self, group: list[_Job], *, again: int = TRIES_AGAIN) -> None:
        began = perf_counter()
        by_bulk: dict[Bulk[Any, Any], list[_Job]] = {}
        for job in group:
            by_bulk.setdefault(job.bulk, []).append(job)
        try:
            with self._engine.begin() as connection:
                for bulk, jobs in by_bulk.items():
                    results = bulk(connection, [job.item for job in jobs])
                    for job, result in zip(jobs, results, strict=True):
                        job.result = result
        except Exception as error:  # noqa: BLE001 - whatever it was, every caller must hear of it
            self._recover(group, error, again=again)
        else:
            for job in group:
                job.settle()
            BATCH_JOBS.observe(len(group))
            COMMIT_SECONDS.observe(perf_counter() - began)

    def _recover(self, group: list[_Job], error: Exception, *, again: int) -> None:
        """After a failed group: run each job alone, or tell the only one what happened.

        A job alone is run again, a few times, where another process may have been in its way: it inserted
        the same key first, or the two locked each other out.
        """
        if len(group) > 1:
            for job in group:
                self._commit([job])
            return
        if again and isinstance(error, IntegrityError | OperationalError):
            self._commit(group, again=again - 1)
            return
        # The first line only: below it databases quote the row, and SQLAlchemy the parameters.
        detail = str(error).partition("\n")[0][:500]
        STORE_FAILURES.add()
        _log.error("job_failed", error=type(error).__name__, detail=detail)
        if isinstance(error, SQLAlchemyError):
            error = Refusal(
                Reason.REASON_UNAVAILABLE, f"the database failed: {type(error).__name__}"
            )
        group[0].fail(error)
