"""What time does to orders: those past due are put down as such, logged, and told to their subjects."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from concordat.clock import to_micros
from concordat.v1 import OrderStage as Stage
from exchange.listings.ledger import Ledger
from exchange.listings.notices.news import News
from exchange.log import records
from exchange.log import table as log
from exchange.supervision.orders import table
from exchange.supervision.orders.rules import Order
from exchange.supervision.orders.telling import tell

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from exchange.listings.ledger import Office

AT_ONCE = 200


def run_overdue(connection: Connection, office: Office, now: datetime) -> int:
    """Put down which orders are past due by ``now``, of at most 200 listings; return of how many there were.

    Any number of processes may run this at once: listings are locked before their orders are read again.
    """
    keys = table.overdue(connection, to_micros(now), AT_ONCE)
    if not keys:
        return 0
    ledger = Ledger(connection, office, now)
    ledger.lock(keys)
    late: list[Order] = []
    for orders in table.of_listings(connection, keys).values():
        for order in orders:
            if order.stage != Stage.ORDER_STAGE_GIVEN or order.due_at > now:
                continue
            if order.readable:
                late.append(replace(order, stage=Stage.ORDER_STAGE_OVERDUE, overdue_at=now))
            else:  # nobody can tell any more what was ordered
                moot = Stage.ORDER_STAGE_MOOT
                table.put(connection, order, stage=moot, ended_at=to_micros(now))
    for order in late:
        table.put(connection, order, stage=order.stage, overdue_at=to_micros(now))
    log.enqueue(connection, [records.order_act(order, now) for order in late])
    tell(connection, ledger, office, News.ORDER_OVERDUE, late)
    return len(keys)
