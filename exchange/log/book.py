"""The log as the rest of the exchange uses it: enter, wait until it is in a checkpoint, keep the receipt.

log.enqueue(connection, drafts)                 # table.py; in the transaction of the act itself
receipts = await book.receipts(keys, seconds)   # once they are in a signed checkpoint
"""

import asyncio
import threading
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from concordat import v1
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.telemetry.metrics import LOG_REFUSALS
from concordat.trust.errors import TrustError
from concordat.trust.tiles import TileReader
from concordat.v1 import Reason
from exchange.log import sequencing, table
from exchange.log.growth import TileDamagedError, fetch_from
from exchange.log.receipts import receipt_of, require_proved
from exchange.log.sequencer import Published, Sequencer
from exchange.log.table import Key, Opening
from exchange.log.tile_store import TileStore

_log = structlog.get_logger("concordat.log")

_LOOK_SECONDS = 0.05  # how often the queue is looked at while nobody waits for a receipt
_AWAITED_SECONDS = 0.01  # and where somebody does, for an entry that another process sequences
_FAILED_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """What happens while too few witnesses cosign: after ``seconds`` nothing is released, or it goes on."""

    refuse: bool = True
    seconds: float = 30.0


class LogBook:
    """The front of the log in one process, with the thread that sequences or follows."""

    def __init__(
        self,
        store: GroupCommit,
        sequencer: Sequencer,
        tiles: TileStore,
        policy: WitnessPolicy,
        *,
        batch_seconds: float,
    ) -> None:
        """Sequence at most once in ``batch_seconds``."""
        self._store = store
        self._sequencer = sequencer
        self._tiles = tiles
        self._policy = policy
        self._batch_seconds = batch_seconds
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._awaited: dict[Key, list[Future[v1.LogReceipt]]] = {}  # one for each who waits
        self._unwitnessed_since: datetime | None = None
        self._failure: str | None = None
        self._entries = 0  # in the latest checkpoint seen
        self._grown_at = time.monotonic()  # when that was first seen
        self.refused = 0  # because the log could not be written or was not witnessed
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self) -> None:
        """Begin to sequence, or to follow who does."""
        self._thread.start()

    def stop(self) -> None:
        """Sequence what waits, give the lease up and end the thread."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        self._sequencer.witnesses.close()

    # What the services call -------------------------------------------------------------------

    def require_open(self, at: datetime) -> None:
        """Raise ``Refusal`` where nothing may be released now.

        REASON_LOG_UNAVAILABLE while the log cannot be written; REASON_LOG_UNWITNESSED where too few
        witnesses have seen it for longer than the policy allows.
        """
        if self._failure is not None:
            self.refused += 1
            LOG_REFUSALS.add()
            raise Refusal(Reason.REASON_LOG_UNAVAILABLE, self._failure)
        since = self._unwitnessed_since
        if since is None or not self._policy.refuse:
            return
        if at - since > timedelta(seconds=self._policy.seconds):
            self.refused += 1
            LOG_REFUSALS.add()
            raise Refusal(
                Reason.REASON_LOG_UNWITNESSED,
                f"no quorum of witnesses since {since:%H:%M:%S}",
                retry_after=timedelta(seconds=1),
            )

    async def receipts(self, keys: Sequence[Key], seconds: float) -> list[v1.LogReceipt | Refusal]:
        """Return the receipt of each entry once it is in a signed checkpoint, in order.

        One that is not there in ``seconds`` becomes a ``Refusal`` (REASON_LOG_UNAVAILABLE); it stays
        entered.
        """
        awaited: list[Future[v1.LogReceipt]] = [Future() for _ in keys]
        with self._lock:
            for key, each in zip(keys, awaited, strict=True):
                self._awaited.setdefault(key, []).append(each)
        self._wake.set()
        waits = [asyncio.wrap_future(each) for each in awaited]
        try:
            if waits:
                await asyncio.wait(waits, timeout=max(seconds, 0))
        finally:
            self._forget(keys, awaited)
        return [wait.result() if wait.done() else self._not_in_time() for wait in waits]

    def _forget(self, keys: Sequence[Key], awaited: Sequence[Future[v1.LogReceipt]]) -> None:
        """Wait no more for what did not come; others may wait for the same entry."""
        with self._lock:
            for key, each in zip(keys, awaited, strict=True):
                left = self._awaited.get(key)
                if left is not None and each in left:
                    left.remove(each)
                    if not left:
                        del self._awaited[key]

    def _not_in_time(self) -> Refusal:
        self.refused += 1
        LOG_REFUSALS.add()
        return Refusal(Reason.REASON_LOG_UNAVAILABLE, self._failure or "no checkpoint in time")

    @property
    def health(self) -> dict[str, object]:
        """What an operator wants to know; no names."""
        since = self._unwitnessed_since
        return {
            "sequencing": self._sequencer.leads,
            "failure": self._failure,
            "unwitnessed_since": since.isoformat() if since else None,
            "checkpoints_witnessed": self._sequencer.witnesses.cosigned,
            "checkpoints_unwitnessed": self._sequencer.witnesses.unwitnessed,
            "refused": self.refused,
        }

    @property
    def entries(self) -> int:
        """How many entries the latest checkpoint has that this process has seen."""
        return self._entries

    @property
    def checkpoint_age(self) -> float:
        """How many seconds ago that was first seen."""
        return time.monotonic() - self._grown_at

    @property
    def unwitnessed_since(self) -> datetime | None:
        """Since when too few witnesses have cosigned; None while enough do."""
        return self._unwitnessed_since

    @property
    def failure(self) -> str | None:
        """Why the log cannot be written now; None where it can."""
        return self._failure

    @property
    def leads(self) -> bool:
        """Whether this process sequences."""
        return self._sequencer.leads

    @property
    def quorum(self) -> int:
        """How many witnesses must cosign."""
        return self._sequencer.witnesses.quorum

    # The thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            pause = self._batch_seconds
            try:
                asked = self._asked()
                published = self._sequencer.round()
                self._hand_out(published, asked)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing is signed and it is said
                self._fail(error)
                pause = _FAILED_SECONDS
            else:
                self._recover()
                if published is None:
                    with self._lock:
                        patience = _AWAITED_SECONDS if self._awaited else _LOOK_SECONDS
                    self._wake.wait(patience)
                    self._wake.clear()
                    continue
            self._stopping.wait(max(0.0, pause - (time.monotonic() - began)))
        self._finish()

    def _finish(self) -> None:
        try:
            asked = self._asked()
            while (published := self._sequencer.round()) is not None:
                self._hand_out(published, asked)
            self._sequencer.step_down()
        except Exception as error:  # noqa: BLE001 - what waits is on record, and sequenced at the next start
            _log.warning("log_left_unfinished", error=type(error).__name__)

    def _hand_out(self, published: Published | None, asked: Collection[Key]) -> None:
        """Make the receipts that are waited for and can be made now, whoever sequenced their entries.

        ``asked`` was waited for before the round began: what of it the round did not add was sequenced
        earlier, or elsewhere, and is looked up. What was asked for since, and was not added, is for the next.
        """
        signed = self._sequencer.signed if self._sequencer.leads else None
        signed = signed or self._store.run(sequencing.signed)
        self._unwitnessed_since = signed.unwitnessed_since
        if signed.size != self._entries:
            self._entries, self._grown_at = signed.size, time.monotonic()
        if published is None:
            reader = TileReader(fetch_from(self._tiles.read), signed.size)
            published = Published(signed.size, signed.root, signed.note, reader, {})
        added = [published.added[key] for key in self._asked() if key in published.added]
        others = [key for key in asked if key not in published.added]
        found = self._store.run(lambda c: table.openings(c, others)) if others else []
        damage: Exception | None = None
        for opening in [*added, *found]:
            try:
                self._prove(opening, published)
            except (TileDamagedError, TrustError) as error:
                damage = error  # keeps nobody else waiting
        if damage is not None:
            raise damage

    def _asked(self) -> list[Key]:
        with self._lock:
            return list(self._awaited)

    def _prove(self, opening: Opening, published: Published) -> None:
        """Make one receipt and give it to all who wait for it."""
        if opening.leaf_index >= published.size:
            return
        receipt = receipt_of(opening, published.size, published.note, published.reader)
        if opening.key not in published.added:
            require_proved(receipt, published.size, published.root)
        with self._lock:
            waiting = self._awaited.pop(opening.key, [])
        for each in waiting:
            if each.set_running_or_notify_cancel():
                each.set_result(receipt)

    def _fail(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"[:500]
        if said != self._failure:
            _log.error("log_stopped", detail=said)
        self._failure = said

    def _recover(self) -> None:
        if self._failure is not None:
            _log.info("log_goes_on")
            self._failure = None
