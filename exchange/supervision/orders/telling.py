"""Telling subjects of orders about their listings: messages in their inboxes, in their languages."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from concordat.v1 import InboxKind
from exchange.subjects.messages import Message, send

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from exchange.listings.ledger import Ledger, Office
    from exchange.listings.notices.news import News
    from exchange.supervision.orders.rules import Order


def tell(
    connection: Connection, ledger: Ledger, office: Office, news: News, orders: Sequence[Order]
) -> None:
    """Write the ledger, and put a message about each order into its subject's inbox.

    Inboxes are written under the lock that the ledger's writing takes, so that no two take one place.
    """
    for order in orders:
        ledger.follow(order.key)
    ledger.write()
    told = [
        Message(
            listing.subject_ref,
            InboxKind.INBOX_KIND_LISTING_CHANGE,
            partial(office.wording.of_order, news, order.statement, listing),
            listing.listing_id,
        )
        for order in orders
        if (listing := ledger.get(order.key)) is not None
    ]
    send(connection, told, ledger.at)
