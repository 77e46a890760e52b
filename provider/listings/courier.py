"""The two threads of a serving node: one takes orders in from the spool, one sends what is due."""

import random
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog

from concordat.refusal import Refusal
from concordat.rpc.errors import RemoteError
from concordat.store.group_commit import GroupCommit
from provider.listings.exchange_link import ExchangeLink
from provider.listings.intake import BATCH, Intake
from provider.listings.orders import OrderMalformedError
from provider.listings.outcome import wait_before
from provider.listings.sender import Sender
from provider.listings.spool import Spool

LOOK_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 60.0
_LONGEST_TOLD_SECONDS = 3600.0  # an exchange that says more is asked once an hour all the same

_log = structlog.get_logger("concordat.listings")


def take_in(spool: Spool, store: GroupCommit, intake: Intake, now: Callable[[], datetime]) -> int:
    """Take in all orders of the spool; return how many.

    Raises ``Refusal`` where the database failed, once those were taken in for which it did not.
    """
    taken, failure = 0, None
    for name in spool.waiting():
        try:
            orders = spool.read(name)
            outcomes = []
            for start in range(0, len(orders), BATCH):
                group = orders[start : start + BATCH]
                outcomes += store.run(partial(intake.take, orders=group, at=now()))
        except OrderMalformedError as error:
            spool.set_aside(name, error)
        except Refusal as refusal:
            failure = refusal
        else:
            spool.settle(name, outcomes)
            taken += len(orders)
    if failure is not None:
        raise failure
    return taken


class Courier:
    """Takes in and sends until it is stopped, whether the exchange can be reached or not."""

    def __init__(
        self,
        spool: Spool,
        store: GroupCommit,
        intake: Intake,
        link: ExchangeLink,
        now: Callable[[], datetime],
    ) -> None:
        """Prepare; ``start`` begins."""
        self._spool = spool
        self._store = store
        self._intake = intake
        self._link = link
        self._now = now
        self._sender = Sender(store, link, intake, now)
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._threads = [
            threading.Thread(target=self._take_in, name="listings-intake", daemon=True),
            threading.Thread(target=self._send, name="listings-sender", daemon=True),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def run_once(self) -> None:
        """Take in what waits and send all that is due, here and now: where the threads were not started.

        Raises as ``take_in`` and ``Sender.send_due`` do.
        """
        with self._spool.held() as held:
            if held:
                take_in(self._spool, self._store, self._intake, self._now)
        while self._sender.send_due():
            pass

    def stop(self) -> None:
        """End the call that is out, and both threads; what was not answered is sent again next time."""
        self._stopping.set()
        self._news.set()
        self._link.cancel()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._link.close()

    def _take_in(self) -> None:
        while not self._stopping.is_set():
            with self._spool.held() as held:
                while held and not self._stopping.is_set():
                    self._take_in_once()
                    self._stopping.wait(LOOK_SECONDS)
            self._stopping.wait(LOOK_SECONDS)

    def _take_in_once(self) -> None:
        try:
            if taken := take_in(self._spool, self._store, self._intake, self._now):
                _log.info("orders_taken_in", orders=taken)
                self._news.set()
        except (Refusal, OSError) as error:  # the orders lie there still
            _log.error("orders_not_taken_in", detail=str(error))
        except Exception:  # noqa: BLE001 - whatever it was, later orders must not wait for a restart
            _log.exception("orders_not_taken_in")

    def _send(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            pause = self._send_once(failures)
            if pause is None:
                failures = 0
                self._news.wait(LOOK_SECONDS)
                self._news.clear()
            else:
                failures += 1
                self._stopping.wait(pause)

    def _send_once(self, failures: int) -> float | None:
        """Send all that is due; return None, or after a failure how many seconds to leave off."""
        spread = random.random()  # noqa: S311 - spread, no secret
        pause = min(wait_before(failures, spread) / 1e6, _LONGEST_PAUSE_SECONDS)
        try:
            while not self._stopping.is_set() and (answered := self._sender.send_due()):
                _log.info("listings_answered", statements=answered)
        except RemoteError as error:
            if error.retry_after is not None:
                pause = max(pause, min(error.retry_after.total_seconds(), _LONGEST_TOLD_SECONDS))
            self._complain(str(error), pause)
            return pause
        except Refusal as refusal:
            self._complain(str(refusal), pause)
            return pause
        except Exception:  # noqa: BLE001 - as above
            _log.exception("listings_not_sent")
            return pause
        return None

    def _complain(self, detail: str, pause: float) -> None:
        if not self._stopping.is_set():
            _log.warning("listings_not_sent", detail=detail, again_in=round(pause, 2))
