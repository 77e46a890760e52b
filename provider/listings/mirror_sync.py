"""Saying that a court's register and its listings at the exchange are the same."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from concordat import v1
from concordat.clock import to_micros, to_timestamp
from concordat.ids import new_id
from concordat.rpc.errors import RemoteError
from concordat.statements import seal
from concordat.store.reading import opened_to_read
from concordat.v1 import ListingKind, ListingState, Reason
from provider.listings.counter import Counter
from provider.listings.orders import AskOrder, Order, SyncedOrder
from provider.store import listings
from provider.store.listings import Key, Listed
from provider.store.mirror import Synced

_LIVE = frozenset(
    {
        ListingState.LISTING_STATE_DRAFT,
        ListingState.LISTING_STATE_NOTICED,
        ListingState.LISTING_STATE_CONTESTED,
        ListingState.LISTING_STATE_EFFECTIVE,
        ListingState.LISTING_STATE_SETTLED,
        ListingState.LISTING_STATE_UNDER_REVIEW,
        ListingState.LISTING_STATE_APPEAL,
    }
)


class NotSyncedError(Exception):
    """The register and the exchange could not be said to be the same; the text says why."""


@dataclass(frozen=True, slots=True)
class Sync:
    """One register that was read at one time: the debts of all its entries."""

    counter: Counter
    register: set[bytes]
    read_at: datetime

    def say(self, have_answered: Callable[[Sequence[Order], list[Key]], None]) -> Synced:
        """Sync; where the exchange has other listings than it last told, ask about all and sync once more.

        ``have_answered`` hands orders in and waits for the answers. Raises ``NotSyncedError`` where the
        exchange has other listings still, and ``RemoteError`` where it does not answer.
        """
        try:
            return self._once(self.counter.clock.now())
        except RemoteError as error:
            if error.reason != Reason.REASON_MIRROR_DIFFERS:
                raise
        keys = [row.key for row in live_listings(self.counter, None).values()]
        have_answered([AskOrder(*key) for key in keys], keys)
        try:
            return self._once(None)
        except RemoteError as error:
            if error.reason != Reason.REASON_MIRROR_DIFFERS:
                raise
            raise NotSyncedError(
                "the exchange has other listings of this court than this node's database: "
                "was it restored from an old copy?"
            ) from error

    def _once(self, at: datetime | None) -> Synced:
        """Sync what is listed here and in the register; with ``at``, what has ended by then is left out."""
        debts = sorted(self.register & set(live_listings(self.counter, at)))
        sync = v1.MirrorSync(
            sync_id=new_id(),
            federation=self.counter.anchors.federation,
            court=self.counter.settings.member_id,
            read_at=to_timestamp(self.read_at),
            entries=len(debts),
            digest=hashlib.sha256(b"".join(debts)).digest(),
        )
        until = self.counter.link.sync(seal(sync, self.counter.signer))
        now = to_micros(self.counter.clock.now())
        synced = Synced(to_micros(self.read_at), len(debts), now, to_micros(until))
        self.counter.hand_in([SyncedOrder(synced)])
        return synced


def live_listings(counter: Counter, at: datetime | None) -> dict[bytes, Listed]:
    """Return the court's live judgments as last told, by debt; with ``at``, without those ended by then."""
    now = None if at is None else to_micros(at)
    with opened_to_read(counter.settings.database) as connection:
        rows = listings.all_open(connection)
    return {
        row.debt: row
        for row in rows
        if row.kind == ListingKind.LISTING_KIND_JUDGMENT
        and row.state in _LIVE
        and (now is None or row.expires_at is None or row.expires_at > now)
    }
