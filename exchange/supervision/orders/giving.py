"""Taking an order in: kept, logged, told to its subject, and the listing under review."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.refusal import Refusal, refusing_untrusted
from concordat.v1 import OrderStage as Stage
from concordat.v1 import Reason
from exchange.listings.ledger import Ledger
from exchange.listings.notices.news import News
from exchange.log import records
from exchange.log import table as log
from exchange.supervision import bounds
from exchange.supervision.bounds import Bounded
from exchange.supervision.orders import table
from exchange.supervision.orders.following import open_reviews
from exchange.supervision.orders.rules import (
    Order,
    facts_of,
    require_fresh,
    require_may_be_given,
)
from exchange.supervision.orders.telling import tell

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.trust.envelope import Verified
    from exchange.listings.ledger import Office

Given = tuple["Verified[v1.CorrectionOrder]", v1.SubmitOrderRequest]
"""An order that verified, with its review, and the request that brought both."""


def give(connection: Connection, office: Office, given: Given, at: datetime) -> Order:
    """Take an order in; the same again changes nothing. Raises ``Refusal``."""
    verified, request = given
    said = verified.message
    known = table.of_regulator(connection, said.regulator, [said.order_id])
    if known:
        return _again(known[0], verified)
    require_fresh(said, at)
    # Before the listing is looked at: beyond the bound, no refusal tells whether there is one.
    bounds.require(connection, said.regulator, Bounded.ORDER, at)
    key = (said.subject_ref, said.listing_id)
    ledger = Ledger(connection, office, at)
    ledger.lock([key])
    others = table.of_listings(connection, [key]).get(key, [])
    again = next((other for other in others if other.order_id == said.order_id), None)
    if again is not None:  # another connection was first
        return _again(again, verified)
    listing = require_may_be_given(said, ledger.get(key), others)
    order = Order(
        order_id=said.order_id,
        key=key,
        regulator=said.regulator,
        furnisher=said.furnisher,
        stage=Stage.ORDER_STAGE_GIVEN,
        given_at=at,
        due_at=from_timestamp(said.due_at),
        version=listing.version,
        digest=verified.digest,
        envelope=request.order,
        review=request.review,
        facts=facts_of(listing),
    )
    if ledger.digest_of(key, order.review_event.event_id) is not None:
        raise Refusal(
            Reason.REASON_REPLAYED_WITH_OTHER_BYTES, "another statement has the review's id"
        )
    bounds.count(connection, said.regulator, Bounded.ORDER, at)
    table.add(connection, order)
    log.enqueue(connection, [records.order_act(order, at)])
    with refusing_untrusted():
        open_reviews(connection, ledger, key, [order])
    tell(connection, ledger, office, News.ORDERED, [order])
    return order


def _again(known: Order, verified: Verified[v1.CorrectionOrder]) -> Order:
    if known.digest != verified.digest:
        raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES, "another order has this id")
    return known


def standing_of(order: Order) -> v1.OrderStanding:
    """Return how an order stands, as its regulator is told."""
    standing = v1.OrderStanding(
        order_id=order.order_id,
        furnisher=order.furnisher,
        stage=order.stage,
        given_at=to_timestamp(order.given_at),
        due_at=to_timestamp(order.due_at),
        overdue=order.overdue_at is not None,
    )
    if order.ended_at is not None:
        standing.ended_at.CopyFrom(to_timestamp(order.ended_at))
    if order.readable:
        standing.order.CopyFrom(order.envelope)
    return standing
