"""The listings: memory and lookups of the index beside its peers, and checks over gRPC beside an echo.

    .venv/bin/python benchmarks/listings.py [--sizes 1e5 1e6 1e7] [--seconds 2] [--no-grpc] [--json FILE]

Each number of listings is measured three times, each in a process of its own: in the index that the exchange
answers from, in a dictionary of the same entries, and in SQLite, asked by a SQLAlchemy statement that is
built once. One of five listings is its subject's second, one of ten is past its end, half are of twenty
courts of which one's feed is stale. 400,000 different subjects are asked about in turn, one in a hundred of
whom has something to show; ``packed`` asks about 1,000 at once, as a screen request may.

Memory is told twice: of the arrays, and by how much the process grew. A dictionary that would take more than
``--dict-gb`` is left out, by what the one before took; so is a database of more than ``--sql-most``.
``changes`` are new listings put 1,000 at a time until they are merged; while that takes, lookups wait on
another thread, which pauses 0.2 ms between two: by how much they end late is told.

A table tells how long single lookups take that show nothing, by why they don't, in the largest index.

Over gRPC it is a real exchange process with its log, mTLS, and a SQLite file that holds the listings before
it starts; one of more than ``--db-most`` is left out. ``--subjects`` people are asked about in turn, one in a
hundred of whom has a listing. Their consents are for applications for credit, which may be made often: an
account review is at most quarterly, and could be asked for once. The exchange limits nobody, as lenders that
do this are stopped. The yardstick is a bare echo of messages of the same sizes both ways, with no TLS, no
checks and no database; all share the machine's cores with this process, which makes the load.

The last table tells how long a check over gRPC takes, by why nothing is shown.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.listings_grpc import SOME, Plan, grpc_figures
from benchmarks.listings_grpc_tables import show_grpc
from benchmarks.listings_index import index_figures
from benchmarks.listings_load import label
from benchmarks.listings_peers import dict_figures, sql_figures
from benchmarks.listings_timing import PERCENTILES, WHY, timing_figures

SIZES = (100_000, 1_000_000, 10_000_000)
GB = 10**9
MOST_SECONDS = 30.0  # requests live for a minute from when they are signed, ahead of the run
TIMED = 40  # people of each kind whose checks are timed
TABLES = {
    "Lookups a second, 1 % of them with something to show": {
        "packed": ("lookups_per_s", ",.0f"),
        "single": ("single_lookups_per_s", ",.0f"),
        "dictionary": ("dict_lookups_per_s", ",.0f"),
        "SQLite": ("sql_lookups_per_s", ",.0f"),
    },
    "Bytes a listing, and seconds to sort them": {
        "arrays": ("bytes_per_listing", ",.1f"),
        "process": ("rss_bytes_per_listing", ",.0f"),
        "dictionary": ("dict_bytes_per_listing", ",.0f"),
        "built in s": ("build_s", ",.1f"),
    },
    "Changes, and lookups while they are merged": {
        "changes a second": ("changes_per_s", ",.0f"),
        "merge s": ("merge_s", ",.2f"),
        "p99 late by ms": ("merge_lookup_p99_ms", ",.2f"),
        "worst": ("merge_lookup_worst_ms", ",.1f"),
    },
}
OUT = Console(stderr=True)
Figures = dict[str, float]


def main() -> None:
    """Run it, print the tables, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=_size, nargs="+", default=SIZES, help="numbers of listings")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each run")
    parser.add_argument("--dict-gb", type=float, default=4.0, help="of the largest dictionary")
    parser.add_argument("--sql-most", type=_size, default=1_000_000, help="of listings in SQLite")
    parser.add_argument("--no-grpc", action="store_true", help="leave out what needs processes")
    parser.add_argument("--only-grpc", action="store_true", help="leave out the rest")
    parser.add_argument("--db-most", type=_size, default=1_000_000, help="of listings over gRPC")
    parser.add_argument("--subjects", type=int, default=4_000, help="people asked about over gRPC")
    parser.add_argument("--samples", type=int, default=400, help="of each kind timed over gRPC")
    parser.add_argument("--json", type=Path, help="write the figures here, flat")
    arguments = parser.parse_args()
    if arguments.subjects < SOME or not 0 < arguments.seconds <= MOST_SECONDS:
        parser.error(f"at least {SOME} subjects, and at most {MOST_SECONDS:.0f} seconds")
    OUT.print(f"$ {' '.join(sys.argv)}", highlight=False)
    sizes = sorted(arguments.sizes)
    figures: Figures = {}
    if not arguments.only_grpc:
        figures |= measure(sizes, arguments.seconds, arguments.dict_gb, arguments.sql_most)
        show(figures, sizes)
    served = [] if arguments.no_grpc else [size for size in sizes if size <= arguments.db_most]
    if served:
        plan = Plan(arguments.seconds, arguments.subjects, TIMED, arguments.samples)
        figures |= over_grpc(served, plan)
        show_grpc(Console(), figures, served)
    for size in () if arguments.no_grpc else sizes[len(served) :]:
        OUT.print(f"{size:,} listings are left out over gRPC")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def _size(text: str) -> int:
    size = int(float(text))
    if size < 1_000:  # noqa: PLR2004 - fewer have none of some kind
        raise argparse.ArgumentTypeError("at least 1,000 listings are needed")
    return size


