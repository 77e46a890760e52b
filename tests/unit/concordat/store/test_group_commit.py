"""Group commit on both databases: an answer means durable, and one caller's fault is no other's."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError, OperationalError

from concordat.refusal import Refusal
from concordat.store.engine import open_engine
from concordat.store.group_commit import MAX_GROUP, GroupCommit
from concordat.v1 import Reason

METADATA = MetaData()
ROW = Table(
    "group_commit_row",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("body", LargeBinary),
)


class Book:
    """A store, and what somebody else finds in its database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine: Engine = open_engine(url)
        METADATA.drop_all(self.engine)
        METADATA.create_all(self.engine)
        self.store = GroupCommit(self.engine)

    def seen_by_others(self) -> list[int]:
        """What another connection finds: only what has been committed."""
        other = create_engine(self.url)
        with other.connect() as connection:
            found = list(connection.scalars(select(ROW.c.id).order_by(ROW.c.id)))
        other.dispose()
        return found

    def close(self) -> None:
        self.store.close()
        self.engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Book]:
    if request.param == "sqlite":
        book = Book(f"sqlite:///{tmp_path / 'rows.db'}")
    else:
        book = Book(request.getfixturevalue("postgres_url"))
    yield book
    book.close()


def put(number: int) -> Callable[[Connection], int]:
    def work(connection: Connection) -> int:
        connection.execute(insert(ROW).values(id=number))
        return number

    return work


def refuse(_connection: Connection) -> int:
    raise Refusal(Reason.REASON_CONSENT_REVOKED, "before any write")


def fault(connection: Connection) -> int:
    connection.execute(insert(ROW).values(id=666))
    raise RuntimeError("a fault of ours, after a write")


class Gate:
    """A job that holds the database thread, so that what follows waits and is taken as one group."""

    def __init__(self, store: GroupCommit) -> None:
        self._open, self._reached = threading.Event(), threading.Event()
        self._future = store.submit(self._wait)
        assert self._reached.wait(5)

    def _wait(self, _connection: Connection) -> None:
        self._reached.set()
        assert self._open.wait(5)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._open.set()
        self._future.result(5)


def test_what_was_answered_is_there_for_others(book: Book) -> None:
    for number in range(5):
        assert book.store.run(put(number)) == number
        assert book.seen_by_others() == [*range(number + 1)]


def test_no_answer_comes_before_the_commit(book: Book) -> None:
    committing, may_commit = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        committing.set()
        assert may_commit.wait(5)

    event.listen(book.engine, "commit", hold)
    future = book.store.submit(put(1))
    assert committing.wait(5)
    assert not future.done()
    may_commit.set()
    assert future.result(5) == 1


def test_a_fault_of_one_job_is_no_other_jobs(book: Book) -> None:
    with Gate(book.store):
        good = [book.store.submit(put(number)) for number in range(3)]
        bad = book.store.submit(fault)
        twice = book.store.submit(put(1))
        good += [book.store.submit(put(number)) for number in range(3, 6)]
    assert [future.result(5) for future in good] == [*range(6)]
    assert isinstance(bad.exception(5), RuntimeError)
    assert isinstance(twice.exception(5), Refusal)
    assert book.seen_by_others() == [*range(6)]


def test_a_refusal_is_one_jobs_answer_and_undoes_nothing_of_the_others(book: Book) -> None:
    with Gate(book.store):
        first, refused, last = (book.store.submit(work) for work in (put(1), refuse, put(2)))
    assert (first.result(5), last.result(5)) == (1, 2)
    with pytest.raises(Refusal, match="CONSENT_REVOKED"):
        refused.result(5)
    assert book.seen_by_others() == [1, 2]


def test_items_that_wait_are_joined_in_one_bulk_job(book: Book) -> None:
    calls: list[list[int]] = []

    def bulk(connection: Connection, items: Sequence[int]) -> list[int | Refusal]:
        calls.append(list(items))
        connection.execute(insert(ROW), [{"id": item} for item in items])
        odd = Refusal(Reason.REASON_CONSENT_EXHAUSTED)
        return [odd if item % 2 else item * 10 for item in items]

    with Gate(book.store):
        futures = [book.store.submit_to(bulk, item) for item in range(6)]
        between = book.store.submit(put(100))
    answers = [future.exception(5) or future.result(5) for future in futures]
    assert calls == [[*range(6)]]
    assert [a if isinstance(a, int) else "refused" for a in answers] == [
        0, "refused", 20, "refused", 40, "refused",
    ]  # fmt: skip
    assert between.result(5) == 100
    assert book.seen_by_others() == [*range(6), 100]


def test_a_bulk_job_that_fails_together_is_done_one_by_one(book: Book) -> None:
    def bulk(connection: Connection, items: Sequence[int]) -> list[int | Refusal]:
        connection.execute(insert(ROW), [{"id": item} for item in items])
        if 3 in items:
            raise RuntimeError("poisoned by one item")
        return list(items)

    with Gate(book.store):
        futures = [book.store.submit_to(bulk, item) for item in range(6)]
    failed = [n for n, future in enumerate(futures) if future.exception(5)]
    assert failed == [3]
    assert book.seen_by_others() == [0, 1, 2, 4, 5]


