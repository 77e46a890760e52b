"""Real debts lived through from filing to expiry: a few hundred in `make test`, all of them in the long tests."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, *options: str) -> tuple[dict[str, Any], str]:
    figures = folder / "figures.json"
    done = subprocess.run(
        [sys.executable, "benchmarks/listings_real.py", *options, "--json", str(figures)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(figures.read_text()), done.stdout


def require_reckoned(figures: dict[str, Any]) -> None:
    assert figures["good"] == 1
    pairs = {name.removesuffix("_found") for name in figures if name.endswith("_found")}
    assert len(pairs) >= 17
    assert [name for name in pairs if figures[f"{name}_found"] != figures[f"{name}_expected"]] == []


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_few_hundred_real_debts_reconcile_to_the_last_step(tmp_path: Path) -> None:
    figures, told = run(tmp_path, "--rows", "250", "--until", "2018-06-01")
    require_reckoned(figures)
    assert figures["done_filed"] == 247
    assert figures["us_refused_date_malformed"] == 3
    assert figures["done_settled_by_furnishers"] > 0
    assert figures["done_checks_with_something_shown"] > 0
    assert "DIFFERS" not in told


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_70975_real_debts_reconcile_to_the_last_step(tmp_path: Path) -> None:
    figures, told = run(tmp_path)
    require_reckoned(figures)
    fates = {name: count for name, count in figures.items() if name.split("_")[0] in PROFILES}
    assert sum(fates.values()) == 70_975
    for profile in PROFILES:
        assert figures[f"{profile}_usd_expired" if profile != "us" else "us_expired"] > 1000
    assert figures["done_recalls_acknowledged"] > 100
    assert "DIFFERS" not in told


PROFILES = ("us", "eu", "uk", "in", "cn")
