"""What time does to listings: run every few seconds, and after a restart for whatever was missed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import bindparam, update

from concordat.clock import to_micros
from exchange.listings import reading
from exchange.listings.ledger import Ledger, Office
from exchange.listings.table import listing

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_log = structlog.get_logger("concordat.listings")

AT_ONCE = 500
_AGAIN = timedelta(hours=1)
_PUT_OFF = update(listing).where(
    listing.c.subject_ref == bindparam("key_ref"), listing.c.listing_id == bindparam("key_id")
)


def run_due(connection: Connection, office: Office, now: datetime) -> int:
    """Do what is due by ``now`` to at most 500 listings, the longest due first; return how many there were.

    Any number of processes may run this at once: each takes listings that no other has. One that can't be
    moved, because its profile is gone for instance, holds up no other; it is tried again in an hour.
    """
    keys = reading.lock_due(connection, to_micros(now), AT_ONCE)
    if not keys:
        return 0
    ledger = Ledger(connection, office, now)
    ledger.lock(keys)
    stuck: list[dict[str, object]] = []
    for key in keys:
        try:
            ledger.follow(key)
        except Exception as error:  # noqa: BLE001 - whatever it is about one, the others have their rights
            _log.error("listing_not_followed", listing=key[1].hex(), exc_info=error)
            stuck.append({"key_ref": key[0], "key_id": key[1], "due_at": to_micros(now + _AGAIN)})
    ledger.write()
    if stuck:
        connection.execute(_PUT_OFF, stuck)
    return len(keys)
