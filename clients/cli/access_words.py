"""Entries of the log about a person, in plain words."""

from collections.abc import Callable, Mapping
from typing import Any

from clients.cli import listing_words
from clients.cli.console import said, words
from clients.language import marked, plural, tr
from concordat import v1
from concordat.rpc.errors import name_of
from concordat.v1 import DisclosureKind, FlagKind, ListingActKind, ReleaseResult
from concordat.verify.history import HistoryEntry

_EXCHANGE, _YOU = marked("the exchange"), marked("you")


Told = tuple[str, str, str]


def told(entry: HistoryEntry) -> Told:
    """Return who did what, about what, in plain words."""
    record = entry.record
    kind = said(v1.LogEntryKind.Name(entry.entry.kind), "LOG_ENTRY_KIND_")
    if record is None:
        return "?", tr("{kind} (its record was erased)", kind=kind), ""
    act = record.WhichOneof("act") or ""
    if act in _TOLD:
        return _TOLD[act](getattr(record, act), entry.entry.kind)
    # Of members, calibrations and erasures, which are about no person: nothing that a subject is shown.
    return tr(_EXCHANGE), kind, ""


def _intent(intent: v1.AccessIntent, _: int) -> Told:
    return intent.lender, tr("asked"), _sought(intent.purpose, intent.disclosure)


def _refusal(refusal: v1.AccessRefusal, _: int) -> Told:
    why = tr(_WHY_REFUSED.get(refusal.reason, "")) or _reason(refusal.reason)
    return (
        refusal.lender,
        tr("was refused: {why}", why=why),
        _sought(refusal.purpose, refusal.disclosure),
    )


# Where the reason's name does not say it to those whom it is about.
_WHY_REFUSED: Mapping[int, str] = {
    v1.Reason.REASON_THRESHOLD_MOVED: marked(
        "it was told of other thresholds lately, and one more would narrow down your score"
    ),
}


def _sought(purpose: v1.Purpose.ValueType, disclosure: v1.Disclosure) -> str:
    """Return what for, and how much of the score where that is less than all."""
    match disclosure.kind:
        case DisclosureKind.DISCLOSURE_KIND_BAND:
            return tr("{purpose}, the band of your score", purpose=_purpose(purpose))
        case DisclosureKind.DISCLOSURE_KIND_THRESHOLD:
            return tr(
                "{purpose}, whether your score reaches {threshold} points",
                purpose=_purpose(purpose),
                threshold=disclosure.threshold,
            )
        case _:
            return _purpose(purpose)


def _consent(consent: v1.ConsentAct, kind: int) -> Told:
    changed = kind == v1.LogEntryKind.LOG_ENTRY_KIND_CONSENT_EVENT
    what = marked("changed a consent") if changed else marked("gave a consent")
    return tr(_YOU), tr(what), consent.consent_id.hex()


def _mirror(mirror: v1.MirrorAct, _: int) -> Told:
    return mirror.court, tr("found its register and its listings the same"), ""


def _outcome_counts(act: v1.OutcomeAct, _: int) -> Told:
    return act.lender, tr("told what became of credits, in counts alone"), ""


def _supervision(act: v1.SupervisionAct, _: int) -> Told:
    return act.regulator, tr("read aggregates, about no person"), act.provider


def _release(release: v1.AccessRelease, _: int) -> Told:
    parts = words_of_categories(release) or tr("nothing")
    about = []
    if release.result != ReleaseResult.RELEASE_RESULT_LISTINGS_ONLY:
        result = said(ReleaseResult.Name(release.result), "RELEASE_RESULT_")
        about = [result, _answered(release)]
    if v1.DataCategory.DATA_CATEGORY_LISTINGS in release.categories:
        about.append(_count(release.listings))
    return release.lender, tr("received {parts}", parts=parts), ", ".join(about)


