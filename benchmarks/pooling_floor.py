"""How near its floor a calibration error comes by chance, of a pool that is right but for its last step.

    .venv/bin/python -m benchmarks.pooling_floor [--fitted 6000] [--tested 9000] [--draws 400] [--json FILE]

The floor is what exact probabilities would show on average on the subjects tested. It knows nothing of the
subjects that a pool is fitted to, and those are a draw too. Here sums of terms are drawn, and outcomes at a
probability that is known: Gaussian sums, 22 % default, an AUC of 0.77, about what the UCI card clients' are.
Subjects are split by outcome as in `benchmarks/pooling.py`. Told are the exact probabilities, and those of a
last step (`fit_told`, which has the truth among its forms) that was fitted to one part; a pool has to learn its
terms as well. What either shows above the floor on the other part is chance, and its spread over draws is by how
much one seed of a benchmark, or the mean of five, can miss.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.pooling_data import CALIBRATION, TEST, split
from concordat.pooling.fit.maps import fit_told
from concordat.pooling.measures import Bools, Floats, auc, calibration_error, calibration_floor
from concordat.pooling.odds import probability

_MEAN, _DEVIATION = -1.6, 1.15
_SEEDS = 5


def above_floor(log_odds: Floats, outcomes: Bools) -> float:
    """Return the calibration error less its floor."""
    default = probability(log_odds)
    return calibration_error(default, outcomes).value - calibration_floor(default)


def drawn(fitted: int, tested: int, seed: int) -> dict[str, float]:
    """Draw subjects once; return what the exact probabilities and those fitted show above the floor."""
    rng = np.random.default_rng(seed)
    sums = rng.normal(_MEAN, _DEVIATION, fitted + tested)
    outcomes = rng.random(len(sums)) < probability(sums)
    part = split(outcomes, seed, (0.0, fitted / len(sums)))
    mine, test = part == CALIBRATION, part == TEST
    knots, levels = fit_told(sums[mine], outcomes[mine].astype(np.float64), np.ones(mine.sum()))
    held = np.clip(sums[test], knots[0], knots[-1])
    told = np.interp(held, knots, levels) + sums[test] - held
    return {
        "exact": above_floor(sums[test], outcomes[test]),
        "fitted": above_floor(told, outcomes[test]),
        "auc": auc(sums[test], outcomes[test]).value,
    }


def measured(fitted: int, tested: int, draws: int) -> dict[str, float]:
    """Return the means over draws, and the spread of one draw and of the mean of five."""
    found = [drawn(fitted, tested, seed) for seed in range(draws)]
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
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--json", type=Path, help="write the results there")
    options = parser.parse_args()
    found = measured(options.fitted, options.tested, options.draws)
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
