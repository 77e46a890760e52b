"""What a lender was told and the exchange recalls: listed, verified, acknowledged."""

from collections.abc import Callable
from datetime import datetime

from clients.sdk.exchange_answers import verified
from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer
from clients.sdk.identity import MemberIdentity
from clients.sdk.members import MemberBook
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.directory import Member
from concordat.statements import seal
from concordat.trust.envelope import Verified
from concordat.verify.retraction import verify_retraction

AT_ONCE = 200


def list_retractions(
    identity: MemberIdentity, book: MemberBook, now: Callable[[], datetime]
) -> Flow[list[Verified[v1.Retraction]]]:
    """Return what is recalled and not acknowledged yet, oldest first: up to 200, each verified.

    Raises ``AnswerNotVerified`` where one does not hold: nobody else can make a lender delete what it holds.
    """
    call = Call(
        exchange_peer(book.anchors, Port.MEMBER),
        "/concordat.v1.ListingService/ListRetractions",
        v1.ListRetractionsRequest(most=AT_ONCE),
        v1.ListRetractionsResponse,
    )
    answer = yield from ask(call, v1.ListRetractionsResponse)

    def verify(exchange: Member, at: datetime) -> list[Verified[v1.Retraction]]:
        return [
            verify_retraction(
                envelope,
                exchange=exchange,
                lender=identity.member_id,
                anchors=book.anchors,
                at=at,
            )
            for envelope in answer.retractions
        ]

    return (yield from verified(book, now, verify))


def acknowledge_retraction(
    identity: MemberIdentity,
    book: MemberBook,
    retraction: Verified[v1.Retraction],
    now: Callable[[], datetime],
) -> Flow[None]:
    """Say that what was recalled is deleted or corrected, wherever it was passed on. Repeating is safe."""
    acknowledgement = v1.RetractionAcknowledgement(
        federation=book.anchors.federation,
        lender=identity.member_id,
        retraction_id=retraction.message.retraction_id,
        retraction_digest=retraction.digest,
        acknowledged_at=to_timestamp(now()),
    )
    call = Call(
        exchange_peer(book.anchors, Port.MEMBER),
        "/concordat.v1.ListingService/AcknowledgeRetraction",
        v1.AcknowledgeRetractionRequest(acknowledgement=seal(acknowledgement, identity.signer)),
        v1.AcknowledgeRetractionResponse,
    )
    yield from ask(call, v1.AcknowledgeRetractionResponse)
