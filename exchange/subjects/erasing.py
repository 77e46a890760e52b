"""Erasing what the rules let go, in one transaction; the log keeps its entries, which then open to nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Table, delete, select, update

from concordat.clock import to_micros
from concordat.v1 import ErasureBasis, InboxKind
from exchange.consents import table as consents
from exchange.consents.table import consent_event
from exchange.lenders import duties
from exchange.lenders.change_table import lender_change
from exchange.lenders.periodic_table import periodic_consent
from exchange.listings.notices.mail_table import notice_mail
from exchange.listings.table import (
    filing_seen,
    listing,
    listing_debt,
    listing_source,
    listing_step,
    listing_told,
    retraction,
    sealed_attachment,
)
from exchange.log import erasure
from exchange.log import table as log
from exchange.subjects import inbox_table
from exchange.subjects.contact_table import subject_contact
from exchange.subjects.flag_table import subject_flag
from exchange.subjects.inbox_table import inbox_message
from exchange.supervision.cases.table import case_notice
from exchange.supervision.orders.table import correction_order
from exchange.vault.erasing import forget
from exchange.vault.sealing import seal
from exchange.views import table as accesses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from exchange.listings.machine.listing import Listing
    from exchange.subjects.erasure_holdings import Holdings

_AT_ONCE = 500
ERASED_TEXT = "This message was erased at your request."


def erase_holdings(connection: Connection, ref: bytes, held: Holdings, at: datetime) -> None:
    """Erase what goes of ``held`` and log which entries' openings went; what stays gets a new key."""
    duties.release_from(
        connection, ref, held.accesses
    )  # while the accesses are there to be told by
    _erase_openings(connection, [(ref, *entry) for entry in held.entries], at)
    _erase_cases(connection, ref, held.cases, at)
    if held.accesses:
        accesses.forget(connection, [(ref, access_id) for access_id in held.accesses])
    for ids in _parts(held.consents):
        for table in (consent_event, periodic_consent, lender_change):
            _delete(connection, table, ref, "consent_id", ids)
        consents.erase(connection, ref, ids, to_micros(at))
    _erase_listings(connection, ref, held.listings)
    for ids in _parts(held.disputes):
        _delete(connection, sealed_attachment, ref, "dispute_id", ids)
    _erase_told(connection, ref, held.told)
    _erase_messages(connection, ref, held.messages)
    for table, goes in ((subject_contact, held.contact), (subject_flag, held.flags)):
        if goes:
            connection.execute(delete(table).where(table.c.subject_ref == ref))
    forget(connection, ref)


def _parts(ids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]


def _delete(
    connection: Connection, table: Table, ref: bytes, column: str, ids: Sequence[bytes]
) -> None:
    connection.execute(delete(table).where(table.c.subject_ref == ref, table.c[column].in_(ids)))


def _erase_openings(
    connection: Connection, entries: Sequence[tuple[bytes, int, bytes]], at: datetime
) -> None:
    basis = ErasureBasis.ERASURE_BASIS_SUBJECT_REQUEST
    for start in range(0, len(entries), _AT_ONCE):
        erasure.erase(connection, list(entries[start : start + _AT_ONCE]), basis, at)


def _erase_cases(
    connection: Connection, ref: bytes, record_ids: Sequence[bytes], at: datetime
) -> None:
    """Erase look-ups that the subject was told of long enough ago, with the notices that told it."""
    for some in _parts(record_ids):
        found = log.openings(connection, [(b"", record_id) for record_id in some])
        entries = [(b"", row.sequence, row.record_id) for row in found if row.record is not None]
        _erase_openings(connection, entries, at)
        _delete(connection, case_notice, ref, "record_id", some)


def _erase_listings(connection: Connection, ref: bytes, listings: Sequence[Listing]) -> None:
    for each in listings:
        key = [each.listing_id]
        for table in (
            correction_order,
            listing_step,
            listing_source,
            filing_seen,
            listing_debt,
            listing,
        ):
            _delete(connection, table, ref, "listing_id", key)


def _erase_told(connection: Connection, ref: bytes, told: Sequence[tuple[bytes, bytes]]) -> None:
    """Erase who was told of what, and retractions of listings of which nobody is left that was told."""
    for listing_id, answer in told:
        connection.execute(
            delete(listing_told).where(
                listing_told.c.subject_ref == ref,
                listing_told.c.listing_id == listing_id,
                listing_told.c.answer_digest == answer,
            )
        )
    left = select(listing_told.c.listing_id).where(listing_told.c.subject_ref == ref)
    connection.execute(
        delete(retraction).where(
            retraction.c.subject_ref == ref, retraction.c.listing_id.not_in(left)
        )
    )


def _erase_messages(connection: Connection, ref: bytes, sequences: Sequence[int]) -> None:
    """Erase messages; the last of an inbox leaves its number behind, which must not be given again."""
    if not sequences:
        return
    last = inbox_table.last_sequences(connection, [ref])[ref]
    ids = [inbox_table.message_id(sequence) for sequence in sequences]
    for some in _parts(ids):
        _delete(connection, notice_mail, ref, "message_id", some)
    for sequence in sequences:
        is_row = (inbox_message.c.subject_ref == ref) & (inbox_message.c.sequence == sequence)
        if sequence == last:
            connection.execute(
                update(inbox_message).where(is_row).values(**_nothing_left(connection, ref))
            )
        else:
            connection.execute(delete(inbox_message).where(is_row))


def _nothing_left(connection: Connection, ref: bytes) -> dict[str, object]:
    text = seal(connection, ref, ERASED_TEXT.encode())
    return {"kind": InboxKind.INBOX_KIND_UNSPECIFIED, "listing_id": b"", "text": text}
