"""A regulator's orders at an exchange in one process: given, obeyed, overdue, moot.

orders = OrdersDesk(desk)                    # over a ListingDesk
order = orders.give(listing_id)              # a v1.OrderStanding, GIVEN
orders.pass_time(11 * DAY)                   # the timers run
orders.read(order.order_id).stage            # OVERDUE
"""

from collections.abc import Sequence
from typing import Any

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.statements import seal
from concordat.v1 import DisputeGround, ListingAction, OrderedAction, OrderedFact
from exchange.supervision.orders.timer import run_overdue
from tests.builders import DAY, REGULATOR, signer
from tests.listing_builders import FURNISHER
from tests.listing_desk import ListingDesk

AMOUNT = OrderedFact.ORDERED_FACT_AMOUNT
DATE = OrderedFact.ORDERED_FACT_DELINQUENCY_DATE
PAID = OrderedFact.ORDERED_FACT_SETTLED
EVIDENCE = OrderedFact.ORDERED_FACT_EVIDENCE
WHOLE = OrderedFact.ORDERED_FACT_WHOLE
CORRECT = OrderedAction.ORDERED_ACTION_CORRECT
WITHDRAW = OrderedAction.ORDERED_ACTION_WITHDRAW


class OrdersDesk:
    """A regulator at a ``ListingDesk``."""

    def __init__(self, desk: ListingDesk) -> None:
        self.desk = desk

    def order(self, listing_id: bytes, **fields: Any) -> v1.CorrectionOrder:
        """Return a lawful order about one of the subject's listings, due in ten days."""
        at = self.desk.federation.at
        given: dict[str, Any] = {
            "order_id": new_id(),
            "federation": self.desk.federation.name,
            "regulator": REGULATOR,
            "furnisher": FURNISHER,
            "subject_ref": self.desk.subject.ref,
            "listing_id": listing_id,
            "action": CORRECT,
            "facts": [AMOUNT],
            "legal_article": "Order 631 art. 25",
            "due_at": to_timestamp(at + 10 * DAY),
            "issued_at": to_timestamp(at),
        }
        return v1.CorrectionOrder(**(given | fields))

    def request(
        self, order: v1.CorrectionOrder, signed_by: str = REGULATOR, **review: Any
    ) -> v1.SubmitOrderRequest:
        """Return the order with its review, signed; ``review`` are fields of that event to be bent."""
        given: dict[str, Any] = {
            "subject_ref": order.subject_ref,
            "ground": DisputeGround.DISPUTE_GROUND_INELIGIBLE,
        }
        event = self.desk.event(
            order.listing_id,
            ListingAction.LISTING_ACTION_OPEN_REVIEW,
            order.regulator,
            **(given | review),
        )
        key = signer(signed_by)
        return v1.SubmitOrderRequest(order=seal(order, key), review=seal(event, key))

    def submit(self, request: v1.SubmitOrderRequest, caller: str = REGULATOR) -> v1.OrderStanding:
        """Hand an order in."""
        return self.desk.call(self.desk.orders.SubmitOrder, request, caller).standing

    def give(self, listing_id: bytes, **fields: Any) -> v1.OrderStanding:
        """Give an order."""
        return self.submit(self.request(self.order(listing_id, **fields)))

    def read_all(self, ids: Sequence[bytes], regulator: str = REGULATOR) -> list[v1.OrderStanding]:
        """Return how a regulator's orders stand."""
        request = v1.ReadOrdersRequest(order_ids=ids)
        return list(self.desk.call(self.desk.orders.ReadOrders, request, regulator).orders)

    def read(self, order_id: bytes) -> v1.OrderStanding:
        """Return how one order stands."""
        (standing,) = self.read_all([order_id])
        return standing

    def oversight(self) -> v1.ReadOversightResponse:
        """Read what is told of disputes and orders."""
        request = v1.ReadOversightRequest()
        return self.desk.call(self.desk.orders.ReadOversight, request, REGULATOR)

    def pass_time(self, length: Any) -> None:
        """Let time pass, and the timers of listings and orders run."""
        desk = self.desk
        desk.pass_time(length)
        office, now = desk.desk.listings.office, desk.federation.at
        desk.desk.store.run(lambda connection: run_overdue(connection, office, now))

    def dispute_of(self, listing_id: bytes) -> bytes:
        """Return the id of a listing's open review or dispute, as its subject sees it."""
        own = self.desk.own().listings
        return next(each.dispute_id for each in own if each.listing_id == listing_id)

    def facts(self, listing_id: bytes) -> v1.Correction:
        """Return what is on record of a listing, as its subject sees it."""
        own = self.desk.own().listings
        return next(each.facts for each in own if each.listing_id == listing_id)

    def correct(self, listing_id: bytes, source: str = FURNISHER, **fields: Any) -> None:
        """Have a source correct facts of a listing; those not given stay."""
        facts = self.facts(listing_id)
        given: dict[str, Any] = {
            "amount": facts.amount,
            "delinquent_since": facts.delinquent_since,
            "evidence_hash": facts.evidence_hash,
        }
        event = self.desk.event(
            listing_id,
            ListingAction.LISTING_ACTION_CORRECT,
            source,
            correction=v1.Correction(**(given | fields)),
        )
        (result,) = self.desk.say(event)
        assert result.WhichOneof("result") == "standing", result

    def duties(self, source: str = FURNISHER) -> list[v1.Duty]:
        """Return what a source has to do by orders."""
        answer = self.desk.call(self.desk.furnishers.ListDuties, v1.ListDutiesRequest(), source)
        wanted = v1.DutyKind.DUTY_KIND_OBEY_ORDER
        return [duty for duty in answer.duties if duty.kind == wanted]

    def logged(self) -> list[v1.OrderAct]:
        """Return the orders in the subject's own chain."""
        return [r.order for r in self.desk.history() if r.WhichOneof("act") == "order"]
