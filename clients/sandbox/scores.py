"""Putting scores into the providers' databases, as their operators would."""

import csv
import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from clients.pki import MemberFiles
from clients.sandbox.layout import Layout
from clients.sandbox.processes import command, run_all

COLUMNS = ("identity_number", "score", "as_of", "model_version", "reasons")


def load_all(layout: Layout, files: Mapping[str, Path]) -> dict[str, int]:
    """Load a CSV file, gzipped or not, into each provider's database, side by side; return the rows taken.

    The registrar must be answering: it turns identity numbers into references. A provider with
    SQLite must not be running meanwhile. Raises ``SandboxError``.
    """
    jobs = {}
    for member_id, path in files.items():
        home, keys = layout.member(member_id), layout.pki / "members" / member_id
        where: list[str | Path] = [
            "--config",
            layout.config(member_id),
            "--rejects",
            home / "rejects.csv",
        ]
        licence = MemberFiles(member_id, keys).licence
        arguments = command("provider.main", "load", path, *where, "--licence", licence, "--json")
        jobs[member_id] = (arguments, home / "load.log")
    run_all(list(jobs.values()))
    return {member_id: _loaded(log) for member_id, (_, log) in jobs.items()}


def _loaded(log: Path) -> int:
    (counts,) = [line for line in log.read_text("utf-8").splitlines() if line.startswith("{")][-1:]
    return int(json.loads(counts)["loaded"])


def write_scores(
    path: Path, rows: Iterable[tuple[str, int]], model_version: str = "test-1"
) -> Path:
    """Write a small file to load, from identity numbers and scores; return its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows((number, score, "2026-09-30", model_version, "") for number, score in rows)
    return path


def read_scores(path: Path) -> dict[str, int]:
    """Return the score of each identity number in a provider's file."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return {row["identity_number"]: int(row["score"]) for row in csv.DictReader(file)}
