"""Calls as values: what to ask is written once, and run by the synchronous or asyncio transport.

A flow is a generator. It yields a list of calls to be made at once and is sent their answers, each
a message or the ``RemoteError`` that it failed with; what it returns is the result. It does no
I/O, so that a test can drive one by hand.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from google.protobuf.message import Message

from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.rpc.errors import RemoteError

T = TypeVar("T")
R = TypeVar("R", bound=Message)

DEFAULT_SECONDS = 10.0


class Port(Enum):
    """Which of a peer's ports is called, and so with which credentials."""

    MEMBER = "member"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is called: address, the name that its certificate must carry, and the port."""

    endpoint: str
    server_name: str
    port: Port


@dataclass(frozen=True, slots=True)
class Call:
    """One unary call."""

    peer: Peer
    method: str  # "/concordat.v1.ViewService/RequestView"
    request: Message
    answer: type[Message]
    seconds: float = DEFAULT_SECONDS


Answer = Message | RemoteError
Flow = Generator[Sequence[Call], Sequence[Answer], T]


def ask(call: Call, answer: type[R]) -> Flow[R]:
    """Make one call and return its answer; raise ``RemoteError`` if it failed."""
    (got,) = yield [call]
    if isinstance(got, RemoteError):
        raise got
    assert isinstance(got, answer)  # noqa: S101 - the transport parses what the call names
    return got


def exchange_peer(anchors: Anchors, port: Port) -> Peer:
    """Return the exchange, as the trust bundle names it."""
    bundle = anchors.bundle
    endpoint = bundle.exchange_endpoint if port is Port.MEMBER else bundle.exchange_public_endpoint
    return Peer(endpoint, anchors.server_name(bundle.exchange_id), port)


def registrar_peer(anchors: Anchors, port: Port) -> Peer:
    """Return the registrar, as the trust bundle names it."""
    bundle = anchors.bundle
    endpoint = (
        bundle.registrar_endpoint if port is Port.MEMBER else bundle.registrar_public_endpoint
    )
    return Peer(endpoint, anchors.server_name(bundle.registrar_id), port)


def provider_peer(anchors: Anchors, provider: Member) -> Peer:
    """Return a provider's public port, as its licence names it."""
    name = anchors.server_name(provider.member_id)
    return Peer(provider.licence.public_endpoint, name, Port.PUBLIC)
