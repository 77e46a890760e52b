"""Following the exchange's directory of members, for processes that are not the exchange."""

import threading
import time
from collections.abc import Callable, Sequence

import grpc
import structlog

from concordat import v1
from concordat.clock import Clock
from concordat.federation.directory import MemberDirectory
from concordat.refusal import Refusal
from concordat.rpc.channels import open_channel
from concordat.rpc.tls import TlsIdentity, member_channel
from concordat.v1 import Reason
from concordat.v1.member_service_pb2_grpc import MemberServiceStub

_log = structlog.get_logger("concordat.members")
RECONNECT_SECONDS = 0.5
STALE_SECONDS = 10.0

Keep = Callable[[Sequence[v1.Envelope], Sequence[v1.Envelope]], None]


class MemberWatch:
    """A thread that keeps ``directory`` current: a suspension arrives within a second.

    ``keep`` is called with new licences and statuses after they were verified, to store them, so that a
    restart forgets none.
    """

    def __init__(
        self, directory: MemberDirectory, identity: TlsIdentity, clock: Clock, keep: Keep
    ) -> None:
        """Prepare; ``start`` begins."""
        self._directory = directory
        self._identity = identity
        self._clock = clock
        self._keep = keep
        self._stopping = threading.Event()
        self._heard = float("-inf")
        self._call: grpc.Call | None = None
        self._thread = threading.Thread(target=self._follow, name="member-watch", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End the stream and the thread."""
        self._stopping.set()
        if self._call is not None:
            self._call.cancel()
        self._thread.join(timeout=2)

    def require_current(self) -> None:
        """Raise ``Refusal`` (REASON_DIRECTORY_STALE) if the exchange has not been heard for 10 s."""
        if time.monotonic() - self._heard > STALE_SECONDS:
            raise Refusal(Reason.REASON_DIRECTORY_STALE, "the exchange's member stream is silent")

    def _follow(self) -> None:
        anchors = self._directory.anchors
        channel = open_channel(
            anchors.bundle.exchange_endpoint,
            member_channel(self._identity, anchors),
            anchors.server_name(anchors.bundle.exchange_id),
        )
        with channel:
            stub = MemberServiceStub(channel)
            while not self._stopping.is_set():
                try:
                    self._call = call = stub.WatchMembers(
                        v1.WatchMembersRequest(), wait_for_ready=True
                    )
                    opened = False
                    for news in call:
                        self._take(news)
                        if not opened:
                            opened = True
                            _log.info("member_stream_open")
                except grpc.RpcError as error:
                    if not self._stopping.is_set():
                        _log.warning("member_stream_lost", code=error.code().name)
                except Refusal as refusal:
                    _log.error("member_stream_refused", detail=str(refusal))
                self._stopping.wait(RECONNECT_SECONDS)

    def _take(self, news: v1.WatchMembersResponse) -> None:
        if news.licences or news.statuses:
            self._directory.take(news.licences, news.statuses, self._clock.now())
            self._keep(news.licences, news.statuses)
        self._heard = time.monotonic()
