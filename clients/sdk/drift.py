"""A regulator's reading of drift: aggregates, about no person."""

from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer
from clients.sdk.members import MemberBook
from concordat import v1


def read_drift(book: MemberBook, provider: str = "") -> Flow[v1.ReadDriftResponse]:
    """Return drift as the exchange reports it to a regulator, of one provider or of all."""
    call = Call(
        exchange_peer(book.anchors, Port.MEMBER),
        "/concordat.v1.SupervisionService/ReadDrift",
        v1.ReadDriftRequest(provider=provider),
        v1.ReadDriftResponse,
    )
    return (yield from ask(call, v1.ReadDriftResponse))
