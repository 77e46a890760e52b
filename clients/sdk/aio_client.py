"""The asyncio clients: as ``client``, with the same names behind ``Aio``."""

from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import NoReturn, Self, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import Message

from clients.sdk import accesses, events, members, streaming, views, wallet
from clients.sdk.aio_transport import AioTransport
from clients.sdk.flow import DEFAULT_SECONDS, Port, exchange_peer
from clients.sdk.identity import MemberIdentity
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.rpc.errors import from_rpc_error
from concordat.trust.keys import Signer
from concordat.verify.history import Kept

_Stream: TypeAlias = "grpc.aio.StreamStreamCall[Message, v1.RequestViewsResponse]"


class _AioClient:
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


class AioLenderClient(_AioClient):
    """Asks for views and verifies them."""

    def __init__(
        self, anchors: Anchors, identity: MemberIdentity, clock: Clock | None = None
    ) -> None:
        """Ask as ``identity``."""
        super().__init__(anchors, identity, clock)
        self._identity = identity

    async def request_view(
        self, permission: views.Permission, *, seconds: float = DEFAULT_SECONDS
    ) -> views.LenderView:
        """Return one view, verified in full.

        Raises ``RemoteError`` (refused, or not reachable) or ``AnswerNotVerified``.
        """
        flow = views.request_view(self._identity, self.book, permission, self._now, seconds)
        return await self._transport.run(flow)

    async def request_views(
        self,
        permissions: Iterable[views.Permission],
        *,
        batch: int = streaming.BATCH,
        in_flight: int = streaming.IN_FLIGHT,
        seconds: float = streaming.STREAM_SECONDS,
    ) -> AsyncIterator[streaming.StreamedView]:
        """Yield what becomes of each permission, in order, each view verified in full.

        At most ``in_flight`` messages of ``batch`` requests are out at once; ``permissions`` is
        read no further ahead than that. ``seconds`` is for the whole stream. Leave it early only
        under ``contextlib.aclosing``, as any asynchronous generator.
        """
        call = self._transport.channel(exchange_peer(self.anchors, Port.MEMBER)).stream_stream(
            streaming.METHOD,
            request_serializer=v1.RequestViewsRequest.SerializeToString,
            response_deserializer=v1.RequestViewsResponse.FromString,
        )(timeout=seconds)
        unanswered: deque[streaming.SentMessage] = deque()
        rest = streaming.batches(permissions, batch)
        try:
            more = True
            while more or unanswered:
                while more and len(unanswered) < in_flight:
                    more = await self._send_next(call, rest, unanswered)
                if not unanswered:
                    break
                answer = await call.read()
                if not isinstance(answer, v1.RequestViewsResponse):  # the end of the stream
                    await _raise_end(call)
                sent = unanswered.popleft()
                for view in await self._transport.run(
                    streaming.finish_message(sent, answer, self.book, self._now)
                ):
                    yield view
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            call.cancel()

    async def _send_next(
        self,
        call: "_Stream",
        rest: Iterator[list[views.Permission]],
        unanswered: deque[streaming.SentMessage],
    ) -> bool:
        """Send the next message, or say that there are no more; return whether there may be."""
        batch = next(rest, None)
        if batch is None:
            await call.done_writing()
            return False
        sent = streaming.prepare_message(self._identity, batch, self._now())
        unanswered.append(sent)
        await call.write(sent.message)
        return True


async def _raise_end(call: "_Stream") -> NoReturn:
    """Raise why a stream ended before all was answered."""
    code = await call.code()
    if code is grpc.StatusCode.OK:
        raise streaming.unanswered()
    details, trailing = await call.details(), await call.trailing_metadata()
    raise grpc.aio.AioRpcError(code, await call.initial_metadata(), trailing, details)


class AioWalletClient(_AioClient):
    """Acts for a subject, over the public ports."""

    def __init__(self, anchors: Anchors, clock: Clock | None = None) -> None:
        """Act in the federation of ``anchors``."""
        super().__init__(anchors, None, clock)

    async def bind(self, signer: Signer, identity_number: str, enrolment_code: str) -> v1.Envelope:
        """Have the registrar bind a key to a person; return the verified binding."""
        flow = wallet.bind(self.anchors, signer, identity_number, enrolment_code, self._now())
        return await self._transport.run(flow)

    async def grant(self, key: wallet.WalletKey, consent: v1.Envelope) -> v1.ConsentStatus:
        """Put a signed consent on record at the exchange."""
        return await self._transport.run(wallet.grant(key, self.book, consent, self._now))

    async def tell(
        self,
        key: wallet.WalletKey,
        event: v1.Envelope,
        consent: v1.Envelope,
        known: Mapping[str, Member] | None = None,
    ) -> events.EventReport:
        """Send an event to the exchange and to each provider of the consent; say who holds it."""
        return await self._transport.run(
            events.tell(key, self.book, event, consent, known or {}, self._now)
        )

    async def list_consents(self, key: wallet.WalletKey) -> list[wallet.HeldConsent]:
        """Return the subject's consents as the exchange holds them."""
        return await self._transport.run(wallet.list_consents(key, self.book, self._now))

    async def list_accesses(
        self,
        key: wallet.WalletKey,
        kept: Kept | None = None,
        receipts: Iterable[v1.LogReceipt] = (),
    ) -> accesses.AccessList:
        """Return every entry of the log about the subject; raise ``HistoryBrokenError`` if one is missing."""
        flow = accesses.list_accesses(key, self.book, kept or Kept(), receipts, self._now)
        return await self._transport.run(flow)


class AioMemberClient(_AioClient):
    """Lists the members; as a regulator, submits what the roots signed. As anyone with no identity."""

    async def submit_licence(self, licence: v1.Envelope) -> None:
        """Add or renew a licence. Repeating is safe."""
        await self._transport.run(members.submit_licence(self.anchors, licence))

    async def submit_status(self, status: v1.Envelope) -> None:
        """Suspend, reinstate or revoke a member. Repeating is safe."""
        await self._transport.run(members.submit_status(self.anchors, status))


class AioOperatorClient(_AioClient):
    """What a provider's, furnisher's or court's operator asks of the registrar."""

    async def evaluate(self, identities: Sequence[str]) -> list[bytes | None]:
        """Return the subject_ref of each identity number; None where one is no number."""
        return await self._transport.run(members.evaluate(self.anchors, list(identities)))
