"""Asking witnesses: what counts, what does not, and what a bad one costs."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
from structlog.testing import capture_logs

from concordat.settings import SettingsError
from concordat.trust.checkpoint import add_signatures, open_checkpoint
from concordat.trust.merkle import ReadNode
from concordat.trust.note import NoteSignature, VerifierKey
from concordat.trust.witness_request import AddCheckpoint
from exchange.log.opening import named_witnesses
from exchange.log.witnesses import Witnesses
from exchange.settings import LogSettings, WitnessSettings
from tests.builders import Federation
from tests.sequencer_builders import LOG, ORIGIN
from tests.unit.concordat.trust.reference_tree import reader
from tests.unit.witness.desk import WITNESS_KEY, Desk, Log
from tests.witness_servers import Answer, cosigned, key_of, serve_answers, serve_app, trusting

GOOD, BAD, OTHER = "good.example/w", "bad.example/w", "other.example/w"
LOG_OF = Log(origin=ORIGIN)


def read_of(size: int, log: Log = LOG_OF) -> ReadNode:
    return reader(log.leaves(0, size))


@dataclass
class Circle:
    """The witnesses of a test, closed at its end."""

    stack: ExitStack
    asked: list[AddCheckpoint] = field(default_factory=list)
    now: float = 1000.0

    def of(self, *answers: tuple[str, Answer], quorum: int = 1, seconds: float = 2.0) -> Witnesses:
        """Return witnesses that answer so, on a clock that only the test moves."""
        return self.at(
            *((key_of(name), self.serve(answer)) for name, answer in answers),
            quorum=quorum,
            seconds=seconds,
        )

    def at(
        self, *places: tuple[VerifierKey, str], quorum: int = 1, seconds: float = 2.0
    ) -> Witnesses:
        witnesses = Witnesses(places, quorum, seconds, clock=lambda: self.now)
        self.stack.callback(witnesses.close)
        return witnesses

    def serve(self, answer: Answer) -> str:
        def noted(body: bytes) -> tuple[int, bytes]:
            self.asked.append(AddCheckpoint.parse(body))
            return answer(body)

        return self.stack.enter_context(serve_answers(noted))


@pytest.fixture
def circle() -> Iterator[Circle]:
    with ExitStack() as stack:
        yield Circle(stack)


def ask(witnesses: Witnesses, size: int = 10, log: Log = LOG_OF) -> list[NoteSignature]:
    return witnesses.cosign(log.note(size), size, read_of(size, log))


def test_a_cosignature_that_verifies_counts(circle: Circle) -> None:
    witnesses = circle.of((GOOD, trusting(GOOD)))
    note = add_signatures(LOG_OF.note(10), ask(witnesses))
    opened = open_checkpoint(note, LOG, [key_of(GOOD)], 1)
    assert [each.name for each in opened.cosignatures] == [GOOD]
    assert (witnesses.cosigned, witnesses.unwitnessed) == (1, 0)


def test_nobody_is_asked_where_no_quorum_is_wanted(circle: Circle) -> None:
    witnesses = circle.of((GOOD, trusting(GOOD)), quorum=0)
    assert ask(witnesses) == []
    assert circle.asked == []


def test_the_next_request_proves_the_growth_since_the_last_cosignature(circle: Circle) -> None:
    witnesses = circle.of((GOOD, trusting(GOOD)))
    for size in (10, 10, 300):
        assert len(ask(witnesses, size)) == 1
    assert [each.old_size for each in circle.asked] == [0, 10, 10]
    assert circle.asked[2].proof == LOG_OF.proof(10, 300)


# What a bad witness may answer ------------------------------------------------------------------


def flipped(body: bytes) -> tuple[int, bytes]:
    line = cosigned(body, BAD)
    signature = bytearray(line.signature)
    signature[-1] ^= 1
    return 200, NoteSignature(BAD, line.key_hash, bytes(signature)).line()


def with_other_key_under_own_hash(body: bytes) -> tuple[int, bytes]:
    line = cosigned(body, BAD, by=OTHER)
    return 200, NoteSignature(BAD, key_of(BAD).key_hash, line.signature).line()


def over_another_tree(body: bytes) -> tuple[int, bytes]:
    return 200, cosigned(body, BAD, text=LOG_OF.fork(0).checkpoint(10).text()).line()


def over_an_older_tree(body: bytes) -> tuple[int, bytes]:
    return 200, cosigned(body, BAD, text=LOG_OF.checkpoint(9).text()).line()


def the_logs_own_line(body: bytes) -> tuple[int, bytes]:
    return 200, AddCheckpoint.parse(body).note.rpartition(b"\n\n")[2]


def cosigned_but_not_answered_so(body: bytes) -> tuple[int, bytes]:
    return 201, cosigned(body, BAD).line()


LIES: dict[str, Answer] = {
    "a flipped bit": flipped,
    "another's key": lambda body: (200, cosigned(body, BAD, by=OTHER).line()),
    "another's key under its own hash": with_other_key_under_own_hash,
    "another's name": lambda body: (200, cosigned(body, OTHER).line()),
    "another tree": over_another_tree,
    "an older tree": over_an_older_tree,
    "the log's own signature": the_logs_own_line,
    "another status": cosigned_but_not_answered_so,
    "nothing": lambda _body: (200, b""),
    "no line": lambda _body: (200, b"yes\n"),
    "no newline": lambda body: (200, cosigned(body, BAD).line()[:-1]),
    "bytes": lambda _body: (200, bytes(range(256)) * 8),
    "too much": lambda body: (200, cosigned(body, OTHER).line() * 200 + cosigned(body, BAD).line()),
    "a forged line before its own": lambda body: (
        200,
        flipped(body)[1] + cosigned(body, BAD).line(),
    ),
    "an error": lambda _body: (503, b"later\n"),
    "a redirection": lambda _body: (302, b""),
    "a hang-up": lambda _body: (0, b""),
    "a conflict without a size": lambda _body: (409, b"no\n"),
    "a conflict with a lenient size": lambda _body: (409, b"+1_0\n"),
    "a conflict with two sizes": lambda _body: (409, b"3\n3\n"),
    "a conflict with a size of a million digits": lambda _body: (409, b"9" * 1_000_000),
    "a conflict at every size": lambda _body: (409, b"4\n"),
    "a larger tree": lambda _body: (409, b"11\n"),
    "a proof refused": lambda _body: (422, b"no\n"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_not_counted_and_spoils_no_other_witness(circle: Circle, lie: str) -> None:
    alone = circle.of((BAD, LIES[lie]))
    assert ask(alone) == []
    assert (alone.cosigned, alone.unwitnessed) == (0, 1)
    both = circle.of((BAD, LIES[lie]), (GOOD, trusting(GOOD)), quorum=2)
    got = ask(both)
    assert [each.name for each in got] == [GOOD]
    note = add_signatures(LOG_OF.note(10), got)
    open_checkpoint(note, LOG, [key_of(GOOD), key_of(BAD), key_of(OTHER)], 1)


def test_lines_of_others_and_repeated_ones_are_dropped(circle: Circle) -> None:
    def many(body: bytes) -> tuple[int, bytes]:
        own = cosigned(body, GOOD).line()
        forged = NoteSignature(OTHER, key_of(OTHER).key_hash, b"x" * 72).line()
        unknown = NoteSignature("nobody", b"1234", b"x").line()
        return 200, unknown + forged + own + own + cosigned(body, BAD).line()

    witnesses = circle.of((GOOD, many), (BAD, lambda _body: (503, b"")), quorum=2)
    got = ask(witnesses)
    assert [each.name for each in got] == [GOOD], "another's word counts only from itself"
    note = add_signatures(LOG_OF.note(10), got)
    assert note.count("\N{EM DASH}".encode()) == 2


@pytest.mark.parametrize("lie", ["a larger tree", "a proof refused", "a conflict without a size"])
def test_a_witness_that_disputes_the_log_is_an_error_in_the_log(circle: Circle, lie: str) -> None:
    with capture_logs() as lines:
        ask(circle.of((BAD, LIES[lie])))
    assert [line["witness"] for line in lines if line["event"] == "log_disputed"] == [BAD]


# What it may cost -------------------------------------------------------------------------------


def test_enough_witnesses_are_enough_though_one_stalls(circle: Circle) -> None:
    def stall(_body: bytes) -> tuple[int, bytes]:
        time.sleep(2)
        return 503, b""

    names = [GOOD, OTHER]
    witnesses = circle.of((BAD, stall), *((n, trusting(n)) for n in names), quorum=2, seconds=5)
    began = time.monotonic()
    assert sorted(each.name for each in ask(witnesses)) == names
    assert time.monotonic() - began < 1.5


def test_a_witness_that_stalls_costs_one_time_limit_and_not_one_a_checkpoint(
    circle: Circle,
) -> None:
    def stall(_body: bytes) -> tuple[int, bytes]:
        time.sleep(2)
        return 503, b""

    witnesses = Witnesses([(key_of(BAD), circle.serve(stall))], 1, 0.3)
    circle.stack.callback(witnesses.close)
    began = time.monotonic()
    assert ask(witnesses) == []
    assert time.monotonic() - began < 1.5
    began = time.monotonic()
    for size in range(11, 40):
        assert ask(witnesses, size) == []
    assert time.monotonic() - began < 3, "29 time limits would be more"
    assert witnesses.unwitnessed == 30


def test_a_witness_that_answers_drop_by_drop_is_cut_off(circle: Circle) -> None:
    """Each part comes in time; a limit for each part alone would let it hold a thread for hours."""
    witnesses = circle.of((BAD, lambda body: (200, cosigned(body, BAD).line())), seconds=0.2)
    (witness,) = witnesses._witnesses

    class Drops:
        status_code = 200

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def iter_raw(self) -> Iterator[bytes]:
            while True:
                circle.now += 0.15
                yield b"x"

    client = witnesses._client
    assert client is not None
    client.stream = lambda *_, **__: Drops()  # type: ignore[method-assign,assignment]
    assert ask(witnesses) == []
    assert not witness.busy.locked()


def test_pauses_double_up_to_thirty_seconds_and_end_with_success(circle: Circle) -> None:
    answers = [503] * 8 + [200]
    witnesses = circle.of((BAD, lambda body: (answers.pop(0), cosigned(body, BAD).line())))
    (witness,) = witnesses._witnesses
    pauses = []
    while answers:
        left, asked = witness.not_before - circle.now, len(circle.asked)
        if left > 0:
            circle.now += left - 0.01
            assert ask(witnesses) == []
            assert len(circle.asked) == asked, "it is left alone until its pause is over"
            circle.now += 0.02
        ask(witnesses)
        pauses.append(witness.pause)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 0]


def test_a_proof_that_cannot_be_made_keeps_no_witness_busy(circle: Circle) -> None:
    witnesses = circle.of((GOOD, trusting(GOOD)))
    assert ask(witnesses, 10)

    def damaged(_level: int, _index: int) -> bytes:
        raise OSError

    with pytest.raises(OSError):
        witnesses.cosign(LOG_OF.note(20), 20, damaged)
    assert len(ask(witnesses, 20)) == 1


# The real witness -------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(f"sqlite:///{tmp_path}/witness.db", [LOG_OF])
    yield desk
    desk.store.close()


def test_a_log_that_was_restarted_learns_what_the_witness_knows(circle: Circle, desk: Desk) -> None:
    url = circle.stack.enter_context(serve_app(desk.app))
    assert len(ask(circle.at((WITNESS_KEY, url)), 10)) == 1
    again = circle.at((WITNESS_KEY, url))
    assert len(ask(again, 300)) == 1
    assert len(ask(again, 301)) == 1
    assert desk.size_of(LOG_OF) == 301


def test_a_fork_is_never_cosigned_at_whatever_size(circle: Circle, desk: Desk) -> None:
    url = circle.stack.enter_context(serve_app(desk.app))
    assert len(ask(circle.at((WITNESS_KEY, url)), 20)) == 1
    forked = circle.at((WITNESS_KEY, url))
    with capture_logs() as lines:
        for size in (15, 20, 20, 30, 31):
            circle.now += 60
            assert ask(forked, size, LOG_OF.fork(12)) == []
    assert [line["event"] for line in lines].count("log_disputed") == 5
    assert len(ask(circle.at((WITNESS_KEY, url)), 21)) == 1, "the true log goes on"


def test_a_witness_restored_from_an_older_state_is_not_counted(
    circle: Circle, desk: Desk, tmp_path: Path
) -> None:
    older = Desk(f"sqlite:///{tmp_path}/older.db", [LOG_OF])
    circle.stack.callback(older.store.close)
    older.cosigned(LOG_OF, 0, 10)
    desk.cosigned(LOG_OF, 0, 10)
    current = [desk]

    def answer(body: bytes) -> tuple[int, bytes]:
        answered = current[0].post(body)
        return answered.status_code, answered.content

    witnesses = circle.of((WITNESS_KEY.name, answer))
    witnesses._witnesses[0].key = WITNESS_KEY
    assert len(ask(witnesses, 20)) == 1
    current[0] = older
    with capture_logs() as lines:
        for size in (25, 30):
            circle.now += 60
            assert ask(witnesses, size) == []
    assert [line["event"] for line in lines if line["log_level"] == "error"] == [
        "witness_forgot",
        "witness_forgot",
    ]
    current[0] = desk  # its operator has found the newer copy
    circle.now += 60
    assert len(ask(witnesses, 31)) == 1


# Settings ---------------------------------------------------------------------------------------


def test_a_witness_named_twice_would_count_twice_and_is_refused() -> None:
    fed = Federation(
        endpoints={"witnesses": [str(key_of(GOOD)), str(key_of(BAD))], "witness_quorum": 2}
    )

    def settings(*names: str) -> LogSettings:
        return LogSettings(
            signing_key=Path("log.key"),
            listen="127.0.0.1:0",
            witnesses=[WitnessSettings(name=name, url="http://w") for name in names],
        )

    assert len(named_witnesses(settings(GOOD, BAD), fed.anchors)) == 2
    for names, what in [((GOOD, GOOD), "twice"), ((GOOD,), "quorum"), ((GOOD, OTHER), "not a")]:
        with pytest.raises(SettingsError, match=what):
            named_witnesses(settings(*names), fed.anchors)
