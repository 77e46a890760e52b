"""Who asked, under which consents, and what came of it."""

from datetime import datetime

from clients.cli.console import words
from clients.cli.moments import moment
from clients.cli.render import disclosure
from clients.sdk import outcome_events_words as said
from clients.wallet_report.section import Section
from concordat import v1
from concordat.clock import from_timestamp
from concordat.rpc.errors import CATALOG
from concordat.v1 import ReportedAccessKind

_ACCESSES = ("when", "who", "what for", "on the strength of", "what went out", "log entry")
_CONSENTS = ("consent", "to", "what for", "shares", "stands", "uses", "until", "changes")
_OUTCOMES = ("access", "lender", "decided", "why", "reviewed", "due by")


def accesses_section(report: v1.SubjectReport) -> Section:
    """Return every access, refused attempts too."""
    rows = tuple(_access(access) for access in report.accesses)
    note = (
        "Refused attempts are among them. `concordat wallet accesses` shows each with the proof that it is in "
        "the public log, and that none is left out."
    )
    lines = (note,) if rows else ("Nobody has asked for your data, as far as is still on record.",)
    return Section("Who asked for your data", lines, _ACCESSES if rows else (), rows)


def _access(access: v1.ReportedAccess) -> tuple[str, ...]:
    return (
        moment(access.at),
        access.member,
        _purpose(access),
        _basis(access),
        _went_out(access),
        str(access.log_index),
    )


def _purpose(access: v1.ReportedAccess) -> str:
    if access.kind == ReportedAccessKind.REPORTED_ACCESS_KIND_CASE:
        return "a regulator's case"
    if access.kind == ReportedAccessKind.REPORTED_ACCESS_KIND_MONITORING:
        return "as the consent says"
    return words(v1.Purpose.Name(access.purpose), "PURPOSE_")


def _basis(access: v1.ReportedAccess) -> str:
    if access.kind == ReportedAccessKind.REPORTED_ACCESS_KIND_CASE:
        return f"{access.legal_article}, case {access.case_reference}"
    return f"consent {access.consent_id.hex()}" if access.consent_id else "no valid consent"


def _went_out(access: v1.ReportedAccess) -> str:
    if access.refusal:
        message = CATALOG[access.refusal].message if access.refusal in CATALOG else ""
        return f"nothing: refused. {message}"
    if not access.releases:
        return "nothing"
    if access.kind == ReportedAccessKind.REPORTED_ACCESS_KIND_MONITORING:
        return "that a listing took effect; not what it says"
    what = ", ".join(
        words(v1.DataCategory.Name(category), "DATA_CATEGORY_") for category in access.categories
    )
    result = words(v1.ReleaseResult.Name(access.result), "RELEASE_RESULT_")
    parts = [what or "what its scope says", result if access.result else ""]
    if access.listings:
        parts.append(f"{access.listings} listings")
    if access.calibration_version:
        parts.append(f"calibration {access.calibration_version}")
    if access.releases > 1:
        parts.append(f"{access.releases} times")
    return "; ".join(part for part in parts if part)


def consents_section(report: v1.SubjectReport) -> Section:
    """Return the consents with their history."""
    rows = tuple(_consent(record) for record in report.consents)
    lines = () if rows else ("You have given none that is still on record.",)
    return Section("Your consents", lines, _CONSENTS if rows else (), rows)


def _consent(record: v1.ConsentRecord) -> tuple[str, ...]:
    terms = v1.Consent.FromString(record.consent.payload)
    shares = [words(v1.DataCategory.Name(c), "DATA_CATEGORY_") for c in terms.data_categories]
    if "score" in shares:
        shares[shares.index("score")] = f"score ({disclosure(terms.disclosure)})"
    return (
        terms.consent_id.hex(),
        terms.recipient,
        words(v1.Purpose.Name(terms.purpose), "PURPOSE_"),
        ", ".join(shares),
        words(v1.ConsentState.Name(record.state), "CONSENT_STATE_"),
        f"{record.uses} of {terms.max_uses}",
        moment(terms.valid_until),
        "; ".join(_event(envelope) for envelope in record.events),
    )


def _event(envelope: v1.Envelope) -> str:
    event = v1.ConsentEvent.FromString(envelope.payload)
    what = words(v1.ConsentEventKind.Name(event.kind), "CONSENT_EVENT_KIND_")
    return f"{what} on {moment(event.decided_at)}"


def outcomes_section(report: v1.SubjectReport) -> Section:
    """Return what lenders said came of their accesses, and who still has to."""
    at = from_timestamp(report.as_of)
    rows = tuple(_outcome(outcome, at) for outcome in report.outcomes)
    lines = () if rows else ("No lender had to say what it decided.",)
    columns = _OUTCOMES if rows else ()
    return Section("What lenders decided, by their own word", lines, columns, rows)


def _outcome(outcome: v1.ReportedOutcome, at: datetime) -> tuple[str, ...]:
    event = said.event_in(outcome)
    return (
        outcome.access_id.hex(),
        outcome.lender,
        said.standing(outcome, at),
        said.why(event) if event is not None else "",
        said.review(event) if event is not None else "",
        moment(outcome.due_by) if outcome.HasField("due_by") else "",
    )
