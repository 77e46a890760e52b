"""The debtors: each with a key of its own, bound by the registrar, acting over the exchange's public port."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self, TypeVar

from benchmarks.chargeoffs.cases import Case
from benchmarks.chargeoffs.world import REGISTRAR, World
from clients.sdk import own_listings, wallet
from clients.sdk.aio_transport import AioTransport
from clients.sdk.flow import Flow, Port
from clients.sdk.listing_memory import ListingMemory
from clients.sdk.members import MemberBook
from clients.sdk.subject_outbox import Pending, submit
from clients.sdk.subject_requests import Grievance, SubjectRequest, make_dispute, make_settlement
from clients.sdk.terms import ConsentTerms, make_consent
from clients.sdk.views import Permission
from clients.sdk.wallet import WalletKey
from concordat import v1
from concordat.clock import Clock
from concordat.federation.evidence import Evidence
from concordat.settings import load_settings
from concordat.statements import seal
from concordat.trust.keys import Ed25519Signer
from concordat.v1 import DataCategory, DisputeGround, DisputeStage
from registrar.codes import EnrolmentCodes
from registrar.derivation import KeyedHashDerivation, load_key
from registrar.issue import Issuer
from registrar.serve import form_of
from registrar.settings import RegistrarSettings

AT_ONCE = 96  # of whom an answer is waited for
_BOUND_FOR = timedelta(days=9 * 365)  # then the key is bound anew
_CODE_LASTS = timedelta(hours=72)
_KEPT_DAYS = 30

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - an item


@dataclass(slots=True)
class Person:
    """A debtor that has a key."""

    key: WalletKey
    bound_at: datetime


class People:
    """All of them; they are enrolled when they first act."""

    def __init__(self, world: World, clock: Clock) -> None:
        """Enrol at the registrar of ``world``, whose operator issues a code to whom it knows."""
        self.anchors = world.anchors
        self.now = clock.now
        self.book = MemberBook(world.anchors, Port.PUBLIC)
        self.calls = 0
        self._transport = AioTransport(world.anchors)
        self._persons: dict[str, Person] = {}
        self._enrolling: dict[str, asyncio.Lock] = {}
        settings = load_settings(RegistrarSettings, world.layout.config(REGISTRAR))
        secret = load_key(settings.identity.derivation_key)
        federation = world.anchors.federation
        self._issuer = Issuer(
            KeyedHashDerivation(secret, federation, form_of(settings)),
            EnrolmentCodes(secret, federation),
        )

    async def __aenter__(self) -> Self:
        await self._transport.run(self.book.refresh(self.now))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.close()

    def __len__(self) -> int:
        """Return how many were enrolled."""
        return len(self._persons)

    async def key_of(self, debtor: str) -> WalletKey:
        """Return a debtor's bound key; enrol it, or bind its key anew where the binding is old."""
        async with self._enrolling.setdefault(debtor, asyncio.Lock()):
            person, now = self._persons.get(debtor), self.now()
            if person is not None and now - person.bound_at < _BOUND_FOR:
                return person.key
            signer = person.key.signer if person else Ed25519Signer.generate()
            code = self._issuer.issue(debtor, now + _CODE_LASTS)
            binding = await self._run(wallet.bind(self.anchors, signer, debtor, code, now))
            key = WalletKey(signer, binding)
            self._persons[debtor] = Person(key, now)
            return key

    async def read_inbox(self, debtor: str) -> list[v1.InboxMessage]:
        """Fetch a debtor's whole inbox: the notices in it are served thereby."""
        key = await self.key_of(debtor)
        request = own_listings.inbox_request(key, self.book, self.now())
        return await self._run(own_listings.read_inbox(key, self.book, request))

    async def dispute(
        self, case: Case, stage: DisputeStage.ValueType, ground: DisputeGround.ValueType, who: str
    ) -> bytes:
        """Contest, dispute or appeal, with a piece of evidence sealed to ``who``; return the dispute's id."""
        key, decides = await self.key_of(case.row.debtor), self.book.find(who)
        assert decides is not None
        appeal = stage == DisputeStage.DISPUTE_STAGE_APPEAL
        grievance = Grievance(
            listing_id=case.listing_id,
            stage=stage,
            ground=ground,
            evidence=[Evidence.of(f"{case.row.loan} {stage} {len(case.acts)}".encode())],
            ruling_id=case.ruling_id if appeal else b"",
        )
        request = make_dispute(key, self.anchors.federation, grievance, decides, self.now())
        await self._post(request)
        return v1.Dispute.FromString(request.dispute.payload).dispute_id

    async def settle(self, case: Case) -> None:
        """Say that the debt was paid today."""
        key, at = await self.key_of(case.row.debtor), self.now()
        receipt = f"receipt {case.row.loan}".encode()
        federation = self.anchors.federation
        await self._post(make_settlement(key, federation, case.listing_id, receipt, at, at))

    async def consent(self, debtor: str, lender: str) -> Permission:
        """Let a lender look at the listings, once."""
        key = await self.key_of(debtor)
        terms = ConsentTerms(
            recipient=lender,
            providers=[self.anchors.bundle.exchange_id],
            categories=[DataCategory.DATA_CATEGORY_LISTINGS],
            data_life_days=_KEPT_DAYS,
        )
        consent = make_consent(terms, self.anchors.federation, key.subject_ref, self.now())
        envelope = seal(consent, key.signer)
        await self._run(wallet.grant(key, self.book, envelope, self.now))
        return Permission(envelope, key.binding)

    async def faults(self, debtor: str) -> int:
        """Return how much of what a debtor is shown of its own listings does not hold: every step is checked."""
        key = await self.key_of(debtor)
        memory = ListingMemory(self.now())
        told = await self._run(own_listings.list_own_listings(key, self.book, memory, self.now))
        return len(told.faults) + sum(len(one.problems) for one in told.listings)

    async def _post(self, request: SubjectRequest) -> None:
        posted = await self._run(submit(Pending.of(request), self.anchors))
        posted.require_taken()

    async def _run(self, flow: Flow[T]) -> T:
        self.calls += 1
        return await self._transport.run(flow)


async def each(
    items: Iterable[I], one: Callable[[I], Awaitable[T]], at_once: int = AT_ONCE
) -> list[T]:
    """Do something of each item, ``at_once`` side by side; return the results in order."""
    gate = asyncio.Semaphore(at_once)

    async def guarded(item: I) -> T:
        async with gate:
            return await one(item)

    return list(await asyncio.gather(*map(guarded, items)))
