"""Whether an order is to be sent, from what was filed and said before. Pure."""

from collections.abc import Sequence

from concordat import v1
from concordat.clock import from_timestamp, to_micros
from concordat.trust.envelope import parse_statement
from concordat.trust.errors import StatementMalformedError
from concordat.v1 import ListingAction, ListingState
from provider.listings.orders import FilingOrder
from provider.listings.verdict import Verdict
from provider.store.listings import Listed
from provider.store.outbox import Delivery, Posted

_UNSETTLED = frozenset({Delivery.WAITING.value, Delivery.QUEUED.value})
_ONCE_AT_A_TIME = frozenset(
    {
        ListingAction.LISTING_ACTION_RECONFIRM,
        ListingAction.LISTING_ACTION_SETTLE,
        ListingAction.LISTING_ACTION_WITHDRAW,
    }
)
_SOME_LISTING = bytes(16)
_FACTS = slice(Listed._fields.index("kind"), Listed._fields.index("listing_id"))


def listed_as(order: FilingOrder, filing_id: bytes) -> Listed:
    """Return the row that an order makes, before the exchange has answered."""
    filing = order.filing
    ends = filing.source_ends_at if filing.HasField("source_ends_at") else None
    return Listed(
        subject_ref=filing.subject_ref,
        filing_id=filing_id,
        debt=filing.debt_commitment,
        creditor=order.creditor,
        reference=order.reference,
        kind=filing.kind,
        basis=filing.basis,
        currency=filing.amount.currency,
        amount=filing.amount.minor,
        delinquent_since=to_micros(from_timestamp(filing.delinquent_since)),
        evidence_hash=filing.evidence_hash,
        source_ends_at=None if ends is None else to_micros(from_timestamp(ends)),
    )


def judge_filing(order: FilingOrder, row: Listed | None, *, ended: bool) -> Verdict:
    """Return what becomes of a filing.

    ``row`` is what the debt is filed as now, None where it is not or where that was refused; ``ended``
    tells whether a listing of it has ended before.
    """
    if row is None:
        if ended and not order.filing.HasField("reinsertion"):
            return Verdict.NEEDS_REINSERTION
        return Verdict.QUEUED
    if row.filing_id == order.filing.filing_id:
        return Verdict.QUEUED  # this very order, taken in before
    if listed_as(order, row.filing_id)[_FACTS] == row[_FACTS]:
        return Verdict.UNCHANGED
    return Verdict.DIFFERS_FROM_FILED


def judge_event(event: v1.ListingEvent, row: Listed | None, said: Sequence[Posted]) -> Verdict:
    """Return what becomes of an event, given its listing's row and all that was ``said`` of it so far."""
    if row is None or not said:
        return Verdict.NOT_ON_RECORD
    if any(post.statement_id == event.event_id for post in said):
        return Verdict.QUEUED  # this very order, taken in before
    if said[0].state == Delivery.REFUSED:
        return Verdict.FILING_REFUSED
    unsettled = {post.action for post in said if post.state in _UNSETTLED}
    if _changes_nothing(event, row, unsettled):
        return Verdict.UNCHANGED
    if row.ended_at is not None or ListingAction.LISTING_ACTION_WITHDRAW in unsettled:
        return Verdict.LISTING_ENDED
    return Verdict.QUEUED if _keeps_bounds(event) else Verdict.STATEMENT_MALFORMED


def _changes_nothing(event: v1.ListingEvent, row: Listed, unsettled: set[int]) -> bool:
    settled = row.state == ListingState.LISTING_STATE_SETTLED
    settles = event.action == ListingAction.LISTING_ACTION_SETTLE
    return event.action in unsettled & _ONCE_AT_A_TIME or (settles and settled)


def _keeps_bounds(event: v1.ListingEvent) -> bool:
    """Tell whether an event is well formed once its listing's id, which may be missing yet, is in it."""
    whole = v1.ListingEvent()
    whole.CopyFrom(event)
    whole.listing_id = event.listing_id or _SOME_LISTING
    try:
        parse_statement(v1.ListingEvent, whole.SerializeToString())
    except StatementMalformedError:
        return False
    return True
