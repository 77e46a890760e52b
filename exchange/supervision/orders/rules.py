"""What may be ordered, and when an order is obeyed: pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from concordat import v1
from concordat.clock import MAX_SKEW, from_micros, from_timestamp, to_timestamp
from concordat.refusal import Refusal
from concordat.v1 import OrderedAction, OrderedFact, Reason
from concordat.v1 import OrderStage as Stage
from exchange.listings.machine.listing import EFFECTIVE, ENDS, LIVE, SETTLED, WITHDRAWN

if TYPE_CHECKING:
    from exchange.listings.announcements import Change
    from exchange.listings.machine import Listing
    from exchange.listings.reading import Key

FRESH_FOR = timedelta(days=1)
IN_FORCE = frozenset({EFFECTIVE, SETTLED})


@dataclass(frozen=True, slots=True)
class Order:
    """An order on record, and what was on record of its listing when it was given."""

    order_id: bytes
    key: Key
    regulator: str
    furnisher: str
    stage: Stage.ValueType
    given_at: datetime
    due_at: datetime
    version: int  # of the listing
    digest: bytes
    envelope: v1.Envelope = field(default_factory=v1.Envelope)
    review: v1.Envelope = field(default_factory=v1.Envelope)
    facts: v1.Correction = field(default_factory=v1.Correction)
    reviewed: bool = False
    overdue_at: datetime | None = None
    ended_at: datetime | None = None
    readable: bool = True  # not once the records of its subject are erased

    @classmethod
    def of_row(cls, row: Any, opened: Sequence[bytes | None]) -> Order:
        """Return the order of a row, and its three unsealed parts; None each where they were erased."""
        envelope, review, facts = (part or b"" for part in opened)
        return cls(
            order_id=row.order_id,
            key=(row.subject_ref, row.listing_id),
            regulator=row.regulator,
            furnisher=row.furnisher,
            stage=row.stage,
            given_at=from_micros(row.given_at),
            due_at=from_micros(row.due_at),
            version=row.version,
            digest=row.digest,
            envelope=v1.Envelope.FromString(envelope),
            review=v1.Envelope.FromString(review),
            facts=v1.Correction.FromString(facts),
            reviewed=row.reviewed,
            overdue_at=None if row.overdue_at is None else from_micros(row.overdue_at),
            ended_at=None if row.ended_at is None else from_micros(row.ended_at),
            readable=None not in opened,
        )

    @property
    def open(self) -> bool:
        """Whether it still waits to be obeyed; not where the records of its subject are erased."""
        return self.ended_at is None and self.readable

    @property
    def review_event(self) -> v1.ListingEvent:
        """What opens its review."""
        return v1.ListingEvent.FromString(self.review.payload)

    @property
    def statement(self) -> v1.CorrectionOrder:
        """What was ordered."""
        return v1.CorrectionOrder.FromString(self.envelope.payload)


def require_fresh(order: v1.CorrectionOrder, at: datetime) -> None:
    """Raise ``Refusal`` (REASON_STATEMENT_NOT_FRESH) unless an order was made within a day before ``at``."""
    issued = from_timestamp(order.issued_at)
    if not -MAX_SKEW <= at - issued <= FRESH_FOR:
        raise Refusal(Reason.REASON_STATEMENT_NOT_FRESH, f"made {issued}")


def require_may_be_given(
    order: v1.CorrectionOrder, listing: Listing | None, others: Sequence[Order]
) -> Listing:
    """Return the listing; raise ``Refusal`` (REASON_ORDER_REFUSED) where the furnisher can't be ordered so.

    ``others`` are the orders about it so far. Which of these it was is not told apart: an id says nothing
    of whether, or whose, such a listing is.
    """
    fault = _fault(order, listing, others)
    if fault or listing is None:
        raise Refusal(Reason.REASON_ORDER_REFUSED, fault)
    return listing


def _fault(order: v1.CorrectionOrder, listing: Listing | None, others: Sequence[Order]) -> str:
    if listing is None:
        return "no such listing"
    if listing.state not in LIVE:
        return "the listing has ended"
    if all(source.member_id != order.furnisher for source in listing.live_sources):
        return f"{order.furnisher} does not vouch for it"
    if any(other.open and other.furnisher == order.furnisher for other in others):
        return f"{order.furnisher} is under another order about it"
    if OrderedFact.ORDERED_FACT_SETTLED in order.facts and listing.settled_at is not None:
        return "it is settled already"
    return ""


def facts_of(listing: Listing) -> v1.Correction:
    """Return what is on record of a listing, of all that a correction can change."""
    return v1.Correction(
        amount=v1.Money(currency=listing.currency, minor=listing.amount),
        delinquent_since=to_timestamp(listing.delinquent_since),
        evidence_hash=listing.evidence_hash,
    )


def became(order: Order, change: Change) -> Stage.ValueType | None:
    """Return what a change of its listing makes of an open order; None where it stays open.

    It is obeyed by the furnisher's own event alone. What another did, a ruling or time, makes it moot.
    """
    after = change.after
    if _obeyed(order, after):
        mine = change.cause.actor == order.furnisher
        return Stage.ORDER_STAGE_COMPLIED if mine else Stage.ORDER_STAGE_MOOT
    return Stage.ORDER_STAGE_MOOT if after.state in ENDS else None


def _obeyed(order: Order, after: Listing) -> bool:
    said = order.statement
    if all(source.member_id != order.furnisher for source in after.live_sources):
        return True  # it took the listing back
    if said.action == OrderedAction.ORDERED_ACTION_WITHDRAW or after.state == WITHDRAWN:
        return False
    return all(_PUT_RIGHT[fact](order, after) for fact in said.facts)


_PutRight = Callable[[Order, "Listing"], bool]
_PUT_RIGHT: Mapping[int, _PutRight] = {
    OrderedFact.ORDERED_FACT_AMOUNT: lambda order, after: after.amount < order.facts.amount.minor,
    OrderedFact.ORDERED_FACT_DELINQUENCY_DATE: lambda order, after: (
        after.delinquent_since < from_timestamp(order.facts.delinquent_since)
    ),
    OrderedFact.ORDERED_FACT_SETTLED: lambda _, after: after.settled_at is not None,
    OrderedFact.ORDERED_FACT_EVIDENCE: lambda order, after: (
        after.evidence_hash != order.facts.evidence_hash
    ),
    OrderedFact.ORDERED_FACT_WHOLE: lambda order, after: after.version > order.version,
}


def may_matter(change: Change) -> bool:
    """Tell whether a change can be of any concern to orders: cheap, as all changes come by."""
    before, after = change.before, change.after
    return before is not None and (
        after.state in ENDS
        or (after.state in IN_FORCE and before.state not in IN_FORCE)
        or after.version != before.version
        or after.settled_at != before.settled_at
        or len(after.live_sources) != len(before.live_sources)
    )
