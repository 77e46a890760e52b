"""A lender's look at one subject's listings and flags: asked with the subject's consent, verified in full."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from clients.sdk.exchange_answers import verified
from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer
from clients.sdk.identity import MemberIdentity
from clients.sdk.members import MemberBook
from clients.sdk.views import Permission, prepare_asks
from concordat import v1
from concordat.federation.directory import Member
from concordat.verify.listing_answer import VerifiedAnswer, verify_listing_answer


@dataclass(frozen=True, slots=True)
class ListingCheck:
    """A verified answer, with what it answers: keep both to show it to others."""

    ask: v1.RequestViewRequest
    response: v1.CheckListingsResponse
    verified: VerifiedAnswer

    @property
    def answer(self) -> v1.ListingAnswer:
        """The answer: its ``listings`` and ``flags`` are set where the consent covers them."""
        return self.verified.answer


def check_listings(
    identity: MemberIdentity,
    book: MemberBook,
    permission: Permission,
    now: Callable[[], datetime],
    seconds: float,
) -> Flow[ListingCheck]:
    """Ask for one subject's listings and flags. A retry underneath repeats the same bytes.

    Raises ``RemoteError`` (refused, or not reachable) or ``AnswerNotVerified``.
    """
    (request,) = prepare_asks(identity, [permission], now())
    call = Call(
        exchange_peer(book.anchors, Port.MEMBER),
        "/concordat.v1.ListingService/CheckListings",
        v1.CheckListingsRequest(ask=request),
        v1.CheckListingsResponse,
        seconds,
    )
    answer = yield from ask(call, v1.CheckListingsResponse)

    def verify(exchange: Member, at: datetime) -> VerifiedAnswer:
        lender = book.directory.require(identity.member_id, at, v1.Role.ROLE_LENDER)
        return verify_listing_answer(
            request, answer, exchange=exchange, lender=lender, anchors=book.anchors, at=at
        )

    return ListingCheck(request, answer, (yield from verified(book, now, verify)))