def measure(sizes: Sequence[int], seconds: float, dict_gb: float, sql_most: int) -> Figures:
    """Return all figures by name, with their units in the names and the number of listings behind."""
    figures: Figures = {}
    dict_bytes = 0.0
    for size in sizes:
        parts: Figures = _alone(index_figures, size, seconds)
        if size * dict_bytes > dict_gb * GB:
            OUT.print(f"a dictionary of {size:,} is left out: {size * dict_bytes / GB:.1f} GB")
        else:
            parts |= _alone(dict_figures, size, seconds)
            dict_bytes = parts["dict_bytes_per_listing"]
        if size > sql_most:
            OUT.print(f"a database of {size:,} is left out")
        else:
            parts |= _alone(sql_figures, size, seconds)
        figures |= {f"{name}_{label(size)}": value for name, value in parts.items()}
    figures |= _alone(timing_figures, sizes[-1])
    return {name: round(value, 3) for name, value in figures.items()}


def over_grpc(sizes: Sequence[int], plan: Plan) -> Figures:
    """Return what is measured over gRPC, as ``measure`` does; that of the largest also without its number.

    Times by why nothing is shown are of the largest alone.
    """
    figures: Figures = {}
    for size in sizes:
        last = size == sizes[-1]
        parts = grpc_figures(size, plan if last else replace(plan, samples=0), OUT.print)
        times = {name: value for name, value in parts.items() if name.startswith("grpc_timing")}
        figures |= times
        for name, value in parts.items():
            if name not in times:
                figures[f"{name}_{label(size)}"] = value
                if last:
                    figures[name] = value
    return {name: round(value, 5) for name, value in figures.items()}


def _alone(one: Callable[..., Figures], *arguments: float) -> Figures:
    """Measure in a process of its own, whose memory has held nothing else."""
    OUT.print(f"{one.__name__.removesuffix('_figures')}: {arguments[0]:,} listings")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(one, *arguments).result()


def show(figures: Figures, sizes: Sequence[int]) -> None:
    """Print what was measured."""
    console = Console()
    for title, columns in TABLES.items():
        table = Table(title=title)
        for column in ("listings", *columns):
            table.add_column(column, justify="right")
        for size in sizes:
            cells = (
                _cell(figures, f"{key}_{label(size)}", shape) for key, shape in columns.values()
            )
            table.add_row(f"{size:,}", *cells)
        console.print(table)
    _show_timing(console, figures, sizes[-1])


def _cell(figures: Figures, name: str, shape: str) -> str:
    return format(figures[name], shape) if name in figures else "left out"


def _show_timing(console: Console, figures: Figures, size: int) -> None:
    table = Table(title=f"Nanoseconds of a lookup that shows nothing, of {size:,} listings")
    for column in ("", *(f"p{percentile}" for percentile in PERCENTILES), "KS"):
        table.add_column(column, justify="right" if column else "left")
    for why, name in WHY.items():
        times = [format(figures[f"timing_{why}_p{p}_ns"], ",.0f") for p in PERCENTILES]
        table.add_row(name, *times, format(figures[f"timing_{why}_ks"], ".3f"))
    console.print(table)
    samples = figures["timing_samples"]
    console.print(
        f"{samples:,.0f} lookups of each kind. KS is the distance from the first row; between two samples "
        f"of the same it is below {1.63 * (2 / samples) ** 0.5:.3f} in 99 of 100 runs."
    )


if __name__ == "__main__":
    main()
