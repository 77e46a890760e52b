"""The synchronous clients: for lenders, wallets, members and operators. Thin: see the flows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

import grpc

from clients.sdk import accesses, events, members, streaming, views, wallet
from clients.sdk.flow import DEFAULT_SECONDS, Port, exchange_peer
from clients.sdk.identity import MemberIdentity
from clients.sdk.outbox import Outbox
from clients.sdk.transport import Transport
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.rpc.errors import from_rpc_error
from concordat.trust.keys import Signer
from concordat.verify.history import Kept


class _Client:
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


class LenderClient(_Client):
    """Asks for views and verifies them."""

    def __init__(
        self, anchors: Anchors, identity: MemberIdentity, clock: Clock | None = None
    ) -> None:
        """Ask as ``identity``."""
        super().__init__(anchors, identity, clock)
        self._identity = identity

    def request_view(
        self, permission: views.Permission, *, seconds: float = DEFAULT_SECONDS
    ) -> views.LenderView:
        """Return one view, verified in full.

        Raises ``RemoteError`` (refused, or not reachable) or ``AnswerNotVerified``.
        """
        flow = views.request_view(self._identity, self.book, permission, self._now, seconds)
        return self._transport.run(flow)

    def request_views(
        self,
        permissions: Iterable[views.Permission],
        *,
        batch: int = streaming.BATCH,
        in_flight: int = streaming.IN_FLIGHT,
        seconds: float = streaming.STREAM_SECONDS,
    ) -> Iterator[streaming.StreamedView]:
        """Yield what becomes of each permission, in order, each view verified in full.

        At most ``in_flight`` messages of ``batch`` requests are out at once; ``permissions`` is
        read no further ahead than that. ``seconds`` is for the whole stream.
        """
        out = Outbox(self._identity, permissions, batch, in_flight, self._now)
        call = self._transport.channel(exchange_peer(self.anchors, Port.MEMBER)).stream_stream(
            streaming.METHOD,
            request_serializer=v1.RequestViewsRequest.SerializeToString,
            response_deserializer=v1.RequestViewsResponse.FromString,
        )(out.messages(), timeout=seconds)
        try:
            for answer in call:
                sent = out.answered()
                yield from self._transport.run(
                    streaming.finish_message(sent, answer, self.book, self._now)
                )
        except grpc.RpcError as error:
            raise out.failure or from_rpc_error(error) from error
        finally:
            out.stop()
            call.cancel()
        out.require_all_answered()


class WalletClient(_Client):
    """Acts for a subject, over the public ports."""

    def __init__(self, anchors: Anchors, clock: Clock | None = None) -> None:
        """Act in the federation of ``anchors``."""
        super().__init__(anchors, None, clock)

    def bind(self, signer: Signer, identity_number: str, enrolment_code: str) -> v1.Envelope:
        """Have the registrar bind a key to a person; return the verified binding."""
        flow = wallet.bind(self.anchors, signer, identity_number, enrolment_code, self._now())
        return self._transport.run(flow)

    def grant(self, key: wallet.WalletKey, consent: v1.Envelope) -> v1.ConsentStatus:
        """Put a signed consent on record at the exchange."""
        return self._transport.run(wallet.grant(key, self.book, consent, self._now))

    def tell(
        self,
        key: wallet.WalletKey,
        event: v1.Envelope,
        consent: v1.Envelope,
        known: Mapping[str, Member] | None = None,
    ) -> events.EventReport:
        """Send an event to the exchange and to each provider of the consent; say who holds it."""
        return self._transport.run(
            events.tell(key, self.book, event, consent, known or {}, self._now)
        )

    def list_consents(self, key: wallet.WalletKey) -> list[wallet.HeldConsent]:
        """Return the subject's consents as the exchange holds them."""
        return self._transport.run(wallet.list_consents(key, self.book, self._now))

    def list_accesses(
        self,
        key: wallet.WalletKey,
        kept: Kept | None = None,
        receipts: Iterable[v1.LogReceipt] = (),
    ) -> accesses.AccessList:
        """Return every entry of the log about the subject; raise ``HistoryBrokenError`` if one is missing."""
        flow = accesses.list_accesses(key, self.book, kept or Kept(), receipts, self._now)
        return self._transport.run(flow)


class MemberClient(_Client):
    """Lists the members; as a regulator, submits what the roots signed. As anyone with no identity."""

    def submit_licence(self, licence: v1.Envelope) -> None:
        """Add or renew a licence. Repeating is safe."""
        self._transport.run(members.submit_licence(self.anchors, licence))

    def submit_status(self, status: v1.Envelope) -> None:
        """Suspend, reinstate or revoke a member. Repeating is safe."""
        self._transport.run(members.submit_status(self.anchors, status))


class OperatorClient(_Client):
    """What a provider's, furnisher's or court's operator asks of the registrar."""

    def evaluate(self, identities: Sequence[str]) -> list[bytes | None]:
        """Return the subject_ref of each identity number; None where one is no number."""
        return self._transport.run(members.evaluate(self.anchors, list(identities)))
