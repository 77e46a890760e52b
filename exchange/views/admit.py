"""Admitting requests in one transaction: replay, consent, frequency, narrowing, use, access entry.

Runs on the database thread over all requests that wait at once; see ``GroupCommit``.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from concordat import v1
from concordat.clock import from_micros, to_micros
from concordat.federation.purposes import covers_more_than_flags
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.trust.envelope import Verified
from concordat.v1 import ConsentState, Reason
from concordat.verify.consent import PERIODS, require_active
from exchange.consents import table as consents
from exchange.consents.ledger import Standing
from exchange.consents.rules import state_at
from exchange.lenders import monitoring
from exchange.limits.admission import is_others_consent
from exchange.limits.gate import Gate
from exchange.limits.questions import Pair, Question, Questions, question_of
from exchange.limits.rules import Tally
from exchange.log import records
from exchange.log import table as log
from exchange.log.records import Draft
from exchange.subjects.flag_table import NO_FLAGS, Flags, flags_of
from exchange.views import table

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Checked:
    """A request whose envelopes all verified, and the envelopes as they came."""

    ask: v1.RequestViewRequest
    request: Verified[v1.ViewRequest]
    consent: Verified[v1.Consent]
    binding: Verified[v1.SubjectBinding]
    lender_licence_digest: bytes
    at: datetime

    @property
    def subject_ref(self) -> bytes:
        """The subject, 32 bytes."""
        return self.request.message.subject_ref

    @property
    def consent_key(self) -> consents.Key:
        """The consent's key in the store."""
        return self.consent.message.subject_ref, self.consent.message.consent_id

    @property
    def request_key(self) -> table.RequestKey:
        """The request's key in the store."""
        return self.request.message.lender, self.request.message.request_id

    @property
    def question(self) -> Question | None:
        """What is asked of the score; None for all of it, or nothing."""
        return question_of(self.consent.message)

    @property
    def pair(self) -> Pair:
        """The subject, and the lender that asks."""
        return self.subject_ref, self.request.message.lender


@dataclass(frozen=True, slots=True)
class Rejected:
    """A lender's own request that fails before the store is asked; the subject sees the attempt."""

    request: Verified[v1.ViewRequest]
    consent_id: bytes  # empty where the consent itself did not verify
    refusal: Refusal
    at: datetime


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that is on record and may be answered."""

    checked: Checked
    access_id: bytes
    recorded_at: datetime
    standing: Standing
    flags: Flags = NO_FLAGS


@dataclass(slots=True)
class _Use:
    """How a consent's uses stand while this group is decided."""

    row: Row[*tuple[Any, ...]]
    uses: int
    state: ConsentState.ValueType
    in_group: int = 0  # uses counted in this group


def admitting(gate: Gate) -> Callable[[Connection, Sequence[Checked]], list[Admitted | Refusal]]:
    """Return the bulk job that admits requests through ``gate``; make it once, so that they are joined."""

    def admit_together(
        connection: Connection, items: Sequence[Checked]
    ) -> list[Admitted | Refusal]:
        return admit_many(connection, items, gate)

    return admit_together


def rejecting(gate: Gate) -> Callable[[Connection, Sequence[Rejected]], list[Refusal]]:
    """Return the bulk job that records what was refused on its face; make it once."""

    def reject_together(connection: Connection, items: Sequence[Rejected]) -> list[Refusal]:
        for lender, tally in _tried_in_vain(items).items():
            gate.note(connection, lender, items[-1].at, tally)
        return reject_many(connection, items)

    return reject_together


def _tried_in_vain(items: Sequence[Rejected]) -> dict[str, Tally]:
    """Count, by lender, what was refused on its face, and how much of it for a consent that is not its own."""
    tried: dict[str, list[bool]] = {}
    for item in items:
        others = is_others_consent(item.refusal.reason)
        tried.setdefault(item.request.message.lender, []).append(others)
    return {
        lender: Tally(refused=len(others), refused_consent=sum(others))
        for lender, others in tried.items()
    }


