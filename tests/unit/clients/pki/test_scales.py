"""Scale and policy files."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from clients.pki import PkiError, read_scale

PROVIDERS = Path(__file__).parents[4] / "clients" / "sandbox" / "scores" / "providers.json"


def written(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), "utf-8")
    return path


def test_every_scale_of_the_sandbox_is_lawful() -> None:
    for provider in json.loads(PROVIDERS.read_text("utf-8"))["providers"]:
        scale = read_scale(PROVIDERS, provider["member_id"])
        assert (scale.minimum, scale.maximum) == (provider["score_min"], provider["score_max"])
        assert {reason.code for reason in scale.reasons} == set(provider["reasons"])


def test_an_entry_and_the_proto_form_give_the_same_scale(tmp_path: Path) -> None:
    entry = json.loads(PROVIDERS.read_text("utf-8"))["providers"][2]
    from_list = read_scale(PROVIDERS, entry["member_id"])
    from_entry = read_scale(written(tmp_path / "entry.json", entry), entry["member_id"])
    proto = written(tmp_path / "proto.json", json_format.MessageToDict(from_list))
    assert from_list == from_entry == read_scale(proto, "anyone")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"score_table": [{"score": 350, "default_ppm": 9}]}, "anchors"),
        ({"score_min": 351}, "351"),
        ({"score_min": "three hundred"}, "no usable score scale"),
        ({"direction": "SIDEWAYS"}, "SIDEWAYS"),
        ({"score_table": [{"score": 350}]}, "default_ppm is missing"),
        ({"reasons": {"not a code": "x"}}, "code"),
    ],
)
def test_a_bad_scale_is_refused_with_the_reason(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    entry = json.loads(PROVIDERS.read_text("utf-8"))["providers"][0]
    with pytest.raises(PkiError, match=told):
        read_scale(written(tmp_path / "scale.json", entry | change), "anyone")


@pytest.mark.parametrize("text", ["", "[]", "{", "\xff"])
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scale.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(PkiError):
        read_scale(path, "anyone")
