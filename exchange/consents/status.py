"""The exchange's signed word on a consent."""

from datetime import datetime

from concordat import v1
from concordat.clock import to_timestamp
from concordat.trust.envelope import Verified
from exchange.consents.ledger import Standing


def status_of(consent: Verified[v1.Consent], standing: Standing, at: datetime) -> v1.ConsentStatus:
    """Return the (unsigned) ConsentStatus of a consent at a time."""
    terms = consent.message
    return _status(terms, consent.digest, standing, at)


def status_from_ids(event: v1.ConsentEvent, standing: Standing, at: datetime) -> v1.ConsentStatus:
    """Return the (unsigned) ConsentStatus of the consent that an event is about."""
    return _status(event, event.consent_digest, standing, at)


def _status(
    names: v1.Consent | v1.ConsentEvent, digest: bytes, standing: Standing, at: datetime
) -> v1.ConsentStatus:
    return v1.ConsentStatus(
        federation=names.federation,
        subject_ref=names.subject_ref,
        consent_id=names.consent_id,
        consent_digest=digest,
        state=standing.state,
        uses=standing.uses,
        event_sequence=standing.event_sequence,
        binding_version=standing.binding_version,
        issued_at=to_timestamp(at),
    )
