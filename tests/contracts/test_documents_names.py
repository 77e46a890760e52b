"""What documents name exists: settings, variables of the environment, reasons, files of the project."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest

from concordat import v1
from concordat.rpc.errors import CATALOG, name_of
from concordat.telemetry.metrics import ALL
from exchange.settings import ExchangeSettings
from provider.settings import ProviderSettings
from registrar.settings import RegistrarSettings
from tests.contracts.test_documents import DOCUMENTS, ROOT, name
from witness.settings import WitnessSettings

_KINDS = (ExchangeSettings, ProviderSettings, RegistrarSettings, WitnessSettings)
_PATHS = re.compile(
    r"`((?:concordat|exchange|provider|registrar|witness|clients|tests|tools|interop|benchmarks|docs)"
    r"/[\w./-]+\.(?:py|toml|proto|md|go))`"
)
_ENVIRONMENT = re.compile(r"\bCONCORDAT_[A-Z0-9_]+")
# Read by the commands themselves, not by a process's settings.
_OF_COMMANDS = {"CONCORDAT_TRUST_BUNDLE", "CONCORDAT_WALLET", "CONCORDAT_PKI", "CONCORDAT_CHROMIUM"}


def settings_of(schema: Mapping[str, Any], tables: Mapping[str, Any]) -> Iterator[str]:
    """Yield each setting as pages name it: `table.setting`, and the table itself."""
    for field, described in schema["properties"].items():
        yield field
        kinds = [described, described.get("items", {}), *described.get("anyOf", ())]
        for kind in kinds:
            if "$ref" in kind:
                nested = tables[kind["$ref"].rpartition("/")[2]]
                yield from (f"{field}.{inner}" for inner in settings_of(nested, tables))


def known_settings() -> set[str]:
    schemas = [kind.model_json_schema() for kind in _KINDS]
    return {each for s in schemas for each in settings_of(s, s.get("$defs", {}))}


SETTINGS = known_settings()
TABLES = {each.partition(".")[0] for each in SETTINGS if "." in each}
REASONS = {name_of(reason) for reason in CATALOG}
METRICS = {metric.name for metric in ALL}


def values_of_the_protocol() -> Iterator[str]:
    """Yield the values of all enums, with and without what stands before them: pages leave prefixes out."""
    for each in v1.__all__:
        for value in getattr(getattr(v1, each), "keys", list)():
            words = value.split("_")
            yield from ("_".join(words[at:]) for at in range(len(words)))


def words_of_the_clients() -> Iterator[str]:
    """Yield what commands call their own findings, which come from no peer."""
    for path in (ROOT / "clients").rglob("*.py"):
        yield from re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', path.read_text("utf-8"))


VALUES = {
    *values_of_the_protocol(),
    *words_of_the_clients(),
    *(code.name for code in grpc.StatusCode),
}
# A decision is not rewritten when what it speaks of gets another name.
LIVING = [path for path in DOCUMENTS if path.parent.name != "adr"]


def unknown_settings(text: str) -> list[str]:
    """Return what stands as code, begins with a table of settings, and is no setting."""
    named = re.findall(r"`\[{0,2}([a-z_]+(?:\.[a-z_]+)+)\]{0,2}(?: = [^`]*)?`", text)
    files = (
        ".py",
        ".toml",
        ".key",
        ".md",
        ".db",
        ".json",
        ".pem",
        ".html",
        ".env",
        ".csv",
        ".proto",
        ".png",
    )
    return [
        each
        for each in named
        if each.partition(".")[0] in TABLES and each not in SETTINGS and not each.endswith(files)
    ]


def unknown_reasons(text: str) -> list[str]:
    """Return words in capitals with an underscore, as code, that are no reason and no value of the protocol."""
    named = re.findall(r"`(?:REASON_)?([A-Z]{2,}(?:_[A-Z0-9]+)+)`", text)
    return [
        each
        for each in named
        if each not in REASONS | VALUES and not each.startswith(("CONCORDAT_", "OTEL_"))
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_setting_that_a_document_names_exists(path: Path) -> None:
    text = path.read_text("utf-8")
    assert unknown_settings(text) == []
    variables = {each.removeprefix("CONCORDAT_") for each in _ENVIRONMENT.findall(text)}
    plain = {each.replace(".", "__").upper() for each in SETTINGS}
    own = {each.removeprefix("CONCORDAT_") for each in _OF_COMMANDS}
    assert {each for each in variables if each.strip("_")} <= plain | own


@pytest.mark.parametrize("path", LIVING, ids=name)
def test_every_reason_that_a_document_names_exists(path: Path) -> None:
    assert unknown_reasons(path.read_text("utf-8")) == []


def unknown_metrics(text: str) -> list[str]:
    """Return words that begin as metrics do and, as code, are declared by no process."""
    named = re.findall(r"`(concordat_[a-z_]+)(?:\{[^`]*\})?`", text)
    return [each for each in named if each not in METRICS]


@pytest.mark.parametrize("path", LIVING, ids=name)
def test_every_metric_that_a_document_names_exists(path: Path) -> None:
    assert unknown_metrics(path.read_text("utf-8")) == []
    assert unknown_metrics("`concordat_views_totals` and `concordat_views_total`") == [
        "concordat_views_totals"
    ]


@pytest.mark.parametrize("path", LIVING, ids=name)
def test_every_picture_that_a_document_shows_exists_is_small_and_is_told_in_words(
    path: Path,
) -> None:
    for words, file in re.findall(r"!\[([^\]]*)\]\((\S+?)\)", path.read_text("utf-8")):
        assert len(words) > 20, file
        assert 0 < (path.parent / file).stat().st_size < 150_000, file


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_file_that_a_document_names_exists(path: Path) -> None:
    named = set(_PATHS.findall(path.read_text("utf-8")))
    assert {each for each in named if not (ROOT / each).exists()} == set()


@pytest.mark.parametrize(
    ("text", "settings", "reasons"),
    [
        ("`log.keep_dais` and `[[log.witnesses]]`", ["log.keep_dais"], []),
        (
            '`log.tiles = "database"`, `CONSENT_REVOKED`, `REASON_REVOKED_CONSENT`',
            [],
            ["REVOKED_CONSENT"],
        ),
        ("`PERMISSION_DENIED`, `ACCESS_INTENT`, `ACCESS_INTEND`", [], ["ACCESS_INTEND"]),
    ],
)
def test_a_name_of_nothing_is_found(text: str, settings: list[str], reasons: list[str]) -> None:
    assert unknown_settings(text) == settings
    assert unknown_reasons(text) == reasons
