"""The exchange's real servicers over an ``ExchangeDesk``: what gRPC calls once a call is let in.

    services = ExchangeServices()
    services.grant(federation.consent(person))             # the ConsentStatus, verified
    services.call(services.views.RequestView, ask, LENDER)

What a servicer refuses is raised as ``Refusal``, before the edge renders it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from google.protobuf.message import Message

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.rpc.admission import CURRENT_CALL, Call
from concordat.statements import seal
from concordat.trust.envelope import open_envelope, validate
from concordat.v1 import Reason
from exchange.consents.servicer import ConsentServicer
from exchange.lenders.servicer import LenderServicer
from exchange.listings.check_listings import CheckDesk
from exchange.listings.furnisher_servicer import FurnisherServicer
from exchange.listings.lender_servicer import ListingServicer
from exchange.listings.review_servicer import ReviewServicer
from exchange.listings.screen_listings import ScreenDesk
from exchange.members.keeper import MemberKeeper
from exchange.members.servicer import MemberServicer
from exchange.subjects.rights import open_rights
from exchange.subjects.servicer import SubjectServicer
from exchange.supervision.orders.servicer import OrderServicer
from exchange.supervision.orders.watch import Overseer
from exchange.supervision.servicer import SupervisionServicer
from exchange.supervision.settings import SupervisionSettings
from exchange.supervision.statistics.office import StatisticsOffice
from exchange.views.servicer import ViewServicer
from tests.builders import EXCHANGE, LENDER, Federation, Granted, Subject, signer
from tests.exchange_builders import ExchangeDesk

T = TypeVar("T")
NO_CONTEXT: Any = None  # the servicers ask for nothing of it
SECONDS_LEFT = 5.0


class ExchangeServices:
    """The three services of an exchange, without ports."""

    def __init__(self, desk: ExchangeDesk | None = None) -> None:
        self.desk = desk or ExchangeDesk()
        self.federation = self.desk.federation
        self.stopping = asyncio.Event()
        keeper = MemberKeeper(self.federation.directory, self.desk.store, self.desk.clock)
        self.members = MemberServicer(keeper, self.stopping)
        self.views = ViewServicer(self.desk.desk)
        self.consents = ConsentServicer(self.federation.anchors, self.desk.store, signer(EXCHANGE))
        desk, anchors, listings = self.desk, self.federation.anchors, self.desk.listings
        directory, exchange = self.federation.directory, signer(EXCHANGE)
        checks = CheckDesk(
            directory, desk.accesses, listings, desk.gate, desk.book, exchange, desk.clock
        )
        screens = ScreenDesk(
            directory, desk.store, listings, desk.gate, desk.book, exchange, desk.clock
        )
        self.furnishers = FurnisherServicer(anchors, desk.store, listings.office)
        self.listings = ListingServicer(anchors, desk.store, checks, screens)
        self.statistics = StatisticsOffice(SupervisionSettings(), directory)
        self.supervision = SupervisionServicer(anchors, desk.store, desk.drift, self.statistics)
        self.lenders = LenderServicer(anchors, desk.store, desk.book, desk.clock.now, self.stopping)
        self.reviews = ReviewServicer(anchors, desk.store, listings.office)
        self.overseer = Overseer(directory, SupervisionSettings().smallest_cell)
        self.orders = OrderServicer(anchors, desk.store, listings.office, self.overseer)
        rights = open_rights(
            desk.subjects_settings, desk.limits, directory, listings.profiles, exchange
        )
        self.subjects = SubjectServicer(
            directory, desk.store, listings.office, desk.own_views, rights
        )

    def let_in(self, caller: str | None = None, at: datetime | None = None) -> None:
        """Have the running task answer a call of ``caller`` (anyone's, on the public port)."""
        member = self.federation.member(caller) if caller else None
        moment = at or self.federation.at
        CURRENT_CALL.set(Call("method", "request-id", moment, member, SECONDS_LEFT))

    def call(
        self,
        method: Callable[[Any, Any], Awaitable[T]],
        request: Message,
        caller: str | None = None,
        at: datetime | None = None,
    ) -> T:
        """Make one unary call."""

        async def answered() -> T:
            self.let_in(caller, at)
            return await method(request, NO_CONTEXT)

        return asyncio.run(answered())

    # ConsentService -----------------------------------------------------------------------------

    def grant(self, granted: Granted, at: datetime | None = None) -> v1.ConsentStatus:
        """Grant a consent; return the exchange's word on it, verified."""
        request = v1.GrantConsentRequest(consent=granted.envelope, binding=granted.person.binding)
        return self._status(self.call(self.consents.GrantConsent, request, at=at).status)

    def tell(
        self, event: v1.Envelope, person: Subject, at: datetime | None = None
    ) -> v1.ConsentStatus:
        """Submit an event under a person's binding; return the exchange's word, verified."""
        request = v1.SubmitConsentEventRequest(event=event, binding=person.binding)
        return self._status(self.call(self.consents.SubmitConsentEvent, request, at=at).status)

    def page(
        self, person: Subject, asked: v1.Envelope | None = None, after: bytes = b""
    ) -> v1.ListConsentsResponse:
        """Return one page of consents, as the owner of ``person``'s binding sees them."""
        asked = asked or subject_request(self.federation, person)
        request = v1.ListConsentsRequest(request=asked, binding=person.binding, after=after)
        return self.call(self.consents.ListConsents, request)

    def _status(self, envelope: v1.Envelope) -> v1.ConsentStatus:
        keys = self.federation.member(EXCHANGE).keys
        return open_envelope(envelope, v1.ConsentStatus, keys, self.federation.at).message

    # ViewService --------------------------------------------------------------------------------

    def stream(
        self, messages: Iterable[Sequence[v1.RequestViewRequest] | Exception]
    ) -> tuple[list[v1.RequestViewsResponse], Exception | None]:
        """Send messages of asks in one stream, or break it off with an exception; return what came back."""

        async def sent() -> AsyncIterator[v1.RequestViewsRequest]:
            for asks in messages:
                if isinstance(asks, Exception):
                    raise asks
                yield v1.RequestViewsRequest(asks=asks)

        async def answered() -> tuple[list[v1.RequestViewsResponse], Exception | None]:
            self.let_in(LENDER)
            answers: list[v1.RequestViewsResponse] = []
            try:
                async for answer in self.views.RequestViews(sent(), NO_CONTEXT):
                    validate(answer)
                    answers.append(answer)
            except Refusal as refusal:
                return answers, refusal
            return answers, None

        return asyncio.run(answered())

    def close(self) -> None:
        """Stop the database thread."""
        self.desk.close()


def subject_request(
    federation: Federation,
    person: Subject,
    /,
    *,
    signed_by: str | None = None,
    made: datetime | None = None,
    **fields: Any,
) -> v1.Envelope:
    """Return a subject's request for its own consents, made at ``made``, for a minute."""
    made = made or federation.at
    given: dict[str, Any] = {
        "request_id": new_id(),
        "federation": federation.name,
        "subject_ref": person.ref,
        "query": v1.SubjectQuery.SUBJECT_QUERY_CONSENTS,
        "issued_at": to_timestamp(made),
        "expires_at": to_timestamp(made + timedelta(minutes=1)),
    }
    request = v1.SubjectRequest(**(given | fields))
    return seal(request, signer(signed_by) if signed_by else person.signer)


def reason_of(work: Callable[[], object]) -> str:
    """Return why something is refused, without the prefix; "" where it is not."""
    try:
        work()
    except Refusal as refusal:
        return Reason.Name(refusal.reason).removeprefix("REASON_")
    return ""


class Idling:
    """Stands in for ``asyncio`` in code that waits: time passes at once, and is added up.

    So a promise such as "within a second" is held to what the code does, not to how busy the machine is.
    """

    Event = asyncio.Event

    def __init__(self, then: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """``then`` is run as each wait begins: the worst moment for something to happen."""
        self.seconds = 0.0
        self._then = then

    async def sleep(self, seconds: float) -> None:
        if self._then is not None:
            await self._then()
        self.seconds += seconds
        await asyncio.sleep(0)

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        await self.sleep(seconds)
        async with asyncio.timeout(0):
            yield
