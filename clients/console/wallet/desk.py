"""The wallet behind the page: open, locked for each visit, and what waits sent before anything else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from clients.cli.wallet_accesses import keep_broken
from clients.cli.wallet_desk import WalletDesk
from clients.console.base import Visit
from clients.language import marked, tr
from clients.sdk.client import WalletClient
from clients.sdk.errors import AnswerNotVerified
from clients.sdk.listing_store import ListingStore
from clients.sdk.subject_outbox import Posted
from clients.sdk.wallet_file import WalletFolder
from concordat.clock import Clock
from concordat.verify.history import HistoryBrokenError

T = TypeVar("T")
_WAITS = marked(
    "You have signed it, and the exchange does not answer now. It waits in your wallet and goes out by itself "
    "when you look at your listings or change anything here again."
)
_SENT = marked("Something that you signed before has now been sent.")


class Desk:
    """A wallet that was opened with its key, for as long as the page runs."""

    def __init__(self, held: WalletFolder, clock: Clock) -> None:
        """Act with ``held``'s key."""
        self.held = held
        self.clock = clock

    @contextmanager
    def open(self) -> Iterator[WalletDesk]:
        """Hold the wallet's lock, with the exchange to talk to.

        Raises ``AnswerNotVerified`` where the exchange's account of the accesses does not hold; the evidence
        is then in the wallet's folder.
        """
        with self.held.locked(), WalletClient(self.held.anchors, self.clock) as client:
            now = self.clock.now()
            try:
                yield WalletDesk(ListingStore(self.held, now), client, now)
            except HistoryBrokenError as error:
                _, advice = keep_broken(self.held, error)
                raise AnswerNotVerified(advice) from error

    @contextmanager
    def sending(self, visit: Visit) -> Iterator[WalletDesk]:
        """As ``open``; what waits in the outbox is sent first, and what became of it told."""
        with self.open() as desk:
            desk.send_waiting()
            for posted in desk.earlier:
                visit.session.notices.append(_earlier(posted))
            yield desk


def _earlier(posted: Posted) -> str:
    if posted.error is None:
        return tr(_SENT)
    if posted.waits:
        return tr(_WAITS)
    return tr("Something that you signed before was refused: {why}", why=posted.error)


def outcome(posted: Posted, done: str) -> str:
    """Return what to tell of a request: ``done``, or that it waits; raise what it was refused for."""
    if posted.error is not None and posted.waits:
        return tr(_WAITS)
    posted.require_taken()
    return done


def kept(visit: Visit, kind: type[T]) -> T | None:
    """Return what this session was shown last of a kind; None for nothing."""
    found = visit.session.kept.get(kind.__name__)
    return found if isinstance(found, kind) else None


def keep(visit: Visit, thing: object) -> None:
    """Remember what a session was shown, in memory and for as long as it lasts."""
    visit.session.kept[type(thing).__name__] = thing
