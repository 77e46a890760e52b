"""What time does to listings: run every few seconds, and after a restart for whatever was missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat.clock import to_micros
from exchange.listings import reading
from exchange.listings.ledger import Ledger, Office

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

AT_ONCE = 500


def run_due(connection: Connection, office: Office, now: datetime) -> int:
    """Do what is due by ``now`` to at most 500 listings, the longest due first; return how many there were.

    Any number of processes may run this at once: each takes listings that no other has.
    """
    keys = reading.lock_due(connection, to_micros(now), AT_ONCE)
    if not keys:
        return 0
    ledger = Ledger(connection, office, now)
    ledger.lock(keys)
    for key in keys:
        ledger.follow(key)
    ledger.write()
    return len(keys)