def admit_many(
    connection: Connection, items: Sequence[Checked], gate: Gate | None = None
) -> list[Admitted | Refusal]:
    """Decide each request and record it: an access entry for each attempt, refused ones too.

    ``gate`` holds the lenders' limits; without one there are none.

    The same id with the same bytes comes back under its first entry and consumes nothing. Consents are
    locked first, so that two processes never count the same use; then the subjects of whose score less than
    all is asked, so that two never let in what only one of them may.
    """
    rows = consents.lock(connection, [item.consent_key for item in items])
    seen = table.seen(connection, [item.request_key for item in items])
    asking = _asking(items, seen) if gate else []
    refs = [item.consent_key[0] for item in items]
    _one_at_a_time(connection, refs if asking else ())
    flags = flags_of(connection, refs)
    questions = _questions(connection, asking, gate)
    uses = {key: _Use(row, row.uses, row.state) for key, row in rows.items()}
    known: dict[table.RequestKey, tuple[bytes, bytes, int]] = {
        key: (row.request_digest, row.access_id, row.recorded_at) for key, row in seen.items()
    }
    limited = _limited(connection, items, gate, known, rows) if gate else {}
    results: list[Admitted | Refusal] = []
    entries: list[dict[str, object]] = []
    requests: list[dict[str, object]] = []
    drafts: list[Draft] = []
    for item in items:
        use = uses.get(item.consent_key)
        before, consent_id = known.get(item.request_key), item.consent.message.consent_id
        access_id, recorded_at = new_id(), to_micros(item.at)
        try:
            if before is not None:
                access_id, recorded_at = _again(item, before)
            _require_let_in(limited, item)
            _require_not_frozen(item, flags.get(item.subject_ref, NO_FLAGS))
            _require_usable(connection, item, use, counts=before is None)
            _require_not_narrowed(questions, item, counts=before is None)
        except Refusal as refusal:
            results.append(refusal)
            access_id = new_id()
            entries.append(
                _entry(item.request, consent_id, access_id, item.at, refusal.reason, item.question)
            )
            drafts.append(_refused(item.request, consent_id, access_id, item.at, refusal))
            continue
        assert use is not None  # noqa: S101 - _require_usable refuses otherwise
        if before is None:
            use.uses += 1
            use.in_group += 1
            known[item.request_key] = (item.request.digest, access_id, recorded_at)
            entries.append(
                _entry(item.request, consent_id, access_id, item.at, question=item.question)
            )
            requests.append(_request(item, access_id, recorded_at))
            drafts.append(
                records.intent(
                    item.request.message,
                    item.request.digest,
                    item.consent.message,
                    access_id,
                    item.at,
                )
            )
            if use.uses >= item.consent.message.max_uses:
                use.state = ConsentState.CONSENT_STATE_EXHAUSTED
        results.append(
            Admitted(
                item,
                access_id,
                from_micros(recorded_at),
                # Stapled as active even when this was the last use: the use counted is the request's own.
                Standing(
                    ConsentState.CONSENT_STATE_ACTIVE,
                    use.uses,
                    use.row.event_sequence,
                    item.binding.message.version,
                ),
                flags.get(item.subject_ref, NO_FLAGS),
            )
        )
    table.add(connection, entries, requests)
    log.enqueue(connection, drafts)
    counted = [(key, use.uses, use.state) for key, use in uses.items() if use.in_group]
    if counted:
        consents.set_uses(connection, counted)
        monitoring.used(connection, _used(items, uses))
    if gate:
        _note(connection, gate, items, results, limited)
    return results


def _used(items: Sequence[Checked], uses: Mapping[consents.Key, _Use]) -> list[monitoring.Use]:
    """Return the consents of which uses were counted, each once."""
    latest = {item.consent_key: item for item in items}
    return [
        monitoring.Use(item.consent.message, item.binding.message.version, use.state, item.at)
        for key, item in latest.items()
        if (use := uses.get(key)) is not None and use.in_group
    ]


def _note(
    connection: Connection,
    gate: Gate,
    items: Sequence[Checked],
    results: Sequence[Admitted | Refusal],
    limited: Mapping[table.RequestKey, Refusal],
) -> None:
    """Count what the signals go by: consents that are unknown here, and one subject asked for again and again."""
    unknown: Counter[str] = Counter()
    subjects: dict[str, list[bytes]] = {}
    for item, result in zip(items, results, strict=True):
        lender = item.request.message.lender
        if isinstance(result, Admitted):
            subjects.setdefault(lender, []).append(item.subject_ref)
        elif item.request_key not in limited and is_others_consent(result.reason):
            unknown[lender] += 1
    at = items[-1].at
    for lender in sorted(unknown.keys() | subjects.keys()):
        repeated = gate.repeated(connection, lender, subjects.get(lender, []), at)
        gate.note(connection, lender, at, Tally(refused_consent=unknown[lender], repeated=repeated))


def _limited(
    connection: Connection,
    items: Sequence[Checked],
    gate: Gate,
    known: Mapping[table.RequestKey, object],
    rows: Mapping[consents.Key, Row[*tuple[Any, ...]]],
) -> dict[table.RequestKey, Refusal]:
    """Return which requests their lender's limits do not let in; one that is asked again is not counted."""
    fresh = [item for item in items if item.request_key not in known]
    if not fresh:
        return {}
    asks = [(item.request.message.lender, _granted_at(item, rows)) for item in fresh]
    decided = gate.admit_each(connection, fresh[-1].at, asks)
    return {
        item.request_key: refusal
        for item, refusal in zip(fresh, decided, strict=True)
        if refusal is not None
    }


def _granted_at(
    item: Checked, rows: Mapping[consents.Key, Row[*tuple[Any, ...]]]
) -> datetime | None:
    """Return when the consent was put on record here; None where it is not."""
    row = rows.get(item.consent_key)
    return None if row is None or row.digest != item.consent.digest else from_micros(row.granted_at)


def _one_at_a_time(connection: Connection, refs: Iterable[bytes]) -> None:
    """Have nobody else decide about these subjects until the transaction ends."""
    if refs := list(refs):
        consents.binding_versions(connection, refs, hold=True)


