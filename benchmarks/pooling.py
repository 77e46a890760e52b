"""Ways to pool credit scores, side by side on the same scores: how far each closes the gap to one that sees all.

    .venv/bin/python benchmarks/pooling.py [--only uci_8_full] [--seeds 5] [--workers 2] [--json FILE]
    .venv/bin/python benchmarks/pooling.py --data FILE.csv --map MAP.toml [--target COLUMN]

Features are split among providers, each trains a boosted model on its own columns and publishes whole scores on
a scale of its own (`pooling_data.py`). Rows are split by outcome: 50 % train the providers, 20 % calibrate the
pools, 30 % test them. The yardstick is a boosted model on every column that anybody knows of a subject, fitted
to all 70 % that are labelled: no federation could have it.

    gap closed = (AUC - AUC of the best single provider) / (AUC of the yardstick - AUC of the best single provider)

Cases are named DATA_PROVIDERS_COVERAGE. Coverage is `full`; `random`: each provider knows a share drawn from
30-80 %, at random, and each subject is known to one at least; `risk`: the same, with odds of being known that fall
by exp(-0.6) for each standard deviation of risk; `natural`: as the sandbox's providers know their borrowers.
`labels_N` calibrates on N subjects only (case `uci_8_labels_300` and others). Where coverage is full, rows
`heard 1` and so on are our pool with that many of the providers heard, drawn for each subject, each set within
the next: what one more provider adds. `--only` takes the start of a case's name. Data that may not stand in the
repository are read from `--data-dir`; cases whose file is missing are left out, and said so.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Shown
from threadpoolctl import threadpool_limits

from benchmarks.pooling_data import (
    CALIBRATION,
    HERE,
    TEST,
    Published,
    publish,
    read_table,
    sandbox,
)
from benchmarks.pooling_methods import METHODS, Bools, Floats, Predict
from concordat.pooling.measures import (
    auc,
    brier,
    calibration_error,
    calibration_floor,
    ks,
    log_loss,
)
from concordat.pooling.odds import probability

ROOT = HERE.parent
MAPS, SCORES = HERE / "pooling_maps", ROOT / "clients" / "sandbox" / "scores"
FILES = {"uci": "uci_default.csv", "german": "german_credit.csv", "sba": "sba_loans.csv.gz"}
OURS, CENTRAL, SINGLE, HEARD = "concordat", "central", "best_single", "heard_"
LABELS = (300, 1000, 3000)


@dataclass(frozen=True)
class Case:
    """One comparison."""

    data: str
    providers: int
    coverage: str
    labels: int | None = None
    table: tuple[Path, Path, str | None] | None = None  # of --data

    @property
    def name(self) -> str:
        """As `--only` and the JSON name it."""
        what = f"labels_{self.labels}" if self.labels else self.coverage
        return f"{self.data}_{self.providers}_{what}"


def cases() -> list[Case]:
    """Return all that is compared unless `--data` is given."""
    every = [
        Case(data, providers, coverage)
        for data in ("uci", "german")
        for providers in (8, 4)
        for coverage in ("full", "random", "risk")
    ]
    every += [Case("sba", 8, "natural"), Case("sba", 4, "natural")]
    return every + [Case("uci", 8, "full", labels) for labels in LABELS]


def published(case: Case, data_dir: Path, seed: int) -> Published:
    """Return what the providers of a case published."""
    if case.data == "sba":
        loans = data_dir / FILES["sba"]
        return sandbox(SCORES, seed, case.providers, loans if loans.exists() else None)
    if case.table:
        data, map_file, target = case.table
        return publish(read_table(data, map_file, target), case.coverage, seed)
    map_file = MAPS / f"{case.data}_{case.providers}.toml"
    return publish(read_table(data_dir / FILES[case.data], map_file), case.coverage, seed)


def compare(case: Case, data_dir: Path, seed: int) -> dict[str, dict[str, float]]:
    """Return every method's measures on the test rows of one seed."""
    given = published(case, data_dir, seed)
    rows = np.flatnonzero(given.part == CALIBRATION)
    if case.labels:
        rows = np.random.default_rng((seed, 2)).permutation(rows)[: case.labels]
    test = given.part == TEST
    scales = list(given.scales.values())
    found, heard = {}, {}
    for name, fit in METHODS.items():
        begun = time.perf_counter()
        predict = fit(given.scores[rows], given.outcomes[rows], scales)
        found[name] = measured(predict(given.scores[test]), given.outcomes[test])
        found[name]["seconds"] = time.perf_counter() - begun
        if name == OURS and case.coverage == "full" and not case.labels:
            heard = _heard(predict, given, test, seed)
    if given.central is not None:
        found[CENTRAL] = measured(given.central[test], given.outcomes[test])
        low, high = found[SINGLE]["auc"], found[CENTRAL]["auc"]
        for each in found.values():
            each["gap_closed"] = (each["auc"] - low) / (high - low)
    return found | heard


