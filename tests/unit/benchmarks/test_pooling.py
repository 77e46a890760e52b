"""What is compared is what the benchmark says: splits, coverage, who owns which column."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import pooling_floor
from benchmarks.pooling import Case, cases, flat, measured
from benchmarks.pooling_data import CALIBRATION, TEST, TRAINING, read_table, split
from benchmarks.pooling_methods import METHODS

ROOT = Path(__file__).resolve().parents[3]
MAP = """
target = "went_bad"
bad = "yes"

[providers]
bank = ["income", "debt"]
telecom = ["late", "plan"]
"""


def written(folder: Path, rows: int, seed: int = 0) -> tuple[Path, Path]:
    rng = np.random.default_rng(seed)
    income, debt, late = rng.normal(size=(3, rows))
    plan = rng.choice(["gold", "basic"], rows)
    risk = debt - income + late + (plan == "basic") - 1.5
    bad = rng.random(rows) < 1 / (1 + np.exp(-risk))
    data, map_file = folder / "people.csv", folder / "people_2.toml"
    with data.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["income", "debt", "late", "plan", "went_bad"])
        for row in zip(income, debt, late, plan, bad, strict=True):
            writer.writerow([*row[:4], "yes" if row[4] else "no"])
    map_file.write_text(MAP, "utf-8")
    return data, map_file


def test_columns_go_to_the_providers_that_the_map_names(tmp_path: Path) -> None:
    table = read_table(*written(tmp_path, 50))
    assert table.columns == ("income", "debt", "late", "plan")
    assert table.providers == {"bank": (0, 1), "telecom": (2, 3)}
    assert set(table.values[:, 3]) == {0.0, 1.0}
    assert 0 < table.outcomes.sum() < 50


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('"late", "plan"', '"late", "shoe_size"'), "shoe_size"),
        (('"late", "plan"', '"late", "debt"'), "two providers"),
        (('bad = "yes"', 'bad = "perhaps"'), "which value is `bad`"),
    ],
)
def test_a_map_that_does_not_fit_says_what_to_mend(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    data, map_file = written(tmp_path, 50)
    map_file.write_text(MAP.replace(*change), "utf-8")
    with pytest.raises(SystemExit, match=says):
        read_table(data, map_file)


def test_parts_are_50_20_and_30_percent_of_either_outcome() -> None:
    outcomes = np.arange(1000) % 5 == 0
    part = split(outcomes, seed=3)
    for outcome in (True, False):
        of = part[outcomes == outcome]
        shares = [float((of == each).mean()) for each in (TRAINING, CALIBRATION, TEST)]
        assert shares == [0.5, 0.2, 0.3]
    assert (split(outcomes, seed=3) == part).all()
    assert (split(outcomes, seed=4) != part).any()


def test_no_model_sees_what_it_may_not() -> None:
    for name in ("uci", "german"):
        for count in (4, 8):
            text = (ROOT / "benchmarks" / "pooling_maps" / f"{name}_{count}.toml").read_text(
                "utf-8"
            )
            owned = text.partition("[providers]")[2].lower()
            assert not any(word in owned for word in ("sex", '"age', "foreign", "marriage"))


def test_names_of_cases_are_those_of_the_json() -> None:
    names = [case.name for case in cases()]
    assert {"uci_8_full", "uci_8_random", "uci_8_risk", "uci_4_full", "sba_8_natural"} <= set(names)
    rng = np.random.default_rng(0)
    outcomes = rng.random(400) < 0.3
    seed = {
        name: measured(rng.normal(size=400), outcomes) | {"gap_closed": gap}
        for name, gap in (
            ("best_single", 0.0),
            ("logistic", 0.5),
            ("concordat", 0.7),
            ("central", 1),
        )
    }
    written = flat({"uci_8_full": [seed, seed]})
    assert written["uci_8_full_gap_closed"] == 0.7
    assert written["uci_8_full_ahead"] == pytest.approx(0.2)
    assert "uci_8_full_ece" in written


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_any_csv_and_map_can_be_compared(tmp_path: Path) -> None:
    data, map_file = written(tmp_path, 1500)
    figures = tmp_path / "figures.json"
    given = ("--data", str(data), "--map", str(map_file), "--seeds", "1", "--json", str(figures))
    subprocess.run(
        [sys.executable, "-m", "benchmarks.pooling", *given],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=150,
    )
    found = json.loads(figures.read_text("utf-8"))
    case = Case("people_2", 2, "full")
    assert set(METHODS) < set(found["methods"][case.name])
    assert found[f"{case.name}_auc"] > 0.6


def test_exact_probabilities_lie_at_their_floor_and_a_fitted_last_step_above_it() -> None:
    found = pooling_floor.summed_up(list(pooling_floor.last_step(300, 600, draws=20)))
    assert abs(found["exact"]) < found["exact_spread_of_five"] * 2
    assert found["fitted"] > found["exact"]


def test_outcomes_are_drawn_at_the_probabilities_and_as_many_as_they_expect() -> None:
    log_odds = np.repeat([-2.0, 0.0, 2.0], 2000)
    outcomes = pooling_floor.drawn(log_odds, np.random.default_rng(0))
    for value in (-2.0, 0.0, 2.0):
        assert outcomes[log_odds == value].mean() == pytest.approx(
            1 / (1 + np.exp(-value)), abs=0.03
        )
    assert abs(outcomes.mean() - 0.5) < 0.001
