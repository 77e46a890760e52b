"""Consent events that subjects bring to the provider themselves."""

from datetime import datetime

from sqlalchemy import Connection

from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.refusal import Refusal, refusing_untrusted
from concordat.statements import digest_of
from concordat.store.group_commit import GroupCommit
from concordat.trust.envelope import Verified, parse_statement
from concordat.v1 import Reason
from concordat.verify.consent import open_binding, open_consent, open_consent_event
from provider.guard import require_newest_binding
from provider.store import consents


class NoticeBoard:
    """Takes in consent events; what is on it holds against anything that the exchange says."""

    def __init__(self, member_id: str, anchors: Anchors, store: GroupCommit) -> None:
        """Keep the events of consents that name ``member_id``."""
        self._member_id = member_id
        self._anchors = anchors
        self._store = store

    def take(self, notice: v1.NotifyConsentEventRequest, at: datetime) -> int:
        """Keep an event if it is newer than what is held; return the sequence of the latest held.

        Raises ``Refusal`` where a signature fails, the event is about another consent, the consent
        does not name this provider, or a newer binding of the subject is known.
        """
        binding = open_binding(notice.binding, self._anchors, at)
        consent, digest = self._consent(notice.consent, binding, at)
        event = open_consent_event(notice.event, binding, self._anchors, at)
        require_event_of(event.message, consent, digest, self._member_id)

        def keep(connection: Connection) -> int:
            ref, version = binding.message.subject_ref, binding.message.version
            newest = consents.newest_bindings(connection, [ref])
            require_newest_binding(binding.message, newest.get(ref, 1))
            if version > 1:
                consents.put_bindings(connection, {ref: version})
            return consents.put_event(connection, event.message, notice.event)

        return self._store.run(keep)

    def _consent(
        self, envelope: v1.Envelope, binding: Verified[v1.SubjectBinding], at: datetime
    ) -> tuple[v1.Consent, bytes]:
        """Return the consent that an event is about, and its digest.

        One that a former key signed verifies no more. The event, which the present key signs, names its digest:
        so that whoever lost a key can revoke what was granted with it.
        """
        try:
            consent = open_consent(envelope, binding, self._anchors, at)
        except Refusal as refusal:
            if binding.message.version == 1 or refusal.reason != Reason.REASON_SIGNATURE_INVALID:
                raise
            with refusing_untrusted():
                terms = parse_statement(v1.Consent, envelope.payload)
            self._anchors.require_federation(terms.federation)
            if terms.subject_ref != binding.message.subject_ref:
                raise
            return terms, digest_of(envelope)
        return consent.message, consent.digest


def require_event_of(
    event: v1.ConsentEvent, consent: v1.Consent, digest: bytes, provider: str
) -> None:
    """Raise ``Refusal`` unless the event is about ``consent``, which names ``provider``."""
    if event.consent_digest != digest or event.consent_id != consent.consent_id:
        raise Refusal(Reason.REASON_CONSENT_MISMATCH, "the event is about another consent")
    if provider not in consent.providers:
        raise Refusal(Reason.REASON_PROVIDER_NOT_NAMED, f"{provider} is not named")
