"""What a synchronous stream of requests still has to send, and what is out and unanswered."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from clients.sdk import streaming
from clients.sdk.errors import AnswerNotVerified
from clients.sdk.identity import MemberIdentity
from clients.sdk.views import Permission
from concordat import v1


class Outbox:
    """Messages on their way out, no more than ``in_flight`` unanswered.

    gRPC reads ``messages`` on a thread of its own.
    """

    def __init__(
        self,
        identity: MemberIdentity,
        permissions: Iterable[Permission],
        batch: int,
        in_flight: int,
        now: Callable[[], datetime],
    ) -> None:
        self._identity = identity
        self._batches = streaming.batches(permissions, batch)
        self._now = now
        self._free = threading.Semaphore(in_flight)
        self._sent: queue.SimpleQueue[streaming.SentMessage] = queue.SimpleQueue()
        self._stopped = False
        self._all_sent = False
        self.failure: Exception | None = None

    def messages(self) -> Iterator[v1.RequestViewsRequest]:
        """Yield messages as room for them comes free."""
        try:
            for batch in self._batches:
                self._free.acquire()
                if self._stopped:
                    return
                sent = streaming.prepare_message(self._identity, batch, self._now())
                self._sent.put(sent)
                yield sent.message
            self._all_sent = True
        except Exception as error:
            self.failure = error  # raised on the caller's thread; gRPC would only log it
            raise

    def answered(self) -> streaming.SentMessage:
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
            raise streaming.unanswered()
