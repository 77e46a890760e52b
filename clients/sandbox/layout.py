"""Where a sandbox's files lie, which ports its processes get, and the settings files they read."""

import fcntl
import json
import os
import random
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
# Below the ports that Linux hands to outgoing connections, so that none of those takes a chosen one
# before its process binds it, or while that process restarts.
_FIRST_PORT, _LAST_PORT = 10_240, 32_000
_BLOCK = 200  # ports that one process takes for itself

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ports:
    """Where one process listens: for members (mTLS) and for subjects (server TLS)."""

    member: int
    public: int

    @property
    def member_address(self) -> str:
        """As in a licence's ``endpoint``."""
        return f"{HOST}:{self.member}"

    @property
    def public_address(self) -> str:
        """As in a licence's ``public_endpoint``."""
        return f"{HOST}:{self.public}"


@dataclass(frozen=True, slots=True)
class Layout:
    """A sandbox's folder: ``pki/``, and a folder for each process with its settings, data and log."""

    folder: Path

    @property
    def pki(self) -> Path:
        """The throw-away trust of the federation, as ``concordat pki`` makes it."""
        return self.folder / "pki"

    def member(self, member_id: str) -> Path:
        """The folder that a process has for itself."""
        return self.folder / member_id

    def config(self, member_id: str) -> Path:
        """A process's settings file."""
        return self.member(member_id) / "settings.toml"

    def log(self, member_id: str) -> Path:
        """All that a process prints."""
        return self.member(member_id) / "log.jsonl"

    def database(self, member_id: str) -> Path:
        """A process's SQLite file."""
        return self.member(member_id) / "data.sqlite"


def free_ports(count: int) -> list[Ports]:
    """Return ports that nobody listens on now, all different, and that no other sandbox here is about to use."""
    found: list[int] = []
    with ExitStack() as held:
        for port in islice(_own_ports(), _BLOCK):
            if len(found) == 2 * count:
                break
            taken = held.enter_context(socket.socket())
            try:
                taken.bind((HOST, port))
            except OSError:
                continue
            found.append(port)
    if len(found) < 2 * count:
        raise OSError(f"no {2 * count} free ports on {HOST}")
    return [Ports(*pair) for pair in zip(found[::2], found[1::2], strict=True)]


def metrics_addresses(count: int) -> list[str]:
    """Return where ``count`` processes are to show their metrics: on loopback, a port for each."""
    pairs = free_ports((count + 1) // 2)
    both = [each for pair in pairs for each in (pair.member_address, pair.public_address)]
    return both[:count]


@cache
def _own_ports() -> Iterator[int]:
    """Return the ports of a block that this process holds as long as it lives, over and over.

    Between looking for a port and listening on it seconds may pass, in which another process that looks finds the
    same one free; so each takes from a block of its own.
    """
    blocks = range(_FIRST_PORT, _LAST_PORT - _BLOCK, _BLOCK)
    for first in random.sample(blocks, len(blocks)):
        path = Path(tempfile.gettempdir()) / f"concordat-ports-{os.getuid()}-{first}"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        return cycle(range(first, first + _BLOCK))
    raise OSError(f"all ports of {HOST} are held by other sandboxes; stop some")


def write_settings(path: Path, settings: Settings) -> None:
    """Write a settings file; a value that is a mapping becomes a table."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    tables = {name: value for name, value in settings.items() if isinstance(value, Mapping)}
    lines = [_line(name, value) for name, value in settings.items() if name not in tables]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(_line(key, value) for key, value in table.items())]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def merged(base: Settings, *changes: Settings) -> dict[str, Any]:
    """Return ``base`` with each of ``changes`` over it, tables key by key."""
    result = dict(base)
    for change in changes:
        for name, value in change.items():
            known = result.get(name)
            both = isinstance(known, Mapping) and isinstance(value, Mapping)
            result[name] = {**known, **value} if both and known else value
    return result


def _line(name: str, value: object) -> str:
    return f"{name} = {_written(value)}"


def _written(value: object) -> str:
    """Return a value as TOML has it."""
    match value:
        case Mapping():
            return "{" + ", ".join(_line(str(k), v) for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_written, value)) + "]"
        case Path():
            return json.dumps(str(value))
        case _:  # strings, numbers and booleans are written as JSON writes them
            return json.dumps(value, ensure_ascii=False)
