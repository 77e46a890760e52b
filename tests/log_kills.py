"""Kills an exchange's log at a chosen step, again and again, and holds what is left against a journal.

A *zygote* has imported everything and forks a child for each round, which takes milliseconds. The child
runs writers and a sequencer over a database and tiles in a folder, and kills itself with SIGKILL the n-th
time that it comes to a step. All that it told anybody went down a pipe before: entries that were committed,
receipts that were handed out, checkpoints that were signed. That journal is the oracle.

    with Zygote() as zygote:
        kills = Kills(tmp_path, zygote)
        kills.kill("rename:before", nth=3)
        kills.check()

A dead process loses nothing that it wrote, only a power cut does: the children do not wait for the disk.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import Connection

from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import Anchors
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.trust.checkpoint import Checkpoint, cosign_checkpoint, open_checkpoint
from concordat.trust.merkle import ReadNode
from concordat.trust.note import COSIGNATURE_V1, NoteSignature, SignedNote, VerifierKey
from concordat.verify.receipt import open_receipt
from exchange.log import book as book_module
from exchange.log import receipts, sequencing, table
from exchange.log.book import LogBook, WitnessPolicy
from exchange.log.sequencer import Sequencer
from exchange.log.tile_store import FileTiles
from exchange.log.witnesses import Witnesses
from exchange.tables import metadata
from tests.builders import Federation, signer
from tests.sequencer_builders import ORIGIN, Audited, LogSide, audit, draft, settle
from tests.vault_builders import exchange_engine

ROOT = Path(__file__).parents[1]
WRITERS = 4
LEASE_SECONDS = 0.02
GIVE_UP_SECONDS = 10.0
WITNESS = VerifierKey("witness.example/w", COSIGNATURE_V1, signer("witness").public_key)

STEPS = (
    "entered",  # the act and its draft are committed; its caller does not know yet
    "assign:before",
    "assign:uncommitted",
    "assigned",  # has its index, durably
    "read",  # of the edge, and of what is hashed again
    "write:before",  # of each tile
    "write:unsynced",
    "rename:before",
    "rename:after",
    "drop:before",  # of partial tiles that a full one replaced
    "drop:after",
    "sign:before",
    "sign:after",
    "witness:before",
    "witness:after",
    "publish:before",
    "publish:uncommitted",  # public, and the database does not know
    "published",
    "receipt",
    "handed-out",
)

_JOURNAL = 100  # the descriptor of the pipe: log lines go to standard output

F = TypeVar("F", bound=Callable[..., Any])


# In the child -----------------------------------------------------------------------------------


class _Life:
    """One child's life: counts the steps, and ends at one."""

    def __init__(self, step: str, nth: int) -> None:
        self._step, self._left = step, nth

    def at(self, step: str) -> None:
        if step == self._step:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)

    def around(self, function: F, before: str, after: str) -> F:
        """Return ``function`` with a step on either side; an empty name is none."""

        def wrapped(*given: Any, **named: Any) -> Any:
            self.at(before)
            result = function(*given, **named)
            self.at(after)
            return result

        return wrapped  # type: ignore[return-value] # as the function, from outside


def _tell(kind: str, **what: object) -> None:
    """Write a line of the journal; shorter than a pipe's buffer, it goes whole or not at all."""
    os.write(_JOURNAL, json.dumps({"kind": kind} | what).encode() + b"\n")


@dataclass
class _Signer:
    """The log's key, with a step on either side."""

    life: _Life
    public_key: bytes = signer("log").public_key

    def sign(self, message: bytes) -> bytes:
        self.life.at("sign:before")
        signed = signer("log").sign(message)
        _tell("signed", text=message.hex())
        self.life.at("sign:after")
        return signed


class _Witnesses(Witnesses):
    """One witness that answers at once."""

    def __init__(self, life: _Life) -> None:
        super().__init__([], 1, 1.0)
        self._life = life

    def cosign(self, note: bytes, size: int, read: ReadNode) -> list[NoteSignature]:
        self._life.at("witness:before")
        line = cosign_checkpoint(
            SignedNote.parse(note).text, WITNESS.name, signer("witness"), 1_800_000_000
        )
        self._life.at("witness:after")
        return [line]


class _Tiles(FileTiles):
    def __init__(self, folder: Path, life: _Life) -> None:
        super().__init__(folder)
        self._life = life

    def read(self, path: str) -> bytes | None:
        self._life.at("read")
        return super().read(path)

    def publish(self, connection: Connection, note: bytes) -> None:
        self._life.at("publish:before")
        super().publish(connection, note)
        self._life.at("publish:uncommitted")

    def _replace(self, path: str, data: bytes) -> None:
        self._life.at("write:before")
        super()._replace(path, data)


def _hook(life: _Life) -> None:
    """Put steps around what belongs to no object of ours."""
    os.fsync = lambda fd: None
    os.fdatasync = lambda fd: life.at("write:unsynced")
    Path.replace = life.around(  # type: ignore[method-assign]
        Path.replace, "rename:before", "rename:after"
    )
    shutil.rmtree = life.around(shutil.rmtree, "drop:before", "drop:after")
    sequencing.assign = life.around(sequencing.assign, "assign:before", "assign:uncommitted")
    Sequencer._integrate = life.around(  # type: ignore[method-assign]
        Sequencer._integrate, "assigned", ""
    )
    Sequencer._publish = life.around(  # type: ignore[method-assign]
        Sequencer._publish, "", "published"
    )
    vars(book_module)["receipt_of"] = life.around(receipts.receipt_of, "receipt", "")
    LogBook._hand_out = life.around(LogBook._hand_out, "", "handed-out")  # type: ignore[method-assign]


