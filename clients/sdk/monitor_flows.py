"""What a monitor asks of the exchange."""

from collections.abc import Callable
from datetime import datetime

from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer
from clients.sdk.members import MemberBook
from clients.sdk.views import LenderView, finish_view
from concordat import v1

WATCH = "/concordat.v1.LenderService/WatchChanges"


def send_view(
    book: MemberBook,
    request: v1.RequestViewRequest,
    now: Callable[[], datetime],
    seconds: float,
) -> Flow[LenderView]:
    """Send a request that was signed before, and verify all of the answer."""
    call = Call(
        exchange_peer(book.anchors, Port.MEMBER),
        "/concordat.v1.ViewService/RequestView",
        request,
        v1.RequestViewResponse,
        seconds,
    )
    answer = yield from ask(call, v1.RequestViewResponse)
    return (yield from finish_view(request, answer, book, now))
