"""What every synchronous client has."""

from types import TracebackType
from typing import Self

from clients.sdk import members
from clients.sdk.flow import Port
from clients.sdk.identity import MemberIdentity
from clients.sdk.transport import Transport
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member


class Client:
    """What every client has: the trust bundle, the members as known, and open channels."""

    def __init__(
        self, anchors: Anchors, identity: MemberIdentity | None = None, clock: Clock | None = None
    ) -> None:
        """Start with ``anchors``; nothing is fetched before it is needed."""
        self.anchors = anchors
        self.book = members.MemberBook(anchors, Port.MEMBER if identity else Port.PUBLIC)
        self._transport = Transport(anchors, identity.tls if identity else None)
        self._now = (clock or Clock()).now

    def members(self) -> list[tuple[Member, v1.Standing.ValueType]]:
        """Return every member with its standing, verified, by id."""
        return self._transport.run(self.book.members(self._now))

    def close(self) -> None:
        """Close every channel."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