_LISTING_ACTS: Mapping[int, str] = {
    ListingActKind.LISTING_ACT_KIND_FILED: marked("filed a listing about you"),
    ListingActKind.LISTING_ACT_KIND_JOINED: marked("filed the same debt"),
    ListingActKind.LISTING_ACT_KIND_DISPUTED: marked("disputed a listing"),
    ListingActKind.LISTING_ACT_KIND_RULED: marked("ruled on a dispute"),
    ListingActKind.LISTING_ACT_KIND_ACKNOWLEDGED: marked("acknowledged the recall"),
}


def _listing(act: v1.ListingAct, _: int) -> Told:
    about = tr(
        "listing {listing}: {state}",
        listing=listing_words.short(act.listing_id),
        state=listing_words.state(act.state),
    )
    if act.kind == ListingActKind.LISTING_ACT_KIND_RETRACTED:
        return tr(_EXCHANGE), tr("recalled what {lender} was told", lender=act.actor), about
    what = tr(_LISTING_ACTS.get(act.kind, "")) or listing_words.action(act.action)
    return act.actor or tr(_YOU), what, about


def _subject(act: v1.SubjectAct, _: int) -> Told:
    if act.flag == FlagKind.FLAG_KIND_UNSPECIFIED:
        return tr(_YOU), tr("changed where notices go"), ""
    flag = said(FlagKind.Name(act.flag), "FLAG_KIND_")
    what = marked("placed a {flag}") if act.placed else marked("lifted a {flag}")
    return tr(_YOU), tr(what, flag=flag), ""


def _case_notice(act: v1.CaseNoticeAct, _: int) -> Told:
    return (
        tr(_EXCHANGE),
        tr("told you of a look-up by a regulator"),
        tr("entry {index} of the log", index=act.index),
    )


_ORDER_STAGES: Mapping[int, str] = {
    v1.OrderStage.ORDER_STAGE_GIVEN: marked("ordered {furnisher} to put a listing right"),
    v1.OrderStage.ORDER_STAGE_COMPLIED: marked("found its order to {furnisher} obeyed"),
    v1.OrderStage.ORDER_STAGE_OVERDUE: marked("found its order to {furnisher} overdue"),
    v1.OrderStage.ORDER_STAGE_MOOT: marked(
        "closed its order to {furnisher}: the listing has ended"
    ),
}


def _order(act: v1.OrderAct, _: int) -> Told:
    what = tr(_ORDER_STAGES[act.stage], furnisher=act.furnisher)
    return act.regulator, what, tr("listing {listing}", listing=listing_words.short(act.listing_id))


def _outcome(act: v1.OutcomeReported, _: int) -> Told:
    by = (
        marked("a person reviewed it")
        if act.reviewed
        else marked("it does not say that a person reviewed it")
    )
    return act.lender, tr("said what it decided"), tr(by)


def _monitoring(act: v1.MonitoringAct, _: int) -> Told:
    return (
        act.lender,
        tr("was told that a listing about you is in force"),
        tr("it has your consent to be"),
    )


def _report(act: v1.ReportAct, _: int) -> Told:
    del act
    return tr(_YOU), tr("received your whole report"), ""


def _erasure_request(act: v1.ErasureRequestAct, _: int) -> Told:
    return (
        tr(_YOU),
        tr("asked for erasure"),
        tr(
            "{erased} records went, {kept} are kept by law for now",
            erased=act.erased,
            kept=act.kept,
        ),
    )


def _binding(act: v1.BindingAct, _: int) -> Told:
    return (
        tr("the registrar"),
        tr("bound a new key to you; the one before is dead"),
        tr("version {version}", version=act.version),
    )


def _own_look(look: v1.OwnLook, _: int) -> Told:
    return tr(_YOU), tr("asked for your own score"), ", ".join(look.providers)


def _own_view(view: v1.OwnViewRelease, _: int) -> Told:
    result = said(ReleaseResult.Name(view.result), "RELEASE_RESULT_")
    return tr(_YOU), tr("received your own score"), f"{result}, {_answered(view)}"


