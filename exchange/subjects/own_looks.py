"""Letting a person's own look in, in one transaction: binding, replay, limit, entry.

Nothing here touches what is counted of lenders: an own look is in no limit of theirs, in no sign of fishing
and in no count of scores (R27).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from concordat import v1
from concordat.clock import from_micros, to_micros
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.trust.envelope import Verified
from concordat.v1 import Reason
from exchange.consents import table as consents
from exchange.consents.ledger import require_latest_binding
from exchange.log import records
from exchange.log import table as log
from exchange.subjects import own_look_table as table

DAY = timedelta(days=1)

MOST_ANSWERS = 5
"""Answers to one look: a client repeats a call thrice by itself. Each asks providers, and adds to the log."""


@dataclass(frozen=True, slots=True)
class OwnAsk:
    """A person's request that verified, and the envelopes as they came."""

    request: Verified[v1.OwnViewRequest]
    binding: Verified[v1.SubjectBinding]
    envelopes: v1.RequestOwnViewRequest
    at: datetime

    @property
    def subject_ref(self) -> bytes:
        """The subject, 32 bytes."""
        return self.request.message.subject_ref


@dataclass(frozen=True, slots=True)
class Look:
    """A look that is on record and may be answered."""

    look_id: bytes
    recorded_at: datetime


def let_in(connection: Connection, ask: OwnAsk, per_day: int) -> Look:
    """Put a look on record, or find the one that it repeats.

    Raises ``Refusal``: REASON_BINDING_INVALID, _REPLAYED_WITH_OTHER_BYTES, or _QUOTA_EXCEEDED for more than
    ``per_day`` within 24 hours, or ``MOST_ANSWERS`` to one. A frozen subject looks like any other: a freeze
    keeps others out.
    """
    _hold(connection, ask)
    request = ask.request.message
    before = table.seen(connection, ask.subject_ref, request.request_id)
    if before is not None:
        if before.request_digest != ask.request.digest:
            raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES)
        if before.answers >= MOST_ANSWERS:
            raise Refusal(Reason.REASON_QUOTA_EXCEEDED, f"{MOST_ANSWERS} answers to one look")
        table.answer_again(connection, ask.subject_ref, request.request_id)
        return Look(before.look_id, from_micros(before.recorded_at))
    _require_seldom(table.since(connection, ask.subject_ref, ask.at - DAY), per_day, ask.at)
    look_id, recorded_at = new_id(), to_micros(ask.at)
    table.add(
        connection,
        subject_ref=ask.subject_ref,
        request_id=request.request_id,
        request_digest=ask.request.digest,
        look_id=look_id,
        recorded_at=recorded_at,
        answers=1,
    )
    log.enqueue(connection, [records.own_look(request, ask.request.digest, look_id, ask.at)])
    return Look(look_id, from_micros(recorded_at))


def _hold(connection: Connection, ask: OwnAsk) -> None:
    """Keep the binding if it is the latest, and let no other process decide about the subject meanwhile."""
    ref, binding = ask.subject_ref, ask.binding.message
    known = consents.binding_versions(connection, [ref], hold=True).get(ref)
    require_latest_binding(known, binding)
    consents.put_binding(connection, binding, ask.envelopes.binding, known)


def _require_seldom(times: list[int], per_day: int, at: datetime) -> None:
    """Raise ``Refusal`` (REASON_QUOTA_EXCEEDED) where the day's looks are spent."""
    if len(times) >= per_day:
        again = from_micros(times[-per_day]) + DAY
        raise Refusal(
            Reason.REASON_QUOTA_EXCEEDED, f"{per_day} own looks in a day", retry_after=again - at
        )
