"""A person's own score as JSON: its machine-readable copy. Keys stay as they are."""

import base64
import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError

from clients.cli.moments import moment
from clients.cli.own_report_words import (
    Part,
    costs_of,
    lift_for,
    parts_of,
    way_in_words,
)
from clients.cli.render import band
from clients.cli.view_json import check_facts
from concordat import v1
from concordat.clock import from_timestamp
from concordat.pooling.counterfactual import Lift
from concordat.pooling.points import band_of
from concordat.verify.bundle import BundleMalformedError
from concordat.verify.own_view import VerifiedOwnView


def own_report_facts(verified: VerifiedOwnView) -> dict[str, Any]:
    """Return the facts of an own view.

    ``outcome`` is complete, partial or no_score; ``score`` has the keys of v1.UnifiedScore, or is null;
    ``providers`` has one entry for each that was asked; ``next_band`` says what would lift the score, and is
    null in the best band; ``bundle`` (base64 of v1.OwnViewBundle) lets anybody check all of it offline.
    """
    view, calibration, lift = verified.view, verified.calibration, lift_for(verified)
    return {
        "view_id": view.view_id.hex(),
        "federation": view.federation,
        "subject_ref": view.subject_ref.hex(),
        "outcome": view.WhichOneof("outcome"),
        "partial": bool(verified.missing),
        "score": score_facts(verified.score) if verified.score else None,
        "providers": [_provider(part) for part in parts_of(verified)],
        "costs": costs_of(verified),
        "next_band": next_band_facts(verified, lift) if lift else None,
        "calibration": {
            "version": calibration.version,
            "digest": calibration.digest.hex(),
            "stale": calibration.is_stale(from_timestamp(view.issued_at)),
        },
        "look_id": view.receipt.access_id.hex(),
        "recorded_at": moment(view.receipt.recorded_at),
        "issued_at": moment(view.issued_at),
        "checks": check_facts(verified.checks),
        "bundle": base64.b64encode(verified.bundle.SerializeToString()).decode(),
    }


def bundle_in(raw: bytes) -> v1.OwnViewBundle:
    """Return the bundle in a copy that was written before, *not* verified; raise ``BundleMalformedError``."""
    try:
        content = json.loads(raw)
        encoded = content["bundle"]
        return v1.OwnViewBundle.FromString(base64.b64decode(encoded, validate=True))
    except (ValueError, LookupError, TypeError, RecursionError, DecodeError) as error:
        raise BundleMalformedError("the file is no copy of a report") from error


def score_facts(score: v1.UnifiedScore) -> dict[str, Any]:
    """Return a score's fields, zeros too, under the names of the proto; the band as its letter."""
    facts = MessageToDict(
        score, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return facts | {"band": band(score.band)}


def _provider(part: Part) -> dict[str, Any]:
    return {
        "provider": part.provider,
        "legal_name": part.name,
        "outcome": part.outcome,
        "score": part.score,
        "scale": part.scale or None,
        "as_of": moment(part.as_of) if part.as_of else None,
        "model": part.model or None,
        "points": part.points,
        "says": part.says,
        "reasons": [{"code": code, "text": text} for code, text in part.reasons],
    }


def next_band_facts(verified: VerifiedOwnView, lift: Lift) -> dict[str, Any]:
    """Return where the next band begins, and the ways there."""
    return {
        "band": band(lift.band),
        "floor": lift.floor,
        "ways": [
            {
                "changes": [
                    {"provider": each.provider, "score": each.score, "needed": each.needed}
                    for each in way.changes
                ],
                "points": way.points,
                "band": band(band_of(way.points)),
                "text": way_in_words(verified, way),
            }
            for way in lift.ways
        ],
    }
