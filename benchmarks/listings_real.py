"""Real debts from filing to expiry: 70,975 charge-offs, twelve furnishers, thirty-six years in minutes.

    .venv/bin/python benchmarks/listings_real.py [--rows 300] [--until 2026-01-01] [--json FILE]

A real exchange, registrar and twelve furnishers' nodes, each with its own database and its own ports (TLS on
loopback), live through the decades under a clock that this program moves. Every row of
``chargeoffs/data/sba_company_chargeoffs.csv.xz`` (a public record) is filed once it is three months overdue;
the debtors read their notices with signed requests, some contest, dispute, appeal or settle (see
``chargeoffs/plan.py``); two reviewers and an appeal body rule; lenders ask with consents, and heed recalls.

What lenders are told, and at the end what has become of every debt, is held against ``chargeoffs/model.py``,
which knows the rows and what was done, and nothing of the exchange. Exit code 1 where anything differs.

Not as in reality: a company is told from another by its name, city and state, whose hash stands in for its
registry number; the default is taken to begin on the day of the charge-off; who disputes and pays is made up;
time stands still while everybody acts, and is counted in moments of five or ten days; debtors share one
connection, lenders and reviewers have one each; nothing is erased from the log's openings.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.chargeoffs.processes import quietly
from benchmarks.chargeoffs.reconcile import fates
from benchmarks.chargeoffs.run import Run, measure
from benchmarks.chargeoffs.source import read

OUT = Console(stderr=True)
STATES = (
    *("DRAFT", "NOTICED", "CONTESTED", "EFFECTIVE", "SETTLED", "UNDER_REVIEW", "APPEAL"),
    *("WITHDRAWN", "REPAIRED", "EXPIRED"),
)
_EVERY_YEARS = 4
_WIDTH = 130  # of what goes into a file
Figures = dict[str, float]


def main() -> int:
    """Run it, print the tables, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, help="so many rows of 2009 instead of all")
    parser.add_argument("--until", default="2026-01-01", help="where the run ends, an ISO date")
    parser.add_argument("--folder", type=Path, help="a new folder, in which everything is left")
    parser.add_argument("--json", type=Path, help="write the figures here, flat")
    arguments = parser.parse_args()
    OUT.print(f"$ {' '.join(sys.argv)}", highlight=False)
    quietly()
    until = datetime.fromisoformat(arguments.until).replace(hour=10, tzinfo=UTC)
    with _folder(arguments.folder) as folder:
        run = measure(folder, read(arguments.rows), until, OUT)
    show(run)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures_of(run), indent=2) + "\n", "utf-8")
    return 0 if run.reckoning.good else 1


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="concordat-real-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def figures_of(run: Run) -> Figures:
    """Return everything that was counted, by name."""
    figures: Figures = {"seconds": round(run.seconds, 1), "good": float(run.reckoning.good)}
    for (profile, fate), count in fates(run.cases, run.standings).items():
        figures[_name(f"{profile} {fate}")] = count
    for what, count in run.done.items():
        figures[_name(f"done {what}")] = count
    for what, found, expected in run.reckoning.pairs:
        figures[_name(f"{what} found")] = found
        figures[_name(f"{what} expected")] = expected
    for what, seconds in run.seconds_by.items():
        figures[_name(f"{what} seconds")] = round(seconds, 1)
    for process, seconds in run.cpu.items():
        figures[_name(f"{process} cpu seconds")] = round(seconds, 1)
    return figures


def _name(words: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in words.lower()).split())


def show(run: Run) -> None:
    """Print what became of everything."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    console.print(_fates(run))
    console.print(_years(run))
    console.print(_counts("What was done", run.done))
    console.print(_counts("Rows that nodes rejected", run.rejected))
    console.print(_counts("Filed too early, refused, and filed again", run.too_early))
    console.print(_counts("Rows that were delivered twice", run.repeated))
    console.print(_counts("Entries of the log, audited", run.entries))
    table = Table("to be equal", title="Reckoning", title_justify="left")
    table.add_column("found", justify="right")
    table.add_column("expected", justify="right")
    table.add_column("")
    for what, found, expected in run.reckoning.pairs:
        verdict = "" if found == expected else "DIFFERS"
        table.add_row(what, f"{found:,}", f"{expected:,}", verdict)
    console.print(table)
    spent = ", ".join(f"{what} {seconds:,.0f} s" for what, seconds in run.seconds_by.items())
    console.print(f"Time spent on: {spent}", highlight=False, soft_wrap=True)
    cpu = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in run.cpu.items())
    console.print(f"{run.seconds:,.0f} s in all. CPU: {cpu}", highlight=False, soft_wrap=True)


def _fates(run: Run) -> Table:
    """Return what became of every row, by profile; the last number is that of all rows."""
    counts = fates(run.cases, run.standings)
    profiles = sorted({profile for profile, _ in counts})
    table = Table("at the end", title="Every row", title_justify="left", show_footer=False)
    for profile in (*profiles, "all"):
        table.add_column(profile, justify="right")
    order = {state: place for place, state in enumerate(STATES)}
    for fate in sorted({fate for _, fate in counts}, key=lambda f: (order.get(f, -1), f)):
        cells = [counts[profile, fate] for profile in profiles]
        table.add_row(fate.lower(), *(f"{n:,}" if n else "" for n in (*cells, sum(cells))))
    table.add_section()
    totals = [sum(counts[key] for key in counts if key[0] == profile) for profile in profiles]
    table.add_row("rows", *(f"{n:,}" for n in (*totals, sum(totals))))
    return table


def _years(run: Run) -> Table:
    title = "Listings by state, at a year's first moment"
    table = Table("", title=title, title_justify="left")
    years = sorted(run.years)
    shown = [*years[::_EVERY_YEARS], *([] if (len(years) - 1) % _EVERY_YEARS == 0 else years[-1:])]
    for year in shown:
        table.add_column(str(year), justify="right")
    for state in STATES:
        counts = [run.years[year][state] for year in shown]
        if any(counts):
            table.add_row(state.lower(), *(f"{count:,}" if count else "" for count in counts))
    return table


def _counts(title: str, counts: Counter[str]) -> Table:
    table = Table("", title=title, title_justify="left", show_header=False)
    table.add_column(justify="right")
    for what, count in sorted(counts.items()):
        table.add_row(what, f"{count:,}")
    return table


if __name__ == "__main__":
    sys.exit(main())
