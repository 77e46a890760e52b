"""Auditing a whole log: nothing of it is taken on trust but the key that signs its checkpoints.

What is checked: the checkpoint's signature and quorum; that it is consistent with the one audited last
time; that each entry is one, no earlier than the entry ahead of it, under a record id of its own; that
entries hash to the tiles of level 0, the tiles of each level to those above, and all of it to the root.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from clients.auditor import cases
from clients.auditor.audit_state import AuditState, ids_path
from clients.auditor.chunks import Checked, Stretch, earlier
from clients.auditor.entries import CheckEntry, check_log_entry
from clients.auditor.errors import (
    SEEN_NOTE,
    CheckpointInvalid,
    EntryWrong,
    KeptUnusable,
    LogWrong,
    RootWrong,
)
from clients.auditor.growth import check_successor
from clients.auditor.levels import UpperLevels
from clients.auditor.policy import LogTrust
from clients.auditor.record_ids import RecordIds
from clients.auditor.source import LogSource
from clients.auditor.workers import check_stretches
from concordat.trust.checkpoint import SignedCheckpoint
from concordat.trust.tiles import HEIGHT, WIDTH

SMALL = 200_000
"""Entries that one process checks sooner than several would have started."""

Progress = Callable[[int, int], None]
"""Told how many entries are done, of how many."""


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """How to audit.

    ``state`` is the file that makes an audit resumable; ``quick`` leaves out that record ids never repeat;
    ``jobs`` is how many processes check entries, 0 for as many as make sense.
    """

    state: Path | None = None
    quick: bool = False
    jobs: int = 1
    bundles_a_stretch: int = 64
    check: CheckEntry = check_log_entry


@dataclass(frozen=True, slots=True)
class AuditReport:
    """A log that is right. ``audited`` entries were read in this run; times are nanoseconds since 1970.

    ``overdue`` sealed entries of case look-ups should have been opened to their subjects and were not.
    """

    checkpoint: SignedCheckpoint
    kinds: Counter[str]
    first_at: int
    last_at: int
    audited: int
    unique: bool
    overdue: int = 0


def audit(
    source: LogSource,
    trust: LogTrust,
    options: AuditOptions | None = None,
    progress: Progress = lambda _done, _of: None,
) -> AuditReport:
    """Audit the log up to its current checkpoint.

    Raises ``LogWrong`` for the first thing that is not right, ``LogUnreadable`` where the log does not
    answer, and ``KeptUnusable`` where the state of an earlier run cannot be gone on from.
    """
    options = options or AuditOptions()
    checkpoint = trust.open(source.checkpoint())
    try:
        state = _state_for(checkpoint, trust, source, options)
        return _audit(source, checkpoint, state, options, progress)
    except LogWrong as error:
        error.evidence.setdefault(SEEN_NOTE, checkpoint.note)  # what the log is held to
        raise


def _state_for(
    checkpoint: SignedCheckpoint, trust: LogTrust, source: LogSource, options: AuditOptions
) -> AuditState:
    """Return the state to go on from, once ``checkpoint`` was found consistent with the one in it."""
    state = AuditState.load(options.state) if options.state else None
    if state is None:
        state = AuditState(str(trust.log), unique=not options.quick)
    else:
        kept = _kept(state, trust)
        if not (state.unique or options.quick):
            raise KeptUnusable(
                "the state was kept with --quick, so record ids are unknown; "
                "go on with --quick, or delete it to audit from the start"
            )
        check_successor(kept, checkpoint, source)
        state.unique = not options.quick
    state.note = checkpoint.note
    return state


def _kept(state: AuditState, trust: LogTrust) -> SignedCheckpoint:
    if state.key != str(trust.log):
        raise KeptUnusable(f"the state is of another log, whose key is {state.key}")
    try:
        kept = trust.without_quorum().open(state.note)
    except CheckpointInvalid as error:
        raise KeptUnusable(f"the kept checkpoint is no good: {error}") from error
    if state.size > kept.size:
        raise KeptUnusable("the kept state is ahead of its checkpoint")
    return kept


def _audit(
    source: LogSource,
    checkpoint: SignedCheckpoint,
    state: AuditState,
    options: AuditOptions,
    progress: Progress,
) -> AuditReport:
    start, size = state.size, checkpoint.size
    walk = _Walk(source, checkpoint, state, options)
    progress(start, size)
    jobs = options.jobs or (1 if size - start < SMALL else os.cpu_count() or 1)
    stretches = _stretches(start, size, options.bundles_a_stretch)
    with closing(check_stretches(source, stretches, options.check, jobs)) as results:
        for checked in results:
            walk.take(checked)
            progress(checked.first_entry + checked.entries, size)
    return walk.finish(size - start)


def _stretches(start: int, size: int, bundles: int) -> Iterator[Stretch]:
    """Yield stretches of full bundles, and the partial bundle at the end as one of its own."""
    full = size // WIDTH
    for first in range(start // WIDTH, full, bundles):
        yield Stretch(first, min(first + bundles, full), size)
    if size % WIDTH:
        yield Stretch(full, full + 1, size)


class _Walk:
    """Goes over stretches from left to right, and checks what spans them."""

    def __init__(
        self,
        source: LogSource,
        checkpoint: SignedCheckpoint,
        state: AuditState,
        options: AuditOptions,
    ) -> None:
        self._checkpoint = checkpoint
        self._state = state
        self._kept_in = options.state
        self._frontier = state.frontier()
        self._levels = UpperLevels(source, checkpoint.size)
        self._levels.take_up(state.size, state.edge)
        beside = ids_path(options.state) if options.state else None
        self._ids = RecordIds(beside, state.size) if state.unique else None
        self._tail = Checked(state.size)

    def take(self, checked: Checked) -> None:
        """Take the next stretch, and keep it where the audit is resumable."""
        state = self._state
        if state.size and checked.first_at < state.last_at:
            raise earlier(f"entry {checked.first_entry}", checked.first_at, state.last_at, {})
        if self._ids:
            self._ids.add(checked.record_ids)
        if checked.tail:  # is read again next time, when it has grown
            self._tail = checked
            return
        for root in checked.roots:
            self._levels.add(root)
            self._frontier.extend(HEIGHT, root)
        state.first_at = state.first_at if state.size else checked.first_at
        state.last_at = checked.last_at
        state.kinds += checked.kinds
        cases.follow(state.untold, checked.cases)
        state.size, state.edge = self._frontier.size, self._frontier.hashes
        self._save()

    def finish(self, audited: int) -> AuditReport:
        """Check what only the whole shows."""
        self._levels.finish()
        for each in self._tail.tail:
            self._frontier.append(each)
        if self._frontier.root() != self._checkpoint.root:
            raise RootWrong(
                f"the entries and tiles make up the root {self._frontier.root().hex()}, "
                f"not {self._checkpoint.root.hex()}, which the log signed",
                where="checkpoint",
            )
        self._refuse_repeats()
        self._save()
        state, tail = self._state, self._tail
        untold, last_at = dict(state.untold), tail.last_at if tail.entries else state.last_at
        cases.follow(untold, tail.cases)
        return AuditReport(
            self._checkpoint,
            state.kinds + tail.kinds,
            first_at=state.first_at if state.size else tail.first_at,
            last_at=last_at,
            audited=audited,
            unique=state.unique,
            overdue=cases.overdue(untold, last_at),
        )

    def _refuse_repeats(self) -> None:
        repeat = self._ids.first_repeat() if self._ids else None
        if repeat is not None:
            text = f"its record id, {repeat.record_id.hex()}, is that of entry {repeat.earlier} too"
            raise EntryWrong(text, where=f"entry {repeat.later}")

    def _save(self) -> None:
        if self._kept_in:
            self._state.save(self._kept_in)
