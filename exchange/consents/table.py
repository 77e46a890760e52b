"""Consents, their events, and the subjects' key bindings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from concordat import v1
from concordat.store.bulk import execute_many
from concordat.store.lookup import Lookup
from concordat.v1 import ConsentState
from exchange.schema import metadata
from exchange.vault.columns import subject_ref
from exchange.vault.sealing import seal, unseal, unseal_many

subject_binding = Table(
    "subject_binding",
    metadata,
    subject_ref(primary_key=True),
    Column("version", Integer, nullable=False),  # of the latest binding seen
    Column("envelope", LargeBinary, nullable=False),
)

consent = Table(
    "consent",
    metadata,
    subject_ref(primary_key=True),
    Column("consent_id", LargeBinary(16), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("recipient", String(64), nullable=False),
    Column("state", Integer, nullable=False),  # ConsentState
    Column("uses", Integer, nullable=False),
    Column("event_sequence", BigInteger, nullable=False),  # of the latest event; 0 for none
    Column("valid_until", BigInteger, nullable=False),
    Column("binding_version", Integer, nullable=False),  # of the key that signed it
    Column("granted_at", BigInteger, nullable=False),  # when the exchange took it in; 0 if long ago
    Column("envelope", LargeBinary, nullable=False),
    Index("consent_by_expiry", "state", "valid_until"),
)

consent_event = Table(
    "consent_event",
    metadata,
    subject_ref(primary_key=True),
    Column("consent_id", LargeBinary(16), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)

# Keys are sorted, so that two processes that lock the same rows lock them in the same order.
_LOCK_CONSENTS = Lookup(
    lambda wanted: (
        select(
            consent.c.subject_ref,
            consent.c.consent_id,
            consent.c.digest,
            consent.c.recipient,
            consent.c.state,
            consent.c.uses,
            consent.c.event_sequence,
            consent.c.valid_until,
            consent.c.granted_at,
        )
        .where(wanted)
        .order_by(consent.c.subject_ref, consent.c.consent_id)
        .with_for_update()
    ),
    consent.c.subject_ref,
    consent.c.consent_id,
)
_LOCK_TERMS = Lookup(
    lambda wanted: (
        select(consent)
        .where(wanted)
        .order_by(consent.c.subject_ref, consent.c.consent_id)
        .with_for_update()
    ),
    consent.c.subject_ref,
    consent.c.consent_id,
)
_BINDING_VERSIONS = select(subject_binding.c.subject_ref, subject_binding.c.version).where(
    subject_binding.c.subject_ref.in_(bindparam("refs", expanding=True))
)
_HOLD_BINDINGS = _BINDING_VERSIONS.order_by(subject_binding.c.subject_ref).with_for_update()
_SET_USES = (
    update(consent)
    .where(
        consent.c.subject_ref == bindparam("key_ref"), consent.c.consent_id == bindparam("key_id")
    )
    .values(uses=bindparam("new_uses"), state=bindparam("new_state"))
)

ERASED = ""
"""The recipient of a consent of which only id and digest are left, until its date is over.

