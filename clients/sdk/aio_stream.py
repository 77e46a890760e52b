"""A stream of requests over asyncio: no more than so many unanswered, answers in order."""

from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, Generic, NoReturn, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from clients.sdk.outbox import SentLike
from clients.sdk.streaming import unanswered
from concordat.rpc.errors import from_rpc_error
from concordat.telemetry.streams import calling

B = TypeVar("B")
S = TypeVar("S", bound=SentLike)
A = TypeVar("A", bound=Message)


class AioStream(Generic[B, S]):
    """Messages on their way out, no more than ``in_flight`` unanswered."""

    def __init__(self, batches: Iterator[B], prepare: Callable[[B], S], in_flight: int) -> None:
        """Send what ``prepare`` makes of each batch, signed at the moment that it goes out."""
        self._batches = batches
        self._prepare = prepare
        self._in_flight = in_flight
        self._unanswered: deque[S] = deque()

    async def answers(
        self, channel: grpc.aio.Channel, method: str, answer: type[A], seconds: float
    ) -> AsyncGenerator[tuple[S, A], None]:
        """Make the call; yield what was sent with its answer. ``seconds`` is for the whole stream.

        Raises ``RemoteError``, and ``AnswerNotVerified`` where the stream ended too early.
        """
        start: Any = channel.stream_stream(
            method,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        with calling(method) as metadata:
            call = start(timeout=seconds, metadata=metadata)
            try:
                more = True
                while more or self._unanswered:
                    while more and len(self._unanswered) < self._in_flight:
                        more = await self._send_next(call)
                    if not self._unanswered:
                        break
                    got = await call.read()
                    if not isinstance(got, answer):  # the end of the stream
                        await _raise_end(call)
                    yield self._unanswered.popleft(), got
            except grpc.aio.AioRpcError as error:
                raise from_rpc_error(error) from error
            finally:
                call.cancel()

    async def _send_next(self, call: Any) -> bool:
        """Send the next message, or say that there are no more; return whether there may be."""
        batch = next(self._batches, None)
        if batch is None:
            await call.done_writing()
            return False
        sent = self._prepare(batch)
        self._unanswered.append(sent)
        await call.write(sent.message)
        return True


async def _raise_end(call: Any) -> NoReturn:
    """Raise why a stream ended before all was answered."""
    code = await call.code()
    if code is grpc.StatusCode.OK:
        raise unanswered()
    details, trailing = await call.details(), await call.trailing_metadata()
    raise grpc.aio.AioRpcError(code, await call.initial_metadata(), trailing, details)
