"""Who asked, under which consents, and what came of it."""

from collections.abc import Iterator
from datetime import datetime

from clients.cli.console import said as in_words
from clients.cli.moments import moment
from clients.cli.render import disclosure
from clients.language import marked, plural, tr
from clients.sdk import outcome_events_words as said
from clients.wallet_report.section import Section
from concordat import v1
from concordat.clock import from_timestamp
from concordat.rpc.errors import CATALOG
from concordat.v1 import ReportedAccessKind

_ACCESSES = (
    *(marked("when"), marked("who"), marked("what for"), marked("on the strength of")),
    *(marked("what went out"), marked("log entry")),
)
_CONSENTS = (
    *(marked("consent"), marked("to"), marked("what for"), marked("shares"), marked("stands")),
    *(marked("uses"), marked("until"), marked("changes")),
)
_OUTCOMES = (
    *(marked("access"), marked("lender"), marked("decided"), marked("why"), marked("reviewed")),
    marked("due by"),
)


def accesses_section(report: v1.SubjectReport) -> Section:
    """Return every access, refused attempts too."""
    rows = tuple(_access(access) for access in report.accesses)
    if rows:
        note = tr(
            "Refused attempts are among them. `concordat wallet accesses` shows each with the proof that it is "
            "in the public log, and that none is left out."
        )
    else:
        note = tr("Nobody has asked for your data, as far as is still on record.")
    return Section.of(tr("Who asked for your data"), (note,), _ACCESSES, rows)


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
        return tr("a regulator's case")
    if access.kind == ReportedAccessKind.REPORTED_ACCESS_KIND_MONITORING:
        return tr("as the consent says")
    return in_words(v1.Purpose.Name(access.purpose), "PURPOSE_")


def _basis(access: v1.ReportedAccess) -> str:
    if access.kind == ReportedAccessKind.REPORTED_ACCESS_KIND_CASE:
        article, case = access.legal_article, access.case_reference
        return tr("{article}, case {reference}", article=article, reference=case)
    if not access.consent_id:
        return tr("no valid consent")
    return tr("consent {consent}", consent=access.consent_id.hex())


def _went_out(access: v1.ReportedAccess) -> str:
    if access.refusal:
        message = CATALOG[access.refusal].message if access.refusal in CATALOG else ""
        return tr("nothing: refused. {why}", why=tr(message))
    if not access.releases:
        return tr("nothing")
    if access.kind == ReportedAccessKind.REPORTED_ACCESS_KIND_MONITORING:
        return tr("that a listing took effect; not what it says")
    return "; ".join(_released(access))


def _released(access: v1.ReportedAccess) -> Iterator[str]:
    categories = [v1.DataCategory.Name(category) for category in access.categories]
    what = ", ".join(in_words(category, "DATA_CATEGORY_") for category in categories)
    yield what or tr("what its scope says")
    if access.result:
        yield in_words(v1.ReleaseResult.Name(access.result), "RELEASE_RESULT_")
    if access.listings:
        yield plural("{number} listing", "{number} listings", access.listings)
    if access.calibration_version:
        yield tr("calibration {version}", version=access.calibration_version)
    if access.releases > 1:
        yield plural("{number} time", "{number} times", access.releases)


def consents_section(report: v1.SubjectReport) -> Section:
    """Return the consents with their history."""
    rows = tuple(_consent(record) for record in report.consents)
    lines = () if rows else (tr("You have given none that is still on record."),)
    return Section.of(tr("Your consents"), lines, _CONSENTS, rows)


def _consent(record: v1.ConsentRecord) -> tuple[str, ...]:
    terms = v1.Consent.FromString(record.consent.payload)
    return (
        terms.consent_id.hex(),
        terms.recipient,
        in_words(v1.Purpose.Name(terms.purpose), "PURPOSE_"),
        ", ".join(_share(category, terms.disclosure) for category in terms.data_categories),
        in_words(v1.ConsentState.Name(record.state), "CONSENT_STATE_"),
        tr("{uses} of {most}", uses=record.uses, most=terms.max_uses),
        moment(terms.valid_until),
        "; ".join(_event(envelope) for envelope in record.events),
    )


def _share(category: v1.DataCategory.ValueType, told: v1.Disclosure) -> str:
    what = in_words(v1.DataCategory.Name(category), "DATA_CATEGORY_")
    if category != v1.DataCategory.DATA_CATEGORY_SCORE:
        return what
    return tr("{what} ({how_much})", what=what, how_much=disclosure(told))


def _event(envelope: v1.Envelope) -> str:
    event = v1.ConsentEvent.FromString(envelope.payload)
    what = in_words(v1.ConsentEventKind.Name(event.kind), "CONSENT_EVENT_KIND_")
    return tr("{what} on {when}", what=what, when=moment(event.decided_at))


def outcomes_section(report: v1.SubjectReport) -> Section:
    """Return what lenders said came of their accesses, and who still has to."""
    at = from_timestamp(report.as_of)
    rows = tuple(_outcome(outcome, at) for outcome in report.outcomes)
    lines = () if rows else (tr("No lender had to say what it decided."),)
    return Section.of(tr("What lenders decided, by their own word"), lines, _OUTCOMES, rows)


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
