"""One process of a sandbox: started, awaited, stopped gently or not, with its log kept."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

TAIL_LINES = 20
_LOOK_SECONDS = 0.02


class SandboxError(Exception):
    """The sandbox, or a process of it, does not do what it should; the text has the log's end."""


@dataclass(slots=True)
class ServerProcess:
    """A server run by this Python; it is ready once its log holds a line for each of ``signs``."""

    name: str
    module: str  # "exchange.main"
    config: Path
    log: Path
    signs: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None
    _log_start: int = 0

    def start(self) -> None:
        """Start it, and return at once."""
        if self.running:
            raise SandboxError(f"{self.name} runs already")
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command(self.module, "serve", "--config", self.config),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment, "PYTHONUNBUFFERED": "1"},
                # A Ctrl-C on the terminal is for the sandbox, which then stops them in order.
                start_new_session=True,
            )

    def wait_ready(self, seconds: float = 30) -> None:
        """Wait until it serves; raise ``SandboxError`` with the log's end where it does not."""
        deadline = time.monotonic() + seconds
        while not self.ready:
            if not self.running:
                raise SandboxError(f"{self.name} stopped while starting.\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"{self.name} was not ready after {seconds:.0f} s.\n{self.log_tail()}"
                )
            time.sleep(_LOOK_SECONDS)

    @property
    def ready(self) -> bool:
        """Whether the log says so, since the last start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            text = log.read().decode(errors="replace")
        return all(re.search(sign, text) for sign in self.signs)

    @property
    def running(self) -> bool:
        """Whether the process is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id; raise ``SandboxError`` where it does not run."""
        if self._process is None or not self.running:
            raise SandboxError(f"{self.name} does not run.\n{self.log_tail()}")
        return self._process.pid

    def ask_to_stop(self) -> None:
        """Send SIGTERM, and return at once."""
        if self.running:
            self._send(signal.SIGCONT)  # a paused process hears nothing else
            self._send(signal.SIGTERM)

    def stop(self, seconds: float = 10) -> int | None:
        """Stop it gently, after ``seconds`` by force; return its exit code, None if never started."""
        self.ask_to_stop()
        if self._process is None:
            return None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.returncode

    def kill(self) -> None:
        """End it at once (SIGKILL), as a power cut would."""
        if self._process is not None:
            self._send(signal.SIGKILL)
            self._process.wait()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): its connections stay open and nothing answers."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._send(signal.SIGCONT)

    def restart(self) -> None:
        """Stop it if it runs, start it again, and wait until it serves."""
        self.stop()
        self.start()
        self.wait_ready()

    def log_tail(self, lines: int = TAIL_LINES) -> str:
        """Return the end of its log."""
        return log_tail(self.log, lines)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)


def command(module: str, *arguments: str | Path) -> list[str]:
    """Return the command line of a party's program, run by this Python."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def run_all(jobs: Sequence[tuple[list[str], Path]], seconds: float = 120) -> None:
    """Run programs side by side to their end; each appends to its log. Raise ``SandboxError``."""
    running: list[tuple[subprocess.Popen[bytes], Path]] = []
    deadline = time.monotonic() + seconds
    try:
        for arguments, path in jobs:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as log:
                process = subprocess.Popen(
                    arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
                )
            running.append((process, path))
        for process, path in running:
            code = process.wait(max(0.1, deadline - time.monotonic()))
            if code:
                told = " ".join(map(str, process.args[1:]))  # type: ignore[index]  # a list, as given
                raise SandboxError(f"exit code {code}: python {told}\n{log_tail(path)}")
    except subprocess.TimeoutExpired as error:
        raise SandboxError(f"still running after {seconds:.0f} s: {error.cmd}") from error
    finally:
        for process, _ in running:
            if process.poll() is None:
                process.kill()
                process.wait()


def stop_on_sigterm() -> None:
    """Make SIGTERM end this program as Ctrl-C does, so that it stops what it started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def log_tail(path: Path, lines: int = TAIL_LINES) -> str:
    """Return the end of a log, under its name."""
    text = path.read_text("utf-8", "replace") if path.exists() else ""
    return "\n".join([f"The end of {path}:", *text.splitlines()[-lines:]])
