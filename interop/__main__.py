"""Check our log with Go's tools, and what Go signs with ours.

    .venv/bin/python -m interop [--entries 70000]

Exits 1 where one side does not accept what it must, or accepts what it must refuse. Where there is no
``apt-get`` to fetch Go with nothing is checked, which is a failure in CI only.
"""

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rich.console import Console

from concordat.trust.checkpoint import open_checkpoint
from concordat.trust.errors import TrustError
from concordat.trust.keys import verify_signature
from concordat.trust.note import ED25519, SignedNote, VerifierKey
from interop.material import Material, make
from interop.toolchain import Go, NoDebianError

PROJECT = Path(__file__).resolve().parents[1]
WORK = PROJECT / ".interop"
SMALL = 600  # entries of the log that is damaged, bit by bit and file by file

_SAY_SECONDS = 2.0
_out = Console(highlight=False, soft_wrap=True)


class InteropError(Exception):
    """The two do not agree; the text says on what."""


def main() -> None:
    """Do all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=70_000, help="size of the log")
    arguments = parser.parse_args()
    try:
        go = Go.unpacked(WORK, _out)
    except NoDebianError:
        _out.print(
            "interop: left out: Go comes from Debian's archive, and there is no apt-get here"
        )
        sys.exit(os.environ.get("CI", "").lower() in {"true", "1"})
    began = time.monotonic()
    try:
        verify(go, arguments.entries)
    except subprocess.CalledProcessError as error:
        _out.print(
            f"interop: FAILED, see above: {Path(error.cmd[0]).name} ended with {error.returncode}"
        )
        sys.exit(1)
    except InteropError as error:
        _out.print(f"interop: FAILED: {error}")
        sys.exit(1)
    _out.print(f"interop: Go and our code agree ({time.monotonic() - began:.0f} s)")


def verify(go: Go, entries: int) -> None:
    """Raise ``InteropError`` or ``CalledProcessError`` for the first disagreement."""
    program = _build(go)
    material = _material("large", entries)
    _go(program, "check", material)
    _go(program, "refuse", _material("small", SMALL))
    _verify_signed_by_go(program, material)
    _audit(_build(go, "audit"), material)


def _build(go: Go, name: str = "verify") -> Path:
    source, program = PROJECT / "interop" / name, WORK / name
    _out.print(f"Building {name} with {go.run('go', 'version').strip()}")
    if unformatted := go.run("gofmt", "-l", source):
        raise InteropError(f"not as gofmt has it: {unformatted}")
    files = sorted(source.glob("*.go"))
    go.run("go", "vet", *files)
    go.run("go", "build", "-o", program, *files)
    return program


def _material(name: str, entries: int) -> Material:
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return make(folder, entries, _Progress())


class _Progress:
    """Says now and then how far it is, and when a thing that took long is done."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if now - self._last > _SAY_SECONDS or (done == of and of > SMALL):
            self._last = now
            _out.print(f"  {what}: {done:,} of {of:,}")


def _go(program: Path, command: str, material: Material, *more: Path) -> None:
    arguments = [material.folder, *more]
    keys = ["-log", str(material.log), "-witness", str(material.witness)]
    subprocess.run([program, *keys, command, *arguments], check=True)


def _audit(program: Path, material: Material) -> None:
    """Have the program of docs/audit-with-go.md audit the log over HTTP, and refuse it under another key."""
    served = partial(_Quiet, directory=str(material.folder / "log"))
    with ThreadingHTTPServer(("127.0.0.1", 0), served) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        subprocess.run([program, str(material.log), url], check=True)
        other = VerifierKey(material.log.name, ED25519, material.witness.public_key)
        refused = subprocess.run([program, str(other), url], check=False, stderr=subprocess.PIPE)
        server.shutdown()
    if refused.returncode == 0:
        raise InteropError("the audit accepts a log that another key signed")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of each file."""


# What Go signed ----------------------------------------------------------------------------------


def _verify_signed_by_go(program: Path, material: Material) -> None:
    """Verify checkpoints and a note that Go made, and refuse each with any byte changed."""
    signed = WORK / "signed-by-go"
    shutil.rmtree(signed, ignore_errors=True)
    signed.mkdir()
    _go(program, "sign", material, signed)
    log, other = (VerifierKey.parse(key) for key in (signed / "vkeys").read_text("utf-8").split())
    checkpoints = sorted(signed.glob("checkpoint-*"))
    refused = 0
    for path in checkpoints:
        opened = open_checkpoint(path.read_bytes(), log)
        if opened.root != material.root_at(opened.size):
            raise InteropError(f"{path.name}: Go and our code have different roots")
        refused += _refuse_changes(path.read_bytes(), log)
    note = SignedNote.parse((signed / "note").read_bytes())
    for key, signature in zip((log, other), note.signatures, strict=True):
        if not key.made(signature):
            raise InteropError("Go's signature line is not under its key's name and hash")
        verify_signature(key.public_key, signature.signature, note.text)
    _out.print(
        f"  our code: {len(checkpoints)} checkpoints and a note that Go signed verify; "
        f"{refused:,} with a byte changed are refused"
    )


def _refuse_changes(note: bytes, key: VerifierKey) -> int:
    for at in range(len(note)):
        changed = bytearray(note)
        changed[at] ^= 1
        try:
            open_checkpoint(bytes(changed), key)
        except TrustError:
            continue
        raise InteropError(f"a note of Go's with byte {at} changed is accepted")
    return len(note)


if __name__ == "__main__":
    main()
