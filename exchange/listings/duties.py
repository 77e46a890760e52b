"""What a source has to do about its own listings: reconfirm, answer disputes, check settlements, obey orders."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, or_, select

from concordat import v1
from concordat.clock import to_micros, to_timestamp
from concordat.v1 import DutyKind, ListingAction, ListingState
from exchange.listings import reading
from exchange.listings.machine import Listing, Source
from exchange.listings.machine.due import RECONFIRMED_WITHIN
from exchange.listings.standing import standing_of
from exchange.listings.table import listing, listing_source
from exchange.supervision.orders import table as orders_table
from exchange.supervision.orders.rules import Order

PAGE = 50  # listings; each is at most two duties
CHECK_SETTLEMENT_WITHIN = timedelta(days=10)
_STEPS = 200


def duties_of(
    connection: Connection, source: str, after: bytes, at: datetime
) -> tuple[list[v1.Duty], bytes]:
    """Return a page of what ``source`` has to do, by its filing ids, and what to continue after."""
    keys = _candidates(connection, source, after[:16], at)
    found = reading.by_keys(connection, [key for key, _ in keys])
    orders = orders_table.of_listings(connection, [key for key, _ in keys])
    duties: list[v1.Duty] = []
    for key, _ in keys:
        listing = found[key].listing
        # It may have left between the two readings.
        own = next((each for each in listing.live_sources if each.member_id == source), None)
        if own is not None:
            duties += _duties(connection, listing, own, at)
            duties += (
                _obey(order, listing, own)
                for order in orders.get(key, ())
                if order.open and order.furnisher == source
            )
    more = len(keys) == PAGE
    return duties, keys[-1][1] if more else b""


def _candidates(
    connection: Connection, source: str, after: bytes, at: datetime
) -> list[tuple[reading.Key, bytes]]:
    """Return the (key, filing id) of live listings of a source about which there may be something to do."""
    now, soon = to_micros(at), to_micros(at + RECONFIRMED_WITHIN)
    within = RECONFIRMED_WITHIN // timedelta(microseconds=1)
    recently = to_micros(at - CHECK_SETTLEMENT_WITHIN)
    query = (
        select(listing.c.subject_ref, listing.c.listing_id, listing_source.c.filing_id)
        .join(
            listing_source,
            and_(
                listing_source.c.subject_ref == listing.c.subject_ref,
                listing_source.c.listing_id == listing.c.listing_id,
            ),
        )
        .where(
            listing_source.c.source == source,
            listing_source.c.live,
            listing_source.c.filing_id > after,
            or_(
                and_(
                    listing.c.state == ListingState.LISTING_STATE_NOTICED,
                    listing.c.effective_from <= soon,
                    # Once the period is over, what counts is how long ago it was.
                    or_(
                        listing_source.c.reconfirmed_at < listing.c.effective_from - within,
                        listing_source.c.reconfirmed_at < now - within,
                    ),
                ),
                listing.c.dispute_id.is_not(None),
                orders_table.waits_for(source, listing.c.subject_ref, listing.c.listing_id),
                and_(
                    listing.c.state == ListingState.LISTING_STATE_SETTLED,
                    listing.c.settled_at >= recently,
                ),
            ),
        )
        .order_by(listing_source.c.filing_id)
        .limit(PAGE)
    )
    return [((row.subject_ref, row.listing_id), row.filing_id) for row in connection.execute(query)]


def _duties(
    connection: Connection, listing: Listing, own: Source, at: datetime
) -> Iterator[v1.Duty]:
    key = (listing.subject_ref, listing.listing_id)
    due = listing.effective_from
    if (
        listing.state == ListingState.LISTING_STATE_NOTICED
        and due is not None
        and at >= due - RECONFIRMED_WITHIN
        and at - own.reconfirmed_at >= timedelta(days=1)
    ):
        yield _duty(DutyKind.DUTY_KIND_RECONFIRM, listing, own, due)
    if listing.dispute is not None:
        duty = _duty(DutyKind.DUTY_KIND_ANSWER_DISPUTE, listing, own, listing.dispute.due_at)
        raised = _statement(connection, key, listing.dispute.dispute_id)
        if raised is not None:
            duty.dispute.CopyFrom(raised)
        yield duty
    if (
        listing.state == ListingState.LISTING_STATE_SETTLED
        and listing.settled_at is not None
        and _subject_settled(reading.steps_of(connection, key, _STEPS))
    ):
        until = listing.settled_at + CHECK_SETTLEMENT_WITHIN
        yield _duty(DutyKind.DUTY_KIND_CHECK_SETTLEMENT, listing, own, until)


def _obey(order: Order, listing: Listing, own: Source) -> v1.Duty:
    duty = _duty(DutyKind.DUTY_KIND_OBEY_ORDER, listing, own, order.due_at)
    duty.order.CopyFrom(order.envelope)
    return duty


def _duty(kind: DutyKind.ValueType, listing: Listing, own: Source, due_at: datetime) -> v1.Duty:
    return v1.Duty(
        kind=kind,
        filing_id=own.filing_id,
        standing=standing_of(listing),
        due_at=to_timestamp(due_at),
        subject_ref=listing.subject_ref,
    )


def _statement(connection: Connection, key: reading.Key, statement_id: bytes) -> v1.Envelope | None:
    """Return a Dispute that was raised; None where a reviewer or the regulator opened the review."""
    return reading.statements_of(connection, key, [statement_id]).get(statement_id)


def _subject_settled(steps: Sequence[reading.Step]) -> bool:
    """Tell whether it was the subject who said that the debt is paid."""
    for step in reversed(steps):
        if "listing-event" not in step.envelope.payload_type:
            continue
        event = v1.ListingEvent.FromString(step.envelope.payload)
        if event.action == ListingAction.LISTING_ACTION_SETTLE:
            return not event.actor
    return False
