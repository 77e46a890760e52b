"""Fit the sandbox's calibration to what became of its borrowers' loans, and write it beside the scores.

    python -m clients.sandbox.fit_calibration --out clients/sandbox/scores/calibration.binpb

Nobody's name goes in: the eight providers' published scores of 30,000 real loans, and their outcomes. That a
provider has no record does not move the score; the report says what would change if it did. A sandbox dates and
signs the file when it is set up. About a minute on two cores.
"""

import argparse
import csv
import gzip
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clients.pki import scale_of
from clients.sandbox import cast
from clients.sandbox.scores import read_scores
from concordat import v1
from concordat.pooling import check_calibration
from concordat.pooling.declared import POINTS
from concordat.pooling.fit import Sample, Scale, fit_pool
from concordat.pooling.fit.report import build_report

_PROVIDERS = 8


def read_sample(folder: Path, providers: Sequence[str]) -> Sample:
    """Return the published scores and outcomes of all borrowers that a provider knows."""
    with gzip.open(folder / "borrowers.csv.gz", "rt", encoding="utf-8", newline="") as file:
        outcomes = {row["identity_number"]: row["outcome"] == "1" for row in csv.DictReader(file)}
    published = [read_scores(folder / f"{provider}.csv.gz") for provider in providers]
    scores = np.array([[of.get(number, np.nan) for of in published] for number in outcomes])
    known = np.isfinite(scores).any(axis=1)
    return Sample(tuple(providers), scores[known], np.array(list(outcomes.values()))[known])


def fitted(sample: Sample, scales: dict[str, v1.ScoreScale]) -> v1.Calibration:
    """Return a calibration without date, number or signature."""
    ranges = {provider: Scale.of(scale) for provider, scale in scales.items()}
    found = fit_pool(sample, ranges, no_record_counts=False, progress=_tell)
    report = build_report(sample, ranges, found.cross, no_record_counts=False, progress=_tell)
    report.sample_sha256 = hashlib.sha256(
        sample.scores.tobytes() + sample.outcomes.tobytes()
    ).digest()
    calibration = v1.Calibration(points=POINTS, model=found.model, report=report)
    check_calibration(calibration)
    return calibration


def _tell(what: str, share: float) -> None:
    print(f"{share:4.0%} {what}", file=sys.stderr)  # noqa: T201 - progress of a script


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    entries = [provider.entry for provider in cast.read_providers(_PROVIDERS)]
    scales = {str(entry["member_id"]): scale_of(dict(entry)) for entry in entries}
    sample = read_sample(cast.SCORES, list(scales))
    out.write_bytes(fitted(sample, scales).SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
