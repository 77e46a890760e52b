"""The dashboard and the alerts name only what the processes export; and every metric is documented."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from concordat.telemetry.metrics import ALL
from tests.contracts.test_documents import DOCUMENTS, ROOT, name
from tests.metric_pages import SERIES, misused

yaml: Any = importlib.import_module("yaml")
DEPLOY = ROOT / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/concordat.json").read_text("utf-8"))
ALERTS = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text("utf-8"))
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
_METRIC = re.compile(r"\bconcordat_[a-z_]+[a-z]\b")


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (rule["expr"] for rule in RULES)


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_an_expression_names_only_what_is_exported(expression: str) -> None:
    assert misused(expression) == []


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("rate(concordat_vews_total[5m])", ["concordat_vews_total"]),
        ('concordat_views_total{lender="x"}', ["concordat_views_total: lender"]),
        ('concordat_views_total{result="GOOD"}', ["result GOOD"]),
        ("sum by (subject) (concordat_views_total)", ["subject"]),
        (
            'concordat_consent_revocation_seconds_bucket{le="1"}',
            ["concordat_consent_revocation_seconds_bucket: le 1"],
        ),
        ("concordat_consent_revocation_seconds", ["concordat_consent_revocation_seconds"]),
    ],
)
def test_a_name_that_nobody_exports_is_found(expression: str, found: list[str]) -> None:
    assert misused(expression) == found


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {each for expression in expressions() for each in _METRIC.findall(expression)}
    assert [metric.name for metric in ALL if not metric.series & shown] == []


def test_every_alert_says_how_grave_it_is_and_what_to_do() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "action"}
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(
    "watched",
    [
        "log_checkpoint_age_seconds",
        "log_unwitnessed_seconds",
        "licence_expiry_seconds",
        "view_refusals_total",
        "views_total",
        "consent_revocation_seconds_bucket",
        "provider_outcomes_total",
        "listings_expired_visible",
        "witness_conflicts_total",
    ],
)
def test_what_breaks_a_promise_wakes_somebody(watched: str) -> None:
    said = " ".join(rule["expr"] + rule["annotations"]["action"] for rule in RULES)
    assert f"concordat_{watched}" in said


def test_what_an_alert_says_to_look_for_is_written_by_some_process() -> None:
    code = "".join(
        path.read_text("utf-8")
        for folder in ("concordat", "exchange", "provider", "registrar", "witness")
        for path in (ROOT / folder).rglob("*.py")
        if "v1" not in path.parts
    )
    for rule in RULES:
        for event in re.findall(r"Look for (\w+) in", rule["annotations"]["action"]):
            assert f'"{event}"' in code


def test_prometheus_reads_every_kind_of_process_and_the_alerts() -> None:
    settings = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text("utf-8"))
    jobs = {job["job_name"].removeprefix("concordat-") for job in settings["scrape_configs"]}
    assert jobs == {"exchange", "provider", "registrar", "witness"}
    assert [(DEPLOY / "prometheus" / file).is_file() for file in settings["rule_files"]] == [True]


def test_panels_do_not_cover_each_other() -> None:
    places = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) < 24


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_metric_that_a_document_names_exists(path: Path) -> None:
    known = SERIES.keys() | {metric.name for metric in ALL}
    assert [m for m in _METRIC.findall(path.read_text("utf-8")) if m not in known] == []
