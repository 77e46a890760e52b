"""Lenders, who ask with consents, hold what they are told against the model, and heed recalls."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks.chargeoffs.cases import Case
from benchmarks.chargeoffs.people import People
from benchmarks.chargeoffs.world import LENDERS, World
from clients.sdk.aio_client import AioLenderClient
from clients.sdk.views import Permission
from concordat import v1
from concordat.clock import Clock, from_timestamp
from concordat.rpc.errors import RemoteError
from concordat.v1 import ListingBasis, ListingKind, Reason

RECALLED_WITHIN = timedelta(days=183)
_TRIES = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """That a lender was told of a listing, in the model's word."""

    case: Case
    at: datetime


@dataclass(slots=True)
class Lenders:
    """All of them."""

    clients: Mapping[str, AioLenderClient]
    people: People
    checks: int = 0
    shown: int = 0  # listings
    with_something: int = 0  # answers
    differing: list[str] = field(default_factory=list)  # loan numbers
    told: list[Told] = field(default_factory=list)
    acknowledged: int = 0
    asked_again: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, world: World, clock: Clock, people: People) -> "Lenders":
        """Return clients for all."""
        clients = {
            lender: AioLenderClient(world.anchors, world.identity(lender), clock)
            for lender in LENDERS
        }
        return cls(clients, people)

    async def check(
        self, debtor: str, cases: Sequence[Case], ticks: Sequence[datetime], at: datetime
    ) -> None:
        """Ask about a debtor with its consent; ``cases`` are all debts of its that were ever filed."""
        lender = LENDERS[self.checks % len(LENDERS)]
        self.checks += 1
        permission = await self.people.consent(debtor, lender)
        answer = await self._answer(lender, permission)
        standing = {id(case): case.standing(ticks, at) for case in cases}
        expected = {
            case: shown
            for case in cases
            if case.listing_id and (shown := standing[id(case)].shown(at)) is not None
        }
        told = sorted(map(_facts, answer.listings.listings))
        if told != sorted(expected.values()):
            self.differing.append(cases[0].row.loan if cases else debtor)
        self.shown += len(told)
        self.with_something += bool(told)
        self.told += [Told(case, at) for case in expected]

    async def heed(self) -> None:
        """Acknowledge all that is recalled."""
        await asyncio.gather(*map(self._heed, self.clients.values()))

    async def _heed(self, client: AioLenderClient) -> None:
        while recalls := await client.list_retractions():
            for recall in recalls:
                await client.acknowledge_retraction(recall)
                self.acknowledged += 1

    async def _answer(self, lender: str, permission: Permission) -> v1.ListingAnswer:
        """Ask until the memory is current: it is at most a second old, which a busy machine may exceed."""
        for _ in range(_TRIES):
            try:
                return (await self.clients[lender].check_listings(permission)).answer
            except RemoteError as error:
                if error.reason != Reason.REASON_LISTINGS_STALE:
                    raise
                self.asked_again["LISTINGS_STALE"] += 1
                await asyncio.sleep(0.2)
        raise TimeoutError("the exchange's memory of the listings does not become current")

    async def close(self) -> None:
        """Close all channels."""
        await asyncio.gather(*(client.close() for client in self.clients.values()))


def expected_recalls(lenders: Lenders, ticks: Sequence[datetime]) -> list[tuple[str, datetime]]:
    """Return which recalls there must have been, by loan and time: one for each answer that told of it."""
    recalls: list[tuple[str, datetime]] = []
    for told in lenders.told:
        changes = told.case.standing(ticks, ticks[-1]).recalls
        recalls += [
            (told.case.row.loan, change)
            for change in changes
            if told.at
            < change
            < told.at + RECALLED_WITHIN  # what comes first in a tick is told already
        ]
    return recalls


def _facts(listing: v1.ListingInView) -> tuple[int, ...]:
    """Return what a lender was told, as the model says it; nothing like it where kind or basis is another."""
    expected = (ListingKind.LISTING_KIND_DEBT, ListingBasis.LISTING_BASIS_LOAN)
    if (listing.kind, listing.basis) != expected or listing.HasField("words"):
        return ()
    settled = (
        (from_timestamp(listing.settled_on) - _EPOCH).days if listing.HasField("settled_on") else 0
    )
    return (
        listing.mark,
        listing.band,
        (from_timestamp(listing.delinquent_since) - _EPOCH).days,
        (from_timestamp(listing.effective_since) - _EPOCH).days,
        settled,
        (from_timestamp(listing.expires_at) - _EPOCH).days,
    )
