"""A whole report as JSON: its machine-readable copy. Keys stay as they are."""

import base64
from typing import Any

from clients.cli import listing_words
from clients.cli.console import words
from clients.cli.listing_json import in_view_facts
from clients.cli.moments import moment
from clients.sdk import outcome_events_words as said_of
from clients.wallet_report.listing_sections import statement_in, who_said
from concordat import v1
from concordat.rpc.errors import name_of
from concordat.verify.subject_report import VerifiedReport

_TIMES = (
    "noticed_at",
    "effective_from",
    "effective_at",
    "settled_at",
    "expires_at",
    "decide_by",
    "appeal_until",
)


def report_facts(verified: VerifiedReport) -> dict[str, Any]:
    """Return all of a report; ``bundle`` (base64 of v1.SubjectReportBundle) lets anybody check it offline."""
    report = verified.report
    return {
        "as_of": moment(report.as_of),
        "federation": report.federation,
        "subject_ref": report.subject_ref.hex(),
        "log_size": report.log_size,
        "frozen": report.flags.frozen,
        "fraud_alert": report.flags.fraud_alert,
        "contact_email": report.contact_email or None,
        "binding_version": report.binding_version,
        "listings": [_listing(own) for own in report.listings],
        "accesses": [_access(access) for access in report.accesses],
        "consents": [_consent(record) for record in report.consents],
        "outcomes": [_outcome(outcome) for outcome in report.outcomes],
        "erasures": [_erasure(erasure) for erasure in report.erasures],
        "complain_to": [_body(body) for body in report.complain_to],
        "limits": [_limits(limits) for limits in report.limits],
        "bundle": _base64(verified.bundle.SerializeToString(deterministic=True)),
    }


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _time(message: Any, name: str) -> str | None:
    return moment(getattr(message, name)) if message.HasField(name) else None


def _listing(own: v1.OwnListing) -> dict[str, Any]:
    return {
        "listing_id": own.listing_id.hex(),
        "state": listing_words.state_name(own.state),
        "kind": listing_words.kind(own.kind),
        "basis": listing_words.basis(own.basis),
        "profile": words(v1.Profile.Name(own.profile), "PROFILE_"),
        "sources": list(own.sources),
        "currency": own.facts.amount.currency,
        "amount_minor": own.facts.amount.minor,
        "delinquent_since": moment(own.facts.delinquent_since),
        "evidence_hash": own.facts.evidence_hash.hex(),
        **{name: _time(own, name) for name in _TIMES},
        "shown": in_view_facts(own.shown) if own.HasField("shown") else None,
        "dispute_id": own.dispute_id.hex() or None,
        "ruling_id": own.ruling_id.hex() or None,
        "words": own.words.text or None,
        "version": own.version,
        "steps": [_step(step) for step in own.steps],
        "recipients": [
            {
                "lender": told.lender,
                "told_at": moment(told.told_at),
                "recalled": told.recalled,
                "acknowledged_at": _time(told, "acknowledged_at"),
            }
            for told in own.recipients
        ],
    }


def _step(step: v1.ListingStep) -> dict[str, Any]:
    said = statement_in(step.statement)
    return {
        "sequence": step.sequence,
        "at": moment(step.at),
        "kind": type(said).DESCRIPTOR.name if said else None,
        "who": who_said(said),
        "what": listing_words.statement(said) if said else None,
        "state": listing_words.state_name(step.state),
        "statement": _base64(step.statement.SerializeToString(deterministic=True)),
    }


def _access(access: v1.ReportedAccess) -> dict[str, Any]:
    return {
        "at": moment(access.at),
        "kind": words(v1.ReportedAccessKind.Name(access.kind), "REPORTED_ACCESS_KIND_"),
        "member": access.member,
        "purpose": words(v1.Purpose.Name(access.purpose), "PURPOSE_") if access.purpose else None,
        "consent_id": access.consent_id.hex() or None,
        "case_reference": access.case_reference or None,
        "legal_article": access.legal_article or None,
        "reason": name_of(access.refusal) if access.refusal else None,
        "releases": access.releases,
        "released_at": _time(access, "released_at"),
        "result": words(v1.ReleaseResult.Name(access.result), "RELEASE_RESULT_")
        if access.result
        else None,
        "categories": [
            words(v1.DataCategory.Name(category), "DATA_CATEGORY_")
            for category in access.categories
        ],
        "listings": access.listings,
        "calibration_version": access.calibration_version or None,
        "log_index": access.log_index,
        "record_id": access.record_id.hex(),
    }


def _consent(record: v1.ConsentRecord) -> dict[str, Any]:
    terms = v1.Consent.FromString(record.consent.payload)
    events = [v1.ConsentEvent.FromString(envelope.payload) for envelope in record.events]
    return {
        "consent_id": terms.consent_id.hex(),
        "recipient": terms.recipient,
        "providers": list(terms.providers),
        "purpose": words(v1.Purpose.Name(terms.purpose), "PURPOSE_"),
        "data_categories": [
            words(v1.DataCategory.Name(category), "DATA_CATEGORY_")
            for category in terms.data_categories
        ],
        "disclosure": words(v1.DisclosureKind.Name(terms.disclosure.kind), "DISCLOSURE_KIND_"),
        "state": words(v1.ConsentState.Name(record.state), "CONSENT_STATE_"),
        "uses": record.uses,
        "max_uses": terms.max_uses,
        "valid_from": moment(terms.valid_from),
        "valid_until": moment(terms.valid_until),
        "events": [
            {
                "kind": words(v1.ConsentEventKind.Name(event.kind), "CONSENT_EVENT_KIND_"),
                "decided_at": moment(event.decided_at),
                "sequence": event.sequence,
            }
            for event in events
        ],
    }


def _outcome(outcome: v1.ReportedOutcome) -> dict[str, Any]:
    event = outcome.event.SerializeToString(deterministic=True)
    told = said_of.event_in(outcome)
    return {
        "access_id": outcome.access_id.hex(),
        "lender": outcome.lender,
        "due_by": _time(outcome, "due_by"),
        "said": told is not None,
        "outcome": words(v1.OutcomeKind.Name(told.outcome), "OUTCOME_KIND_") if told else None,
        "reasons": [
            words(v1.DecisionReason.Name(reason), "DECISION_REASON_") for reason in told.reasons
        ]
        if told
        else [],
        "reviewed_by_person": told.reviewed_by_person if told else None,
        "event": _base64(event) if event else None,
    }


def _erasure(erasure: v1.ReportedErasure) -> dict[str, Any]:
    return {
        "at": moment(erasure.at),
        "erased": erasure.erased,
        "kept": erasure.kept,
        "log_index": erasure.log_index,
    }


def _body(body: v1.ComplaintBody) -> dict[str, Any]:
    role = words(v1.Role.Name(body.role), "ROLE_")
    return {"member_id": body.member_id, "legal_name": body.legal_name, "role": role}


def _limits(limits: v1.ReportedLimits) -> dict[str, Any]:
    names = ("notice", "dispute", "extension", "appeal_within", "appeal")
    lives = ("debt_life", "judgment_life")
    return {
        "profile": limits.profile,
        **{
            name: _length(getattr(limits, name)) if limits.HasField(name) else None  # type: ignore[arg-type]
            for name in (*names, *lives)
        },
    }


def _length(length: v1.TermLength) -> dict[str, int]:
    return {"months": length.months, "days": length.days, "seconds": length.seconds}
