"""Data sets split among providers, and the scores that those publish, for `benchmarks/pooling.py`.

Nothing here knows what a column means. Numbers are used as they are, text as categories in alphabetical
order, what is missing as missing. Each provider trains a boosted model on its own columns and on those that
it knows, and publishes whole scores on a scale of its own; scales differ in range and in direction.
"""

import csv
import gzip
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from concordat.pooling.fit import Scale

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

HERE = Path(__file__).parent
TRAINING, CALIBRATION, TEST = 0, 1, 2
SHARES = (0.5, 0.2)
"""Of the rows, by outcome: the providers' training, calibration; the rest is the test."""
KNOWN = (0.3, 0.8)
"""Where coverage is not full: the range that each provider's share of known subjects is drawn from."""
TILT = 0.6
"""Risk-dependent coverage: odds of being known fall by exp(-0.6) for a standard deviation of risk."""

# Range and direction of the providers' scales, dealt out in turn.
_SCALES = (
    Scale(350, 950, riskier=False),
    Scale(0, 1000, riskier=True),
    Scale(300, 850, riskier=False),
    Scale(1, 999, riskier=True),
)


@dataclass(frozen=True)
class Table:
    """A data set.

    Attributes:
        name: of the data set.
        columns: names of the columns that are model inputs.
        values: (n, columns).
        outcomes: (n,), whether it went bad.
        providers: each provider's columns, by place.
    """

    name: str
    columns: tuple[str, ...]
    values: Floats
    outcomes: Bools
    providers: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Published:
    """What the providers published, and what only a party with every column could know.

    Attributes:
        scores: (n, k), NaN where a provider does not know the subject.
        scales: of each provider.
        outcomes: (n,).
        part: (n,) TRAINING, CALIBRATION or TEST.
        central: (n,) log-odds of a boosted model on every column that anybody knows of the subject, fitted to
            all that is labelled (training and calibration); None where there are no columns.
    """

    scores: Floats
    scales: Mapping[str, Scale]
    outcomes: Bools
    part: Ints
    central: Floats | None


def open_text(path: Path) -> IO[str]:
    """Open a CSV file, gzipped or not."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def read_table(data: Path, map_file: Path, target: str | None = None) -> Table:
    """Read a CSV file and the map of who owns which of its columns.

    The map is TOML: `target` (a column), `bad` (the value of it that counts as default, "1" if not said), and a
    table `[providers]` of member_id = [columns]. `target` overrides the map's. Raises `SystemExit` with what is
    wrong.
    """
    spec = tomllib.loads(map_file.read_text("utf-8"))
    target = target or spec.get("target")
    with open_text(data) as file:
        rows = list(csv.DictReader(file))
    owned = spec.get("providers", {})
    columns = tuple(column for names in owned.values() for column in names)
    missing = [c for c in (*columns, target) if not rows or c not in rows[0]]
    if missing or not owned:
        raise SystemExit(f"{map_file}: no such columns in {data}: {missing or 'no providers'}")
    if len(set(columns)) != len(columns):
        raise SystemExit(f"{map_file}: a column belongs to two providers")
    bad = (str(spec["bad"]),) if "bad" in spec else ("1", "1.0", "true")
    outcomes = np.array([row[str(target)] in bad for row in rows])
    if not 0 < outcomes.sum() < len(outcomes):
        raise SystemExit(f"{data}: every {target} is the same; say in the map which value is `bad`")
    values = np.column_stack([_numbers([row[c] for row in rows]) for c in columns])
    places, at = {}, 0
    for provider, names in owned.items():
        places[provider] = tuple(range(at, at + len(names)))
        at += len(names)
    return Table(map_file.stem, columns, values, outcomes, places)


def _numbers(column: list[str]) -> Floats:
    try:
        return np.array([float(v) if v.strip() else np.nan for v in column])
    except ValueError:
        place = {value: float(at) for at, value in enumerate(sorted(set(column)))}
        return np.array([place[v] for v in column])


def split(outcomes: Bools, seed: int, shares: tuple[float, float] = SHARES) -> Ints:
    """Return each row's part, drawn within each outcome."""
    rng = np.random.default_rng(seed)
    part = np.full(len(outcomes), TEST)
    for outcome in (False, True):
        rows = rng.permutation(np.flatnonzero(outcomes == outcome))
        first, second = round(shares[0] * len(rows)), round(sum(shares) * len(rows))
        part[rows[:first]] = TRAINING
        part[rows[first:second]] = CALIBRATION
    return part


def boosted(seed: int) -> HistGradientBoostingClassifier:
    """Return the model that providers, and the party with every column, train."""
    return HistGradientBoostingClassifier(
        learning_rate=0.06,
        max_iter=150,
        max_leaf_nodes=12,
        min_samples_leaf=40,
        l2_regularization=1.0,
        random_state=seed,
    )