def _require_let_in(limited: Mapping[table.RequestKey, Refusal], item: Checked) -> None:
    """Raise the ``Refusal`` of a lender that asks too much, or looks like fishing."""
    if (refusal := limited.get(item.request_key)) is not None:
        raise refusal


def _require_not_frozen(item: Checked, flags: Flags) -> None:
    """Raise ``Refusal`` where the subject lets nothing be released (R21); that it does is told where asked."""
    if flags.frozen and covers_more_than_flags(item.consent.message):
        raise Refusal(Reason.REASON_SUBJECT_FROZEN)


def _again(item: Checked, before: tuple[bytes, bytes, int]) -> tuple[bytes, int]:
    """Return the entry under which a repeated request is answered; raise if its bytes are others."""
    digest, access_id, recorded_at = before
    if digest != item.request.digest:
        raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES)
    return access_id, recorded_at


def _require_usable(
    connection: Connection, item: Checked, use: _Use | None, *, counts: bool
) -> None:
    """Raise ``Refusal`` unless the consent allows this use now (or, if it ``counts`` not, a re-reading).

    What was put on record while its key lived holds until it is revoked, although the key was replaced since.
    """
    if use is None or use.row.digest != item.consent.digest:
        raise Refusal(Reason.REASON_CONSENT_UNKNOWN)
    at = to_micros(item.at)
    state = state_at(use.state, use.row.valid_until, at)
    if counts or state != ConsentState.CONSENT_STATE_EXHAUSTED:
        require_active(state)
    if counts:
        _require_seldom(connection, item, use, at)


def _require_seldom(connection: Connection, item: Checked, use: _Use, at: int) -> None:
    """Raise ``Refusal`` (REASON_CONSENT_TOO_FREQUENT) if the sliding period's uses are spent."""
    terms = item.consent.message
    allowed = terms.frequency.uses
    if not terms.HasField("frequency") or use.uses < allowed:
        return  # fewer uses in its whole life than one period allows
    period = PERIODS[terms.frequency.period] // _MICROSECOND
    times = table.counted_since(connection, *item.consent_key, at - period)
    times += [at] * use.in_group
    if len(times) >= allowed:
        wait = timedelta(microseconds=times[-allowed] + period - at)
        raise Refusal(Reason.REASON_CONSENT_TOO_FREQUENT, retry_after=wait)


def _asking(items: Sequence[Checked], seen: Mapping[table.RequestKey, object]) -> list[Checked]:
    """Return the requests that ask for less than a whole score; a re-reading asks nothing new."""
    return [item for item in items if item.question and item.request_key not in seen]


def _questions(
    connection: Connection, asking: Sequence[Checked], gate: Gate | None
) -> Questions | None:
    """Return what the lenders of these requests were told of their subjects; one statement, or none."""
    if gate is None or not asking:
        return None
    earliest = min(item.at for item in asking)
    return gate.questions(connection, [item.pair for item in asking], earliest)


def _require_not_narrowed(questions: Questions | None, item: Checked, *, counts: bool) -> None:
    """Let in what is asked of a score, or raise ``Refusal`` (REASON_THRESHOLD_MOVED). The last of the checks."""
    question = item.question
    if questions is not None and question is not None and counts:
        questions.require(item.pair, question, item.at)
        questions.add(item.pair, question, item.at)


def reject_many(connection: Connection, items: Sequence[Rejected]) -> list[Refusal]:
    """Record attempts that were refused on their face, and hand their refusals back."""
    named = [(item, new_id()) for item in items]
    entries = [
        _entry(item.request, item.consent_id, access_id, item.at, item.refusal.reason)
        for item, access_id in named
    ]
    table.add(connection, entries, [])
    log.enqueue(
        connection,
        [
            _refused(item.request, item.consent_id, access_id, item.at, item.refusal)
            for item, access_id in named
        ],
    )
    return [item.refusal for item in items]


def _entry(
    asked: Verified[v1.ViewRequest],
    consent_id: bytes,
    access_id: bytes,
    at: datetime,
    refusal: Reason.ValueType = Reason.REASON_UNSPECIFIED,
    question: Question | None = None,
) -> dict[str, object]:
    request = asked.message
    return {
        "subject_ref": request.subject_ref,
        "access_id": access_id,
        "lender": request.lender,
        "consent_id": consent_id,
        "request_digest": asked.digest,
        "purpose": request.purpose,
        "disclosure": request.disclosure.kind,
        "recorded_at": to_micros(at),
        "refusal": refusal,
        "counted": refusal == Reason.REASON_UNSPECIFIED,
        "threshold": request.disclosure.threshold,
        "asked_of": question.asked_of if question else None,
    }


def _refused(
    asked: Verified[v1.ViewRequest],
    consent_id: bytes,
    access_id: bytes,
    at: datetime,
    refusal: Refusal,
) -> Draft:
    return records.refused_attempt(
        asked.message, asked.digest, consent_id, access_id, refusal.reason, at
    )


def _request(item: Checked, access_id: bytes, recorded_at: int) -> dict[str, object]:
    lender, request_id = item.request_key
    return {
        "lender": lender,
        "request_id": request_id,
        "request_digest": item.request.digest,
        "access_id": access_id,
        "recorded_at": recorded_at,
    }
