"""Running probes at once, none of them for longer than it may take."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from clients.doctor.finding import Finding, fail

Told = Callable[[int, int], None]
"""Called with the number of checks done, and of how many."""


@dataclass(frozen=True, slots=True)
class Check:
    """What to call a probe, the probe, and what to do where it does not come to an end or fails."""

    name: str
    probe: Callable[[], Iterable[Finding]]
    advice: str


def run(checks: Sequence[Check], seconds: float, told: Told) -> list[Finding]:
    """Run all at once; return their findings in the order of ``checks``.

    One that has not ended after ``seconds`` is a failure. Its thread is left behind and keeps no process alive.
    """
    done: queue.SimpleQueue[tuple[int, list[Finding]]] = queue.SimpleQueue()
    for number, check in enumerate(checks):
        threading.Thread(target=_run, args=(number, check, done), daemon=True).start()
    found = _collect(len(checks), done, time.monotonic() + seconds, told)
    return [
        finding
        for number, check in enumerate(checks)
        for finding in found.get(number, [_late(check, seconds)])
    ]


def _run(number: int, check: Check, done: "queue.SimpleQueue[tuple[int, list[Finding]]]") -> None:
    try:
        findings = list(check.probe())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        text = str(error) or type(error).__name__
        findings = [fail(check.name, text, check.advice)]
    done.put((number, findings))


def _collect(
    count: int,
    done: "queue.SimpleQueue[tuple[int, list[Finding]]]",
    until: float,
    told: Told,
) -> dict[int, list[Finding]]:
    found: dict[int, list[Finding]] = {}
    while len(found) < count:
        try:
            number, findings = done.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        found[number] = findings
        told(len(found), count)
    return found


def _late(check: Check, seconds: float) -> Finding:
    return fail(check.name, f"no answer in {seconds:g} s", check.advice)