Whoever has its bytes, as its recipient does, can hand it in again: then it is found to have ended.
"""

_ERASED_FOR = 7 * 24 * 3600 * 10**6  # microseconds; what is left is looked for no longer than that

Key = tuple[bytes, bytes]  # subject_ref, consent_id


@dataclass(frozen=True, slots=True)
class Terms:
    """A consent on record, with what it says; it was verified when it was granted."""

    terms: v1.Consent
    recipient: str
    state: ConsentState.ValueType
    uses: int
    valid_until: int
    binding_version: int
    granted_at: int


def lock(connection: Connection, keys: Iterable[Key]) -> dict[Key, Row[*tuple[Any, ...]]]:
    """Return the consents that exist, by key, locked until the transaction ends."""
    rows = _LOCK_CONSENTS.run(connection, keys)
    return {(row.subject_ref, row.consent_id): row for row in rows}


def lock_with_terms(connection: Connection, keys: Iterable[Key]) -> dict[Key, Terms]:
    """Return the consents that exist, with what they say, locked until the transaction ends."""
    rows = _LOCK_TERMS.run(connection, keys)
    envelopes = unseal_many(connection, [(row.subject_ref, row.envelope) for row in rows])
    return {
        (row.subject_ref, row.consent_id): Terms(
            v1.Consent.FromString(v1.Envelope.FromString(envelope).payload),
            row.recipient,
            row.state,
            row.uses,
            row.valid_until,
            row.binding_version,
            row.granted_at,
        )
        for row, envelope in zip(rows, envelopes, strict=True)
        if envelope  # neither erased nor without its key
    }


def binding_versions(
    connection: Connection, refs: Iterable[bytes], *, hold: bool = False
) -> dict[bytes, int]:
    """Return the latest binding version seen of each subject that has one.

    With ``hold``, nobody else who holds it decides anything about the subject until this transaction ends.
    """
    query = _HOLD_BINDINGS if hold else _BINDING_VERSIONS
    rows = connection.execute(query, {"refs": list(set(refs))})
    return {row.subject_ref: row.version for row in rows}


def binding_of(connection: Connection, subject_ref: bytes) -> v1.Envelope | None:
    """Return the latest binding seen of a subject; None where there is none."""
    query = select(subject_binding.c.envelope).where(subject_binding.c.subject_ref == subject_ref)
    sealed = connection.execute(query).scalar_one_or_none()
    raw = None if sealed is None else unseal(connection, subject_ref, sealed)
    return None if raw is None else v1.Envelope.FromString(raw)


def set_uses(
    connection: Connection, counted: Sequence[tuple[Key, int, ConsentState.ValueType]]
) -> None:
    """Store the new use count and state of each consent."""
    execute_many(
        connection,
        _SET_USES,
        [
            {"key_ref": key[0], "key_id": key[1], "new_uses": uses, "new_state": state}
            for key, uses, state in counted
        ],
    )


def put_binding(
    connection: Connection, binding: v1.SubjectBinding, envelope: v1.Envelope, known: int | None
) -> None:
    """Keep a binding that is newer than the one ``known`` (a version, or None)."""
    if known is not None and known >= binding.version:
        return
    raw = envelope.SerializeToString()
    values = {
        "version": binding.version,
        "envelope": seal(connection, binding.subject_ref, raw),
    }
    if known is None:
        connection.execute(
            insert(subject_binding).values(subject_ref=binding.subject_ref, **values)
        )
    else:
        connection.execute(
            update(subject_binding)
            .where(subject_binding.c.subject_ref == binding.subject_ref)
            .values(**values)
        )


def add(
    connection: Connection,
    terms: v1.Consent,
    digest: bytes,
    envelope: v1.Envelope,
    until: int,
    binding_version: int,
    granted_at: int,
) -> None:
    """Put a consent on record, active and unused."""
    connection.execute(
        insert(consent).values(
            subject_ref=terms.subject_ref,
            consent_id=terms.consent_id,
            digest=digest,
            recipient=terms.recipient,
            state=ConsentState.CONSENT_STATE_ACTIVE,
            uses=0,
            event_sequence=0,
            valid_until=until,
            binding_version=binding_version,
            granted_at=granted_at,
            envelope=seal(connection, terms.subject_ref, envelope.SerializeToString()),
        )
    )


def add_event(
    connection: Connection,
    event: v1.ConsentEvent,
    envelope: v1.Envelope,
    state: ConsentState.ValueType,
    at: int,
) -> None:
    """Record an event and the state that it leads to."""
    connection.execute(
        insert(consent_event).values(
            subject_ref=event.subject_ref,
            consent_id=event.consent_id,
            sequence=event.sequence,
            received_at=at,
            envelope=seal(connection, event.subject_ref, envelope.SerializeToString()),
        )
    )
    connection.execute(
        update(consent)
        .where(consent.c.subject_ref == event.subject_ref, consent.c.consent_id == event.consent_id)
        .values(state=state, event_sequence=event.sequence)
    )


def event_envelope(connection: Connection, event: v1.ConsentEvent) -> bytes | None:
    """Return the recorded event of the same consent and sequence, serialised, if there is one."""
    sealed = connection.execute(
        select(consent_event.c.envelope).where(
            consent_event.c.subject_ref == event.subject_ref,
            consent_event.c.consent_id == event.consent_id,
            consent_event.c.sequence == event.sequence,
        )
    ).scalar_one_or_none()
    return None if sealed is None else unseal(connection, event.subject_ref, sealed)


def page(
    connection: Connection, subject_ref: bytes, after: bytes, limit: int
) -> list[v1.ConsentRecord]:
    """Return up to ``limit`` of a subject's consents with ids above ``after``, each with its events."""
    rows = connection.execute(
        select(consent)
        .where(
            consent.c.subject_ref == subject_ref,
            consent.c.consent_id > after,
            consent.c.recipient != ERASED,
        )
        .order_by(consent.c.consent_id)
        .limit(limit)
    ).all()
    events = connection.execute(
        select(consent_event.c.consent_id, consent_event.c.envelope)
        .where(
            consent_event.c.subject_ref == subject_ref,
            consent_event.c.consent_id.in_([row.consent_id for row in rows]),
        )
        .order_by(consent_event.c.consent_id, consent_event.c.sequence)
    ).all()
    of_events: dict[bytes, list[v1.Envelope]] = {}
    for event, envelope in zip(events, _opened(connection, subject_ref, events), strict=True):
        of_events.setdefault(event.consent_id, []).append(envelope)
    return [
        v1.ConsentRecord(
            consent=envelope,
            state=row.state,
            uses=row.uses,
            events=of_events.get(row.consent_id, ()),
        )
        for row, envelope in zip(rows, _opened(connection, subject_ref, rows), strict=True)
    ]


