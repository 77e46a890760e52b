"""The access journal: every request about a subject, answered or refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, case, func, literal_column, select

from concordat.clock import to_micros
from provider.store.bulk import Lookup, among
from provider.store.upsert import BulkInsert, Insert
from provider.tables import ACCESS


class Outcome(IntEnum):
    """What became of a request."""

    SCORED = 1
    NO_RECORD = 2
    REFUSED = 3


OWN_LOOK = ""
"""Stands for the lender where the person itself asked for its score."""

_ANSWERED = (Outcome.SCORED.value, Outcome.NO_RECORD.value)


@dataclass(frozen=True, slots=True)
class Access:
    """One row of the journal."""

    subject_ref: bytes
    request_digest: bytes
    request_id: bytes
    lender: str | None  # None where the request did not verify, OWN_LOOK where nobody lends
    purpose: int
    consent_id: bytes
    outcome: Outcome
    reason: int
    at: int
    statement_digest: bytes | None = None
    receipt: bytes | None = (
        None  # the log's proof of the access; None where there was none that verifies
    )


def write(connection: Connection, accesses: Iterable[Access]) -> None:
    """Put accesses on record: a repeat keeps its first time, a refusal never replaces an answer."""
    answers: list[tuple[object, ...]] = []
    refusals: list[tuple[object, ...]] = []
    for access in accesses:
        (refusals if access.outcome is Outcome.REFUSED else answers).append(_row(access))
    _PUT_ANSWER.run(connection, answers)
    _PUT_REFUSAL.run(connection, refusals)


def answered(
    connection: Connection, subject_refs: Sequence[bytes], request_ids: Sequence[bytes]
) -> dict[tuple[bytes, bytes], bytes]:
    """Return the digests of the answered requests among these, by (subject_ref, request_id)."""
    rows = _ANSWERED_IDS.run(connection, subject_refs, request_ids)
    return {(ref, request_id): digest for ref, request_id, digest in rows}


def uses(
    connection: Connection, subject_refs: Sequence[bytes], since: datetime | None = None
) -> dict[tuple[bytes, bytes], tuple[int, int]]:
    """Return how many requests were answered under each consent, and when first, in microseconds.

    Keys are (subject_ref, consent_id). ``since``: only later ones count.
    """
    after = _EVER if since is None else to_micros(since)
    rows = _USES.run(connection, subject_refs, other={"since": after})
    return {(ref, consent_id): (count, first) for ref, consent_id, count, first in rows}


class Kept(NamedTuple):
    """The log's proof of one access, as the journal keeps it."""

    at: int
    lender: str
    request_digest: bytes
    receipt: bytes


def receipts(connection: Connection, subject_ref: bytes) -> list[Kept]:
    """Return the receipts of the accesses to one subject's record, oldest first."""
    query = (
        select(ACCESS.c.at, ACCESS.c.lender, ACCESS.c.request_digest, ACCESS.c.receipt)
        .where(ACCESS.c.subject_ref == subject_ref, ACCESS.c.receipt.is_not(None))
        .order_by(ACCESS.c.at)
    )
    return [Kept(*row) for row in connection.execute(query)]


_EVER = -(1 << 62)
_COLUMNS = tuple(column.name for column in ACCESS.columns)
_row = attrgetter(*_COLUMNS)
_KEY = ["subject_ref", "request_digest"]


def _put_answer(statement: Insert) -> Insert:
    """Keep the first time of a repeated answer, so that it stays one use; replace a refusal."""
    new = statement.excluded
    first = case(
        (ACCESS.c.outcome == literal_column(str(Outcome.REFUSED.value)), new.at), else_=ACCESS.c.at
    )
    changed = {name: new[name] for name in _COLUMNS if name not in _KEY} | {"at": first}
    return statement.on_conflict_do_update(index_elements=_KEY, set_=changed)


def _put_refusal(statement: Insert) -> Insert:
    """Leave what stands there: a refusal hides nothing."""
    return statement.on_conflict_do_nothing(index_elements=_KEY)


_PUT_ANSWER = BulkInsert(ACCESS, _put_answer)
_PUT_REFUSAL = BulkInsert(ACCESS, _put_refusal)
_IS_ANSWER = ACCESS.c.outcome.in_([literal_column(str(outcome)) for outcome in _ANSWERED])
_LATER = ACCESS.c.at > bindparam("since")
_ANSWERED_IDS = Lookup(
    lambda size: select(ACCESS.c.subject_ref, ACCESS.c.request_id, ACCESS.c.request_digest).where(
        and_(among(ACCESS.c.subject_ref, size), among(ACCESS.c.request_id, size, 1), _IS_ANSWER)
    )
)
_USES = Lookup(
    lambda size: (
        select(ACCESS.c.subject_ref, ACCESS.c.consent_id, func.count(), func.min(ACCESS.c.at))
        .where(and_(among(ACCESS.c.subject_ref, size), _IS_ANSWER, _LATER))
        .group_by(ACCESS.c.subject_ref, ACCESS.c.consent_id)
    )
)
