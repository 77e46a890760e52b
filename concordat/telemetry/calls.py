"""What both kinds of server count of a call, and the span of it."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

from concordat.refusal import Refusal
from concordat.telemetry import traces
from concordat.telemetry.label import OTHER
from concordat.telemetry.labels import CANCELLED, OK, method_name, reason_name
from concordat.telemetry.metrics import RPC_IN_FLIGHT, RPC_REQUESTS, RPC_SECONDS
from concordat.v1 import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType


def reason_of(error: BaseException) -> str:
    """Return the reason that a call which failed with ``error`` is counted under."""
    match error:
        case Refusal():
            return reason_name(error.reason)
        case NotImplementedError():
            return reason_name(Reason.REASON_METHOD_NOT_SERVED)
        case asyncio.CancelledError() | GeneratorExit():
            return CANCELLED
        case _:
            return reason_name(Reason.REASON_INTERNAL)


class Answering:
    """One call while it is answered: counted, timed and traced.

    A stream is counted when it ends, and neither timed nor traced: what it carries is.
    """

    __slots__ = (
        "_began",
        "_metadata",
        "_method",
        "_path",
        "_span",
        "_stream",
        "_trusted",
        "reason",
    )

    def __init__(
        self,
        path: str,
        metadata: Callable[[], Mapping[str, Any]],
        *,
        trusted: bool,
        stream: bool = False,
    ) -> None:
        """Answer ``path``; ``metadata`` is read only while calls are traced, ``trusted`` on the member port."""
        self._path, self._metadata, self._trusted, self._stream = path, metadata, trusted, stream
        self._method = method_name(path)
        self._began = 0.0
        self._span: Any = None
        self.reason = OK

    def __enter__(self) -> Self:
        self._began = perf_counter()
        RPC_IN_FLIGHT.add(self._method)
        if traces.tracing() and not self._stream:
            self._span = traces.answering(self._path, self._metadata(), trusted=self._trusted)
            self._span.__enter__()
        return self

    def failed(self, error: BaseException | None) -> None:
        """Say why the call is not answered; None where whoever answered has said so itself."""
        self.reason = OTHER if error is None else reason_of(error)
        if error is not None and self._span is not None:
            traces.failed(traces.current_span(), error)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self.reason == OK:
            self.reason = reason_of(error)
        RPC_IN_FLIGHT.add(self._method, by=-1)
        RPC_REQUESTS.add(self._method, self.reason)
        if not self._stream:
            RPC_SECONDS.observe(perf_counter() - self._began, self._method)
        if self._span is not None:  # as a block that ends well: why it did not is said already
            self._span.__exit__(None, None, None)
