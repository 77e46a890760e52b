"""What a regulator sees of one subject in a case: a page of listings, accesses or consents. No score."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection, Row, select

from concordat import v1
from concordat.clock import from_micros, to_timestamp
from concordat.v1 import CaseScope, ReleaseResult
from exchange.consents import table as consents
from exchange.listings.profile import Profiles
from exchange.subjects.own_listings import own_listings
from exchange.views.table import access_entry

ACCESSES, CONSENTS = 200, 50
_PAGE_BYTES = 2_000_000
_RESULTS = {
    "complete": ReleaseResult.RELEASE_RESULT_COMPLETE,
    "partial": ReleaseResult.RELEASE_RESULT_PARTIAL,
    "no_score": ReleaseResult.RELEASE_RESULT_NO_SCORE,
    "listings": ReleaseResult.RELEASE_RESULT_LISTINGS_ONLY,
}
M = TypeVar("M", bound=Message)


def page_of(
    connection: Connection,
    profiles: Profiles,
    subject_ref: bytes,
    scope: CaseScope.ValueType,
    after: bytes,
    at: datetime,
) -> tuple[v1.CasePage, bytes]:
    """Return a page of one scope, from after ``after``, and where the next begins; empty for nowhere."""
    page = v1.CasePage(subject_ref=subject_ref)
    match scope:
        case CaseScope.CASE_SCOPE_LISTINGS:
            listings, more = own_listings(connection, profiles, subject_ref, after, at)
            page.listings.extend(listings)
            return page, listings[-1].listing_id if more else b""
        case CaseScope.CASE_SCOPE_ACCESSES:
            accesses = _accesses(connection, subject_ref, after)
            page.accesses.extend(accesses[:ACCESSES])
            return page, accesses[ACCESSES - 1].access_id if len(accesses) > ACCESSES else b""
    records = consents.page(connection, subject_ref, after, CONSENTS + 1)
    page.consents.extend(_within_bytes(records[:CONSENTS]))
    last = v1.Consent.FromString(page.consents[-1].consent.payload) if page.consents else None
    more = len(page.consents) < len(records)
    return page, last.consent_id if last is not None and more else b""


def _accesses(connection: Connection, subject_ref: bytes, after: bytes) -> list[v1.CaseAccess]:
    query = (
        select(access_entry)
        .where(access_entry.c.subject_ref == subject_ref, access_entry.c.access_id > after)
        .order_by(access_entry.c.access_id)
        .limit(ACCESSES + 1)
    )
    return [_access(row) for row in connection.execute(query)]


def _access(row: Row[Any]) -> v1.CaseAccess:
    access = v1.CaseAccess(
        access_id=row.access_id,
        lender=row.lender,
        purpose=row.purpose,
        recorded_at=to_timestamp(from_micros(row.recorded_at)),
        consent_id=row.consent_id,
        result=_RESULTS.get(row.result or "", ReleaseResult.RELEASE_RESULT_UNSPECIFIED),
        refusal=row.refusal,
    )
    if row.released_at is not None:
        access.released_at.CopyFrom(to_timestamp(from_micros(row.released_at)))
    return access


def _within_bytes(records: Sequence[M]) -> list[M]:
    """Return the first of ``records``, at least one, that go into a page."""
    kept, size = list[M](), 0
    for record in records:
        size += record.ByteSize()
        if kept and size > _PAGE_BYTES:
            break
        kept.append(record)
    return kept
