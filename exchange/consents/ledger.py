"""What the exchange does with a consent in one transaction."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from concordat import v1
from concordat.clock import from_timestamp, to_micros
from concordat.refusal import Refusal
from concordat.trust.envelope import Verified
from concordat.v1 import ConsentState, Reason
from exchange.consents import table
from exchange.consents.rules import next_state, state_at
from exchange.lenders import monitoring
from exchange.log import records
from exchange.log import table as log
from exchange.supervision.statistics import acts, counting


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a consent stands: what a ConsentStatus says."""

    state: ConsentState.ValueType
    uses: int
    event_sequence: int
    binding_version: int


def require_latest_binding(known: int | None, binding: v1.SubjectBinding) -> None:
    """Raise ``Refusal`` if a newer binding of the subject is known: the old key is dead."""
    if known is not None and binding.version < known:
        raise Refusal(Reason.REASON_BINDING_INVALID, f"version {known} is the latest")


def grant(
    connection: Connection,
    consent: Verified[v1.Consent],
    envelope: v1.Envelope,
    binding: Verified[v1.SubjectBinding],
    binding_envelope: v1.Envelope,
    at: datetime,
) -> Standing:
    """Put a verified consent on record; the same one again changes nothing."""
    terms = consent.message
    key = (terms.subject_ref, terms.consent_id)
    known = table.binding_versions(connection, [terms.subject_ref]).get(terms.subject_ref)
    require_latest_binding(known, binding.message)
    row = table.lock(connection, [key]).get(key)
    if row is not None and row.digest != consent.digest:
        raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES, "another consent has this id")
    table.put_binding(connection, binding.message, binding_envelope, known)
    until = to_micros(from_timestamp(terms.valid_until))
    if row is None:
        version = binding.message.version
        table.add(connection, terms, consent.digest, envelope, until, version, to_micros(at))
        log.enqueue(connection, [records.consent_act(terms, consent.digest, at)])
        monitoring.granted(connection, terms, version, at)
        return Standing(ConsentState.CONSENT_STATE_ACTIVE, 0, 0, binding.message.version)
    state = state_at(row.state, until, to_micros(at))
    return Standing(state, row.uses, row.event_sequence, binding.message.version)


def apply_event(
    connection: Connection,
    event: Verified[v1.ConsentEvent],
    envelope: v1.Envelope,
    binding: Verified[v1.SubjectBinding],
    binding_envelope: v1.Envelope,
    at: datetime,
) -> Standing:
    """Apply the subject's event to the consent; the same event again changes nothing.

    An event whose sequence is not above the latest is refused, so that none can be replayed.
    """
    change = event.message
    key = (change.subject_ref, change.consent_id)
    known = table.binding_versions(connection, [change.subject_ref]).get(change.subject_ref)
    require_latest_binding(known, binding.message)
    row = table.lock(connection, [key]).get(key)
    if row is None or row.digest != change.consent_digest:
        raise Refusal(Reason.REASON_CONSENT_UNKNOWN)
    version = max(known or 0, binding.message.version)
    state = state_at(row.state, row.valid_until, to_micros(at))
    if change.sequence <= row.event_sequence:
        stored = table.event_envelope(connection, change)
        if stored is None or v1.Envelope.FromString(stored).payload != envelope.payload:
            raise Refusal(
                Reason.REASON_REPLAYED_WITH_OTHER_BYTES, "another event has this sequence"
            )
        return Standing(state, row.uses, row.event_sequence, version)
    after = next_state(state, change.kind)
    table.put_binding(connection, binding.message, binding_envelope, known)
    table.add_event(connection, change, envelope, after, to_micros(at))
    log.enqueue(connection, [records.consent_act(change, event.digest, at)])
    counting.count(connection, [(at, acts.of_consent_event(change, at))])
    monitoring.moved(connection, key, row.recipient, after, at)
    return Standing(after, row.uses, change.sequence, version)
