"""One run: a world made, lived through, and reckoned up."""

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.chargeoffs import houses, processes
from benchmarks.chargeoffs.agenda import ROUND, Agenda
from benchmarks.chargeoffs.cases import Case
from benchmarks.chargeoffs.course import Course
from benchmarks.chargeoffs.houses import House
from benchmarks.chargeoffs.lenders import Lenders
from benchmarks.chargeoffs.limits import limits_of
from benchmarks.chargeoffs.model import ENDS, Standing
from benchmarks.chargeoffs.people import People, each
from benchmarks.chargeoffs.processes import Exchange
from benchmarks.chargeoffs.reconcile import Reckoning, outboxes, reckon
from benchmarks.chargeoffs.reviewers import Reviewers
from benchmarks.chargeoffs.source import HOUSES, ChargeOff
from benchmarks.chargeoffs.world import World, profile_of

_EARLIER = 8  # rounds before the first debt may be filed: lenders ask already
_SAMPLE = 200  # debtors who look through all of their own listings at the end
_AT_ONCE = 16


@dataclass(slots=True)
class Run:
    """What came of a run."""

    cases: list[Case]
    standings: dict[int, Standing] = field(default_factory=dict)  # by line, once they are final
    years: dict[int, Counter[str]] = field(default_factory=dict)  # listings by state
    differing_years: int = 0
    faults: int = 0  # in what a sample of debtors is shown of its own
    done: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)  # by nodes, before anything was sent
    repeated: Counter[str] = field(default_factory=Counter)  # rows that were delivered twice
    too_early: Counter[str] = field(default_factory=Counter)
    entries: Counter[str] = field(default_factory=Counter)  # of the log
    reckoning: Reckoning = field(default_factory=Reckoning)
    cpu: dict[str, float] = field(default_factory=dict)  # seconds, by process
    seconds: float = 0.0
    seconds_by: dict[str, float] = field(default_factory=dict)  # by what was done


def measure(folder: Path, rows: list[ChargeOff], until: datetime, out: Console) -> Run:
    """Live through everything in ``folder``, which is new, and reckon."""
    began = time.monotonic()
    limits = [limits_of(profile_of(number)) for number in range(HOUSES)]
    run = Run([Case.of(row, limits[row.house]) for row in rows])
    first = min(case.since for case in run.cases if case.row.since is not None)
    start = first.replace(hour=10) + timedelta(days=90) - _EARLIER * ROUND
    out.print(f"{len(rows):,} rows; making keys, licences and databases")
    world = World.create(folder, start)
    context = processes.new_context()
    clock = processes.Time(start, context)
    with (
        processes.running(world, clock, context) as (exchange, registrar),
        houses.opened(world, clock.clock) as nodes,
    ):
        course = uvloop.run(_live(world, clock, exchange, nodes, run, Agenda(start, until), out))
        run.cpu = {
            "exchange": _cpu(exchange.pid),
            "registrar": _cpu(registrar),
            "furnishers' nodes and everybody else": _cpu(os.getpid()),
        }
        posted = outboxes(nodes)
    out.print("reckoning")
    found = reckon(world, run.cases, run.standings, posted, course.lenders, course.ticks)
    run.reckoning, run.entries = found
    run.reckoning.expect("yearly counts that differ from the model's", run.differing_years, 0)
    run.reckoning.expect("faults in what debtors are shown of their own", run.faults, 0)
    _gather(run, course, nodes)
    run.seconds = time.monotonic() - began
    return run


async def _live(
    world: World,
    clock: processes.Time,
    exchange: Exchange,
    nodes: list[House],
    run: Run,
    agenda: Agenda,
    out: Console,
) -> Course:
    async with People(world, clock.clock) as people:
        lenders = Lenders.of(world, clock.clock, people)
        reviewers = Reviewers.of(world, clock.clock)
        course = Course(agenda, clock, exchange, nodes, people, reviewers, lenders, run.cases)
        course.prepare()
        with _bar(out, agenda.last) as bar:
            await course.run(_progress(run, course, bar, out))
        exchange.log_drained()
        run.standings = {
            case.row.line: run.standings.get(case.row.line) or course.standing(case)
            for case in run.cases
        }
        debtors = sorted({case.row.debtor for case in run.cases if case.served})[:_SAMPLE]
        run.faults = sum(await each(debtors, people.faults, _AT_ONCE))
        await lenders.close()
        await reviewers.close()
        return course


def _bar(out: Console, last: int) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=out)
    bar.add_task("", total=last)
    return bar


def _progress(
    run: Run, course: Course, bar: Progress, out: Console
) -> Callable[[int, datetime], None]:
    """Return what is called after each moment: it moves the bar, and once a year takes stock."""
    began = time.monotonic()

    def progress(moment: int, at: datetime) -> None:
        told = f"{at:%Y-%m}  {course.done['filed']:,} filed"
        bar.update(bar.task_ids[0], completed=moment, description=told)
        if at.year not in run.years:
            _take_stock(run, course, at.year)
            if not out.is_terminal:
                out.print(f"{time.monotonic() - began:5.0f} s  {told}", highlight=False)

    return progress


def _take_stock(run: Run, course: Course, year: int) -> None:
    """Compare how many listings are in each state, at a year's first moment, with the model's counts."""
    expected: Counter[tuple[str, str]] = Counter()
    for case in run.cases:
        if not case.listing_id:
            continue
        standing = run.standings.get(case.row.line) or course.standing(case)
        if standing.state in ENDS:
            run.standings[case.row.line] = standing  # nothing happens to it any more
        expected[case.limits.name, standing.state] += 1
    found = course.exchange.counts()
    run.differing_years += found != dict(expected)
    run.years[year] = Counter()
    for (_, state), count in found.items():
        run.years[year][state] += count


def _gather(run: Run, course: Course, nodes: list[House]) -> None:
    lenders = course.lenders
    run.done = course.done + Counter(
        {
            "debtors enrolled": len(course.people),
            "calls by debtors": course.people.calls,
            "checks by lenders": lenders.checks,
            "checks with something shown": lenders.with_something,
            "listings shown": lenders.shown,
            "checks asked again, the memory being stale": lenders.asked_again.total(),
            "recalls acknowledged": lenders.acknowledged,
            "pieces of evidence opened": course.reviewers.opened,
            "moments": len(course.ticks),
        }
    )
    run.done += course.reviewers.ruled
    run.too_early = course.too_early
    run.seconds_by = dict(course.seconds)
    for node in nodes:
        run.rejected += node.rejected
        run.repeated += node.repeated


def _cpu(pid: int | None) -> float:
    """Return the seconds that a process, this one with all its threads, has computed so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
