"""Every answer that c2sp.org/tlog-witness names, from the application itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from concordat.trust.checkpoint import add_signatures, open_checkpoint, sign_checkpoint
from concordat.trust.merkle import EMPTY_ROOT
from concordat.trust.note import NoteSignature, SignedNote
from concordat.trust.witness_request import AddCheckpoint
from tests.builders import signer
from tests.unit.witness.desk import (
    MOST_BYTES,
    WITNESS,
    WITNESS_KEY,
    Desk,
    Log,
    cosignature_in,
    status_of,
)

PLAIN = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"


def submission(log: Log, note: bytes, old: int = 0, new: int = 0) -> bytes:
    """Return a request with the proof from ``old`` to ``new`` and another note than theirs."""
    return AddCheckpoint(old, log.proof(old, new), note).encode()


# 200 -----------------------------------------------------------------------------------------------


def test_a_log_that_grows_is_cosigned_at_every_size(desk: Desk, log: Log) -> None:
    sizes = [0, 1, 2, 3, 7, 8, 9, 64, 100, 257]
    for old, new in zip([0, *sizes], sizes, strict=False):
        found = desk.cosigned(log, old, new)
        assert (found.name, found.at) == (WITNESS, int(desk.wall.at.timestamp()))
        assert desk.size_of(log) == new


def test_the_answer_is_one_signature_line_and_nothing_else(desk: Desk, log: Log) -> None:
    answer = desk.post(log.request(0, 5))
    assert answer.status_code == 200
    assert answer.content.startswith(f"— {WITNESS} ".encode())
    assert answer.content.count(b"\n") == 1
    assert answer.content.endswith(b"\n")


def test_the_first_checkpoint_may_be_of_any_size(desk: Desk, log: Log) -> None:
    desk.cosigned(log, 0, 200)


def test_the_same_checkpoint_is_cosigned_again_with_the_time_of_now(desk: Desk, log: Log) -> None:
    first = desk.cosigned(log, 0, 5)
    desk.wall.step(60)
    assert desk.cosigned(log, 5, 5).at == first.at + 60


def test_logs_are_witnessed_apart_from_each_other(tmp_path: Path) -> None:
    logs = [Log(), Log(origin="log.example/b", signer=signer("b"))]
    desk = Desk(f"sqlite:///{tmp_path / 'w.db'}", logs)
    desk.cosigned(logs[0], 0, 5)
    desk.cosigned(logs[1], 0, 9)
    assert [desk.size_of(log) for log in logs] == [5, 9]
    desk.store.close()


def test_signatures_of_unknown_keys_are_ignored_and_not_handed_on(desk: Desk, log: Log) -> None:
    stranger = sign_checkpoint(log.checkpoint(5), signer("stranger"))  # the log's name, another key
    lines = [
        *SignedNote.parse(stranger).signatures,
        NoteSignature("elsewhere.example", log.vkey.key_hash, bytes(64)),
        NoteSignature(WITNESS, WITNESS_KEY.key_hash, bytes(72)),
    ]
    note = SignedNote(
        log.checkpoint(5).text(), (*lines, *SignedNote.parse(log.note(5)).signatures)
    ).encode()
    answer = desk.post(submission(log, note))
    assert answer.status_code == 200
    shown = desk.get(f"/checkpoint/{log.origin_hash}").content
    assert shown == log.note(5) + answer.content


def test_a_line_that_stands_twice_counts_once(desk: Desk, log: Log) -> None:
    own = SignedNote.parse(log.note(5)).signatures
    doubled = SignedNote(log.checkpoint(5).text(), own * 2).encode()
    answer = desk.post(submission(log, doubled))
    assert answer.status_code == 200
    assert desk.get(f"/checkpoint/{log.origin_hash}").content == log.note(5) + answer.content


def test_sixteen_signatures_of_the_size_that_quantum_computers_ask_for_are_read(
    tmp_path: Path, log: Log
) -> None:
    large = [NoteSignature(f"cosigner.example/{i}", b"abcd", bytes(4900)) for i in range(15)]
    body = submission(log, add_signatures(log.note(5), large))
    assert MOST_BYTES < len(body) < 131_072  # the default of max_body_bytes
    desk = Desk(f"sqlite:///{tmp_path / 'w.db'}", [log])
    assert asyncio.run(desk.cosigner.add_checkpoint(body))
    desk.store.close()


def test_a_log_that_changes_its_key_is_one_log(tmp_path: Path, log: Log) -> None:
    renewed = Log(signer=signer("log's next"))
    desk = Desk(f"sqlite:///{tmp_path / 'w.db'}", [log, renewed])
    desk.cosigned(log, 0, 5)
    desk.cosigned(renewed, 5, 6)
    both = add_signatures(log.note(7), SignedNote.parse(renewed.note(7)).signatures)
    answer = desk.post(submission(log, both, 6, 7))
    assert answer.status_code == 200
    shown = desk.get(f"/checkpoint/{log.origin_hash}").content
    assert open_checkpoint(shown, log.vkey) != open_checkpoint(log.note(7), log.vkey)
    assert cosignature_in(renewed, shown) == cosignature_in(log, shown)
    desk.store.close()


def test_a_bad_signature_under_one_key_spoils_a_good_one_under_the_other(
    tmp_path: Path, log: Log
) -> None:
    renewed = Log(signer=signer("log's next"))
    desk = Desk(f"sqlite:///{tmp_path / 'w.db'}", [log, renewed])
    forged = NoteSignature(renewed.origin, renewed.vkey.key_hash, bytes(64))
    assert desk.post(submission(log, add_signatures(log.note(5), [forged]))).status_code == 403
    desk.store.close()


def test_a_path_before_the_resources_can_be_set(tmp_path: Path, log: Log) -> None:
    desk = Desk(f"sqlite:///{tmp_path / 'w.db'}", [log], prefix="/witness/w1")
    desk.cosigned(log, 0, 5)
    assert desk.size_of(log) == 5
    assert desk.get("/healthz").status_code == 200
    assert asyncio.run(desk.send("POST", "/add-checkpoint")).status_code == 404
    desk.store.close()


# 400 -----------------------------------------------------------------------------------------------


MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "no old line": lambda body: body.partition(b"\n")[2],
    "capital": lambda body: body.replace(b"old", b"Old", 1),
    "two spaces": lambda body: body.replace(b"old ", b"old  ", 1),
    "leading zero": lambda body: body.replace(b"old ", b"old 0", 1),
    "sign": lambda body: body.replace(b"old ", b"old +", 1),
    "underscore": lambda body: body.replace(b"old 5", b"old 0_5", 1),
    "hexadecimal": lambda body: body.replace(b"old 5", b"old 0x5", 1),
    "digits of another script": lambda body: body.replace(
        b"old 5", "old \N{ARABIC-INDIC DIGIT FIVE}".encode(), 1
    ),
    "past 2**63": lambda body: body.replace(b"old 5", b"old 9223372036854775808", 1),
    "space after the size": lambda body: body.replace(b"old 5", b"old 5 ", 1),
    "carriage returns": lambda body: body.replace(b"\n", b"\r\n"),
    "byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "proof of 31 bytes": lambda body: body.replace(b"old 5\n", b"old 5\n" + b"A" * 42 + b"==\n"),
    "proof without padding": lambda body: body.replace(b"=\n", b"\n", 1),
    "proof with bits past its end": lambda body: body.replace(b"w=\n", b"x=\n", 1),
    "proof of 64 lines": lambda body: body.replace(
        b"old 5\n", b"old 5\n" + b"A" * 43 + b"=\n" + b"".join([b"A" * 43 + b"=\n"] * 63)
    ),
    "no empty line": lambda body: body.replace(b"\n\n", b"\n", 1),
    "two empty lines": lambda body: body.replace(b"\n\n", b"\n\n\n", 1),
    "no note": lambda body: body.partition(b"\n\n")[0] + b"\n\n",
    "no signature": lambda body: body.rpartition(b"\n\n")[0] + b"\n\n",
    "no newline at the end": lambda body: body[:-1],
    "more after the end": lambda body: body + b"\n",
    "hyphen for a dash": lambda body: body.replace("—".encode(), b"-"),
    "extension line": lambda body: body.replace(b"=\n\n\xe2", b"=\nextension\n\n\xe2"),
    "size with leading zero": lambda body: body.replace(b"\n9\n", b"\n09\n"),
    "not UTF-8": lambda body: body.replace(b"log.example", b"log.ex\xffmple"),
    "control character": lambda body: body.replace(b"log.example", b"log\x00example"),
    "JSON": lambda _: b"{}",
    "noise": lambda _: bytes(range(256)),
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_body_that_is_not_to_the_byte_what_the_specification_says_is_refused(
    desk: Desk, log: Log, change: Callable[[bytes], bytes]
) -> None:
    desk.cosigned(log, 0, 5)
    lawful = log.request(5, 9)
    assert change(lawful) != lawful
    answer = desk.post(change(lawful))
    assert status_of(answer)[:2] == (400, PLAIN), answer.text
    assert desk.size_of(log) == 5
    desk.cosigned(log, 5, 9)


def test_an_old_size_above_the_new_one_is_refused(desk: Desk, log: Log) -> None:
    desk.cosigned(log, 0, 9)
    assert desk.post(submission(log, log.note(7), old=9, new=9)).status_code == 400
    assert desk.post(submission(log, log.note(7), old=8, new=8)).status_code == 400


# 403, 404 ------------------------------------------------------------------------------------------


def test_an_unknown_log_is_not_found(desk: Desk) -> None:
    other = Log(origin="log.example/b")  # the key of a log that is known
    assert desk.post(other.request(0, 5)).status_code == 404


def test_a_known_log_is_not_found_under_a_name_that_only_looks_the_same(
    desk: Desk, log: Log
) -> None:
    for origin in ("LOG.example/a", "log.example/a/", "log.example/\N{CYRILLIC SMALL LETTER A}"):
        assert desk.post(Log(origin=origin).request(0, 5)).status_code == 404


def test_a_checkpoint_that_its_log_did_not_sign_is_forbidden(desk: Desk, log: Log) -> None:
    stranger = Log(signer=signer("stranger"))
    assert desk.post(stranger.request(0, 5)).status_code == 403
    assert desk.size_of(log) == 0


@pytest.mark.parametrize("signature", [bytes(64), bytes(63), bytes(72), b"x"])
def test_a_forged_signature_is_forbidden(desk: Desk, log: Log, signature: bytes) -> None:
    forged = NoteSignature(log.origin, log.vkey.key_hash, signature)
    note = SignedNote(log.checkpoint(5).text(), (forged,)).encode()
    assert desk.post(submission(log, note)).status_code == 403


def test_a_true_signature_does_not_carry_a_forged_one_beside_it(desk: Desk, log: Log) -> None:
    forged = NoteSignature(log.origin, log.vkey.key_hash, bytes(64))
    assert desk.post(submission(log, add_signatures(log.note(5), [forged]))).status_code == 403


def test_a_signature_over_another_checkpoint_is_forbidden(desk: Desk, log: Log) -> None:
    moved = SignedNote(log.checkpoint(6).text(), SignedNote.parse(log.note(5)).signatures)
    assert desk.post(submission(log, moved.encode())).status_code == 403


def test_an_unsigned_fork_is_no_evidence(desk: Desk, log: Log) -> None:
    desk.cosigned(log, 0, 5)
    forked = log.fork(3).checkpoint(5)
    note = sign_checkpoint(forked, signer("stranger"))
    assert desk.post(submission(log, note, 5, 5)).status_code == 403
    assert desk.get(f"/evidence/{log.origin_hash}").json() == []


# 409, 422 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [(0, 9), (4, 9), (6, 9), (0, 5), (0, 0), (2, 3), (9, 9)])
def test_another_old_size_is_answered_with_the_size_that_is_known(
    desk: Desk, log: Log, old: int, new: int
) -> None:
    desk.cosigned(log, 0, 5)
    assert status_of(desk.post(log.request(old, new))) == (409, SIZE, "5\n")
    assert desk.size_of(log) == 5


def test_where_nothing_was_cosigned_the_known_size_is_zero(desk: Desk, log: Log) -> None:
    assert status_of(desk.post(log.request(3, 9))) == (409, SIZE, "0\n")


def test_another_root_at_the_same_size_is_answered_with_the_size_that_was_given(
    desk: Desk, log: Log
) -> None:
    desk.cosigned(log, 0, 5)
    assert status_of(desk.post(log.fork(2).request(5, 5))) == (409, SIZE, "5\n")
    assert desk.size_of(log) == 5


@pytest.mark.parametrize("first", [True, False])
def test_an_empty_tree_has_one_root(desk: Desk, log: Log, first: bool) -> None:
    if not first:
        desk.cosigned(log, 0, 0)
    empty = log.checkpoint(0)
    assert empty.root == EMPTY_ROOT
    odd = sign_checkpoint(type(empty)(empty.origin, 0, bytes(32)), log.signer)
    assert desk.post(submission(log, odd)).status_code == 409


def test_a_proof_that_fails_is_not_processed(desk: Desk, log: Log) -> None:
    desk.cosigned(log, 0, 5)
    true = log.proof(5, 9)
    for proof in ((), true[:-1], (*true, true[0]), true[::-1], (bytes(32), *true[1:])):
        answer = desk.post(AddCheckpoint(5, proof, log.note(9)).encode())
        assert status_of(answer)[:2] == (422, PLAIN)
    assert desk.post(log.fork(4).request(5, 9)).status_code == 422
    assert desk.size_of(log) == 5
    desk.cosigned(log, 5, 9)


def test_a_proof_where_none_belongs_is_not_processed(desk: Desk, log: Log) -> None:
    idle = (bytes(32),)
    assert desk.post(AddCheckpoint(0, idle, log.note(5)).encode()).status_code == 422
    desk.cosigned(log, 0, 5)
    assert desk.post(AddCheckpoint(5, idle, log.note(5)).encode()).status_code == 422
    assert (
        desk.get(f"/evidence/{log.origin_hash}").json() == []
    )  # it speaks against the sender only


# Plain HTTP ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_add_checkpoint_is_posted(desk: Desk, method: str) -> None:
    answer = asyncio.run(desk.send(method, "/add-checkpoint"))
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_what_is_read_is_not_posted(desk: Desk, log: Log) -> None:
    for path in (f"/checkpoint/{log.origin_hash}", f"/evidence/{log.origin_hash}", "/healthz"):
        assert asyncio.run(desk.send("POST", path)).status_code == 405


@pytest.mark.parametrize("path", ["/", "/add-checkpoint/", "/ADD-CHECKPOINT", "/checkpoint/"])
def test_another_path_is_not_found(desk: Desk, path: str) -> None:
    assert asyncio.run(desk.send("POST", path)).status_code == 404


def test_a_body_above_the_bound_is_too_large(desk: Desk, log: Log) -> None:
    assert desk.post(bytes(MOST_BYTES)).status_code == 400
    assert desk.post(bytes(MOST_BYTES + 1)).status_code == 413


def test_a_body_without_end_is_not_read_to_its_end(desk: Desk) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MOST_BYTES:
            sent += 1000
            yield bytes(1000)

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(app=desk.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://witness") as client:
            return await client.post("/add-checkpoint", content=endless())

    assert asyncio.run(post()).status_code == 413
    assert sent <= MOST_BYTES + 2000


def test_a_body_that_does_not_come_is_waited_for_no_longer_than_its_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("witness.app.BODY_SECONDS", 0.05)

    async def stalled() -> AsyncIterator[bytes]:
        yield b"old 0\n"
        await asyncio.sleep(30)

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(app=desk.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://witness") as client:
            return await client.post("/add-checkpoint", content=stalled())

    assert asyncio.run(post()).status_code == 408


def test_a_database_that_fails_is_a_reason_to_come_again(
    desk: Desk, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OperationalError("INSERT", {}, Exception("disk full"))

    desk.cosigned(log, 0, 5)
    with monkeypatch.context() as patched:
        patched.setattr("witness.cosigner.keep_latest", broken)
        answer = desk.post(log.request(5, 9))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert desk.size_of(log) == 5
    desk.cosigned(log, 5, 9)


# What can be read ----------------------------------------------------------------------------------


def test_watchers_see_the_latest_checkpoint_and_only_that(desk: Desk, log: Log) -> None:
    path = f"/checkpoint/{log.origin_hash}"
    assert desk.get(path).status_code == 404
    desk.cosigned(log, 0, 5)
    answer = desk.post(log.request(5, 9))
    shown = desk.get(path)
    assert status_of(shown)[:2] == (200, PLAIN)
    assert shown.content == log.note(9) + answer.content
    assert shown.headers["cache-control"] == "no-store"
    for other in (log.origin_hash.upper(), log.origin_hash[:-1], "0" * 64, "log.example"):
        assert desk.get(f"/checkpoint/{other}").status_code == 404
        assert desk.get(f"/evidence/{other}").status_code == 404


def test_health_is_that_of_the_database(desk: Desk) -> None:
    assert status_of(desk.get("/healthz")) == (200, PLAIN, "ok\n")
    desk.store.close()
    assert desk.get("/healthz").status_code == 503
