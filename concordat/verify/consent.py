"""A subject's binding, consent, events and own requests."""

from datetime import datetime, timedelta

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.federation.purposes import require_purpose_allows, require_releases_score
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import Verified, open_envelope
from concordat.trust.keys import KeyRing
from concordat.v1 import Reason

# The length of each period that a frequency counts uses in: a window that slides, alike for all who count.
PERIODS: dict[int, timedelta] = {
    v1.Period.PERIOD_DAY: timedelta(days=1),
    v1.Period.PERIOD_WEEK: timedelta(days=7),
    v1.Period.PERIOD_MONTH: timedelta(days=30),
    v1.Period.PERIOD_QUARTER: timedelta(days=90),
    v1.Period.PERIOD_YEAR: timedelta(days=365),
}


def open_binding(
    envelope: v1.Envelope, anchors: Anchors, at: datetime
) -> Verified[v1.SubjectBinding]:
    """Verify the registrar's binding of a subject's key, valid at ``at``. Raises ``Refusal``."""
    with refusing_untrusted():
        verified = open_envelope(envelope, v1.SubjectBinding, anchors.registrar, at)
        binding = verified.message
        starts, ends = from_timestamp(binding.not_before), from_timestamp(binding.not_after)
    anchors.require_federation(binding.federation)
    if not starts - MAX_SKEW <= at < ends:
        raise Refusal(Reason.REASON_BINDING_INVALID, "the binding is not valid at this time")
    return verified


def open_consent(
    envelope: v1.Envelope, binding: Verified[v1.SubjectBinding], anchors: Anchors, at: datetime
) -> Verified[v1.Consent]:
    """Verify that a consent was signed by the bound key of the subject it is about. Raises ``Refusal``.

    Says nothing of its dates, state or terms: see ``require_consent_in_force``.
    """
    with refusing_untrusted():
        verified = open_envelope(envelope, v1.Consent, KeyRing(binding.message.public_key), at)
    _require_subject(verified.message.subject_ref, binding)
    anchors.require_federation(verified.message.federation)
    return verified


def require_consent_in_force(consent: v1.Consent, at: datetime) -> None:
    """Raise ``Refusal`` (REASON_CONSENT_EXPIRED) unless ``at`` is within the consent's dates.

    The start may lie ahead by clock skew (a wallet's clock may be fast); the end is exact.
    """
    with refusing_untrusted():
        starts, ends = from_timestamp(consent.valid_from), from_timestamp(consent.valid_until)
    if not starts - MAX_SKEW <= at < ends:
        raise Refusal(Reason.REASON_CONSENT_EXPIRED, f"usable {starts} to {ends}")


def open_consent_event(
    envelope: v1.Envelope, binding: Verified[v1.SubjectBinding], anchors: Anchors, at: datetime
) -> Verified[v1.ConsentEvent]:
    """Verify that an event was signed by the bound key of the subject whose consent it is about.

    It may have been decided long ago: a wallet delivers an event until everybody has heard of it. One from
    the future, beyond clock skew, is refused (REASON_STATEMENT_NOT_FRESH). Raises ``Refusal``.
    """
    with refusing_untrusted():
        verified = open_envelope(envelope, v1.ConsentEvent, KeyRing(binding.message.public_key), at)
        decided = from_timestamp(verified.message.decided_at)
    _require_subject(verified.message.subject_ref, binding)
    anchors.require_federation(verified.message.federation)
    if decided > at + MAX_SKEW:
        raise Refusal(Reason.REASON_STATEMENT_NOT_FRESH, f"decided at {decided}")
    return verified


def open_subject_request(
    envelope: v1.Envelope,
    query: v1.SubjectQuery.ValueType,
    binding: Verified[v1.SubjectBinding],
    anchors: Anchors,
    at: datetime,
) -> Verified[v1.SubjectRequest]:
    """Verify a subject's request for its own records of one kind, fresh at ``at``. Raises ``Refusal``."""
    with refusing_untrusted():
        verified = open_envelope(
            envelope, v1.SubjectRequest, KeyRing(binding.message.public_key), at
        )
        request = verified.message
        require_fresh(from_timestamp(request.issued_at), from_timestamp(request.expires_at), at)
    _require_subject(request.subject_ref, binding)
    anchors.require_federation(request.federation)
    if request.query != query:
        raise Refusal(Reason.REASON_STATEMENT_MALFORMED, "the request asks for something else")
    return verified


