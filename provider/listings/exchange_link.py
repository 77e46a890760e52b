"""The exchange's FurnisherService, called with this member's own certificate."""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.anchors import Anchors
from concordat.rpc.channels import open_channel
from concordat.rpc.errors import RemoteError, from_rpc_error
from concordat.rpc.tls import TlsIdentity, member_channel
from concordat.trust.envelope import validate
from concordat.trust.errors import StatementMalformedError
from concordat.v1.listing_service_pb2_grpc import FurnisherServiceStub

DEADLINE_SECONDS = 30.0

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
A_co = TypeVar("A_co", bound=Message, covariant=True)


class _Call(Protocol[A_co]):
    def result(self) -> A_co: ...
    def cancel(self) -> bool: ...


class ExchangeLink:
    """Calls made one at a time; ``cancel`` ends the one that is out, and all later ones.

    All of them raise ``RemoteError``: with a reason where the exchange refuses the call as a whole, without
    one where it can't be reached or its answer does not fit the question.
    """

    def __init__(
        self, anchors: Anchors, identity: TlsIdentity, deadline_seconds: float = DEADLINE_SECONDS
    ) -> None:
        """Prepare a channel; nothing is sent yet."""
        bundle = anchors.bundle
        self._channel = open_channel(
            bundle.exchange_endpoint,
            member_channel(identity, anchors),
            anchors.server_name(bundle.exchange_id),
        )
        self._stub = FurnisherServiceStub(self._channel)
        self._deadline = deadline_seconds
        self._lock = threading.Lock()
        self._out: _Call[Message] | None = None
        self._cancelled = False

    def file(self, filings: Sequence[v1.Envelope]) -> list[v1.ListingResult]:
        """File up to 128; return a result for each, in order."""
        answer = self._ask(self._stub.FileListings.future, v1.FileListingsRequest(filings=filings))
        return _one_for_each(filings, answer.results)

    def submit(self, events: Sequence[v1.Envelope]) -> list[v1.ListingResult]:
        """Submit up to 128 events; return a result for each, in order."""
        request = v1.SubmitListingEventsRequest(events=events)
        answer = self._ask(self._stub.SubmitListingEvents.future, request)
        return _one_for_each(events, answer.results)

    def sync(self, sync: v1.Envelope) -> datetime:
        """Say that the register is the same; return until when the court's listings are shown."""
        request = v1.SubmitMirrorSyncRequest(sync=sync)
        return from_timestamp(self._ask(self._stub.SubmitMirrorSync.future, request).live_until)

    def duties(self) -> Iterator[v1.Duty]:
        """Yield all that this member has to do, page by page."""
        after = b""
        while True:
            request = v1.ListDutiesRequest(after=after)
            page = self._ask(self._stub.ListDuties.future, request)
            yield from page.duties
            if not page.next:
                return
            if page.next == after:
                raise _unfit("the exchange's list of duties does not end")
            after = page.next

    def cancel(self) -> None:
        """End the call that is out, if there is one, and refuse later ones."""
        with self._lock:
            self._cancelled = True
            if self._out is not None:
                self._out.cancel()

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def _ask(self, method: Callable[..., _Call[A]], request: Q) -> A:
        with self._lock:
            if self._cancelled:
                raise RemoteError(
                    grpc.StatusCode.CANCELLED, v1.Reason.REASON_UNSPECIFIED, "stopping"
                )
            self._out = call = method(request, timeout=self._deadline)
        try:
            answer = call.result()
        except grpc.FutureCancelledError as error:
            raise RemoteError(
                grpc.StatusCode.CANCELLED, v1.Reason.REASON_UNSPECIFIED, "stopping"
            ) from error
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        finally:
            self._out = None
        try:
            validate(answer)
        except StatementMalformedError as error:
            raise _unfit(f"the exchange's answer breaks a bound: {error}") from error
        return answer


def _one_for_each(
    sent: Sequence[v1.Envelope], results: Sequence[v1.ListingResult]
) -> list[v1.ListingResult]:
    if len(results) != len(sent):
        raise _unfit(f"{len(results)} results to {len(sent)} statements")
    return list(results)


def _unfit(what: str) -> RemoteError:
    return RemoteError(grpc.StatusCode.DATA_LOSS, v1.Reason.REASON_UNSPECIFIED, what)
