"""ScreenListings: up to 1,000 consented subjects in one message, in one transaction.

Each subject's consent is checked, counted and its access entered in the log's queue before anything is told,
like any other access; what is not told one by one are the receipts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import from_micros, to_micros, to_timestamp
from concordat.federation.purposes import (
    covers,
    require_licensed_purpose,
    require_purpose_allows,
)
from concordat.ids import new_id, new_ids
from concordat.refusal import Refusal
from concordat.statements import digest_of, seal_batch
from concordat.v1 import ConsentMode, ConsentState, DataCategory, Reason
from concordat.verify.consent import PERIODS, require_active, require_consent_in_force
from concordat.verify.listing_statements import open_screen_request
from exchange.consents import table as consents
from exchange.consents.rules import state_at
from exchange.lenders import monitoring
from exchange.limits.rules import Tally
from exchange.listings import told
from exchange.listings.showing import in_force
from exchange.listings.told import NOTHING, Shown
from exchange.log import records
from exchange.log import table as log
from exchange.subjects.flag_table import NO_FLAGS, Flags, flags_of
from exchange.views import table as views

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import Connection

    from concordat.clock import Clock
    from concordat.federation.directory import Member, MemberDirectory
    from concordat.store.group_commit import GroupCommit
    from concordat.trust.envelope import Verified
    from concordat.trust.keys import Signer
    from exchange.limits.gate import Gate
    from exchange.listings.index import Entry
    from exchange.listings.opening import Listings
    from exchange.log.book import LogBook

REF_BYTES, ID_BYTES = 32, 16
_NO_ACCESS = bytes(ID_BYTES)
_LISTINGS, _FLAGS = DataCategory.DATA_CATEGORY_LISTINGS, DataCategory.DATA_CATEGORY_FLAGS
# Looked up once: the names of protobuf's enums are searched for at each use.
_ANSWERED = Reason.REASON_UNSPECIFIED
_ACTIVE, _EXHAUSTED = ConsentState.CONSENT_STATE_ACTIVE, ConsentState.CONSENT_STATE_EXHAUSTED
_PERIODIC = ConsentMode.CONSENT_MODE_PERIODIC


@dataclass(slots=True)
class _Subject:
    """One subject of a screening."""

    key: consents.Key  # subject_ref, consent_id
    access_id: bytes = _NO_ACCESS
    refusal: Reason.ValueType = _ANSWERED
    terms: v1.Consent | None = None
    counts: bool = False
    uses: int = 0
    state: ConsentState.ValueType = _ACTIVE
    flags: Flags = NO_FLAGS
    binding_version: int = 0  # of the key that signed the consent

    @property
    def answered(self) -> bool:
        """Whether something is told about it."""
        return self.refusal == _ANSWERED


class ScreenDesk:
    """Answers screen requests."""

    def __init__(
        self,
        directory: MemberDirectory,
        store: GroupCommit,
        listings: Listings,
        gate: Gate,
        book: LogBook,
        signer: Signer,
        clock: Clock,
    ) -> None:
        """Check against ``directory``, within ``gate``; look in ``listings``; record in ``store``."""
        self._directory = directory
        self._store = store
        self._listings = listings.book
        self._profiles = listings.profiles
        self._gate = gate
        self._book = book
        self._signer = signer
        self._clock = clock

    async def answer(self, envelope: v1.Envelope, caller: Member) -> v1.Envelope:
        """Return the signed ScreenAnswer. Raises ``Refusal`` where the message as a whole is refused."""
        at = self._clock.now()
        self._book.require_open(at)
        request = open_screen_request(envelope, caller, self._directory.anchors, at)
        require_licensed_purpose(caller.licence, request.message.purpose)
        self._listings.require_current()
        keys = subjects_of(request.message)
        found = self._listings.shown([ref for ref, _ in keys], at)
        return await self._store.arun(
            lambda connection: self._answer(connection, request, keys, found, at)
        )

    def _answer(
        self,
        connection: Connection,
        request: Verified[v1.ScreenRequest],
        keys: Sequence[consents.Key],
        found: Mapping[int, Sequence[Entry]],
        at: datetime,
    ) -> v1.Envelope:
        """Decide, record, confirm what is shown, sign: in one transaction."""
        again = _seen(connection, request)
        subjects = _admit(connection, request, keys, at, self._gate, again=again)
        mine = {
            place: entries
            for place, entries in found.items()
            if subjects[place].answered and _covers(subjects[place], _LISTINGS)
        }
        shown = told.confirm(connection, self._profiles, mine, at, hold=True)
        answer = _compose(request, subjects, shown, at)
        (envelope,) = seal_batch([answer], self._signer)
        _record(connection, request, subjects, shown, at, again=again)
        lender, digest, now = request.message.lender, digest_of(envelope), to_micros(at)
        told.record(connection, [(lender, hit, digest, now) for hit in shown.values()])
        return envelope


def subjects_of(request: v1.ScreenRequest) -> list[consents.Key]:
    """Return the (subject_ref, consent_id) of a request; raise ``Refusal`` where one subject is named twice."""
    refs, ids = request.subject_refs, request.consent_ids
    keys = [
        (
            refs[place * REF_BYTES : (place + 1) * REF_BYTES],
            ids[place * ID_BYTES : (place + 1) * ID_BYTES],
        )
        for place in range(len(ids) // ID_BYTES)
    ]
    if len({ref for ref, _ in keys}) < len(keys):
        raise Refusal(Reason.REASON_MESSAGE_INVALID, "a subject is named twice")
    return keys


def _seen(connection: Connection, request: Verified[v1.ScreenRequest]) -> bool:
    """Tell whether this very request was answered before; raise ``Refusal`` where its id was another's."""
    key = (request.message.lender, request.message.request_id)
    row = views.seen(connection, [key]).get(key)
    if row is not None and row.request_digest != request.digest:
        raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES)
    return row is not None


