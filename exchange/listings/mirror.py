"""Courts' mirror feeds: a court's listings are shown only while its register is known to say the same (R11)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from concordat.clock import from_timestamp, to_micros
from concordat.refusal import Refusal
from concordat.v1 import ListingState, Reason
from exchange.listings import reading
from exchange.listings.ledger import Ledger, Office
from exchange.listings.machine.listing import LIVE
from exchange.listings.table import court_sync, listing, listing_source
from exchange.log import records
from exchange.log import table as log

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat import v1
    from concordat.trust.envelope import Verified

SYNCED_WITHIN = timedelta(days=1)  # R11
_AT_ONCE = 500


def take_sync(
    connection: Connection,
    office: Office,
    sync: Verified[v1.MirrorSync],
    envelope: v1.Envelope,
    at: datetime,
) -> datetime:
    """Take a court's word that its register is the same; return until when its listings are shown.

    Its listings whose notice period is over, and that waited for this, take effect. The same again, or an
    earlier one, says nothing new. Raises ``Refusal`` (REASON_MIRROR_DIFFERS) where they are not the same,
    (REASON_STATEMENT_NOT_FRESH) where the register was read too long ago.
    """
    said = sync.message
    read_at = min(from_timestamp(said.read_at), at)
    if at - read_at >= SYNCED_WITHIN:
        raise Refusal(Reason.REASON_STATEMENT_NOT_FRESH, f"the register was read {read_at}")
    debts = live_debts(connection, said.court)
    if len(debts) != said.entries or digest_of_debts(debts) != said.digest:
        raise Refusal(
            Reason.REASON_MIRROR_DIFFERS, f"{len(debts)} live here, {said.entries} in the register"
        )
    known = reading.syncs(connection).get(said.court)
    if known is None or read_at > known:
        _put(connection, said.court, read_at, envelope)
        log.enqueue(connection, [records.mirror_act(said.court, sync.digest, at)])
        known = read_at
    _follow_waiting(connection, office, said.court, at)
    return known + SYNCED_WITHIN


def _put(connection: Connection, court: str, read_at: datetime, envelope: v1.Envelope) -> None:
    """Keep a sync, unless another process has kept a later one meanwhile."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(court_sync).values(
        court=court, synced_at=to_micros(read_at), envelope=envelope.SerializeToString()
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[court_sync.c.court],
            set_={
                "synced_at": statement.excluded.synced_at,
                "envelope": statement.excluded.envelope,
            },
            where=court_sync.c.synced_at < statement.excluded.synced_at,
        )
    )


def live_debts(connection: Connection, court: str) -> list[bytes]:
    """Return the debt commitments of a court's live listings, ascending."""
    query = (
        select(listing.c.debt)
        .join(
            listing_source,
            (listing_source.c.subject_ref == listing.c.subject_ref)
            & (listing_source.c.listing_id == listing.c.listing_id),
        )
        .where(
            listing_source.c.source == court,
            listing_source.c.court,  # it may be a furnisher too
            listing_source.c.live,
            listing.c.state.in_(LIVE),
        )
    )
    return sorted(connection.execute(query).scalars())


def digest_of_debts(debts: list[bytes]) -> bytes:
    """Return the digest that a MirrorSync carries, of commitments in ascending order."""
    return hashlib.sha256(b"".join(debts)).digest()


def _follow_waiting(connection: Connection, office: Office, court: str, at: datetime) -> None:
    """Let those take effect that only waited for the court to reconfirm them."""
    query = (
        select(listing.c.subject_ref, listing.c.listing_id)
        .join(
            listing_source,
            (listing_source.c.subject_ref == listing.c.subject_ref)
            & (listing_source.c.listing_id == listing.c.listing_id),
        )
        .where(
            listing_source.c.source == court,
            listing_source.c.court,  # it may be a furnisher too
            listing_source.c.live,
            listing.c.state == ListingState.LISTING_STATE_NOTICED,
            listing.c.effective_from <= to_micros(at),
        )
        .order_by(listing.c.subject_ref, listing.c.listing_id)
    )
    keys = [(row.subject_ref, row.listing_id) for row in connection.execute(query)]
    for start in range(0, len(keys), _AT_ONCE):
        ledger = Ledger(connection, office, at)
        ledger.lock(keys[start : start + _AT_ONCE])
        for key in keys[start : start + _AT_ONCE]:
            ledger.follow(key)
        ledger.write()
