"""A view as JSON: the keys that `concordat view` prints, which stay as they are."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict

from clients.cli.console import words
from clients.cli.lender_render import flags_facts, listings_facts
from clients.cli.moments import moment
from concordat import v1
from concordat.verify.view import Check, VerifiedView, ViewNotVerified


def view_facts(verified: VerifiedView) -> dict[str, Any]:
    """Return the facts of a view.

    ``outcome`` is complete, partial or no_score; ``score`` is what is disclosed (keys of v1.ScoreAnswer)
    or null; ``providers`` has one entry for each provider of the consent, with ``outcome``, ``calibration``
    (null, or stale, or none where it is not read), and ``score`` and ``reasons`` where they are disclosed or
    ``reason`` where it is missing. ``listings`` and ``flags`` are null where the consent does not cover them.
    """
    view = verified.view
    outcome = view.WhichOneof("outcome") or ""
    answer = {"complete": view.complete, "partial": view.partial}.get(outcome)
    return {
        "view_id": view.view_id.hex(),
        "federation": view.federation,
        "lender": view.lender,
        "subject_ref": view.subject_ref.hex(),
        "purpose": words(v1.Purpose.Name(view.purpose), "PURPOSE_"),
        "disclosure": words(v1.DisclosureKind.Name(view.disclosure.kind), "DISCLOSURE_KIND_"),
        "outcome": outcome,
        "partial": bool(verified.missing),
        "score": message_facts(answer) if answer is not None else None,
        "providers": [_provider(verified, told) for told in view.providers],
        "calibration": _calibration(verified),
        "listings": listings_facts(view),
        "flags": flags_facts(view),
        "consent_id": verified.consent.consent_id.hex(),
        "access_id": view.receipt.access_id.hex(),
        "recorded_at": moment(view.receipt.recorded_at),
        "issued_at": moment(view.issued_at),
        "delete_by": moment(view.delete_by),
        "checks": check_facts(verified.checks),
    }


def _calibration(verified: VerifiedView) -> dict[str, Any]:
    view, opened = verified.view, verified.calibration
    report = opened.message.report if opened else v1.FitReport()
    return {
        "version": view.calibration_version,
        "digest": view.calibration_digest.hex(),
        "method": report.method or None,
        "subjects": report.subjects,
        "in_use_since": opened.not_before.isoformat() if opened else None,
        "stale_from": opened.stale_from.isoformat() if opened else None,
    }


def check_facts(
    passed: Sequence[Check], failed: ViewNotVerified | None = None
) -> list[dict[str, Any]]:
    """Return the checks made, in order: ``name``, ``ok``, and what it ``shows`` or what is wrong."""
    facts: list[dict[str, Any]] = [
        {"name": check.name, "ok": True, "shows": check.shows} for check in passed
    ]
    if failed is not None:
        facts.append({"name": failed.check, "ok": False, "shows": failed.detail})
    return facts


def message_facts(message: v1.ScoreAnswer) -> dict[str, Any]:
    """Return a message's fields, zeros too, under the names of the proto."""
    return MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


_STANDINGS = {
    v1.CalibrationStanding.CALIBRATION_STANDING_UNSPECIFIED: None,
    v1.CalibrationStanding.CALIBRATION_STANDING_STALE: "stale",
    v1.CalibrationStanding.CALIBRATION_STANDING_NONE: "none",
}


def _provider(verified: VerifiedView, told: v1.ProviderOutcome) -> dict[str, Any]:
    kind = words(v1.ProviderOutcomeKind.Name(told.kind), "PROVIDER_OUTCOME_KIND_")
    facts: dict[str, Any] = {"provider": told.provider, "outcome": kind}
    facts["calibration"] = _STANDINGS[told.calibration]
    if told.reason:
        facts["reason"] = v1.Reason.Name(told.reason).removeprefix("REASON_")
    statement = verified.statements.get(told.provider)
    if statement is not None and statement.message.WhichOneof("answer") == "score":
        facts["score"] = statement.message.score
        facts["reasons"] = list(statement.message.reasons)
    return facts
