"""What every asyncio client has."""

from types import TracebackType
from typing import Self

from clients.sdk import members
from clients.sdk.aio_transport import AioTransport
from clients.sdk.flow import Port
from clients.sdk.identity import MemberIdentity
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member


class AioClient:
    """What every client has: the trust bundle, the members as known, and open channels."""

    def __init__(
        self, anchors: Anchors, identity: MemberIdentity | None = None, clock: Clock | None = None
    ) -> None:
        """Start with ``anchors``; nothing is fetched before it is needed."""
        self.anchors = anchors
        self.book = members.MemberBook(anchors, Port.MEMBER if identity else Port.PUBLIC)
        self._transport = AioTransport(anchors, identity.tls if identity else None)
        self._now = (clock or Clock()).now

    async def members(self) -> list[tuple[Member, v1.Standing.ValueType]]:
        """Return every member with its standing, verified, by id."""
        return await self._transport.run(self.book.members(self._now))

    async def close(self) -> None:
        """Close every channel."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
