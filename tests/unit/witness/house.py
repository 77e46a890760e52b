"""A witness as an operator sets it up: a folder, a settings file, a process."""

import json
import os
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from concordat.trust.note import VerifierKey
from tests.unit.witness.desk import WITNESS, Log

ROOT = Path(__file__).parents[3]


@dataclass
class Process:
    """A running `python -m witness.main serve`."""

    popen: "subprocess.Popen[str]"
    port: int = 0
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait(15)
        self._reader.join()

    def stop(self) -> int:
        self.popen.terminate()
        code = self.popen.wait(15)
        self._reader.join()
        return code

    def post(self, body: bytes) -> httpx.Response:
        return httpx.post(f"{self.url}/add-checkpoint", content=body, trust_env=False)

    def shown(self, log: Log) -> httpx.Response:
        return httpx.get(f"{self.url}/checkpoint/{log.origin_hash}", trust_env=False)

    def read(self) -> None:
        """Wait for the line that says it serves; go on reading beside."""
        ready: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

        def pump() -> None:
            assert self.popen.stderr is not None
            with self.popen.stderr as lines:
                for line in lines:
                    self.log.append(line)
                    if '"event": "serving"' in line:
                        ready.put(json.loads(line))
            ready.put(None)

        self._reader = threading.Thread(target=pump, daemon=True)
        self._reader.start()
        line = ready.get(timeout=30)
        assert line is not None, "".join(self.log)
        self.port = line["port"]


class House:
    """A folder with a witness's settings in it."""

    def __init__(self, folder: Path, *logs: Log, **settings: Any) -> None:
        self.folder = folder
        self.config = folder / "witness.toml"
        given = {
            "name": WITNESS,
            "signing_key": "keys/signing.key",
            "listen": "127.0.0.1:0",
            "database": "sqlite:///witness.db",
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in (given | settings).items()]
        for log in logs:
            lines += ["[[logs]]", f'vkey = "{log.vkey}"']
        self.config.write_text("\n".join(lines), "utf-8")

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self._command(*arguments),
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )

    def init(self) -> VerifierKey:
        """Set up the witness and return its verifier key."""
        done = self.run("init")
        assert done.returncode == 0, done.stderr
        return VerifierKey.parse(done.stdout.strip())

    def serve(self) -> Process:
        popen = subprocess.Popen(
            self._command("serve"), stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        process = Process(popen)
        process.read()
        return process

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "witness.main", *arguments, "--config", str(self.config)]