def _admit(
    connection: Connection,
    request: Verified[v1.ScreenRequest],
    keys: Sequence[consents.Key],
    at: datetime,
    gate: Gate,
    *,
    again: bool,
) -> list[_Subject]:
    """Decide for each subject whether its consent allows this now; count what is a use."""
    rows = consents.lock_with_terms(connection, keys)
    refs = [ref for ref, _ in keys]
    flags = flags_of(connection, refs)
    before = views.accesses_of(connection, request.digest, refs) if again else {}
    subjects = [
        _Subject(key, flags=flags.get(key[0], NO_FLAGS), counts=key[0] not in before)
        for key in keys
    ]
    _limit(connection, gate, request.message.lender, subjects, rows, at)
    for subject, access_id in zip(subjects, new_ids(len(subjects)), strict=True):
        ref = subject.key[0]
        if not subject.answered:
            continue
        try:
            _require_usable(subject, rows.get(subject.key), request.message, at)
        except Refusal as refusal:
            subject.refusal = refusal.reason
        else:
            subject.access_id = before.get(ref, access_id)
    _require_seldom(connection, subjects, at)
    for subject in subjects:
        if subject.answered and subject.counts and subject.terms is not None:
            subject.uses += 1
            if subject.uses >= subject.terms.max_uses:
                subject.state = _EXHAUSTED
        elif not subject.answered:
            subject.access_id = _NO_ACCESS
    return subjects


def _limit(
    connection: Connection,
    gate: Gate,
    lender: str,
    subjects: Sequence[_Subject],
    rows: Mapping[consents.Key, consents.Terms],
    at: datetime,
) -> None:
    """Refuse those that the lender's limits do not let in; what is asked again is not counted."""
    fresh = [subject for subject in subjects if subject.counts]
    if not fresh:
        return
    own = {key: row for key, row in rows.items() if row.recipient == lender}
    granted = [
        from_micros(own[subject.key].granted_at) if subject.key in own else None
        for subject in fresh
    ]
    for subject, refusal in zip(fresh, gate.admit(connection, lender, at, granted), strict=True):
        if refusal is not None:
            subject.refusal = refusal.reason
    unknown = sum(
        subject.answered and when is None for subject, when in zip(fresh, granted, strict=True)
    )
    gate.note(connection, lender, at, Tally(refused_consent=unknown))


