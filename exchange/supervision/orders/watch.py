"""Orders and oversight of one process: what is due, every few seconds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from concordat.v1 import Role
from exchange.repeating import repeat
from exchange.supervision.orders.oversight import oversight_of, told_on
from exchange.supervision.orders.timer import AT_ONCE, run_overdue

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat import v1
    from concordat.clock import Clock
    from concordat.federation.directory import MemberDirectory
    from concordat.store.group_commit import GroupCommit
    from exchange.listings.ledger import Office

_SOURCES = frozenset({Role.ROLE_FURNISHER, Role.ROLE_COURT})

EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Overseer:
    """Tells regulators of disputes and orders."""

    directory: MemberDirectory
    smallest_cell: int

    def read(self, connection: Connection, at: datetime) -> v1.ReadOversightResponse:
        """Return what is told today."""
        members = (m.member_id for m in self.directory.members() if m.roles & _SOURCES)
        return oversight_of(connection, members, self.smallest_cell, at)


async def watch_orders(
    store: GroupCommit, office: Office, overseer: Overseer, clock: Clock
) -> None:
    """Put down which orders are past due, and count disputes once midnight has settled, until cancelled."""

    def look(connection: Connection, now: datetime, *, counted: bool) -> int:
        if not counted:
            overseer.read(connection, now)
        return run_overdue(connection, office, now)

    counted_on = -1  # the day on which that is known to be committed

    async def round_() -> bool:
        nonlocal counted_on
        now = clock.now()
        some = await store.arun(partial(look, now=now, counted=counted_on == told_on(now)))
        counted_on = told_on(now)
        return some >= AT_ONCE

    await repeat("orders", EVERY_SECONDS, round_)