def _heard(
    predict: Predict, given: Published, test: Bools, seed: int
) -> dict[str, dict[str, float]]:
    """Return our measures with 1 to all but one of the providers heard."""
    scores, outcomes = given.scores[test], given.outcomes[test]
    rank = np.random.default_rng((seed, 3)).random(scores.shape).argsort(1).argsort(1)
    return {
        f"{HEARD}{count}": measured(predict(np.where(rank < count, scores, np.nan)), outcomes)
        for count in range(1, scores.shape[1])
    }


def measured(log_odds: Floats, outcomes: Any) -> dict[str, float]:
    """Return the measures of log-odds on outcomes."""
    default = probability(log_odds)
    return {
        "auc": auc(log_odds, outcomes).value,
        "ks": ks(log_odds, outcomes).value,
        "brier": brier(default, outcomes).value,
        "log_loss": log_loss(default, outcomes).value,
        "ece": calibration_error(default, outcomes).value,
        "ece_floor": calibration_floor(default),
    }


Results = dict[str, list[dict[str, dict[str, float]]]]


def run(chosen: Sequence[Case], data_dir: Path, seeds: int, workers: int) -> Results:
    """Compare each case on each seed, several at once; say how far it is."""
    results: Results = {case.name: [] for case in chosen}
    # One thread each: threads that wait for each other in a spin cost more than they give.
    with ProcessPoolExecutor(workers, initializer=threadpool_limits, initargs=(1,)) as pool:
        waiting = {
            pool.submit(compare, case, data_dir, seed): case
            for case in chosen
            for seed in range(seeds)
        }
        for done, future in enumerate(as_completed(waiting), start=1):
            case = waiting[future]
            results[case.name].append(future.result())
            print(f"{done}/{len(waiting)} {case.name}", file=sys.stderr, flush=True)
    return results


def flat(results: Results) -> dict[str, Any]:
    """Return the results as `--json` writes them: ours by short keys, everything by case and method."""
    out: dict[str, Any] = {}
    for name, seeds in results.items():
        for key in ("gap_closed", "auc", "ks", "brier", "log_loss", "ece", "ece_floor"):
            values = [seed[OURS][key] for seed in seeds if key in seed[OURS]]
            if values:
                out[f"{name}_{key}"] = float(np.mean(values))
                out[f"{name}_{key}_spread"] = float(np.std(values))
        above = [seed[OURS]["ece"] - seed[OURS]["ece_floor"] for seed in seeds]
        out[f"{name}_ece_above_floor"] = float(np.mean(above))
        out[f"{name}_ece_above_floor_spread"] = float(np.std(above))
        if gaps := [seed[OURS]["gap_closed"] for seed in seeds if "gap_closed" in seed[OURS]]:
            out[f"{name}_gap_closed_worst"] = min(gaps)
            out[f"{name}_ahead"] = ahead(seeds)
    out["methods"] = {
        name: {
            method: {key: [seed[method][key] for seed in seeds] for key in seeds[0][method]}
            for method in seeds[0]
        }
        for name, seeds in results.items()
    }
    return out


