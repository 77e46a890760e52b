"""The synchronous clients: for lenders, wallets, members and operators. Thin: see the flows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from clients.sdk import (
    accesses,
    drift,
    events,
    members,
    orders,
    outcomes,
    own_views,
    reviews,
    statistics,
    streaming,
    views,
    wallet,
)
from clients.sdk.cases_client import CaseClient
from clients.sdk.client_base import Client
from clients.sdk.flow import DEFAULT_SECONDS, Port, exchange_peer
from clients.sdk.monitor_client import LenderDuties
from clients.sdk.outbox import Outbox, answers
from clients.sdk.wallet_listings import WalletListings
from clients.sdk.wallet_rights import WalletRights
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.trust.keys import Signer
from concordat.verify.history import Kept
from concordat.verify.own_view import VerifiedOwnView


class LenderClient(LenderDuties):
    """Asks for views and verifies them."""

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
        channel = self._transport.channel(exchange_peer(self.anchors, Port.MEMBER))
        out = Outbox(
            streaming.batches(permissions, batch),
            lambda some: streaming.prepare_message(self._identity, some, self._now()),
            in_flight,
        )
        for sent, answer in answers(
            channel, streaming.METHOD, v1.RequestViewsResponse, out, seconds
        ):
            yield from self._transport.run(
                streaming.finish_message(sent, answer, self.book, self._now)
            )

    def report_outcomes(self, counts: v1.OutcomeCounts) -> bool:
        """Sign and hand in counts of outcomes; return whether they replace earlier ones. Repeating is safe."""
        return self._transport.run(outcomes.report_outcomes(self._identity, self.book, counts))


class WalletClient(WalletListings, WalletRights):
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

    def own_view(
        self,
        key: wallet.WalletKey,
        providers: Sequence[str] = (),
        *,
        seconds: float = DEFAULT_SECONDS,
    ) -> VerifiedOwnView:
        """Return the subject's own score, verified in full; of all licensed providers if none are named.

        The look is logged and counts in the exchange's daily limit; it moves no score.
        """
        flow = own_views.request_own_view(key, self.book, providers, self._now, seconds)
        return self._transport.run(flow)

    def list_accesses(
        self,
        key: wallet.WalletKey,
        kept: Kept | None = None,
        receipts: Iterable[v1.LogReceipt] = (),
    ) -> accesses.AccessList:
        """Return every entry of the log about the subject; raise ``HistoryBrokenError`` if one is missing."""
        flow = accesses.list_accesses(key, self.book, kept or Kept(), receipts, self._now)
        return self._transport.run(flow)


class MemberClient(Client):
    """Lists the members; as a regulator, submits what the roots signed. As anyone with no identity."""

    def submit_licence(self, licence: v1.Envelope) -> None:
        """Add or renew a licence. Repeating is safe."""
        self._transport.run(members.submit_licence(self.anchors, licence))

    def submit_status(self, status: v1.Envelope) -> None:
        """Suspend, reinstate or revoke a member. Repeating is safe."""
        self._transport.run(members.submit_status(self.anchors, status))

    def submit_calibration(self, calibration: v1.Envelope) -> None:
        """Hand in a calibration that exchange and roots signed. Repeating is safe."""
        self._transport.run(members.submit_calibration(self.anchors, calibration))


class RegulatorClient(CaseClient):
    """What a regulator reads: aggregates, about no person; and one named person in a case. Each is logged."""

    def read_drift(self, provider: str = "") -> v1.ReadDriftResponse:
        """Return how far scores and outcomes have moved since the calibration, of one provider or of all."""
        return self._transport.run(drift.read_drift(self.book, provider))

    def read_statistics(self, *, day: str = "", month: str = "") -> v1.ReadStatisticsResponse:
        """Return the tables of a day, such as 2026-10-31, or of a month, such as 2026-10: one of the two."""
        return self._transport.run(statistics.read_statistics(self.book, day=day, month=month))

    def submit_order(self, order: orders.SignedOrder) -> v1.OrderStanding:
        """Hand an order to put a listing right in. Repeating the same bytes is safe."""
        return self._transport.run(orders.submit_order(self.anchors, order))

    def read_orders(self, order_ids: Sequence[bytes]) -> list[v1.OrderStanding]:
        """Return how the caller's own orders stand; ids of others', and unknown ones, are left out."""
        return self._transport.run(orders.read_orders(self.anchors, order_ids))

    def read_oversight(self) -> v1.ReadOversightResponse:
        """Return disputes and orders by furnisher, as of the last midnight."""
        return self._transport.run(orders.read_oversight(self.anchors))


class OperatorClient(Client):
    """What a provider's, furnisher's or court's operator asks of the registrar."""

    def evaluate(self, identities: Sequence[str]) -> list[bytes | None]:
        """Return the subject_ref of each identity number; None where one is no number."""
        return self._transport.run(members.evaluate(self.anchors, list(identities)))


class ReviewerClient(Client):
    """Shows a reviewer, an appeal body or the regulator its disputes, and hands in what it decides."""

    def list_reviews(self) -> list[v1.ReviewSummary]:
        """Return the open disputes that the caller decides, the nearest deadline first."""
        return self._transport.run(reviews.list_reviews(self.book))

    def get_review(self, dispute_id: bytes) -> reviews.Review:
        """Return one dispute, with what its sources filed and the evidence sealed to the caller."""
        return self._transport.run(reviews.get_review(self.book, dispute_id, self._now))

    def submit_ruling(self, ruling: v1.Envelope) -> v1.ListingStanding:
        """Hand in a ruling. Repeating the same bytes is safe."""
        return self._transport.run(reviews.submit_ruling(self.book, ruling))

    def submit_event(self, event: v1.Envelope) -> v1.ListingStanding:
        """Open a review, take more time, or strike a listing out. Repeating the same bytes is safe."""
        return self._transport.run(reviews.submit_event(self.book, event))
