"""A witness without a port, on a database, and logs that tell the truth or do not."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import httpx
from starlette.applications import Starlette

from concordat.store.engine import migrate, open_engine
from concordat.store.group_commit import GroupCommit
from concordat.trust.checkpoint import (
    Checkpoint,
    Cosignature,
    open_checkpoint,
    sign_checkpoint,
)
from concordat.trust.keys import Ed25519Signer
from concordat.trust.merkle import consistency_proof, leaf_hash, root_of
from concordat.trust.note import COSIGNATURE_V1, ED25519, VerifierKey
from concordat.trust.witness_request import AddCheckpoint
from tests.builders import AT, signer
from witness import MIGRATIONS
from witness.app import build_app
from witness.cosigner import Cosigner
from witness.records import latest_cosigned_at
from witness.serve import open_clock

WITNESS = "witness.example/w1"
WITNESS_KEY = VerifierKey(WITNESS, COSIGNATURE_V1, signer("witness").public_key)
MOST_BYTES = 20_000


@dataclass(frozen=True)
class Log:
    """A log of made-up leaves; one with the same key and another ``branch`` is its fork."""

    origin: str = "log.example/a"
    branch: str = ""
    forked_at: int = 0
    signer: Ed25519Signer = field(default_factory=lambda: signer("log"))

    @property
    def vkey(self) -> VerifierKey:
        return VerifierKey(self.origin, ED25519, self.signer.public_key)

    @property
    def origin_hash(self) -> str:
        return hashlib.sha256(self.origin.encode()).hexdigest()

    def fork(self, at: int, branch: str = "fork") -> "Log":
        """Return a log that agrees with this one up to the size ``at``."""
        return replace(self, branch=branch, forked_at=at)

    def leaves(self, start: int, end: int) -> list[bytes]:
        names = (f"{self.branch if i >= self.forked_at else ''}{i}" for i in range(start, end))
        return [leaf_hash(name.encode()) for name in names]

    def checkpoint(self, size: int) -> Checkpoint:
        return Checkpoint(self.origin, size, root_of(self.leaves(0, size)))

    def note(self, size: int) -> bytes:
        return sign_checkpoint(self.checkpoint(size), self.signer)

    def proof(self, old: int, new: int) -> tuple[bytes, ...]:
        if old in (0, new):
            return ()

        def read(level: int, index: int) -> bytes:
            return root_of(self.leaves(index << level, (index + 1) << level))

        return tuple(consistency_proof(old, new, read))

    def request(self, old: int, new: int) -> bytes:
        """Return the body that asks to cosign the tree of ``new`` leaves after that of ``old``."""
        return AddCheckpoint(old, self.proof(old, new), self.note(new)).encode()


@dataclass
class Wall:
    """A clock on the wall, to be set at will."""

    at: datetime = AT

    def read(self) -> datetime:
        return self.at

    def step(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Desk:
    """A witness and what comes in over HTTP, handed to the application itself."""

    url: str
    logs: Sequence[Log]
    wall: Wall = field(default_factory=Wall)
    prefix: str = ""

    def __post_init__(self) -> None:
        engine = open_engine(self.url)
        migrate(engine, MIGRATIONS)
        self.store = GroupCommit(engine)
        clock = open_clock(self.store.run(latest_cosigned_at), self.wall.read)
        keys = [log.vkey for log in self.logs]
        self.cosigner = Cosigner(WITNESS, signer("witness"), keys, self.store, clock)
        self.app: Starlette = build_app(
            self.cosigner, max_body_bytes=MOST_BYTES, prefix=self.prefix
        )

    def restarted(self) -> "Desk":
        self.store.close()
        return replace(self)

    async def send(self, method: str, path: str, body: bytes = b"") -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://witness") as client:
            return await client.request(method, path, content=body)

    def post(self, body: bytes) -> httpx.Response:
        return asyncio.run(self.send("POST", f"{self.prefix}/add-checkpoint", body))

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self.send("GET", path))

    def cosigned(self, log: Log, old: int, new: int) -> Cosignature:
        """Have a checkpoint cosigned, and check that it truly is."""
        answer = self.post(log.request(old, new))
        assert (answer.status_code, answer.headers.get("retry-after")) == (200, None), answer.text
        return cosignature_in(log, log.note(new) + answer.content)

    def size_of(self, log: Log) -> int:
        """Return the size of what watchers are shown of a log; 0 if they are shown nothing."""
        answer = self.get(f"{self.prefix}/checkpoint/{log.origin_hash}")
        if answer.status_code == 404:
            return 0
        return open_checkpoint(answer.content, log.vkey, [WITNESS_KEY], 1).size


def cosignature_in(log: Log, note: bytes) -> Cosignature:
    (found,) = open_checkpoint(note, log.vkey, [WITNESS_KEY], 1).cosignatures
    return found


def status_of(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.headers["content-type"], answer.text
