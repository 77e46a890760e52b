"""Whether members can be heard of now: asked from here, over mTLS with the desk's own certificate, all at once.

It tells of the way from this machine to each member's port and no more; the exchange may reach one that this
machine does not, and the other way round.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

import grpc

from clients.sdk.health import serves
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.rpc.tls import TlsIdentity, member_channel

SECONDS = 2.0
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Heard:
    """Whether a member's port ``serves``, at the ``address`` of its licence, and how long the answer ``took``."""

    address: str
    serves: bool
    took: timedelta


Hear = Callable[[Sequence[Member]], Mapping[str, Heard]]


def hearing(anchors: Anchors, identity: TlsIdentity) -> Hear:
    """Return what asks members whether they serve; those that have no port are left out."""

    def hear(members: Sequence[Member]) -> Mapping[str, Heard]:
        asked = [each for each in members if each.licence.endpoint]
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            heard = threads.map(lambda each: _hear(each, anchors, identity), asked)
            return {each.member_id: one for each, one in zip(asked, heard, strict=True)}

    return hear


def _hear(member: Member, anchors: Anchors, identity: TlsIdentity) -> Heard:
    """Ask one member, as gRPC's health protocol has it; its certificate must be its own."""
    address, name = member.licence.endpoint, anchors.server_name(member.member_id)
    began = monotonic()
    try:
        serving = serves(address, member_channel(identity, anchors), name, SECONDS)
    except grpc.RpcError:
        serving = False
    return Heard(address, serving, timedelta(seconds=monotonic() - began))