def _screening(screening: v1.Screening, _: int) -> Told:
    purpose = _purpose(screening.purpose)
    if screening.refusal:
        refused = tr("was refused to screen you: {why}", why=_reason(screening.refusal))
        return screening.lender, refused, purpose
    return screening.lender, tr("screened you"), f"{purpose}, {_count(screening.listings)}"


def _count(listings: int) -> str:
    if not listings:
        return tr("no listings shown")
    return plural("{number} listing shown", "{number} listings shown", listings)


_TOLD: Mapping[str, Callable[[Any, int], Told]] = {
    "intent": _intent,
    "release": _release,
    "refusal": _refusal,
    "consent": _consent,
    "listing": _listing,
    "subject": _subject,
    "screening": _screening,
    "mirror": _mirror,
    "outcome_counts": _outcome_counts,
    "supervision": _supervision,
    "own_look": _own_look,
    "own_view": _own_view,
    "case_notice": _case_notice,
    "order": _order,
    "outcome": _outcome,
    "report": _report,
    "erasure_request": _erasure_request,
    "binding": _binding,
    "monitoring": _monitoring,
}


def words_of_categories(release: v1.AccessRelease) -> str:
    """Return the categories of data that went out, in words."""
    return ", ".join(_category(category) for category in release.categories)


def _category(category: v1.DataCategory.ValueType) -> str:
    return said(v1.DataCategory.Name(category), "DATA_CATEGORY_")


def _purpose(purpose: v1.Purpose.ValueType) -> str:
    return said(v1.Purpose.Name(purpose), "PURPOSE_")


def _reason(reason: v1.Reason.ValueType) -> str:
    return said(v1.Reason.Name(reason), "REASON_")


def _answered(release: v1.AccessRelease | v1.OwnViewRelease) -> str:
    scored = v1.ProviderOutcomeKind.PROVIDER_OUTCOME_KIND_SCORED
    names = [part.provider for part in release.parts if part.kind == scored]
    if not names:
        return tr("no provider had a score")
    return tr("scores of {names}", names=", ".join(names))


# The same for programs: keys stay as they are ------------------------------------------------------


def details(record: v1.LogRecord | None) -> dict[str, Any] | None:
    """Return what the record says, by the kind of act; None where it was erased."""
    if record is None:
        return None
    act = record.WhichOneof("act") or ""
    return _DETAILS[act](getattr(record, act)) if act in _DETAILS else {}


def _of_refusal(refusal: v1.AccessRefusal) -> dict[str, Any]:
    return {
        "lender": refusal.lender,
        "purpose": _purpose(refusal.purpose),
        "consent_id": refusal.consent_id,
        "reason": name_of(refusal.reason),
        **_disclosure(refusal.disclosure),
    }


def _disclosure(disclosure: v1.Disclosure) -> dict[str, Any]:
    """Return how much of the score was asked for; null where the entry does not say."""
    kind = words(DisclosureKind.Name(disclosure.kind), "DISCLOSURE_KIND_")
    return {
        "disclosure": kind if disclosure.kind else None,
        "threshold": disclosure.threshold or None,
    }


def _of_consent(consent: v1.ConsentAct) -> dict[str, Any]:
    return {"consent_id": consent.consent_id, "digest": consent.digest}


def _of_subject(act: v1.SubjectAct) -> dict[str, Any]:
    flag = words(FlagKind.Name(act.flag), "FLAG_KIND_") if act.flag else None
    return {"flag": flag, "placed": act.placed, "digest": act.digest}


def _of_intent(intent: v1.AccessIntent) -> dict[str, Any]:
    return {
        "lender": intent.lender,
        "purpose": _purpose(intent.purpose),
        **_disclosure(intent.disclosure),
        "consent_id": intent.consent_id,
        "providers": list(intent.providers),
    }


