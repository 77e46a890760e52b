"""Channels to the providers, and what a failed call means."""

import asyncio
from collections.abc import Sequence

import grpc
import grpc.aio
import structlog

from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.refusal import Refusal
from concordat.rpc.admission import require_valid
from concordat.rpc.channels import open_aio_channel
from concordat.rpc.tls import TlsIdentity, member_channel
from concordat.v1 import Reason
from concordat.v1.provider_service_pb2_grpc import ProviderServiceStub

_log = structlog.get_logger("concordat.providers")

# Messages out to one provider at once: one that stalls must not pile up everyone's requests.
MAX_CALLS = 8
MAX_OWN_CALLS = 8


class ProviderLinks:
    """One channel a provider, opened when first needed and again when its endpoint changes."""

    def __init__(self, identity: TlsIdentity, anchors: Anchors) -> None:
        """Call as the exchange."""
        self._credentials = member_channel(identity, anchors)
        self._anchors = anchors
        self._links: dict[str, _Link] = {}

    async def request_scores(
        self,
        provider: Member,
        message: v1.RequestScoresRequest,
        seconds: float,
        metadata: Sequence[tuple[str, str]] = (),
    ) -> Sequence[v1.ScoreResult]:
        """Ask one provider, once; raise ``Refusal`` with what became of it.

        REASON_PROVIDER_TIMED_OUT, _PROVIDER_UNREACHABLE (also where it has too many calls open already), or
        _PROVIDER_ANSWER_INVALID where the answer breaks its proto.
        """
        link = await self._link(provider)
        if link.calls >= MAX_CALLS:
            raise _piled_up(provider)
        link.calls += 1
        try:
            response = await link.stub.RequestScores(
                message, timeout=seconds, metadata=tuple(metadata)
            )
        except grpc.aio.AioRpcError as error:
            raise _failed(provider, error) from error
        finally:
            link.calls -= 1
        _require_within_bounds(response)
        if len(response.results) != len(message.requests):
            raise Refusal(
                Reason.REASON_PROVIDER_ANSWER_INVALID,
                f"{len(response.results)} answers to {len(message.requests)} requests",
            )
        return response.results

    async def request_own_scores(
        self,
        provider: Member,
        message: v1.RequestOwnScoresRequest,
        seconds: float,
        metadata: Sequence[tuple[str, str]] = (),
    ) -> v1.ScoreResult:
        """Ask one provider for a person that asks itself, once; raise ``Refusal`` as ``request_scores``.

        These calls have a bound of their own, so that people who look keep no lender from its answer.
        """
        link = await self._link(provider)
        if link.own_calls >= MAX_OWN_CALLS:
            raise _piled_up(provider)
        link.own_calls += 1
        try:
            response = await link.stub.RequestOwnScores(
                message, timeout=seconds, metadata=tuple(metadata)
            )
        except grpc.aio.AioRpcError as error:
            raise _failed(provider, error) from error
        finally:
            link.own_calls -= 1
        _require_within_bounds(response)
        return response.result

    async def _link(self, provider: Member) -> "_Link":
        endpoint = provider.licence.endpoint
        link = self._links.get(provider.member_id)
        if link is None or link.endpoint != endpoint:
            if link is not None:
                await link.channel.close(grace=1)
            name = self._anchors.server_name(provider.member_id)
            link = _Link(
                endpoint, open_aio_channel(endpoint, self._credentials, name, retries=False)
            )
            self._links[provider.member_id] = link
        return link

    async def close(self) -> None:
        """Close every channel."""
        await asyncio.gather(*(link.channel.close(grace=1) for link in self._links.values()))


class _Link:
    """A channel and how many calls are out on it."""

    def __init__(self, endpoint: str, channel: grpc.aio.Channel) -> None:
        self.endpoint = endpoint
        self.channel = channel
        self.stub = ProviderServiceStub(channel)
        self.calls = 0
        self.own_calls = 0


def _piled_up(provider: Member) -> Refusal:
    return Refusal(Reason.REASON_PROVIDER_UNREACHABLE, f"{provider.member_id}: calls pile up")


def _require_within_bounds(
    response: v1.RequestScoresResponse | v1.RequestOwnScoresResponse,
) -> None:
    """Raise ``Refusal`` (REASON_PROVIDER_ANSWER_INVALID) where an answer breaks its proto."""
    try:
        require_valid(response)
    except Refusal as refusal:
        raise Refusal(Reason.REASON_PROVIDER_ANSWER_INVALID, refusal.detail) from refusal


def _failed(provider: Member, error: grpc.aio.AioRpcError) -> Refusal:
    """Return what a failed call means for the view."""
    _log.warning(
        "provider_call_failed",
        provider=provider.member_id,
        code=error.code().name,
        detail=(error.details() or "")[:200],
    )
    match error.code():
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return Refusal(Reason.REASON_PROVIDER_TIMED_OUT)
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return Refusal(Reason.REASON_PROVIDER_UNREACHABLE)
        case _:
            return Refusal(Reason.REASON_PROVIDER_ANSWER_INVALID, error.code().name)
