"""How near its floor a calibration error comes by chance, of a pool that is right in all but what it learned.

    .venv/bin/python -m benchmarks.pooling_floor [--fitted 6000] [--tested 9000] [--draws 400] [--json FILE]
    .venv/bin/python -m benchmarks.pooling_floor --case uci_4_full [--draws 20] [--json FILE]

The floor is what exact probabilities would show on average on the subjects tested. It knows nothing of the
subjects that a pool is fitted to, and those are a draw too. What is told here is right in form, so whatever it
shows above the floor is chance, and its spread over draws is by how much one seed of a benchmark, or the mean of
five, can miss.

Without `--case` sums of terms are drawn, and outcomes at a probability that is known: Gaussian sums, 22 % default,
an AUC of 0.77, about what the UCI card clients' are. Subjects are split by outcome as in `benchmarks/pooling.py`.
Told are the exact probabilities, and those of a last step (`fit_told`, which has the truth among its forms) that
was fitted to one part; a pool has to learn its terms as well.

With `--case` (a name of `benchmarks/pooling.py`) it does. A pool is fitted to the case's first seed and is the
truth from then on: outcomes are drawn at its probabilities, as many in each part as it expects, and the whole pool
is fitted again to those of the calibration part.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.pooling import ROOT, cases, published
from benchmarks.pooling_data import CALIBRATION, TEST, split
from benchmarks.pooling_methods import pooled
from concordat.pooling.fit.maps import fit_told
from concordat.pooling.measures import Bools, Floats, auc, calibration_error, calibration_floor
from concordat.pooling.odds import probability

_MEAN, _DEVIATION = -1.6, 1.15
_SEEDS = 5
_NEAR = 0.1
"""Standard deviations that the count of defaults drawn may be off: parts are split by outcome elsewhere, too."""


def above_floor(log_odds: Floats, outcomes: Bools) -> float:
    """Return the calibration error less its floor."""
    default = probability(log_odds)
    return calibration_error(default, outcomes).value - calibration_floor(default)


def last_step(fitted: int, tested: int, draws: int) -> Iterator[dict[str, float]]:
    """Draw subjects; yield what the exact probabilities and those fitted show above the floor."""
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        sums = rng.normal(_MEAN, _DEVIATION, fitted + tested)
        outcomes = rng.random(len(sums)) < probability(sums)
        part = split(outcomes, seed, (0.0, fitted / len(sums)))
        mine, test = part == CALIBRATION, part == TEST
        knots, levels = fit_told(sums[mine], outcomes[mine].astype(np.float64), np.ones(mine.sum()))
        held = np.clip(sums[test], knots[0], knots[-1])
        told = np.interp(held, knots, levels) + sums[test] - held
        yield _found(sums[test], told, outcomes[test])


def whole_pool(name: str, data_dir: Path, draws: int) -> Iterator[dict[str, float]]:
    """Fit a pool to a case; draw outcomes at its probabilities; yield what it and a pool fitted to those show."""
    case = next(each for each in cases() if each.name == name)
    given = published(case, data_dir, 0)
    scales = list(given.scales.values())
    mine, test = (given.scores[given.part == part] for part in (CALIBRATION, TEST))
    truth = pooled(mine, given.outcomes[given.part == CALIBRATION], scales)
    exact_mine, exact_test = truth(mine), truth(test)
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        fitted = pooled(mine, drawn(exact_mine, rng), scales)
        yield _found(exact_test, fitted(test), drawn(exact_test, rng))


def drawn(log_odds: Floats, rng: np.random.Generator) -> Bools:
    """Draw outcomes, as many defaults as expected but for a tenth of a standard deviation."""
    default = probability(log_odds)
    near = _NEAR * float(np.sqrt((default * (1 - default)).sum()))
    while True:
        outcomes: Bools = rng.random(len(default)) < default
        if abs(int(outcomes.sum()) - float(default.sum())) <= near:
            return outcomes


def _found(exact: Floats, fitted: Floats, outcomes: Bools) -> dict[str, float]:
    return {
        "exact": above_floor(exact, outcomes),
        "fitted": above_floor(fitted, outcomes),
        "auc": auc(exact, outcomes).value,
    }


def summed_up(found: list[dict[str, float]]) -> dict[str, float]:
    """Return the means over draws, and the spread of one draw and of the mean of five."""
    out: dict[str, float] = {}
    for name in found[0]:
        values = np.array([each[name] for each in found])
        out[name] = float(values.mean())
        out[f"{name}_spread"] = float(values.std())
        out[f"{name}_spread_of_five"] = float(values.std() / np.sqrt(_SEEDS))
    return out


def main() -> None:
    """Read the command line, draw, print."""
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fitted", type=int, default=6000, help="subjects of the last step")
    parser.add_argument("--tested", type=int, default=9000)
    parser.add_argument("--case", choices=[each.name for each in cases()])
    parser.add_argument("--data-dir", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--draws", type=int, help="default: 400, with --case 20")
    parser.add_argument("--json", type=Path, help="write the results there")
    options = parser.parse_args()
    if options.case:
        draws = whole_pool(options.case, options.data_dir, options.draws or 20)
    else:
        draws = last_step(options.fitted, options.tested, options.draws or 400)
    each = []
    with threadpool_limits(1):
        for count, one in enumerate(draws, start=1):
            each.append(one)
            print(f"draw {count}", end="\r", file=sys.stderr, flush=True)
    found = summed_up(each)
    for name in ("exact", "fitted"):
        print(
            f"{name:8} {found[name]:+.4f} above the floor, ±{found[f'{name}_spread']:.4f} a draw, "
            f"±{found[f'{name}_spread_of_five']:.4f} the mean of five"
        )
    print(f"AUC      {found['auc']:.4f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
