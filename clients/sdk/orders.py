"""A regulator's orders to put listings right, and what it is told of disputes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clients.sdk.errors import AnswerNotVerified
from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer
from clients.sdk.identity import MemberIdentity
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.anchors import Anchors
from concordat.ids import new_id
from concordat.statements import seal
from concordat.v1 import DisputeGround, ListingAction, OrderedAction, OrderedFact

_SERVICE = "/concordat.v1.OrderService/"
_GROUNDS = {
    OrderedFact.ORDERED_FACT_AMOUNT: DisputeGround.DISPUTE_GROUND_AMOUNT,
    OrderedFact.ORDERED_FACT_DELINQUENCY_DATE: DisputeGround.DISPUTE_GROUND_DATE,
    OrderedFact.ORDERED_FACT_SETTLED: DisputeGround.DISPUTE_GROUND_PAID,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTerms:
    """What is ordered: of whom, about which listing, on what basis, and within how many days (3 to 30)."""

    furnisher: str
    subject_ref: bytes  # 32 bytes, from the subject's complaint or a case
    listing_id: bytes  # 16 bytes, likewise
    action: OrderedAction.ValueType
    facts: Sequence[OrderedFact.ValueType]
    legal_article: str
    days: int


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order and the review that comes with it, both signed by the regulator."""

    order: v1.Envelope
    review: v1.Envelope

    @property
    def order_id(self) -> bytes:
        """The order's id, 16 bytes."""
        return v1.CorrectionOrder.FromString(self.order.payload).order_id


def make_order(
    identity: MemberIdentity, federation: str, terms: OrderTerms, at: datetime
) -> SignedOrder:
    """Return a signed order, and the signed event that opens its review.

    Raises ``StatementMalformedError`` where the terms break a bound of the proto.
    """
    now = to_timestamp(at)
    order = v1.CorrectionOrder(
        order_id=new_id(),
        federation=federation,
        regulator=identity.member_id,
        furnisher=terms.furnisher,
        subject_ref=terms.subject_ref,
        listing_id=terms.listing_id,
        action=terms.action,
        facts=terms.facts,
        legal_article=terms.legal_article,
        due_at=to_timestamp(at + timedelta(days=terms.days)),
        issued_at=now,
    )
    review = v1.ListingEvent(
        event_id=new_id(),
        federation=federation,
        subject_ref=terms.subject_ref,
        listing_id=terms.listing_id,
        actor=identity.member_id,
        action=ListingAction.LISTING_ACTION_OPEN_REVIEW,
        decided_at=now,
        ground=_GROUNDS.get(terms.facts[0], DisputeGround.DISPUTE_GROUND_INELIGIBLE)
        if terms.facts
        else DisputeGround.DISPUTE_GROUND_INELIGIBLE,
    )
    return SignedOrder(seal(order, identity.signer), seal(review, identity.signer))


def submit_order(anchors: Anchors, order: SignedOrder) -> Flow[v1.OrderStanding]:
    """Hand an order in; raise ``AnswerNotVerified`` where the exchange answers with another's standing."""
    request = v1.SubmitOrderRequest(order=order.order, review=order.review)
    answer = yield from ask(
        _call(anchors, "SubmitOrder", request, v1.SubmitOrderResponse), v1.SubmitOrderResponse
    )
    if answer.standing.order_id != order.order_id:
        raise AnswerNotVerified("the exchange answered about another order")
    return answer.standing


def read_orders(anchors: Anchors, order_ids: Sequence[bytes]) -> Flow[list[v1.OrderStanding]]:
    """Return how the caller's own orders stand."""
    request = v1.ReadOrdersRequest(order_ids=order_ids)
    answer = yield from ask(
        _call(anchors, "ReadOrders", request, v1.ReadOrdersResponse), v1.ReadOrdersResponse
    )
    return list(answer.orders)


def read_oversight(anchors: Anchors) -> Flow[v1.ReadOversightResponse]:
    """Return disputes and orders by furnisher, as of the last midnight."""
    answer = v1.ReadOversightResponse
    call = _call(anchors, "ReadOversight", v1.ReadOversightRequest(), answer)
    return (yield from ask(call, answer))


def _call(
    anchors: Anchors,
    method: str,
    request: v1.SubmitOrderRequest | v1.ReadOrdersRequest | v1.ReadOversightRequest,
    answer: type[v1.SubmitOrderResponse | v1.ReadOrdersResponse | v1.ReadOversightResponse],
) -> Call:
    return Call(exchange_peer(anchors, Port.MEMBER), _SERVICE + method, request, answer)
