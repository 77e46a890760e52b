"""Following the registrar: who has a new key, so that the lost one is dead here within a second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from concordat import v1
from concordat.rpc.channels import open_aio_channel
from concordat.rpc.tls import member_channel
from concordat.v1.registrar_service_pb2_grpc import RegistrarServiceStub
from exchange.repeating import repeat
from exchange.subjects import bindings_table
from exchange.subjects.bindings import open_rebinding, take_in

if TYPE_CHECKING:
    from concordat.clock import Clock
    from concordat.federation.anchors import Anchors
    from concordat.rpc.tls import TlsIdentity
    from concordat.store.group_commit import GroupCommit
    from concordat.v1.registrar_service_pb2_grpc import RegistrarServiceAsyncStub

_log = structlog.get_logger("concordat.bindings")
RECONNECT_SECONDS = 0.5
SILENT_SECONDS = 5.0  # the registrar says something every second


class BindingWatch:
    """Takes in bindings as the registrar makes them, from where the database says that it is."""

    def __init__(
        self, anchors: Anchors, identity: TlsIdentity, store: GroupCommit, clock: Clock
    ) -> None:
        """Prepare; ``follow`` begins."""
        self._anchors = anchors
        self._identity = identity
        self._store = store
        self._clock = clock

    async def follow(self) -> None:
        """Follow until cancelled, reconnecting; what was missed meanwhile comes first."""
        anchors = self._anchors
        channel = open_aio_channel(
            anchors.bundle.registrar_endpoint,
            member_channel(self._identity, anchors),
            anchors.server_name(anchors.bundle.registrar_id),
        )
        async with channel:
            stub: RegistrarServiceAsyncStub = RegistrarServiceStub(channel)
            await repeat("bindings", RECONNECT_SECONDS, lambda: self._listen(stub))

    async def _listen(self, stub: RegistrarServiceAsyncStub) -> None:
        after = await self._store.arun(bindings_table.cursor)
        call = stub.WatchBindings(v1.WatchBindingsRequest(after=after), wait_for_ready=True)
        try:
            while True:
                async with asyncio.timeout(SILENT_SECONDS):
                    news = await call.read()
                if not isinstance(news, v1.WatchBindingsResponse):
                    return  # the end of the stream
                if news.bindings:
                    await self.take(news)
        finally:
            call.cancel()

    async def take(self, news: v1.WatchBindingsResponse) -> None:
        """Take in what the registrar told. Raises ``Refusal`` for what it did not sign."""
        at = self._clock.now()
        opened = [open_rebinding(each, self._anchors, at) for each in news.bindings]
        new = await self._store.arun(lambda connection: take_in(connection, opened, at))
        if new:
            _log.info("keys_replaced", count=new)
