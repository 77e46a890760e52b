"""What the log is measured beside: a raw group commit of the same rows, and pymerkle's tree in SQLite."""

import asyncio
import itertools
import queue
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy.engine import make_url

from benchmarks.load import closed_loop
from benchmarks.log_writers import COLUMNS, Row
from concordat.store.group_commit import MAX_GROUP

_NUMBERS = {"sequence", "leaf_index", "logged_at"}
_ENTRY, _INDEX = COLUMNS.index("entry"), COLUMNS.index("leaf_index")


class RawTable(Protocol):
    """A table of the log's rows with one key and no other index, without any layer above the driver."""

    def insert(self, rows: Sequence[Row]) -> None:
        """Insert rows in one durable transaction."""

    def close(self) -> None:
        """Let go of it."""


class RawSqlite:
    """Through ``sqlite3``, set as the exchange's own database is."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(_create("BLOB"))
        self._insert = _insert("?")

    def insert(self, rows: Sequence[Row]) -> None:
        """See ``RawTable``."""
        with self._connection:
            self._connection.executemany(self._insert, rows)

    def close(self) -> None:
        """See ``RawTable``."""
        self._connection.close()


class RawPostgres:
    """Through psycopg, whose ``executemany`` sends a group in one pipeline."""

    def __init__(self, url: str) -> None:
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = psycopg.connect(plain)
        with self._connection.transaction():
            self._connection.execute("DROP TABLE IF EXISTS raw")
            self._connection.execute(_create("BYTEA").encode())
        self._insert = _insert("%s").encode()

    def insert(self, rows: Sequence[Row]) -> None:
        """See ``RawTable``."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(self._insert, rows)

    def close(self) -> None:
        """See ``RawTable``."""
        self._connection.close()


def _create(blob: str) -> str:
    columns = [f"{name} {'BIGINT' if name in _NUMBERS else blob}" for name in COLUMNS]
    return f"CREATE TABLE raw ({', '.join(columns)}, PRIMARY KEY (leaf_index))"


def _insert(mark: str) -> str:
    return f"INSERT INTO raw VALUES ({', '.join([mark] * len(COLUMNS))})"  # noqa: S608 - nobody's input


def replay(raw: RawTable, rows: Sequence[Row], groups: Sequence[int], seconds: float) -> float:
    """Insert rows in groups of these sizes, one after another with nobody waiting; return rows a second."""
    done, began = 0, time.perf_counter()
    for group in groups:
        raw.insert(rows[done : done + group])
        done += group
        if time.perf_counter() - began > seconds:
            break
    return done / (time.perf_counter() - began)


class _RawCommit:
    """Group commit at its barest: a queue, a thread, a transaction for all that waits."""

    def __init__(self, raw: RawTable) -> None:
        self._raw = raw
        self._queue: queue.SimpleQueue[tuple[Row, Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    async def insert(self, row: Row) -> None:
        future: Future[None] = Future()
        self._queue.put((row, future))
        await asyncio.wrap_future(future)

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            while len(group) < MAX_GROUP and not self._queue.empty():
                if (more := self._queue.get()) is None:
                    return
                group.append(more)
            self._raw.insert([row for row, _ in group])
            for _, future in group:
                future.set_result(None)


async def raw_writers(raw: RawTable, rows: Sequence[Row], writers: int, seconds: float) -> float:
    """Keep ``writers`` busy, each of whom inserts a row and waits until it is durable; return rows a second."""
    commit = _RawCommit(raw)
    numbers = itertools.count(1 << 40)  # beyond the keys that are there

    async def one(number: int) -> int:
        row = list(rows[number % len(rows)])
        row[_INDEX] = number
        await commit.insert(tuple(row))
        return 1

    try:
        return (await closed_loop(one, numbers, writers, seconds, {})).per_s
    finally:
        commit.close()


def pymerkle_rates(
    path: Path, rows: Sequence[Row], groups: Sequence[int], seconds: float
) -> tuple[float, float] | None:
    """Append the same entries to pymerkle's tree in the same groups; None where it is not installed.

    Returns entries a second, appended only, and appended with a root for each group and a proof for each
    entry, which is what a receipt holds.
    """
    try:
        tree_class = import_module("pymerkle").SqliteTree
    except ImportError:
        return None
    entries = [row[_ENTRY] for row in rows]
    appended = _pymerkle_rate(
        tree_class(str(path / "appended.db")), entries, groups, seconds, proved=False
    )
    proved = _pymerkle_rate(
        tree_class(str(path / "proved.db")), entries, groups, seconds, proved=True
    )
    return appended, proved


def _pymerkle_rate(
    tree: Any, entries: Sequence[bytes], groups: Sequence[int], seconds: float, *, proved: bool
) -> float:
    done, began = 0, time.perf_counter()
    for group in groups:
        size = tree.append_entries(entries[done : done + group])
        if proved:
            tree.get_root(size)
            for index in range(done + 1, size + 1):
                tree.prove_inclusion(index, size)
        done += group
        if time.perf_counter() - began > seconds:
            break
    rate = done / (time.perf_counter() - began)
    tree.close()
    return rate
