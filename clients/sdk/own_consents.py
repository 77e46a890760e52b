"""A subject's consents, from the terms to the last event: kept in the wallet before anybody is told.

Whoever calls holds the wallet's lock.
"""

from dataclasses import replace
from datetime import datetime

from clients.sdk.client import WalletClient
from clients.sdk.consent_record import ConsentRecord
from clients.sdk.errors import ClientError
from clients.sdk.events import EventReport, sign_event
from clients.sdk.terms import ConsentTerms, make_consent
from clients.sdk.wallet_file import WalletFolder
from concordat import v1
from concordat.federation.purposes import require_purpose_allows
from concordat.refusal import Refusal


def lawful_consent(
    terms: ConsentTerms, federation: str, subject_ref: bytes, at: datetime
) -> v1.Consent:
    """Return the unsigned consent; raise ``ClientError`` that says what its purpose does not allow."""
    consent = make_consent(terms, federation, subject_ref, at)
    try:
        require_purpose_allows(consent)
    except Refusal as refusal:
        raise ClientError(refusal.detail) from refusal
    return consent


def put_on_record(held: WalletFolder, client: WalletClient, envelope: v1.Envelope) -> ConsentRecord:
    """Keep a signed consent, put it on record at the exchange, and keep its providers' licences."""
    record = ConsentRecord(envelope)
    held.save_consent(record)
    client.grant(held.key(), envelope)
    terms = record.terms
    scored = v1.DataCategory.DATA_CATEGORY_SCORE in terms.data_categories
    known = {name: client.book.find(name) for name in (terms.providers if scored else ())}
    licences = {name: m.licence_envelope for name, m in known.items() if m is not None}
    record = replace(record, granted=True, licences=licences)
    held.save_consent(record)
    return record


def change_and_tell(
    held: WalletFolder,
    client: WalletClient,
    record: ConsentRecord,
    kind: v1.ConsentEventKind.ValueType,
    now: datetime,
) -> EventReport:
    """Sign an event, keep it, and tell everyone; the same event again where it was signed before.

    Raises ``WalletError`` where the consent's state does not allow the change.
    """
    event = record.event_for(kind)
    if event is None:
        sequence = record.last_event.sequence + 1
        event = sign_event(held.key(), record.envelope, kind, sequence, now)
        held.save_consent(record.after(event))
    return client.tell(held.key(), event, record.envelope, record.providers(held.anchors, now))