def others(seed: Mapping[str, Any]) -> Iterator[str]:
    """Name the ways to pool that ours is held against."""
    return (name for name in seed if name not in (OURS, CENTRAL) and not name.startswith(HEARD))


def ahead(seeds: Sequence[Mapping[str, Mapping[str, float]]]) -> float:
    """Return how much more of the gap ours closes than the best other does, on the mean of the seeds."""
    best = max(np.mean([s[name]["gap_closed"] for s in seeds]) for name in others(seeds[0]))
    return float(np.mean([s[OURS]["gap_closed"] for s in seeds]) - best)


def show(results: Results, console: Console) -> None:
    """Print a table a case."""
    for name, seeds in results.items():
        table = Shown(
            title=f"{name}, {len(seeds)} seeds: mean ± standard deviation", title_justify="left"
        )
        for column in ("", "AUC", "KS", "Brier", "log loss", "ECE", "floor", "gap closed", "worst"):
            table.add_column(column, justify="left" if not column else "right")
        for method in seeds[0]:
            table.add_row(
                *_row(method, [seed[method] for seed in seeds]),
                style="bold" if method == OURS else None,
            )
        console.print(table)


def _row(method: str, seeds: Sequence[Mapping[str, float]]) -> list[str]:
    def told(key: str, digits: int) -> str:
        values = [seed[key] for seed in seeds]
        return f"{np.mean(values):.{digits}f} ±{np.std(values):.{digits}f}"

    cells = [method.replace("_", " ")]
    cells += [told(key, 4) for key in ("auc", "ks", "brier", "log_loss", "ece")]
    cells.append(f"{np.mean([seed['ece_floor'] for seed in seeds]):.4f}")
    if "gap_closed" not in seeds[0]:
        return [*cells, "", ""]
    gaps = [100 * seed["gap_closed"] for seed in seeds]
    return [*cells, f"{np.mean(gaps):.1f} % ±{np.std(gaps):.1f}", f"{min(gaps):.1f} %"]


def main() -> None:
    """Read the command line, compare, print."""
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", action="append", help="cases whose name begins so; may be repeated"
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2, help="processes at once")
    parser.add_argument("--data-dir", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, help="a CSV file of your own")
    parser.add_argument("--map", type=Path, help="TOML: which provider owns which of its columns")
    parser.add_argument("--target", help="the column with the outcome, if the map does not say")
    parser.add_argument("--coverage", action="append", choices=("full", "random", "risk"))
    parser.add_argument("--json", type=Path, help="write the results there")
    options = parser.parse_args()
    chosen = _chosen(options, parser)
    console = Console(width=None if sys.stdout.isatty() else 150)
    results = run(chosen, options.data_dir, options.seeds, options.workers)
    show(results, console)
    if options.json:
        options.json.write_text(json.dumps(flat(results), indent=1) + "\n", "utf-8")


def _chosen(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Case]:
    if bool(options.data) != bool(options.map):
        parser.error("--data and --map go together")
    if options.data:
        count = len(read_table(options.data, options.map, options.target).providers)
        of = options.data, options.map, options.target
        every = [
            Case(options.map.stem, count, c, table=of)
            for c in options.coverage or ["full", "random", "risk"]
        ]
        missing: set[str] = set()
    else:
        every = cases()
        missing = {
            d for d, f in FILES.items() if d != "sba" and not (options.data_dir / f).exists()
        }
    only = tuple(options.only or ())
    chosen = [c for c in every if not only or c.name.startswith(only)]
    for data in sorted(missing & {c.data for c in chosen}):
        print(f"{data}: no {FILES[data]} in {options.data_dir}; left out", file=sys.stderr)
    chosen = [c for c in chosen if c.data not in missing]
    if not chosen:
        parser.error("no such case: " + ", ".join(c.name for c in every))
    return chosen


if __name__ == "__main__":
    main()