def open_own_view_request(
    envelope: v1.Envelope, binding: Verified[v1.SubjectBinding], anchors: Anchors, at: datetime
) -> Verified[v1.OwnViewRequest]:
    """Verify that the subject itself, by its bound key, asks for its own score, just now. Raises ``Refusal``."""
    with refusing_untrusted():
        verified = open_envelope(
            envelope, v1.OwnViewRequest, KeyRing(binding.message.public_key), at
        )
        request = verified.message
        require_fresh(from_timestamp(request.issued_at), from_timestamp(request.expires_at), at)
    _require_subject(request.subject_ref, binding)
    anchors.require_federation(request.federation)
    return verified


def open_erasure_request(
    envelope: v1.Envelope, binding: Verified[v1.SubjectBinding], anchors: Anchors, at: datetime
) -> Verified[v1.ErasureRequest]:
    """Verify that the subject itself, by its bound key, asks for erasure, just now. Raises ``Refusal``."""
    with refusing_untrusted():
        verified = open_envelope(
            envelope, v1.ErasureRequest, KeyRing(binding.message.public_key), at
        )
        request = verified.message
        require_fresh(from_timestamp(request.issued_at), from_timestamp(request.expires_at), at)
    _require_subject(request.subject_ref, binding)
    anchors.require_federation(request.federation)
    return verified


def open_consent_status(
    envelope: v1.Envelope,
    consent: Verified[v1.Consent],
    exchange: Member,
    at: datetime,
    max_age: timedelta = MAX_SKEW,
) -> Verified[v1.ConsentStatus]:
    """Verify the status that the exchange stapled to ``consent``; it must be active and fresh at ``at``.

    Raises ``Refusal``: REASON_CONSENT_STATUS_STALE where it is of another consent or ``max_age`` or more
    away from ``at``, and the state's own reason where the consent is not active.
    """
    with refusing_untrusted():
        verified = open_envelope(envelope, v1.ConsentStatus, exchange.keys, at)
        status = verified.message
        age = at - from_timestamp(status.issued_at)
    if status.consent_digest != consent.digest or status.subject_ref != consent.message.subject_ref:
        raise Refusal(Reason.REASON_CONSENT_STATUS_STALE, "the status is of another consent")
    if not -max_age < age < max_age:
        raise Refusal(Reason.REASON_CONSENT_STATUS_STALE, f"the status is {age} old")
    require_active(status.state)
    return verified


_REFUSED_STATES = {
    v1.ConsentState.CONSENT_STATE_PAUSED: Reason.REASON_CONSENT_PAUSED,
    v1.ConsentState.CONSENT_STATE_REVOKED: Reason.REASON_CONSENT_REVOKED,
    v1.ConsentState.CONSENT_STATE_EXPIRED: Reason.REASON_CONSENT_EXPIRED,
    v1.ConsentState.CONSENT_STATE_EXHAUSTED: Reason.REASON_CONSENT_EXHAUSTED,
}


def require_active(state: v1.ConsentState.ValueType) -> None:
    """Raise the ``Refusal`` that belongs to any state but ACTIVE."""
    if state in _REFUSED_STATES:
        raise Refusal(_REFUSED_STATES[state])


def require_consent_covers(
    consent: Verified[v1.Consent], request: v1.ViewRequest, *, provider: str | None = None
) -> None:
    """Raise ``Refusal`` unless ``request`` asks for no more than ``consent`` gives, from ``provider`` too.

    Rules R02 to R04: same consent, subject, purpose and disclosure; recipient and provider named. What a
    provider is asked for is a score, so with ``provider`` the consent must cover one; whoever releases a
    score in any other way asks ``require_releases_score`` too.
    """
    terms = consent.message
    if request.lender != terms.recipient:
        raise Refusal(Reason.REASON_CONSENT_WRONG_RECIPIENT, f"{request.lender} is not named")
    if (
        request.consent_digest != consent.digest
        or request.subject_ref != terms.subject_ref
        or request.purpose != terms.purpose
        or request.disclosure != terms.disclosure
    ):
        raise Refusal(Reason.REASON_CONSENT_MISMATCH)
    require_purpose_allows(terms)
    if provider is None:
        return
    require_releases_score(terms)
    if provider not in terms.providers:
        raise Refusal(Reason.REASON_PROVIDER_NOT_NAMED, f"{provider} is not named")


def require_fresh(issued: datetime, expires: datetime, at: datetime) -> None:
    """Raise ``Refusal`` (REASON_STATEMENT_NOT_FRESH) unless ``at`` is between the two, give or take skew."""
    if not issued - MAX_SKEW <= at <= expires + MAX_SKEW:
        raise Refusal(Reason.REASON_STATEMENT_NOT_FRESH, f"made {issued}, expires {expires}")


def _require_subject(subject_ref: bytes, binding: Verified[v1.SubjectBinding]) -> None:
    if subject_ref != binding.message.subject_ref:
        raise Refusal(Reason.REASON_BINDING_INVALID, "the key is bound to another subject")
