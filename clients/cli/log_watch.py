"""`concordat log watch`: follow a log's checkpoints, and raise the alarm where two contradict each other."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from clients.auditor.errors import (
    AuditorError,
    Contradiction,
    GrowthUnproven,
    KeptUnusable,
    RollbackDetected,
)
from clients.auditor.source import open_source
from clients.auditor.watch import Peer, Seen, Watcher
from clients.cli.console import Exit, JsonOption
from clients.cli.log_options import (
    Bundle,
    LogKey,
    Quorum,
    Source,
    Witness,
    auditing,
    checkpoint_facts,
    exit_of,
    finding,
    whose_log,
)

LONGEST_INTERVAL = 3600.0
LONGEST_BACK_OFF = 900.0
SLEEP = time.sleep

_MEANING: dict[type[AuditorError], str] = {
    RollbackDetected: "It took entries back, or a stale copy of it was served.",
    GrowthUnproven: "Its tiles are damaged, or hide a fork.",
}
_FORK = "It shows different histories to different readers, or at different times."


def watch(
    source: Source = None,
    trust_bundle: Bundle = None,
    log_key: LogKey = None,
    witness: Witness = None,
    quorum: Quorum = None,
    state: Annotated[
        Path, typer.Option(help="Folder for the last good checkpoint and for evidence.")
    ] = Path("log-watch"),
    interval: Annotated[
        float, typer.Option(min=0.1, max=LONGEST_INTERVAL, help="Seconds between checkpoints.")
    ] = 60.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and end, as for cron.")] = False,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH|URL",
            help="Another watcher's checkpoint, or its state folder, to compare with; a URL that ends in "
            "/ is a witness's. Repeatable.",
        ),
    ] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on watching after an alarm.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Follow a log. An alarm ends it with 1, both signed notes in evidence-<n> of the state's folder.

    What does not answer is asked again, later each time. With --json each look prints one line of JSON.
    """
    with auditing("the log cannot be watched", evidence=None, as_json=as_json):
        whose = whose_log(trust_bundle, log_key, witness, quorum)
        with open_source(whose.source(source)) as log:
            watcher = Watcher(log, whose.trust, state, [Peer(name) for name in peer or ()])
            rounds = _Rounds(watcher, state, interval, as_json=as_json)
            with watcher.locked():
                code = rounds.once() if once else rounds.follow(keep_going=keep_going)
    raise typer.Exit(code)


@dataclass(slots=True)
class _Rounds:
    """Looks at the log, and tells of each look."""

    watcher: Watcher
    folder: Path
    interval: float
    as_json: bool = False

    def once(self) -> Exit:
        """Look once; return the exit code."""
        try:
            seen = self.watcher.look()
        except KeptUnusable:
            raise
        except AuditorError as error:
            self._tell_wrong(error)
            return exit_of(error)
        self._tell(seen)
        return min((exit_of(each) for each in seen.problems), default=Exit.OK)

    def follow(self, *, keep_going: bool) -> Exit:
        """Look until there is an alarm, or for ever."""
        failures = 0
        while True:
            try:
                self._tell(self.watcher.look())
                failures = 0
            except KeptUnusable:
                raise
            except Contradiction as error:
                self._tell_wrong(error)
                if not keep_going:
                    return Exit.REFUSED
            except AuditorError as error:
                self._tell_wrong(error)
                failures += 1
            longest = max(self.interval, LONGEST_BACK_OFF)
            SLEEP(min(self.interval * 2 ** min(failures, 16), longest))

    def _tell(self, seen: Seen) -> None:
        problems = [{"reason": each.reason, "advice": str(each)} for each in seen.problems]
        if self.as_json:
            self._line(
                ok=not problems,
                step=seen.step,
                **checkpoint_facts(seen.checkpoint),
                agreeing=list(seen.agreeing),
                problems=problems,
            )
            return
        agreed = f", agreed by {', '.join(seen.agreeing)}" if seen.agreeing else ""
        root = seen.checkpoint.root.hex()
        typer.echo(f"{_now()} {seen.step}: {seen.checkpoint.size:,} entries, {root}{agreed}")
        for each in problems:
            typer.echo(f"{_now()} not compared: {each['reason']}: {each['advice']}", err=True)

    def _tell_wrong(self, error: AuditorError) -> None:
        alarm = isinstance(error, Contradiction)
        facts = finding(error, self.folder if alarm else None)
        if self.as_json:
            what = "alarm" if alarm else "the log was not followed"
            self._line(ok=False, error=what, reason=error.reason, **facts)
        if alarm:
            _alarm(error, facts["evidence"])
        elif not self.as_json:
            typer.echo(f"{_now()} {error.reason}: {error}", err=True)

    @staticmethod
    def _line(**content: Any) -> None:
        typer.echo(json.dumps({"at": _now()} | content, default=str))


def _alarm(error: AuditorError, evidence: str | None) -> None:
    """Say loudly, where people and cron read, that the log contradicts itself."""
    meaning = _MEANING.get(type(error), _FORK)
    where = f"Both signed notes: {evidence}" if evidence else "No more evidence is written here."
    text = Text(f"{error}\n{meaning}\n{where}\nShow them to the regulator and to other watchers.")
    console = Console(stderr=True, highlight=False)
    console.print(Panel(text, title=f"ALARM: {error.reason}", border_style="bold red"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
