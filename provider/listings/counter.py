"""Where commands hand orders in, and learn what became of them.

Orders go through the spool always. Where nobody holds the database, the command itself does while it runs:
it takes the orders in and sends them. Where a node holds it, the command waits for the node to take them in.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from concordat.clock import Clock
from concordat.federation.anchors import Anchors, load_anchors
from concordat.refusal import Refusal
from concordat.rpc.errors import RemoteError
from concordat.rpc.tls import TlsIdentity
from concordat.store.engine import StoreError, require_current
from concordat.store.exclusive import DatabaseInUseError
from concordat.store.group_commit import GroupCommit
from concordat.store.reading import opened_to_read
from concordat.trust.keys import Signer
from provider.database import own_database, start_clock
from provider.listings.courier import take_in
from provider.listings.exchange_link import ExchangeLink
from provider.listings.intake import BATCH, Intake
from provider.listings.orders import Order
from provider.listings.sender import Sender
from provider.listings.spool import Spool
from provider.listings.verdict import Outcome
from provider.migrations import SCRIPTS
from provider.settings import ProviderSettings
from provider.store import outbox
from provider.store.listings import Key
from provider.store.outbox import Delivery, Posted

TAKE_SECONDS = 60.0
_LOOK_SECONDS, _LONGEST_SLEEP_SECONDS = 0.05, 1.0


class NotTakenInError(StoreError):
    """The process that holds the database takes no orders in; they lie in the spool, none is lost."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What the holder of the database has."""

    store: GroupCommit
    intake: Intake
    sender: Sender


@dataclass(slots=True)
class Counter:
    """One command's way to the outbox, and to the exchange."""

    settings: ProviderSettings
    anchors: Anchors
    signer: Signer
    clock: Clock
    link: ExchangeLink
    _spool: Spool
    _hold: Hold | None
    trouble: str = field(default="")  # why the exchange was not reached, if it was not

    @classmethod
    @contextmanager
    def opened(cls, settings: ProviderSettings) -> Iterator["Counter"]:
        """Open everything, the database too if nobody holds it. Raises ``StoreError`` and the like."""
        anchors, signer = load_anchors(settings.trust_bundle), settings.signer()
        identity = TlsIdentity.load(settings.tls_certificate, settings.tls_key)
        spool = Spool(settings.listings.spool)
        with opened_to_read(settings.database) as connection:
            require_current(connection.engine, SCRIPTS)
            clock = start_clock(connection)
        with ExitStack() as stack:
            link = ExchangeLink(anchors, identity)
            stack.callback(link.close)
            hold = None
            if stack.enter_context(spool.held()):
                intake = Intake(settings.member_id, anchors.federation, signer)
                hold = _try_to_hold(stack, settings, link, intake, clock)
            yield cls(settings, anchors, signer, clock, link, spool, hold)

    def hand_in(self, orders: Sequence[Order]) -> list[Outcome]:
        """Hand orders in; return the outcome of each once it is durable.

        Raises ``NotTakenInError`` where the process that holds the database does not take them in in a
        minute, and ``Refusal`` where the database fails.
        """
        name = self._spool.lay(orders)
        if self._hold is not None:
            take_in(self._spool, self._hold.store, self._hold.intake, self.clock.now)
        until = time.monotonic() + TAKE_SECONDS
        while (outcomes := self._spool.outcomes(name)) is None:
            if time.monotonic() > until:
                raise NotTakenInError(
                    "another process holds the database and takes no orders in; "
                    "they lie in the spool and are taken in once a node runs"
                )
            time.sleep(_LOOK_SECONDS)
        return outcomes

    def deliver(self, keys: Sequence[Key], seconds: float) -> None:
        """Have what was said of some filings delivered, until nothing has happened for ``seconds``."""
        queued, idle = 1 << 62, 0
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._send()
            before, queued = queued, self._queued()
            if not queued:
                return
            if queued < before:
                until, idle = time.monotonic() + seconds, 0
                continue
            if not self.unsettled(keys):  # what is queued still is not of these filings
                return
            time.sleep(min(_LOOK_SECONDS * 2**idle, _LONGEST_SLEEP_SECONDS))
            idle += 1

    def _queued(self) -> int:
        with opened_to_read(self.settings.database) as connection:
            return outbox.unsettled(connection)

    def unsettled(self, keys: Sequence[Key]) -> set[Key]:
        """Return those filings of which something is not settled."""
        return {
            key
            for key, said in self.said(keys).items()
            if any(post.state in {Delivery.WAITING, Delivery.QUEUED} for post in said)
        }

    def said(self, keys: Sequence[Key]) -> dict[Key, list[Posted]]:
        """Return all that was said of some filings."""
        found: dict[Key, list[Posted]] = {}
        with opened_to_read(self.settings.database) as connection:
            for start in range(0, len(keys), BATCH):
                found.update(outbox.of_filings(connection, keys[start : start + BATCH]))
        return found

    def _send(self) -> None:
        """Send all that is due, where this command holds the database."""
        if self._hold is None:
            return
        try:
            while self._hold.sender.send_due():
                pass
        except (RemoteError, Refusal) as error:
            self.trouble = str(error)
        else:
            self.trouble = ""


def _try_to_hold(
    stack: ExitStack,
    settings: ProviderSettings,
    link: ExchangeLink,
    intake: Intake,
    clock: Clock,
) -> Hold | None:
    """Take the database, unless another process, as one that loads scores, has it."""
    try:
        engine = stack.enter_context(own_database(settings.database))
    except DatabaseInUseError:
        return None
    store = GroupCommit(engine)
    stack.callback(store.close)
    return Hold(store, intake, Sender(store, link, intake, clock.now))
