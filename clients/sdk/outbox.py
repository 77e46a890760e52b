"""What a synchronous stream of requests still has to send, and what is out and unanswered."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from clients.sdk.errors import AnswerNotVerified
from clients.sdk.streaming import unanswered
from concordat.rpc.errors import from_rpc_error
from concordat.telemetry.streams import calling


class SentLike(Protocol):
    """What is needed of a message that is out: what was sent."""

    @property
    def message(self) -> Message:
        """The message."""


B = TypeVar("B")
S = TypeVar("S", bound=SentLike)
A = TypeVar("A", bound=Message)


class Outbox(Generic[B, S]):
    """Messages on their way out, no more than ``in_flight`` unanswered.

    gRPC reads ``messages`` on a thread of its own.
    """

    def __init__(self, batches: Iterator[B], prepare: Callable[[B], S], in_flight: int) -> None:
        """Send what ``prepare`` makes of each batch, signed at the moment that it goes out."""
        self._batches = batches
        self._prepare = prepare
        self._free = threading.Semaphore(in_flight)
        self._sent: queue.SimpleQueue[S] = queue.SimpleQueue()
        self._stopped = False
        self._all_sent = False
        self.failure: Exception | None = None

    def messages(self) -> Iterator[Message]:
        """Yield messages as room for them comes free."""
        try:
            for batch in self._batches:
                self._free.acquire()
                if self._stopped:
                    return
                sent = self._prepare(batch)
                self._sent.put(sent)
                yield sent.message
            self._all_sent = True
        except Exception as error:
            self.failure = error  # raised on the caller's thread; gRPC would only log it
            raise

    def answered(self) -> S:
        """Return the message that the next answer is to."""
        try:
            sent = self._sent.get_nowait()
        except queue.Empty as error:
            raise AnswerNotVerified("the stream has more answers than requests") from error
        self._free.release()
        return sent

    def stop(self) -> None:
        """End ``messages``, wherever it waits."""
        self._stopped = True
        self._free.release()

    def require_all_answered(self) -> None:
        """Raise ``AnswerNotVerified`` where the stream ended too early."""
        if not self._all_sent or not self._sent.empty():
            raise unanswered()


def answers(
    channel: grpc.Channel, method: str, answer: type[A], out: Outbox[B, S], seconds: float
) -> Iterator[tuple[S, A]]:
    """Make a streaming call; yield what was sent with its answer, in order.

    ``seconds`` is for the whole stream. Raises ``RemoteError``, and ``AnswerNotVerified`` where the stream
    ended too early.
    """
    start: Any = channel.stream_stream(
        method,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=answer.FromString,
    )
    with calling(method) as metadata:
        call = start(out.messages(), timeout=seconds, metadata=metadata)
        try:
            for got in call:
                yield out.answered(), got
        except grpc.RpcError as error:
            raise out.failure or from_rpc_error(error) from error
        finally:
            out.stop()
            call.cancel()
    out.require_all_answered()