def _opened(
    connection: Connection, subject_ref: bytes, rows: Sequence[Row[*tuple[Any, ...]]]
) -> list[v1.Envelope]:
    """Return a subject's envelopes; an empty one where its key is erased."""
    opened = unseal_many(connection, [(subject_ref, row.envelope) for row in rows])
    return [v1.Envelope.FromString(raw or b"") for raw in opened]


def erase(connection: Connection, subject_ref: bytes, ids: Sequence[bytes], at: int) -> None:
    """Delete consents that have ended, and what is left of erased ones whose date is over; see ``ERASED``."""
    of = consent.c.subject_ref == subject_ref
    over = consent.c.valid_until <= at
    these = consent.c.consent_id.in_(ids)
    connection.execute(delete(consent).where(of, over, these | (consent.c.recipient == ERASED)))
    nothing = seal(connection, subject_ref, b"")
    connection.execute(
        update(consent)
        .where(of, these)
        .values(recipient=ERASED, uses=0, granted_at=0, envelope=nothing)
    )


def forget_erased(connection: Connection, at: int) -> None:
    """Delete what is left of erased consents whose date is over: nobody can hand them in any more."""
    ended = (ConsentState.CONSENT_STATE_REVOKED, ConsentState.CONSENT_STATE_EXHAUSTED)
    connection.execute(
        delete(consent).where(
            consent.c.state.in_(ended),
            consent.c.valid_until <= at,
            consent.c.valid_until > at - _ERASED_FOR,
            consent.c.recipient == ERASED,
        )
    )


def expire(connection: Connection, at: int) -> int:
    """Move every consent past its end to EXPIRED; return how many."""
    live = (ConsentState.CONSENT_STATE_ACTIVE, ConsentState.CONSENT_STATE_PAUSED)
    return connection.execute(
        update(consent)
        .where(consent.c.state.in_(live), consent.c.valid_until <= at)
        .values(state=ConsentState.CONSENT_STATE_EXPIRED)
    ).rowcount
