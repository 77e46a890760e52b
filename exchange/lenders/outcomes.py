"""Taking in what lenders say came of accesses: checked against the access, kept, counted and logged together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from concordat.clock import MAX_SKEW, from_micros, from_timestamp, to_micros
from concordat.refusal import Refusal
from concordat.v1 import Reason
from concordat.verify.outcome_events import is_unreviewed
from exchange.lenders import outcome_table as table
from exchange.lenders import released
from exchange.lenders.duties import OWED, Counts
from exchange.log import records
from exchange.log import table as log
from exchange.vault import sealing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from concordat import v1
    from concordat.trust.envelope import Verified
    from exchange.lenders.released import Released


@dataclass(frozen=True, slots=True)
class Told:
    """An event that verified, and the envelope as it came."""

    event: Verified[v1.OutcomeEvent]
    envelope: v1.Envelope

    @property
    def key(self) -> table.Key:
        """The access."""
        return self.event.message.subject_ref, self.event.message.access_id


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an event that is on record."""

    replaced: bool
    unreviewed: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """The latest event of an access."""

    sequence: int
    digest: bytes
    unreviewed: bool


def take_many(connection: Connection, items: Sequence[Told], at: datetime) -> list[Taken | Refusal]:
    """Take events in; one that is refused refuses no other. The same bytes again change nothing.

    Refused with REASON_ACCESS_UNKNOWN, alike whether there is no such access, it is another lender's or about
    somebody else, or nothing went out under it; with REASON_REPLAYED_WITH_OTHER_BYTES for a sequence that is not
    above the latest; with REASON_STATEMENT_NOT_FRESH for what was decided before the access.
    """
    keys = [item.key for item in items]
    accesses = released.hold(connection, keys)
    known = {key: _known(row) for key, row in table.events_of(connection, keys).items()}
    results: list[Taken | Refusal] = []
    fresh: list[Told] = []
    counts = Counts()
    for item in items:
        before, unreviewed = known.get(item.key), is_unreviewed(item.event.message)
        try:
            access = _require_own(item, accesses.get(item.key))
            if before is None or before.digest != item.event.digest:
                _require_later(item, before)
                _count(counts, access, before, unreviewed=unreviewed)
                event = item.event
                known[item.key] = _Known(event.message.sequence, event.digest, unreviewed)
                fresh.append(item)
        except Refusal as refusal:
            results.append(refusal)
        else:
            results.append(Taken(before is not None, unreviewed))
    _write(connection, fresh, counts, at)
    return results


def _known(row: Row[Any]) -> _Known:
    return _Known(row.sequence, row.digest, row.unreviewed)


def _require_own(item: Told, access: Released | None) -> Released:
    """Return the access, if it is the lender's; raise ``Refusal`` otherwise."""
    said = item.event.message
    if access is None or access.lender != said.lender:
        raise Refusal(Reason.REASON_ACCESS_UNKNOWN)
    if from_timestamp(said.decided_at) < from_micros(access.recorded_at) - MAX_SKEW:
        raise Refusal(Reason.REASON_STATEMENT_NOT_FRESH, "decided before the access")
    return access


def _require_later(item: Told, before: _Known | None) -> None:
    if before is not None and item.event.message.sequence <= before.sequence:
        raise Refusal(
            Reason.REASON_REPLAYED_WITH_OTHER_BYTES, f"sequence {before.sequence} is on record"
        )


def _count(counts: Counts, access: Released, before: _Known | None, *, unreviewed: bool) -> None:
    flagged = int(unreviewed) - int(before is not None and before.unreviewed)
    told = before is None and access.purpose in OWED
    counts.add(access, told=int(told), unreviewed=flagged)


def _write(connection: Connection, items: Sequence[Told], counts: Counts, at: datetime) -> None:
    """Keep the latest event of each access, and log every one: of two in one call, the first as well."""
    latest = list({item.key: item for item in items}.values())
    sealed = sealing.seal_many(
        connection, [(item.key[0], item.envelope.SerializeToString()) for item in latest]
    )
    rows: list[dict[str, object]] = [
        {
            "subject_ref": item.key[0],
            "access_id": item.key[1],
            "lender": item.event.message.lender,
            "sequence": item.event.message.sequence,
            "digest": item.event.digest,
            "unreviewed": is_unreviewed(item.event.message),
            "received_at": to_micros(at),
            "envelope": envelope,
        }
        for item, envelope in zip(latest, sealed, strict=True)
    ]
    table.put(connection, rows)
    counts.write(connection)
    log.enqueue(
        connection, [records.outcome(item.event.message, item.event.digest, at) for item in items]
    )
