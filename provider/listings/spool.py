"""The spool: a folder where commands lay orders for whoever holds the database.

SQLite is for one process at a time, and a serving node is that process, so a command can't write to the
database. It writes a file instead, whole or not at all, and the holder takes it in; taking it in twice
changes nothing more than once. What became of the orders lies beside for the command to read.

The folder has the authority of the signing key: only the node's own user may write to it.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from concordat.durable import write_durably
from concordat.ids import new_id
from concordat.store.engine import StoreError
from provider.listings.orders import Order, OrderMalformedError, dump_orders, parse_orders
from provider.listings.verdict import Outcome, Verdict

_ORDERS, _OUTCOMES, _BAD = ".orders", ".outcomes", ".bad"
_KEEP_OUTCOMES_SECONDS = 86_400

_log = structlog.get_logger("concordat.listings")


def require_private(folder: Path) -> None:
    """Raise ``StoreError`` where a spool that exists can be written to by others than the node's user."""
    if not folder.exists():
        return
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise StoreError(
            f"others may write to {folder}, and so file in this member's name: "
            "give it to the node's user alone (chmod 700)"
        )


class Spool:
    """One folder of orders. Each file of orders has a name that grows with time."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, made if there is none; raise ``StoreError`` where others may write to it."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        require_private(folder)
        self._folder = folder

    def lay(self, orders: Sequence[Order]) -> str:
        """Lay orders down durably, all or none; return their name."""
        name = new_id().hex()
        write_durably(self._folder / f"{name}{_ORDERS}", dump_orders(orders))
        return name

    def waiting(self) -> list[str]:
        """Return the names of orders that nobody has taken in yet, the oldest first."""
        return sorted(path.stem for path in self._folder.glob(f"*{_ORDERS}"))

    def read(self, name: str) -> list[Order]:
        """Return the orders of a name; none where another process has taken them in meanwhile.

        Raises ``OrderMalformedError`` where they can't be read; ``set_aside`` gets them out of the way.
        """
        try:
            return parse_orders((self._folder / f"{name}{_ORDERS}").read_bytes())
        except FileNotFoundError:
            return []

    def settle(self, name: str, outcomes: Sequence[Outcome]) -> None:
        """Say what became of orders that are durable in the database now, and take them away."""
        written = [[outcome.verdict.value, outcome.filing_id.hex()] for outcome in outcomes]
        write_durably(self._folder / f"{name}{_OUTCOMES}", json.dumps(written).encode())
        (self._folder / f"{name}{_ORDERS}").unlink(missing_ok=True)
        self._sweep()

    def set_aside(self, name: str, error: OrderMalformedError) -> None:
        """Keep orders that can't be read where they are in nobody's way."""
        _log.error("orders_malformed", name=name, detail=str(error))
        path = self._folder / f"{name}{_ORDERS}"
        path.replace(path.with_suffix(_BAD))

    def outcomes(self, name: str) -> list[Outcome] | None:
        """Return what became of orders, once; None while they wait."""
        path = self._folder / f"{name}{_OUTCOMES}"
        try:
            written = json.loads(path.read_bytes())
        except FileNotFoundError:
            if (self._folder / f"{name}{_BAD}").exists():
                raise StoreError("the orders could not be read back: see the node's log") from None
            return None
        path.unlink(missing_ok=True)
        return [Outcome(Verdict(verdict), bytes.fromhex(filing)) for verdict, filing in written]

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Try to be the one process that takes orders in and sends; yield whether it is."""
        descriptor = os.open(self._folder / ".holder", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)  # which also lets the lock go

    def _sweep(self) -> None:
        """Remove outcomes that no command has come back for."""
        before = time.time() - _KEEP_OUTCOMES_SECONDS
        for path in self._folder.glob(f"*{_OUTCOMES}"):
            try:
                if path.stat().st_mtime < before:
                    path.unlink()
            except FileNotFoundError:
                continue  # its command came back for it