def _of_release(release: v1.AccessRelease) -> dict[str, Any]:
    return {
        "lender": release.lender,
        "access_id": release.access_id,
        "result": words(ReleaseResult.Name(release.result), "RELEASE_RESULT_"),
        "categories": [_category(category) for category in release.categories],
        "calibration_version": release.calibration_version or None,
        "providers": _parts(release),
        "listings": release.listings,
    }


def _parts(release: v1.AccessRelease | v1.OwnViewRelease) -> list[dict[str, str]]:
    return [
        {
            "provider": part.provider,
            "outcome": words(v1.ProviderOutcomeKind.Name(part.kind), "PROVIDER_OUTCOME_KIND_"),
        }
        for part in release.parts
    ]


def _of_case_notice(act: v1.CaseNoticeAct) -> dict[str, Any]:
    return {"record_id": act.record_id, "index": act.index, "message_id": act.message_id}


def _of_order(act: v1.OrderAct) -> dict[str, Any]:
    return {
        "order_id": act.order_id,
        "listing_id": act.listing_id,
        "regulator": act.regulator,
        "furnisher": act.furnisher,
        "stage": words(v1.OrderStage.Name(act.stage), "ORDER_STAGE_"),
        "digest": act.digest,
    }


def _of_outcome(act: v1.OutcomeReported) -> dict[str, Any]:
    return {
        "lender": act.lender,
        "access_id": act.access_id,
        "reviewed": act.reviewed,
        "digest": act.digest,
    }


def _of_monitoring(act: v1.MonitoringAct) -> dict[str, Any]:
    return {"lender": act.lender, "consent_id": act.consent_id}


def _of_report(act: v1.ReportAct) -> dict[str, Any]:
    return {"request_digest": act.request_digest, "report_digest": act.report_digest}


def _of_erasure_request(act: v1.ErasureRequestAct) -> dict[str, Any]:
    return {"request_digest": act.request_digest, "erased": act.erased, "kept": act.kept}


def _of_binding(act: v1.BindingAct) -> dict[str, Any]:
    return {"version": act.version, "digest": act.digest}


def _of_own_look(look: v1.OwnLook) -> dict[str, Any]:
    return {"request_digest": look.request_digest, "providers": list(look.providers)}


def _of_own_view(view: v1.OwnViewRelease) -> dict[str, Any]:
    return {
        "look_id": view.look_id,
        "result": words(ReleaseResult.Name(view.result), "RELEASE_RESULT_"),
        "calibration_version": view.calibration_version,
        "providers": _parts(view),
    }


def _of_listing(act: v1.ListingAct) -> dict[str, Any]:
    return {
        "listing_id": act.listing_id,
        "kind": words(ListingActKind.Name(act.kind), "LISTING_ACT_KIND_"),
        "action": words(v1.ListingAction.Name(act.action), "LISTING_ACTION_")
        if act.action
        else None,
        "actor": act.actor,
        "state": words(v1.ListingState.Name(act.state), "LISTING_STATE_"),
        "digest": act.digest,
    }


def _of_screening(screening: v1.Screening) -> dict[str, Any]:
    return {
        "lender": screening.lender,
        "purpose": _purpose(screening.purpose),
        "consent_id": screening.consent_id,
        "reason": name_of(screening.refusal) if screening.refusal else None,
        "listings": screening.listings,
    }


_DETAILS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "intent": _of_intent,
    "release": _of_release,
    "refusal": _of_refusal,
    "consent": _of_consent,
    "listing": _of_listing,
    "subject": _of_subject,
    "screening": _of_screening,
    "own_look": _of_own_look,
    "own_view": _of_own_view,
    "case_notice": _of_case_notice,
    "order": _of_order,
    "outcome": _of_outcome,
    "report": _of_report,
    "erasure_request": _of_erasure_request,
    "binding": _of_binding,
    "monitoring": _of_monitoring,
}
