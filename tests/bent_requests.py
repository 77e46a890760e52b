"""Requests with one thing wrong, and what each is refused for: by a provider, and at the exchange's door."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from concordat import v1
from concordat.clock import to_timestamp
from concordat.statements import seal
from tests.builders import AT, EXCHANGE, LENDER, PROVIDERS, Federation, Granted, signer

Bend = Callable[[Federation, Granted], v1.ScoreRequest]
MINUTE = timedelta(minutes=1)
STATUS_MAX_AGE = timedelta(seconds=180)  # the bound of the providers that these are sent to


@dataclass(frozen=True)
class Bent:
    """A request as it reaches a provider; an exchange got all of it but the status from the lender."""

    name: str
    bend: Bend
    by_provider: str
    at_exchange: str | None  # None where what is wrong is in nothing that a lender sends


def bent_request(**fields: Any) -> Bend:
    return lambda f, g: f.score_request(g, f.view_request(g, **fields))


def bent_consent(**fields: Any) -> Bend:
    return lambda f, g: f.score_request(f.consent(g.person, **fields))


def bent_status(**fields: Any) -> Bend:
    return lambda f, g: f.score_request(g, status=f.consent_status(g, **fields))


def flipped(which: str, part: str = "payload") -> Bend:
    def bend(federation: Federation, granted: Granted) -> v1.ScoreRequest:
        ask = federation.score_request(granted)
        envelope = getattr(ask, which)
        holder = envelope if part == "payload" else envelope.signatures[0]
        raw = bytearray(getattr(holder, part))
        raw[len(raw) // 2] ^= 1
        setattr(holder, part, bytes(raw))
        return ask

    return bend


def retyped(which: str) -> Bend:
    def bend(federation: Federation, granted: Granted) -> v1.ScoreRequest:
        ask = federation.score_request(granted)
        getattr(ask, which).payload_type = "application/vnd.concordat.licence.v1+protobuf"
        return ask

    return bend


def truncated(which: str) -> Bend:
    def bend(federation: Federation, granted: Granted) -> v1.ScoreRequest:
        ask = federation.score_request(granted)
        envelope = getattr(ask, which)
        envelope.payload = envelope.payload[:-3]
        return ask

    return bend


def status_of_another_consent(federation: Federation, granted: Granted) -> v1.ScoreRequest:
    other = federation.consent(granted.person)
    return federation.score_request(granted, status=federation.consent_status(other))


def consent_signed_by_another(federation: Federation, granted: Granted) -> v1.ScoreRequest:
    forged = seal(granted.consent, signer("mallory"))
    return federation.score_request(Granted(granted.person, granted.consent, forged))


def binding_signed_by_another(federation: Federation, granted: Granted) -> v1.ScoreRequest:
    ask = federation.score_request(granted)
    binding = v1.SubjectBinding.FromString(ask.binding.payload)
    ask.binding.CopyFrom(seal(binding, signer(EXCHANGE)))
    return ask


def binding_of_another(federation: Federation, granted: Granted) -> v1.ScoreRequest:
    ask = federation.score_request(granted)
    ask.binding.CopyFrom(federation.subject("eve").binding)
    return ask


def wider_disclosure(federation: Federation, granted: Granted) -> v1.ScoreRequest:
    band = v1.Disclosure(kind=v1.DisclosureKind.DISCLOSURE_KIND_BAND)
    narrow = federation.consent(granted.person, disclosure=band)
    full = v1.Disclosure(kind=v1.DisclosureKind.DISCLOSURE_KIND_FULL)
    return federation.score_request(narrow, federation.view_request(narrow, disclosure=full))


def lender_suspended(federation: Federation, granted: Granted) -> v1.ScoreRequest:
    federation.suspend(LENDER)
    return federation.score_request(granted)


def unlicensed_lender(federation: Federation, granted: Granted) -> v1.ScoreRequest:
    consent = federation.consent(granted.person, recipient="shylock")
    return federation.score_request(consent)


def provider_as_lender(federation: Federation, granted: Granted) -> v1.ScoreRequest:
    consent = federation.consent(granted.person, recipient=PROVIDERS[1])
    return federation.score_request(consent)


def _everything_bent() -> list[Bent]:
    """Return every envelope with a bit flipped, cut short, and under another type."""
    flip, cut, sig = "bit-flipped", "truncated", "SIGNATURE_INVALID"
    bent = []
    for which in ("view_request", "consent", "binding", "consent_status"):
        # A provider reads in the request whose key to check it by, before it can check it.
        unread = "STATEMENT_MALFORMED" if which == "view_request" else sig
        cases = [
            (f"{flip}-signature", flipped(which, "sig"), sig, sig),
            ("retyped", retyped(which), "STATEMENT_MALFORMED", "STATEMENT_MALFORMED"),
            (cut, truncated(which), unread, sig),
            (flip, flipped(which), sig, sig),
        ]
        sent = which != "consent_status"
        bent += [
            Bent(f"{which}-{what}", bend, provider, exchange if sent else None)
            for what, bend, provider, exchange in cases
        ]
    return bent


BENT = [
    Bent(
        "consent-for-another-lender",
        bent_request(lender="rival", signed_by="rival"),
        "MEMBER_UNLICENSED",
        "SIGNATURE_INVALID",
    ),
    Bent(
        "consent-names-another",
        bent_consent(recipient=EXCHANGE),
        "ROLE_NOT_ALLOWED",
        "SIGNATURE_INVALID",
    ),
    Bent(
        "another-purpose",
        bent_request(purpose=v1.Purpose.PURPOSE_GUARANTOR_CHECK),
        "CONSENT_MISMATCH",
        "CONSENT_MISMATCH",
    ),
    Bent("wider-disclosure", wider_disclosure, "CONSENT_MISMATCH", "CONSENT_MISMATCH"),
    Bent(
        "another-subject",
        bent_request(subject_ref=bytes(32)),
        "CONSENT_MISMATCH",
        "CONSENT_MISMATCH",
    ),
    Bent(
        "no-score-in-consent",
        bent_consent(data_categories=[v1.DataCategory.DATA_CATEGORY_FLAGS]),
        "PURPOSE_NOT_ALLOWED",
        "PURPOSE_NOT_ALLOWED",
    ),
    Bent(
        "expired", bent_consent(valid_until=to_timestamp(AT)), "CONSENT_EXPIRED", "CONSENT_EXPIRED"
    ),
    Bent(
        "not-yet-valid",
        bent_consent(valid_from=to_timestamp(AT + 4 * MINUTE)),
        "CONSENT_EXPIRED",
        "CONSENT_EXPIRED",
    ),
    Bent("provider-not-named", bent_consent(providers=[PROVIDERS[1]]), "PROVIDER_NOT_NAMED", None),
    Bent(
        "paused",
        bent_status(state=v1.ConsentState.CONSENT_STATE_PAUSED),
        "CONSENT_PAUSED",
        None,
    ),
    Bent(
        "revoked",
        bent_status(state=v1.ConsentState.CONSENT_STATE_REVOKED),
        "CONSENT_REVOKED",
        None,
    ),
    Bent(
        "stale-status",
        bent_status(issued_at=to_timestamp(AT - STATUS_MAX_AGE)),
        "CONSENT_STATUS_STALE",
        None,
    ),
    Bent(
        "status-from-the-future",
        bent_status(issued_at=to_timestamp(AT + STATUS_MAX_AGE)),
        "CONSENT_STATUS_STALE",
        None,
    ),
    Bent("status-of-another-consent", status_of_another_consent, "CONSENT_STATUS_STALE", None),
    Bent("status-with-another-id", bent_status(consent_id=bytes(16)), "CONSENT_STATUS_STALE", None),
    Bent("status-of-the-lender", bent_status(signed_by=LENDER), "SIGNATURE_INVALID", None),
    Bent("newer-binding-at-the-exchange", bent_status(binding_version=2), "BINDING_INVALID", None),
    Bent("status-of-another-federation", bent_status(federation="else"), "WRONG_FEDERATION", None),
    Bent(
        "request-of-another-federation",
        bent_request(federation="else"),
        "WRONG_FEDERATION",
        "WRONG_FEDERATION",
    ),
    Bent(
        "consent-of-another-federation",
        bent_consent(federation="else"),
        "WRONG_FEDERATION",
        "WRONG_FEDERATION",
    ),
    Bent("consent-forged", consent_signed_by_another, "SIGNATURE_INVALID", "SIGNATURE_INVALID"),
    Bent(
        "binding-forged-by-the-exchange",
        binding_signed_by_another,
        "SIGNATURE_INVALID",
        "SIGNATURE_INVALID",
    ),
    Bent(
        "binding-of-another-subject", binding_of_another, "SIGNATURE_INVALID", "SIGNATURE_INVALID"
    ),
    Bent(
        "request-signed-by-the-exchange",
        bent_request(signed_by=EXCHANGE),
        "SIGNATURE_INVALID",
        "SIGNATURE_INVALID",
    ),
    Bent(
        "yesterdays-request",
        bent_request(
            issued_at=to_timestamp(AT - timedelta(days=1)),
            expires_at=to_timestamp(AT - timedelta(days=1) + MINUTE),
        ),
        "STATEMENT_NOT_FRESH",
        "STATEMENT_NOT_FRESH",
    ),
    # At the exchange a suspended lender is refused with the call, before its request is read.
    Bent("lender-suspended", lender_suspended, "MEMBER_SUSPENDED", None),
    Bent("lender-unlicensed", unlicensed_lender, "MEMBER_UNLICENSED", "SIGNATURE_INVALID"),
    Bent("lender-out-of-role", provider_as_lender, "ROLE_NOT_ALLOWED", "SIGNATURE_INVALID"),
    *_everything_bent(),
]