def test_a_bulk_job_that_forgets_an_answer_writes_nothing(book: Book) -> None:
    def bulk(connection: Connection, items: Sequence[int]) -> list[int | Refusal]:
        connection.execute(insert(ROW), [{"id": item} for item in items])
        return []

    with pytest.raises(ValueError, match="shorter"):
        book.store.submit_to(bulk, 1).result(5)
    assert book.seen_by_others() == []


def test_more_than_a_group_is_done_in_several(book: Book) -> None:
    sizes: list[int] = []

    def bulk(_connection: Connection, items: Sequence[int]) -> list[int | Refusal]:
        sizes.append(len(items))
        return list(items)

    with Gate(book.store):
        futures = [book.store.submit_to(bulk, item) for item in range(2 * MAX_GROUP + 1)]
    assert [future.result(5) for future in futures] == [*range(2 * MAX_GROUP + 1)]
    assert sizes == [MAX_GROUP, MAX_GROUP, 1]


def test_a_caller_that_goes_away_undoes_nothing(book: Book) -> None:
    async def caller() -> None:
        with Gate(book.store):
            waiting = asyncio.create_task(book.store.arun(put(7)))
            patient = asyncio.create_task(book.store.arun(put(8)))
            await asyncio.sleep(0.01)
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await waiting
        assert await asyncio.wait_for(patient, 5) == 8

    asyncio.run(caller())
    assert book.seen_by_others() == [7, 8]


def test_a_refusal_reaches_an_asyncio_caller(book: Book) -> None:
    with pytest.raises(Refusal, match="CONSENT_REVOKED"):
        asyncio.run(book.store.arun(refuse))


class FullDisk:
    """Makes every commit of an engine fail while it is set, as a full disk does."""

    def __init__(self, engine: Engine) -> None:
        self.full = True
        self.commits = 0
        event.listen(engine, "commit", self._commit)

    def _commit(self, _connection: Connection) -> None:
        self.commits += 1
        if self.full:
            raise OperationalError("COMMIT", {}, OSError("No space left on device"))


def test_a_full_disk_is_a_typed_refusal_and_leaves_nothing_half_done(book: Book) -> None:
    disk = FullDisk(book.engine)

    def both(connection: Connection) -> None:
        connection.execute(insert(ROW).values(id=1))
        connection.execute(insert(ROW).values(id=2))

    alone = book.store.submit(both)
    with pytest.raises(Refusal) as refused:
        alone.result(5)
    assert refused.value.reason == Reason.REASON_UNAVAILABLE
    futures = [book.store.submit(put(number)) for number in range(3, 9)]
    for future in futures:
        failure = future.exception(5)
        assert isinstance(failure, Refusal)
        assert failure.reason == Reason.REASON_UNAVAILABLE
    assert book.seen_by_others() == []
    disk.full = False
    assert book.store.run(put(1)) == 1
    assert book.seen_by_others() == [1]


def test_a_database_that_went_away_is_a_typed_refusal(book: Book) -> None:
    def broken(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT * FROM no_such_table")

    with pytest.raises(Refusal) as refused:
        book.store.run(broken)
    assert refused.value.reason == Reason.REASON_UNAVAILABLE
    assert book.store.run(put(1)) == 1


def test_what_is_queued_is_finished_before_it_closes(book: Book) -> None:
    with Gate(book.store):
        futures = [book.store.submit(put(number)) for number in range(300)]
        closing = threading.Thread(target=book.store.close)
        closing.start()
    closing.join(10)
    assert not closing.is_alive()
    assert [future.result(0) for future in futures] == [*range(300)]
    assert book.seen_by_others() == [*range(300)]


def test_a_job_that_comes_after_the_close_is_refused_and_never_left_waiting(book: Book) -> None:
    book.store.close()
    with pytest.raises(Refusal) as refused:
        book.store.submit(put(1)).result(2)
    assert refused.value.reason == Reason.REASON_UNAVAILABLE
    book.store.close()


def test_the_log_of_a_failed_job_holds_no_data(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Log:
        def error(self, event_name: str, **fields: object) -> None:
            said.append(f"{event_name} {fields}")

    monkeypatch.setattr("concordat.store.group_commit._log", Log())

    def work(connection: Connection) -> None:
        for _ in range(2):
            connection.execute(insert(ROW).values(id=4711, body=b"subject reference"))

    with pytest.raises(Refusal):
        book.store.run(work)
    assert len(said) == 1
    assert "job_failed" in said[0]
    assert "subject reference" not in said[0]
    assert "4711" not in said[0]


def test_an_error_of_the_database_never_quotes_what_was_written(book: Book) -> None:
    row = insert(ROW).values(id=1, body=b"subject reference")
    with book.engine.connect() as connection:
        connection.execute(row)
        with pytest.raises(IntegrityError) as failed:
            connection.execute(row)
    assert "subject reference" not in str(failed.value)
    assert "hidden" in str(failed.value)