def publish(table: Table, coverage: str, seed: int) -> Published:
    """Split, train, and publish scores; `coverage` is "full", "random" or "risk"."""
    rng = np.random.default_rng((seed, 1))
    part = split(table.outcomes, seed)
    known = _known(table, coverage, rng, seed)
    scores = np.full(known.shape, np.nan)
    scales = {}
    for place, (provider, columns) in enumerate(table.providers.items()):
        trained = (part == TRAINING) & known[:, place]
        values = table.values[:, columns]
        model = boosted(seed).fit(values[trained], table.outcomes[trained])
        scales[provider] = _SCALES[place % len(_SCALES)]
        published = _on_scale(model.decision_function(values), scales[provider])
        scores[:, place] = np.where(known[:, place], published, np.nan)
    return Published(scores, scales, table.outcomes, part, _central(table, known, part, seed))


def _on_scale(log_odds: Floats, scale: Scale) -> Floats:
    """Spread log-odds of -7 to 3 over a scale, bent a little, in whole scores."""
    share = np.clip((log_odds + 7) / 10, 0, 1) ** 1.2
    along = share if scale.riskier else 1 - share
    return np.rint(scale.minimum + along * (scale.maximum - scale.minimum))


def _known(table: Table, coverage: str, rng: np.random.Generator, seed: int) -> Bools:
    shape = (len(table.outcomes), len(table.providers))
    if coverage == "full":
        return np.ones(shape, np.bool_)
    share = rng.uniform(*KNOWN, shape[1])
    odds = np.tile(share / (1 - share), (shape[0], 1))
    if coverage == "risk":
        risk = np.empty(shape[0])
        half = rng.random(shape[0]) < 0.5  # noqa: PLR2004 - halves: each is scored by the other's model
        for side in (half, ~half):
            model = boosted(seed).fit(table.values[~side], table.outcomes[~side])
            risk[side] = model.decision_function(table.values[side])
        odds *= np.exp(-TILT * (risk - risk.mean()) / risk.std())[:, None]
    known = rng.random(shape) < odds / (1 + odds)
    nobody = np.flatnonzero(~known.any(axis=1))
    known[nobody, rng.integers(shape[1], size=len(nobody))] = True
    return known


def _central(table: Table, known: Bools, part: Ints, seed: int) -> Floats:
    """Fit everything that anybody knows: columns of providers that do not know a subject are missing."""
    values = table.values.copy()
    for place, columns in enumerate(table.providers.values()):
        for column in columns:
            values[~known[:, place], column] = np.nan
    labelled = part != TEST
    found: Floats = (
        boosted(seed).fit(values[labelled], table.outcomes[labelled]).decision_function(values)
    )
    return found


def sandbox(scores: Path, seed: int, providers: int, central: Path | None) -> Published:
    """Return the sandbox's published scores on real loans: providers of 120,000 other loans, natural coverage.

    Args:
        scores: `clients/sandbox/scores`.
        seed: of the split into calibration (40 %) and test.
        providers: how many of the eight, from the first on; who is known to none of them is left out.
        central: the loans with every column (`sba_loans.csv.gz`); None: no central model.
    """
    with open_text(scores / "borrowers.csv.gz") as file:
        borrowers = {row["identity_number"]: row["outcome"] == "1" for row in csv.DictReader(file)}
    files = sorted(p for p in scores.glob("*.csv.gz") if p.name != "borrowers.csv.gz")[:providers]
    place = {number: at for at, number in enumerate(borrowers)}
    found = np.full((len(place), len(files)), np.nan)
    for column, path in enumerate(files):
        with open_text(path) as file:
            for row in csv.DictReader(file):
                found[place[row["identity_number"]], column] = float(row["score"])
    outcomes = np.array(list(borrowers.values()))
    heard = np.isfinite(found).any(axis=1)
    part = split(outcomes[heard], seed, (0.0, 0.4))
    scales = {
        path.name.removesuffix(".csv.gz"): _scale_of(found[:, column], outcomes)
        for column, path in enumerate(files)
    }
    every = _central_loans(central, list(borrowers), seed)[heard] if central else None
    return Published(found[heard], scales, outcomes[heard], part, every)


def _scale_of(scores: Floats, outcomes: Bools) -> Scale:
    """Return the range of the scores seen, and the direction that they run in."""
    seen = np.isfinite(scores)
    riskier = scores[seen & outcomes].mean() > scores[seen & ~outcomes].mean()
    return Scale(int(np.nanmin(scores)), int(np.nanmax(scores)), riskier=bool(riskier))


_LEAKING = {"LoanNr_ChkDgt", "ChgOffDate", "ChgOffPrinGr", "MIS_Status"}


def _central_loans(loans: Path, published: list[str], seed: int) -> Floats:
    """Fit a boosted model with every column to the loans that are not published; score those that are."""
    with open_text(loans) as file:
        rows = list(csv.DictReader(file))
    columns = [column for column in rows[0] if column not in _LEAKING]
    values = np.column_stack([_numbers([row[c] for row in rows]) for c in columns])
    outcomes = np.array([row["MIS_Status"] == "CHGOFF" for row in rows])
    numbers = {f"SBA-{row['LoanNr_ChkDgt']}": at for at, row in enumerate(rows)}
    wanted = np.array([numbers[number] for number in published])
    others = np.setdiff1d(np.arange(len(rows)), wanted)
    model = HistGradientBoostingClassifier(
        learning_rate=0.08, max_iter=400, max_leaf_nodes=31, random_state=seed
    )
    found: Floats = model.fit(values[others], outcomes[others]).decision_function(values[wanted])
    return found