def _require_usable(
    subject: _Subject,
    row: consents.Terms | None,
    request: v1.ScreenRequest,
    at: datetime,
) -> None:
    """Raise ``Refusal`` unless the consent is this lender's, in force, periodic, and of this purpose."""
    if row is None:
        raise Refusal(Reason.REASON_CONSENT_UNKNOWN)
    if row.recipient != request.lender:
        raise Refusal(Reason.REASON_CONSENT_UNKNOWN)  # that it exists is not this lender's to know
    terms = row.terms
    if terms.purpose != request.purpose or terms.mode != _PERIODIC:
        raise Refusal(Reason.REASON_CONSENT_MISMATCH)
    require_purpose_allows(terms)
    if not (covers(terms, _LISTINGS) or covers(terms, _FLAGS)):
        raise Refusal(Reason.REASON_PURPOSE_NOT_ALLOWED)
    require_consent_in_force(terms, at)
    state = state_at(row.state, row.valid_until, to_micros(at))
    if subject.counts or state != _EXHAUSTED:
        require_active(state)
    if subject.flags.frozen and covers(terms, _LISTINGS):
        raise Refusal(Reason.REASON_SUBJECT_FROZEN)
    subject.terms, subject.uses, subject.state = terms, row.uses, row.state
    subject.binding_version = row.binding_version


def _require_seldom(connection: Connection, subjects: Sequence[_Subject], at: datetime) -> None:
    """Refuse those whose sliding period's uses are spent, all with one query."""
    now = to_micros(at)
    limits: dict[consents.Key, tuple[_Subject, int, int]] = {}
    for subject in subjects:
        terms = subject.terms
        if terms is None or not subject.answered or not subject.counts:
            continue
        if terms.HasField("frequency") and subject.uses >= terms.frequency.uses:
            since = now - _micros(PERIODS[terms.frequency.period])
            limits[subject.key] = (subject, terms.frequency.uses, since)
    if not limits:
        return
    since = min(each[2] for each in limits.values())
    times = views.uses_since(connection, list(limits), since)
    for key, (subject, allowed, since) in limits.items():
        if sum(used > since for used in times.get(key, ())) >= allowed:
            subject.refusal = Reason.REASON_CONSENT_TOO_FREQUENT


def _micros(length: timedelta) -> int:
    return int(length.total_seconds() * 1_000_000)


def _covers(subject: _Subject, category: DataCategory.ValueType) -> bool:
    return subject.terms is not None and covers(subject.terms, category)


def _compose(
    request: Verified[v1.ScreenRequest],
    subjects: Sequence[_Subject],
    shown: Mapping[int, Shown],
    at: datetime,
) -> v1.ScreenAnswer:
    return v1.ScreenAnswer(
        federation=request.message.federation,
        lender=request.message.lender,
        request_digest=request.digest,
        results=bytes(subject.refusal for subject in subjects),
        hits=[
            v1.ScreenHit(index=place, listings=in_force(hit.entries, hit.words))
            for place, hit in sorted(shown.items())
        ],
        alerts=[
            place
            for place, subject in enumerate(subjects)
            if subject.answered and subject.flags.fraud_alert and _covers(subject, _FLAGS)
        ],
        access_ids=b"".join(subject.access_id for subject in subjects),
        issued_at=to_timestamp(at),
    )


def _record(
    connection: Connection,
    request: Verified[v1.ScreenRequest],
    subjects: Sequence[_Subject],
    shown: Mapping[int, Shown],
    at: datetime,
    *,
    again: bool,
) -> None:
    """Enter every subject's access: in its entries, in the log's queue, and in its consent's uses."""
    said, now = request.message, to_micros(at)
    entries: list[dict[str, object]] = [
        {
            "subject_ref": subject.key[0],
            "access_id": subject.access_id if subject.answered else new_id(),
            "lender": said.lender,
            "consent_id": subject.key[1],
            "request_digest": request.digest,
            "purpose": said.purpose,
            "disclosure": 0,
            "recorded_at": now,
            "refusal": subject.refusal,
            "counted": subject.answered,
            "threshold": 0,
            "asked_of": None,
        }
        for subject in subjects
        if subject.counts
    ]
    seen: list[dict[str, object]] = []
    if not again:
        seen = [
            {
                "lender": said.lender,
                "request_id": said.request_id,
                "request_digest": request.digest,
                "access_id": _NO_ACCESS,
                "recorded_at": now,
            }
        ]
    views.add(connection, entries, seen)
    counted = [(s.key, s.uses, s.state) for s in subjects if s.answered and s.counts]
    if counted:
        consents.set_uses(connection, counted)
        monitoring.used(
            connection,
            [
                monitoring.Use(s.terms, s.binding_version, s.state, at)
                for s in subjects
                if s.answered and s.counts and s.terms is not None
            ],
        )
    log.enqueue(
        connection,
        records.screenings(
            said,
            request.digest,
            [
                (*subject.key, subject.refusal, len(shown.get(place, NOTHING).entries))
                for place, subject in enumerate(subjects)
            ],
            at,
        ),
    )
