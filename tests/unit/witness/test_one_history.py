"""Whatever happens at once, goes back or is restored: what is cosigned is one line of trees."""

import asyncio
import itertools
import random
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from concordat.trust.checkpoint import Checkpoint
from concordat.trust.merkle import verify_consistency
from tests.unit.witness.desk import Desk, Log, cosignature_in, status_of

BRANCHES = 4


@pytest.fixture(params=["sqlite", "postgresql"])
def desks(request: pytest.FixtureRequest, tmp_path: Path, log: Log) -> Iterator[list[Desk]]:
    """One process on SQLite; two on one PostgreSQL, which may be shared."""
    if request.param == "sqlite":
        desks = [Desk(f"sqlite:///{tmp_path / 'witness.db'}", [log])]
    else:
        first = make_url(request.getfixturevalue("postgres_url"))
        name = f"witness_{uuid.uuid4().hex}"
        engine = create_engine(first, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        url = first.set(database=name).render_as_string(hide_password=False)
        desks = [Desk(url, [log]), Desk(url, [log])]
    yield desks
    for desk in desks:
        desk.store.close()
        desk.store._engine.dispose()


def assert_one_line(log: Log, cosigned: list[tuple[Log, int]]) -> None:
    """Assert that of any two trees cosigned the larger extends the smaller."""
    trees: dict[int, Checkpoint] = {}
    for branch, size in cosigned:
        checkpoint = branch.checkpoint(size)
        assert trees.setdefault(size, checkpoint) == checkpoint
    ordered = sorted({size: branch for branch, size in cosigned}.items())
    for (small, older), (large, newer) in itertools.pairwise(ordered):
        old, new = older.checkpoint(small), newer.checkpoint(large)
        verify_consistency(small, old.root, large, new.root, newer.proof(small, large))


def test_of_32_conflicting_submissions_exactly_one_is_cosigned(desks: list[Desk], log: Log) -> None:
    desks[0].cosigned(log, 0, 3)
    offers = [(log.fork(3, f"branch {i}"), 4 + i % 8) for i in range(32)]

    async def all_at_once() -> list[int]:
        answers = await asyncio.gather(
            *(
                desks[i % len(desks)].send("POST", "/add-checkpoint", fork.request(3, size))
                for i, (fork, size) in enumerate(offers)
            )
        )
        return [answer.status_code for answer in answers]

    statuses = asyncio.run(all_at_once())
    assert sorted(statuses) == [200] + [409] * 31
    fork, size = offers[statuses.index(200)]
    (shown,) = {desk.get(f"/checkpoint/{log.origin_hash}").content for desk in desks}
    assert shown.startswith(fork.note(size))


def test_the_very_first_checkpoint_is_raced_for_too(desks: list[Desk], log: Log) -> None:
    offers = [(log.fork(0, f"branch {i}"), 1 + i % 8) for i in range(32)]

    async def all_at_once() -> list[int]:
        answers = await asyncio.gather(
            *(
                desks[i % len(desks)].send("POST", "/add-checkpoint", fork.request(0, size))
                for i, (fork, size) in enumerate(offers)
            )
        )
        return [answer.status_code for answer in answers]

    statuses = asyncio.run(all_at_once())
    assert sorted(statuses) == [200] + [409] * 31


def test_racers_on_several_branches_end_up_on_one(desks: list[Desk], log: Log) -> None:
    desks[0].cosigned(log, 0, 3)
    dice = random.Random(7)
    cosigned: list[tuple[Log, int]] = [(log, 3)]
    times: list[int] = []

    async def race(desk: Desk, branch: Log) -> None:
        known = 3
        for _ in range(6):
            size = known + dice.randrange(1, 5)
            answer = await desk.send("POST", "/add-checkpoint", branch.request(known, size))
            if answer.status_code == 200:
                cosigned.append((branch, size))
                times.append(cosignature_in(branch, branch.note(size) + answer.content).at)
                known = size
            elif answer.headers["content-type"] == "text/x.tlog.size":
                known = int(answer.text)
            else:
                assert answer.status_code in {409, 422}

    async def all_at_once() -> None:
        racers = [(desks[i % len(desks)], f"branch {i % BRANCHES}") for i in range(32)]
        await asyncio.gather(*(race(desk, log.fork(3, name)) for desk, name in racers))

    asyncio.run(all_at_once())
    assert len({branch.branch for branch, size in cosigned if size > 3}) == 1
    assert len(cosigned) > 5
    assert_one_line(log, cosigned)
    assert desks[0].size_of(log) == max(size for _, size in cosigned)


def test_a_clock_set_back_does_not_bring_cosignatures_from_the_past(desk: Desk, log: Log) -> None:
    first = desk.cosigned(log, 0, 5)
    desk.wall.step(-3600)
    assert desk.cosigned(log, 5, 6).at == first.at
    desk.wall.step(3600 + 10)
    assert desk.cosigned(log, 6, 7).at == first.at + 10


def test_a_clock_set_back_between_two_runs_does_not_either(tmp_path: Path, log: Log) -> None:
    other = Log(origin="log.example/b")
    desk = Desk(f"sqlite:///{tmp_path / 'w.db'}", [log, other])
    first = desk.cosigned(log, 0, 5)
    desk.wall.step(-3600)
    desk = desk.restarted()
    assert desk.cosigned(other, 0, 2).at == first.at  # of whatever log: it is one clock
    assert desk.cosigned(log, 5, 6).at == first.at
    desk.store.close()


def test_the_clock_of_another_process_may_be_ahead(desks: list[Desk], log: Log) -> None:
    ahead, behind = desks[0], desks[-1]
    ahead.wall.step(100)
    first = ahead.cosigned(log, 0, 5)
    if behind is not ahead:
        assert behind.cosigned(log, 5, 6).at == first.at


def test_a_witness_restored_from_an_older_copy_tells_it_by_the_size_it_knows(
    tmp_path: Path, log: Log
) -> None:
    """The log had its cosignature at 9: an answer that knows only 5 says that it has forgotten."""
    path = tmp_path / "witness.db"
    desk = Desk(f"sqlite:///{path}", [log])
    desk.cosigned(log, 0, 5)
    desk.store.close()
    desk.store._engine.dispose()
    shutil.copy(path, tmp_path / "copy.db")
    desk = desk.restarted()
    desk.cosigned(log, 5, 9)
    desk.store.close()
    desk.store._engine.dispose()

    restored = Desk(f"sqlite:///{tmp_path / 'copy.db'}", [log])
    assert status_of(restored.post(log.request(9, 12))) == (409, "text/x.tlog.size", "5\n")
    assert restored.post(log.fork(3).request(5, 12)).status_code == 422
    assert restored.size_of(log) == 5
    restored.cosigned(log, 5, 12)
    restored.store.close()


def test_what_was_cosigned_is_known_to_the_next_run(desk: Desk, log: Log) -> None:
    answer = desk.post(log.request(0, 5))
    again = desk.restarted()
    shown = again.get(f"/checkpoint/{log.origin_hash}").content
    assert shown == log.note(5) + answer.content
    assert again.post(log.fork(2).request(5, 5)).status_code == 409
    assert again.post(log.fork(2).request(5, 8)).status_code == 422
    assert again.post(log.request(0, 8)).status_code == 409
    again.cosigned(log, 5, 8)
    again.store.close()
