"""Many views over one stream: messages of up to 128 requests under one signature, answered in order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from clients.sdk.errors import AnswerNotVerified, ClientError
from clients.sdk.flow import Flow
from clients.sdk.identity import MemberIdentity
from clients.sdk.members import MemberBook
from clients.sdk.views import LenderView, Permission, finish_view, prepare_asks
from concordat import v1
from concordat.rpc.errors import name_of

METHOD = "/concordat.v1.ViewService/RequestViews"
BATCH = 64
IN_FLIGHT = 4
STREAM_SECONDS = 600.0


class ViewRefused(ClientError):  # noqa: N818 - read as a finding
    """The exchange refused one request of a stream; the others are answered all the same."""

    def __init__(self, refusal: v1.ItemRefusal) -> None:
        """Be refused for ``refusal.reason``; ``retry_after`` is set where asking again later makes sense."""
        super().__init__(f"{name_of(refusal.reason)}: {refusal.message}")
        self.reason = refusal.reason
        self.message = refusal.message
        self.retry_after = (
            refusal.retry_after.ToTimedelta() if refusal.HasField("retry_after") else None
        )


@dataclass(frozen=True, slots=True)
class StreamedView:
    """What became of one permission of a stream."""

    permission: Permission
    result: LenderView | ViewRefused | AnswerNotVerified

    def view(self) -> LenderView:
        """Return the verified view; raise what became of it where there is none."""
        if isinstance(self.result, LenderView):
            return self.result
        raise self.result


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that is out, and the permissions that its requests rest on."""

    permissions: Sequence[Permission]
    message: v1.RequestViewsRequest


def batches(permissions: Iterable[Permission], size: int) -> Iterator[list[Permission]]:
    """Yield lists of up to ``size``."""
    rest = iter(permissions)
    while batch := list(islice(rest, size)):
        yield batch


def prepare_message(
    identity: MemberIdentity, permissions: Sequence[Permission], at: datetime
) -> SentMessage:
    """Return a message of requests that share one signature, to be sent at once."""
    asks = prepare_asks(identity, permissions, at)
    return SentMessage(permissions, v1.RequestViewsRequest(asks=asks))


def finish_message(
    sent: SentMessage,
    answer: v1.RequestViewsResponse,
    book: MemberBook,
    now: Callable[[], datetime],
) -> Flow[list[StreamedView]]:
    """Verify the answers to one message, each by itself.

    Raises ``AnswerNotVerified`` where there are not as many answers as requests.
    """
    if len(answer.results) != len(sent.permissions):
        raise AnswerNotVerified(
            f"{len(answer.results)} answers to {len(sent.permissions)} requests"
        )
    views: list[StreamedView] = []
    for permission, request, result in zip(
        sent.permissions, sent.message.asks, answer.results, strict=True
    ):
        views.append(StreamedView(permission, (yield from _finish(request, result, book, now))))
    return views


def _finish(
    request: v1.RequestViewRequest,
    result: v1.ViewResult,
    book: MemberBook,
    now: Callable[[], datetime],
) -> Flow[LenderView | ViewRefused | AnswerNotVerified]:
    if result.WhichOneof("result") == "refusal":
        return ViewRefused(result.refusal)
    try:
        return (yield from finish_view(request, result.view, book, now))
    except AnswerNotVerified as error:
        return error


def unanswered() -> AnswerNotVerified:
    """Return the error for a stream that ended before all was answered."""
    return AnswerNotVerified("the stream ended too early; ask again for what was not answered")
