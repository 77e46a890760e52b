"""Reading a provider's declared scale from JSON files.

A scale file is either the proto3 JSON form of ``v1.ScoreScale``, or one provider as
``clients/sandbox/scores/providers.json`` writes it::

    {"member_id": "a-bank", "score_min": 300, "score_max": 850, "direction": "HIGHER_IS_SAFER",
     "score_table": [{"score": 300, "default_ppm": 600000}, ...], "reasons": {"BK01": "..."}}

or such a file with a list of them under ``providers``, of which the member's own is taken.
"""

import json
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from clients.pki.errors import PkiError
from concordat import v1
from concordat.pooling import ScaleInvalid, check_scale
from concordat.trust.envelope import validate
from concordat.trust.errors import StatementMalformedError

_DIRECTION = "SCORE_DIRECTION_"


def read_scale(path: Path, member_id: str) -> v1.ScoreScale:
    """Read a provider's scale and check it; raise ``PkiError``."""
    document = _read_json(path)
    try:
        if "providers" in document:
            document = _entry(document["providers"], member_id)
        scale = (
            scale_of(document)
            if "score_table" in document
            else json_format.ParseDict(document, v1.ScoreScale())
        )
        validate(scale)
        check_scale(scale)
    except (KeyError, TypeError, ValueError, json_format.ParseError) as error:
        raise PkiError(f"{path} holds no usable score scale: {_told(error)}") from error
    except (StatementMalformedError, ScaleInvalid) as error:
        raise PkiError(f"{path}: {error}") from error
    return scale


def scale_of(provider: dict[str, Any]) -> v1.ScoreScale:
    """Return the scale of one entry of ``providers.json``; raise ``KeyError`` or ``ValueError``."""
    return v1.ScoreScale(
        minimum=provider["score_min"],
        maximum=provider["score_max"],
        direction=v1.ScoreDirection.Value(_DIRECTION + provider["direction"]),
        anchors=[
            v1.ScoreAnchor(score=row["score"], default_ppm=row["default_ppm"])
            for row in provider["score_table"]
        ],
        reasons=[
            v1.ScoreReason(code=code, text=text)
            for code, text in sorted(provider.get("reasons", {}).items())
        ],
    )


def _entry(providers: list[dict[str, Any]], member_id: str) -> dict[str, Any]:
    for provider in providers:
        if provider["member_id"] == member_id:
            return provider
    known = ", ".join(provider["member_id"] for provider in providers)
    raise ValueError(f"no entry of {member_id}; there are {known}")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise PkiError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise PkiError(f"{path} is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise PkiError(f"{path} must hold a JSON object")
    return document


def _told(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
