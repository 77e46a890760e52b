"""Witnesses on loopback: the real one, and any that a test makes stall, err or lie.

with serve_app(desk.app) as url: ...                  # an ASGI application
with serve_answers(lambda body: (200, b"…")) as url:  # whatever a function answers to a submission
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import uvicorn
from starlette.applications import Starlette

from concordat.trust.checkpoint import cosign_checkpoint
from concordat.trust.note import COSIGNATURE_V1, NoteSignature, SignedNote, VerifierKey
from concordat.trust.witness_request import AddCheckpoint
from tests.builders import signer

Answer = Callable[[bytes], tuple[int, bytes]]
"""A submission's body to status and body."""

AT = 1_780_000_000


def key_of(name: str) -> VerifierKey:
    """Return the key of the witness ``name``, the same in every run."""
    return VerifierKey(name, COSIGNATURE_V1, signer(name).public_key)


def cosigned(body: bytes, name: str, by: str = "", text: bytes = b"") -> NoteSignature:
    """Return what ``name`` answers to a submission: made with the key of ``by``, over ``text``."""
    submitted = SignedNote.parse(AddCheckpoint.parse(body).note).text
    return cosign_checkpoint(text or submitted, name, signer(by or name), AT)


def trusting(name: str) -> Answer:
    """Return a witness that cosigns whatever it is given."""
    return lambda body: (200, cosigned(body, name).line())


@contextmanager
def serve_answers(answer: Answer) -> Iterator[str]:
    """Answer submissions; yield the submission prefix."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answered = answer(body)
            if status == 0:  # hang up
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(answered)))
            self.end_headers()
            self.wfile.write(answered)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing of clients that have hung up."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serve_app(app: Starlette) -> Iterator[str]:
    """Serve an application; yield its prefix."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
