"""What lenders with periodic consents are told of, written in the transaction of its cause.

Each function here runs within that transaction, while the consents concerned are locked; a consent that is given
once, and not periodically, concerns nobody here. Lenders are told that something happened, never what it says
(docs/lenders.md); only that a listing is in force tells something of its subject, and has its entry in the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from concordat.clock import from_timestamp, to_micros
from concordat.federation.purposes import covers
from concordat.v1 import ConsentMode, ConsentState, DataCategory, LenderChangeKind
from concordat.verify.consent import PERIODS
from exchange.lenders import change_table, periodic_table
from exchange.lenders.change_table import Change
from exchange.lenders.periodic_table import Periodic
from exchange.log import records
from exchange.log import table as log
from exchange.subjects.flag_table import NO_FLAGS, flags_of
from exchange.views import table as views

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat import v1

KEEP = timedelta(days=90)
AT_ONCE = 500

_PERIODIC = ConsentMode.CONSENT_MODE_PERIODIC
_LISTINGS = DataCategory.DATA_CATEGORY_LISTINGS
_ACTIVE = ConsentState.CONSENT_STATE_ACTIVE
_EXHAUSTED = ConsentState.CONSENT_STATE_EXHAUSTED
_KINDS = {
    ConsentState.CONSENT_STATE_PAUSED: LenderChangeKind.LENDER_CHANGE_KIND_CONSENT_PAUSED,
    _ACTIVE: LenderChangeKind.LENDER_CHANGE_KIND_CONSENT_RESUMED,
}
_ENDED = LenderChangeKind.LENDER_CHANGE_KIND_CONSENT_ENDED
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Use:
    """A consent that was used, the version of the key that signed it, what state that left it in, and when."""

    terms: v1.Consent
    binding_version: int
    state: ConsentState.ValueType
    at: datetime


# Consents -----------------------------------------------------------------------------------------


def granted(connection: Connection, terms: v1.Consent, binding_version: int, at: datetime) -> None:
    """Begin to monitor a periodic consent; its first review is due when it is valid."""
    if terms.mode == _PERIODIC:
        begin = max(from_timestamp(terms.valid_from), at)
        periodic_table.put(connection, [_row(terms, binding_version, to_micros(begin))])


def moved(
    connection: Connection,
    key: periodic_table.Key,
    lender: str,
    state: ConsentState.ValueType,
    at: datetime,
) -> None:
    """Tell that the subject paused, resumed or revoked a consent."""
    kind = _KINDS.get(state, _ENDED)
    if kind == _ENDED:
        periodic = periodic_table.remove(connection, key)
    else:
        periodic = periodic_table.set_active(connection, key, active=state == _ACTIVE)
    if periodic:
        change_table.write(connection, [Change(lender, kind, *key, to_micros(at))])


def used(connection: Connection, uses: Iterable[Use]) -> None:
    """Note when consents can be used next, or tell that they can't any more."""
    rows: list[Periodic] = []
    ended: list[Change] = []
    for use in uses:
        if use.terms.mode != _PERIODIC:
            continue
        now = to_micros(use.at)
        row = _row(use.terms, use.binding_version, now)
        if use.state != _EXHAUSTED:
            rows.append(row._replace(review_at=now + row.period // row.uses))
        elif periodic_table.remove(connection, row.key):
            ended.append(Change(row.lender, _ENDED, *row.key, now))
    periodic_table.put(connection, rows)
    change_table.write(connection, ended)


def _row(terms: v1.Consent, binding_version: int, review_at: int) -> Periodic:
    return Periodic(
        terms.subject_ref,
        terms.consent_id,
        terms.recipient,
        active=True,
        listings=covers(terms, _LISTINGS),
        uses=terms.frequency.uses,
        period=PERIODS[terms.frequency.period] // _MICROSECOND,
        valid_from=to_micros(from_timestamp(terms.valid_from)),
        valid_until=to_micros(from_timestamp(terms.valid_until)),
        binding_version=binding_version,
        review_at=review_at,
    )


# Time ---------------------------------------------------------------------------------------------


def run_due(connection: Connection, at: datetime) -> int:
    """Tell of consents that have expired, and of reviews that are due; return how many there were.

    Any number of processes may run this at once: of each row one alone changes it.
    """
    now = to_micros(at)
    over = periodic_table.ended(connection, now, AT_ONCE)
    changes = [
        Change(row.lender, _ENDED, *row.key, row.valid_until)
        for row in over
        if periodic_table.remove(connection, row.key)
    ]
    due = periodic_table.due(connection, now, AT_ONCE)
    changes += _reviews(connection, due, now)
    change_table.write(connection, changes)
    return len(over) + len(due)


def _reviews(connection: Connection, due: Sequence[Periodic], now: int) -> list[Change]:
    """Return the reviews that are due; one whose frequency is spent, by uses in quick succession, is put off."""
    if not due:
        return []
    earliest = now - max(row.period for row in due)
    times = views.uses_since(connection, [row.key for row in due], earliest)
    told: list[Change] = []
    for row in due:
        recent = sorted(used_at for used_at in times.get(row.key, ()) if used_at > now - row.period)
        spent = len(recent) >= row.uses
        when = recent[-row.uses] + row.period if spent else None
        if periodic_table.set_review(connection, row, when) and not spent:
            kind = LenderChangeKind.LENDER_CHANGE_KIND_REVIEW_DUE
            told.append(Change(row.lender, kind, *row.key, now))
    return told


def forget(connection: Connection, at: datetime) -> None:
    """Delete changes that are older than 90 days."""
    change_table.forget(connection, to_micros(at - KEEP))


# Listings -----------------------------------------------------------------------------------------


def in_force(connection: Connection, refs: Sequence[bytes], at: datetime) -> None:
    """Tell that a listing of each of these subjects took effect or came back; a subject may be there twice.

    To lenders with a consent that is active, valid now, periodic and covers listings; of a subject that has not
    frozen its record. Each is logged under the subject, so that it sees who was told.
    """
    lenders = {row.lender for row in periodic_table.of_subjects(connection, refs) if row.listings}
    if not lenders:
        return
    # A pause waits for this lock before it commits, or has committed and is seen below.
    change_table.hold(connection, lenders)
    told = _who_may_know(connection, refs, at)
    kind = LenderChangeKind.LENDER_CHANGE_KIND_LISTING_IN_FORCE
    changes: list[Change] = []
    drafts: list[records.Draft] = []
    for ref in refs:
        for row in told.get(ref, ()):
            if row.lender in lenders:
                draft = records.monitoring(row.lender, *row.key, at)
                drafts.append(draft)
                changes.append(Change(row.lender, kind, *row.key, to_micros(at), draft.record_id))
    log.enqueue(connection, drafts)
    change_table.write(connection, changes)


def may_be_told(
    connection: Connection, refs: Sequence[bytes], at: datetime
) -> set[periodic_table.Key]:
    """Return the consents under which lenders may be told of listings of these subjects now."""
    return {row.key for rows in _who_may_know(connection, refs, at).values() for row in rows}


def _who_may_know(
    connection: Connection, refs: Sequence[bytes], at: datetime
) -> dict[bytes, list[Periodic]]:
    """Return the consents, by subject, under which lenders may be told of listings now."""
    now = to_micros(at)
    flags = flags_of(connection, refs)
    told: dict[bytes, list[Periodic]] = {}
    for row in periodic_table.of_subjects(connection, refs):
        frozen = flags.get(row.subject_ref, NO_FLAGS).frozen
        valid = row.valid_from <= now < row.valid_until
        if row.active and row.listings and valid and not frozen:
            told.setdefault(row.subject_ref, []).append(row)
    return told
