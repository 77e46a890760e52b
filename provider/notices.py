"""Consent events that subjects bring to the provider themselves."""

from datetime import datetime

from sqlalchemy import Connection

from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.trust.envelope import Verified
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
        consent = open_consent(notice.consent, binding, self._anchors, at)
        event = open_consent_event(notice.event, binding, self._anchors, at)
        require_event_of(event.message, consent, self._member_id)

        def keep(connection: Connection) -> int:
            ref, version = binding.message.subject_ref, binding.message.version
            newest = consents.newest_bindings(connection, [ref])
            require_newest_binding(binding.message, newest.get(ref, 1))
            if version > 1:
                consents.put_bindings(connection, {ref: version})
            return consents.put_event(connection, event.message, notice.event)

        return self._store.run(keep)


def require_event_of(event: v1.ConsentEvent, consent: Verified[v1.Consent], provider: str) -> None:
    """Raise ``Refusal`` unless the event is about ``consent``, which names ``provider``."""
    if event.consent_digest != consent.digest or event.consent_id != consent.message.consent_id:
        raise Refusal(Reason.REASON_CONSENT_MISMATCH, "the event is about another consent")
    if provider not in consent.message.providers:
        raise Refusal(Reason.REASON_PROVIDER_NOT_NAMED, f"{provider} is not named")
