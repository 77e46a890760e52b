"""The promises of the committed score files; needs neither scikit-learn nor the loans."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

SCORES = Path(__file__).parents[4] / "clients" / "sandbox" / "scores"
CATALOG: dict[str, Any] = json.loads((SCORES / "providers.json").read_text(encoding="utf-8"))
PROVIDERS: list[dict[str, Any]] = CATALOG["providers"]
HEADER = ["identity_number", "score", "as_of", "model_version", "reasons"]
LEAKING = {"ChgOffDate", "ChgOffPrinGr", "MIS_Status", "Term"}
MAX_BYTES = 3_000_000

each_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda it: it["member_id"])


def read(name: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a committed file."""
    with gzip.open(SCORES / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    return header, rows


@pytest.fixture(scope="module")
def outcomes() -> dict[str, int]:
    """Outcome (1 charged off) by identity number."""
    return {identity: int(outcome) for identity, outcome in read("borrowers")[1]}


@pytest.fixture(scope="module")
def scores() -> dict[str, list[list[str]]]:
    """Published rows by provider."""
    return {it["member_id"]: read(it["member_id"])[1] for it in PROVIDERS}


def test_there_are_eight_providers_each_with_its_file_and_no_other_file() -> None:
    members = {it["member_id"] for it in PROVIDERS}
    assert len(PROVIDERS) == len(members) == 8
    files = {path.name.removesuffix(".csv.gz") for path in SCORES.glob("*.csv.gz")}
    assert files == members | {"borrowers"}


def test_no_two_providers_share_a_column() -> None:
    owners = Counter(column for it in PROVIDERS for column in it["columns"])
    assert all(it["columns"] for it in PROVIDERS)
    assert [column for column, count in owners.items() if count > 1] == []


def test_no_provider_holds_a_column_that_tells_the_outcome() -> None:
    assert {column for it in PROVIDERS for column in it["columns"]} & LEAKING == set()


def test_the_scales_of_the_design_are_there_and_one_runs_downhill() -> None:
    scales = {(it["score_min"], it["score_max"]) for it in PROVIDERS}
    assert {(350, 950), (300, 850), (0, 1000)} <= scales
    assert len(scales) == 8
    assert {it["direction"] for it in PROVIDERS} == {"HIGHER_IS_SAFER", "HIGHER_IS_RISKIER"}


@each_provider
def test_table_is_strictly_monotone_and_covers_the_scale_exactly(provider: dict[str, Any]) -> None:
    table = provider["score_table"]
    sign = 1 if provider["direction"] == "HIGHER_IS_RISKIER" else -1
    assert 8 <= len(table) <= 20
    assert table[0]["score"] == provider["score_min"]
    assert table[-1]["score"] == provider["score_max"]
    for lower, upper in pairwise(table):
        assert lower["score"] < upper["score"]
        assert sign * (upper["default_ppm"] - lower["default_ppm"]) > 0
    assert all(0 < anchor["default_ppm"] < 1_000_000 for anchor in table)


@each_provider
def test_rows_are_in_order_without_doubles_and_of_known_borrowers(
    provider: dict[str, Any], scores: dict[str, list[list[str]]], outcomes: dict[str, int]
) -> None:
    header, _ = read(provider["member_id"])
    identities = [row[0] for row in scores[provider["member_id"]]]
    assert header == HEADER
    assert identities == sorted(set(identities))
    assert set(identities) <= outcomes.keys()
    assert all(re.fullmatch(r"SBA-[0-9]{10}", identity) for identity in identities)


@each_provider
def test_every_score_is_a_whole_number_within_the_scale(
    provider: dict[str, Any], scores: dict[str, list[list[str]]]
) -> None:
    given = {row[1] for row in scores[provider["member_id"]]}
    assert all(str(int(text)) == text for text in given)
    assert min(map(int, given)) >= provider["score_min"]
    assert max(map(int, given)) <= provider["score_max"]


@each_provider
def test_reasons_are_ranked_codes_of_the_closed_set_and_each_is_used(
    provider: dict[str, Any], scores: dict[str, list[list[str]]]
) -> None:
    used = set()
    for row in scores[provider["member_id"]]:
        codes = row[4].split(";") if row[4] else []
        assert len(codes) == len(set(codes)) <= 4
        used.update(codes)
    assert used == provider["reasons"].keys()
    assert all(text.endswith(".") for text in provider["reasons"].values())


@each_provider
def test_dates_and_model_version_are_as_declared(
    provider: dict[str, Any], scores: dict[str, list[list[str]]]
) -> None:
    rows = scores[provider["member_id"]]
    assert {row[3] for row in rows} == {provider["model_version"]}
    assert all(date.fromisoformat(text).isoformat() == text for text in {row[2] for row in rows})


@each_provider
def test_declared_coverage_is_that_of_the_file(
    provider: dict[str, Any], scores: dict[str, list[list[str]]], outcomes: dict[str, int]
) -> None:
    coverage = len(scores[provider["member_id"]]) / len(outcomes)
    assert coverage == pytest.approx(provider["coverage"], abs=5e-5)
    assert 0.30 <= coverage <= 0.85


@each_provider
def test_declared_auc_is_that_of_the_file(
    provider: dict[str, Any], scores: dict[str, list[list[str]]], outcomes: dict[str, int]
) -> None:
    """Area under the ROC curve by counting pairs, a tie counting half."""
    sign = 1 if provider["direction"] == "HIGHER_IS_RISKIER" else -1
    good: Counter[int] = Counter()
    bad: Counter[int] = Counter()
    for identity, score, *_ in scores[provider["member_id"]]:
        (bad if outcomes[identity] else good)[sign * int(score)] += 1
    safer = 0
    won = 0.0
    for risk in sorted(good | bad):
        won += bad[risk] * (safer + good[risk] / 2)
        safer += good[risk]
    auc = won / (good.total() * bad.total())
    assert auc == pytest.approx(provider["auc"], abs=1e-4)
    assert auc > 0.55


def test_every_borrower_is_known_to_at_least_one_and_to_four_or_five_on_average(
    scores: dict[str, list[list[str]]], outcomes: dict[str, int]
) -> None:
    known = Counter(row[0] for rows in scores.values() for row in rows)
    assert known.keys() == outcomes.keys()
    assert 4 <= known.total() / len(outcomes) <= 5


def test_the_population_is_that_of_the_borrowers(outcomes: dict[str, int]) -> None:
    population = CATALOG["population"]
    rate = sum(outcomes.values()) / len(outcomes)
    assert population["borrowers"] == len(outcomes) == 30_000
    assert population["default_ppm"] / 1_000_000 == pytest.approx(rate, abs=1e-4)
    assert "public domain" in population["source"]


def test_borrowers_are_in_order_without_doubles() -> None:
    header, rows = read("borrowers")
    identities = [row[0] for row in rows]
    assert header == ["identity_number", "outcome"]
    assert identities == sorted(set(identities))
    assert {row[1] for row in rows} == {"0", "1"}


def test_gzip_headers_hold_no_time_and_no_name() -> None:
    for path in SCORES.glob("*.csv.gz"):
        head = path.read_bytes()[:10]
        assert head[3] == 0, f"{path.name}: flags, a file name perhaps"
        assert head[4:8] == bytes(4), f"{path.name}: a time of writing"


def test_the_files_stay_small() -> None:
    assert sum(path.stat().st_size for path in SCORES.iterdir()) < MAX_BYTES


@each_provider
def test_the_readme_tells_the_measured_figures(provider: dict[str, Any]) -> None:
    readme = (SCORES / "README.md").read_text(encoding="utf-8")
    (line,) = (it for it in readme.splitlines() if it.startswith(f"| `{provider['member_id']}`"))
    assert ", ".join(provider["columns"]) in line
    assert f"| {provider['score_min']}-{provider['score_max']}, " in line
    coverage, auc = re.findall(r"\| ([0-9.]+)% \| ([0-9.]+) ", line)[0]
    assert float(coverage) == pytest.approx(100 * provider["coverage"], abs=0.06)
    assert float(auc) == pytest.approx(provider["auc"], abs=0.0006)