def open_store(folder: Path) -> GroupCommit:
    """Open a round's database, made if need be."""
    engine = exchange_engine(f"sqlite:///{folder}/exchange.db")
    metadata.create_all(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
    return GroupCommit(engine)


def _live(folder: Path, step: str, nth: int, seed: int) -> None:
    """Write and sequence until killed."""
    life = _Life(step, nth)
    _hook(life)
    store, tiles = open_store(folder), _Tiles(folder / "log", life)
    sequencer = Sequencer(
        origin=ORIGIN,
        signer=_Signer(life),
        store=store,
        tiles=tiles,
        witnesses=_Witnesses(life),
        clock=Clock(),
        holder=f"process {os.getpid()}",
        lease_seconds=LEASE_SECONDS,
    )
    book = LogBook(store, sequencer, tiles, WitnessPolicy(), batch_seconds=0.001)
    book.start()
    anchors = Federation().anchors
    chance = random.Random(seed)

    async def write(person: str) -> None:
        while True:
            drafts = [draft(person) for _ in range(chance.choice((1, 1, 2, 5, 20, 300)))]
            await store.arun(partial(table.enqueue, drafts=drafts))
            life.at("entered")
            for each in drafts:
                _tell("entered", id=each.record_id.hex())
            keys = [(each.subject_ref, each.record_id) for each in drafts]
            for receipt in await book.receipts(keys[:20], 5.0):
                _acknowledge(receipt, anchors)

    async def all_write() -> None:
        await asyncio.wait_for(
            asyncio.gather(*(write(f"p{n}") for n in range(WRITERS))), GIVE_UP_SECONDS
        )

    asyncio.run(all_write())


def _acknowledge(receipt: v1.LogReceipt | Refusal, anchors: Anchors) -> None:
    """Tell what was acknowledged, as it verifies."""
    if isinstance(receipt, Refusal):
        raise receipt
    open_receipt(receipt, anchors)
    _tell("acknowledged", index=receipt.index, entry=receipt.entry.hex())


def _zygote() -> None:
    """Fork a child for each line that is read; say how it ended."""
    os.dup2(1, _JOURNAL)
    os.dup2(2, 1)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                _live(Path(order["folder"]), order["step"], order["nth"], order["seed"])
            except BaseException:  # noqa: BLE001 - a child never returns
                traceback.print_exc()
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        _tell("ended", status=status)


# In the test ------------------------------------------------------------------------------------


class Zygote:
    """The process that forks the children."""

    def __enter__(self) -> Self:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(20)

    def round(self, **order: object) -> list[dict[str, Any]]:
        """Run one child until it is dead; return its journal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        journal: list[dict[str, Any]] = []
        for line in self._process.stdout:
            told = json.loads(line)
            if told["kind"] == "ended":
                assert os.WIFSIGNALED(told["status"]), f"{order}: it was not killed"
                return journal
            journal.append(told)
        raise AssertionError("the zygote is gone")


@dataclass
class Kills:
    """A folder whose processes are killed, and the journal of all they told."""

    folder: Path
    zygote: Zygote
    entered: set[str] = field(default_factory=set)
    acknowledged: dict[int, str] = field(default_factory=dict)
    signed: set[str] = field(default_factory=set)
    public: set[bytes] = field(default_factory=set)
    kills: int = 0

    def kill(self, step: str, nth: int = 1, seed: int = 0) -> None:
        """Let a process live until it comes to ``step`` for the ``nth`` time; check what it leaves."""
        for told in self.zygote.round(folder=str(self.folder), step=step, nth=nth, seed=seed):
            match told["kind"]:
                case "entered":
                    self.entered.add(told["id"])
                case "signed":
                    self.signed.add(told["text"])
                case "acknowledged":
                    before = self.acknowledged.setdefault(told["index"], told["entry"])
                    assert before == told["entry"], f"{step}: an index was given twice"
        self.kills += 1
        self._check_public(audit(FileTiles(self.folder / "log")))

    def check(self) -> Audited:
        """Start again, let all be sequenced, and check everything."""
        store = open_store(self.folder)
        try:
            tiles = FileTiles(self.folder / "log")
            side = LogSide(store, tiles)
            time.sleep(LEASE_SECONDS)
            settle(side.sequencer(clock=Clock(), lease_seconds=LEASE_SECONDS))
            audited = audit(tiles)
            self._check_public(audited)
            assert side.waiting() == 0
            side.check_chains(audited.entries)
            found = Counter(
                v1.LogEntry.FromString(each).record_id.hex() for each in audited.entries
            )
            assert max(found.values(), default=1) == 1, "an entry is in the log twice"
            assert self.entered <= found.keys(), "an entry is lost"
            for text in self.signed:
                signed = Checkpoint.parse(bytes.fromhex(text))
                assert signed.root == audited.root(signed.size), "another tree was signed"
            return audited
        finally:
            store.close()
            store._engine.dispose()

    def _check_public(self, audited: Audited) -> None:
        """Everything acknowledged is in the public log, which extends all that it was before."""
        for index, entry in self.acknowledged.items():
            assert audited.entries[index].hex() == entry, f"entry {index} is another"
        self.public.add(audited.note)
        for note in self.public - {b""}:
            checkpoint = open_checkpoint(note, LOG_KEY).checkpoint
            assert checkpoint.root == audited.root(checkpoint.size), "a fork was published"


LOG_KEY = Federation().anchors.log

if __name__ == "__main__":
    _zygote()
