"""A log in a directory, for tests: entries, bundles, tiles of every level, and a signed checkpoint.

    log = DirLog(tmp_path / "log")
    log.append(log_entry(n) for n in range(600))

Names and keys are the same in every run. A test bends files under ``log.folder``, or signs another
checkpoint with ``log.sign``. ``serve`` puts the directory behind a real HTTP server.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from concordat import v1
from concordat.trust.checkpoint import Checkpoint, cosign_checkpoint, sign_checkpoint
from concordat.trust.keys import Ed25519Signer
from concordat.trust.merkle import leaf_hash, root_of
from concordat.trust.note import COSIGNATURE_V1, ED25519, SignedNote, VerifierKey
from concordat.trust.tiles import ENTRIES, Tile, bundles_between, encode_bundle, tiles_between
from tests.builders import signer

ORIGIN = "test.concordat/log"
START = 1_780_000_000  # POSIX seconds of the first entry


def log_entry(
    number: int,
    *,
    kind: v1.LogEntryKind.ValueType = v1.LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT,
    at: int | None = None,
    record_id: bytes | None = None,
    branch: str = "",
) -> bytes:
    """Return a lawful entry; ``number`` makes its time and its record id, ``branch`` other commitments."""
    name = f"{branch}{number}".encode()
    entry = v1.LogEntry(
        kind=kind,
        record_id=record_id or hashlib.sha256(b"record " + name).digest()[:16],
        commitment=hashlib.sha256(b"commitment " + name).digest(),
    )
    entry.logged_at.FromSeconds(START + number if at is None else at)
    return entry.SerializeToString(deterministic=True)


def log_entries(first: int, end: int, branch: str = "") -> list[bytes]:
    """Return the entries ``first`` to before ``end``."""
    return [log_entry(number, branch=branch) for number in range(first, end)]


@dataclass(frozen=True)
class LogWitness:
    """A witness that cosigns whatever it is given."""

    name: str

    @property
    def signer(self) -> Ed25519Signer:
        return signer(self.name)

    @property
    def key(self) -> VerifierKey:
        return VerifierKey(self.name, COSIGNATURE_V1, self.signer.public_key)

    def cosign(self, text: bytes, at: int = START) -> bytes:
        """Return a signature line over a checkpoint's text."""
        return cosign_checkpoint(text, self.name, self.signer, at).line()


class DirLog:
    """A log whose files lie in ``folder``; the same entries give the same files."""

    def __init__(
        self, folder: Path, *, origin: str = ORIGIN, witnesses: Iterable[LogWitness] = ()
    ) -> None:
        self.folder = folder
        self.origin = origin
        self.witnesses = tuple(witnesses)
        self.signer = signer(origin)
        self.entries: list[bytes] = []
        folder.mkdir(parents=True, exist_ok=True)
        self.publish()

    @property
    def key(self) -> VerifierKey:
        return VerifierKey(self.origin, ED25519, self.signer.public_key)

    @property
    def size(self) -> int:
        return len(self.entries)

    @property
    def note(self) -> bytes:
        """The checkpoint that is served."""
        return self.path("checkpoint").read_bytes()

    def path(self, tile: Tile | str) -> Path:
        return self.folder / (tile if isinstance(tile, str) else tile.path)

    def root(self, size: int | None = None) -> bytes:
        return root_of([leaf_hash(entry) for entry in self.entries[:size]])

    def append(self, entries: Iterable[bytes]) -> "DirLog":
        """Append entries as one batch, and publish a checkpoint."""
        old = self.size
        self.entries += entries
        for tile in bundles_between(old, self.size):
            at = tile.index * 256
            self.write(tile, encode_bundle(self.entries[at : at + tile.width]))
        leaves = [leaf_hash(entry) for entry in self.entries]
        for tile in tiles_between(old, self.size):
            self.write(tile, b"".join(_hashes(leaves, tile)))
        self.publish()
        return self

    def sign(self, size: int | None = None, root: bytes | None = None) -> bytes:
        """Return a checkpoint, by default the true one of the first ``size`` entries, cosigned by all."""
        size = self.size if size is None else size
        checkpoint = Checkpoint(self.origin, size, self.root(size) if root is None else root)
        note = sign_checkpoint(checkpoint, self.signer)
        text = SignedNote.parse(note).text
        return note + b"".join(witness.cosign(text) for witness in self.witnesses)

    def publish(self, note: bytes | None = None) -> None:
        """Serve a checkpoint; by default the true one of all entries."""
        self.path("checkpoint").write_bytes(self.sign() if note is None else note)

    def write(self, tile: Tile, content: bytes) -> None:
        path = self.path(tile)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def drop_partial(self, level: int, index: int) -> None:
        """Remove the partial tiles that a full one replaced."""
        folder = self.path(Tile(level, index)).with_suffix(".p")
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def _hashes(leaves: list[bytes], tile: Tile) -> list[bytes]:
    assert tile.level != ENTRIES
    span = 256**tile.level
    first = tile.index * 256
    return [
        root_of(leaves[place * span : (place + 1) * span])
        for place in range(first, first + tile.width)
    ]


# Over HTTP --------------------------------------------------------------------------------------

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


@contextmanager
def serve(answer: Callable[[str], Answer] | Path) -> Iterator[str]:
    """Serve a directory, or whatever a function answers to a path, on loopback; yield the prefix."""

    def from_folder(path: str) -> Answer:
        assert isinstance(answer, Path)
        file = answer / path
        return (200, {}, file.read_bytes()) if file.is_file() else (404, {}, b"")

    reply = from_folder if isinstance(answer, Path) else answer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, headers, body = reply(self.path.removeprefix("/"))
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
