"""What changes of listings make of orders about them, in the transaction of the change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from concordat.clock import to_micros
from concordat.statements import digest_of
from concordat.v1 import ListingAction, ListingState
from exchange.listings.cause import Cause
from exchange.listings.machine import Actor, Party, apply_event
from exchange.log import records
from exchange.supervision.orders import table
from exchange.supervision.orders.rules import IN_FORCE, Order, became, may_matter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from exchange.listings.announcements import Change
    from exchange.listings.ledger import Ledger
    from exchange.listings.reading import Key
    from exchange.log.records import Draft


def follow(
    connection: Connection, ledger: Ledger, changes: Sequence[Change], at: datetime
) -> list[Draft]:
    """End the orders that changes of their listings end, and move the listings' reviews accordingly.

    Returns what is to be logged of orders. The listings are locked, and with them the orders about them.
    """
    keys = {change.key for change in changes if may_matter(change)}
    if not keys:
        return []
    drafts: list[Draft] = []
    for key, orders in table.of_listings(connection, keys).items():
        of_key = [change for change in changes if change.key == key]
        now = [_followed(connection, order, of_key, at) for order in orders]
        drafts += [
            records.order_act(after, at)
            for before, after in zip(orders, now, strict=True)
            if before.stage != after.stage
        ]
        if any(order.open for order in now):
            open_reviews(connection, ledger, key, now)
        else:
            _end_review(ledger, key, now)
    return drafts


def _followed(
    connection: Connection, order: Order, changes: Sequence[Change], at: datetime
) -> Order:
    """Return an order after changes of its listing, and keep what became of it."""
    if not order.open:
        return order
    stages = (became(order, change) for change in changes)
    stage = next((each for each in stages if each is not None), None)
    if stage is None:
        return order
    table.put(connection, order, stage=stage, ended_at=to_micros(at))
    return replace(order, stage=stage, ended_at=at)


def open_reviews(connection: Connection, ledger: Ledger, key: Key, orders: Sequence[Order]) -> None:
    """Open the review that came with an order, once, as soon as its listing is in force."""
    for order in orders:
        listing = ledger.get(key)
        if listing is None or listing.state not in IN_FORCE:
            return
        if not order.open or order.reviewed:
            continue
        event = order.review_event
        table.put(connection, order, reviewed=True)
        if ledger.digest_of(key, event.event_id) is not None:
            continue  # used up by another statement: better no review than a listing that nobody can move
        party = Party(Actor.REGULATOR, order.regulator)
        after = apply_event(listing, event, party, ledger.profile_of(listing), ledger.at)
        ledger.move(after, Cause.event(event, digest_of(order.review), order.review))


def _end_review(ledger: Ledger, key: Key, orders: Sequence[Order]) -> None:
    """End the review that an order opened, now that none about the listing is left to be obeyed."""
    listing = ledger.get(key)
    if listing is None or listing.state != ListingState.LISTING_STATE_UNDER_REVIEW:
        return
    dispute = listing.dispute
    reviews = {order.review_event.event_id for order in orders if order.readable}
    if dispute is not None and not dispute.reviewer and dispute.dispute_id in reviews:
        ledger.act(listing, ListingAction.LISTING_ACTION_END_REVIEW, review_id=dispute.dispute_id)
        ledger.follow(key)
