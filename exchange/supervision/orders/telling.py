"""Telling subjects of orders about their listings: messages in their inboxes, in their languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat.clock import to_micros
from concordat.v1 import InboxKind
from exchange.listings.announcements import DEFAULT_LANGUAGE
from exchange.subjects import inbox_table as inbox
from exchange.subjects.contact_table import contacts_of

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
    refs = {order.key[0] for order in orders}
    contacts, places = contacts_of(connection, refs), inbox.last_sequences(connection, refs)
    rows: list[dict[str, object]] = []
    for order in orders:
        ref, listing_id = order.key
        listing = ledger.get(order.key)
        if listing is None:
            continue
        contact = contacts.get(ref)
        language = contact.language if contact is not None else DEFAULT_LANGUAGE
        places[ref] = places.get(ref, 0) + 1
        rows.append(
            {
                "subject_ref": ref,
                "sequence": places[ref],
                "kind": InboxKind.INBOX_KIND_LISTING_CHANGE,
                "listing_id": listing_id,
                "sent_at": to_micros(ledger.at),
                "text": office.wording.of_order(news, order.statement, listing, language),
            }
        )
    inbox.add(connection, rows)
