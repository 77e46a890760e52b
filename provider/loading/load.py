"""Loading a score file: read, resolve, decide, store, chunk by chunk. Read top to bottom.

A chunk is one transaction, so a load that is killed and run again ends where one that was not does:
for each subject the score with the latest as_of, of equal ones the first.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection

from concordat.store.group_commit import GroupCommit
from provider.loading.files import FileDamagedError, ScoreFile
from provider.loading.rows import Reject, RowRejected, RowRules
from provider.scores import Score
from provider.store import scores
from provider.store.bulk import MAX_KEYS

CHUNK_ROWS = 25_000

Line = tuple[int, bytes, Score]
Resolve = Callable[[Sequence[bytes]], list[bytes]]
Rejected = Callable[[int, Reject], None]


@dataclass(slots=True)
class Tally:
    """What became of the rows."""

    read: int = 0
    loaded: int = 0
    unchanged: int = 0  # the same, or older than what is stored
    rejected: Counter[Reject] = field(default_factory=Counter)


def load(
    file: ScoreFile,
    rules: RowRules,
    store: GroupCommit,
    tally: Tally,
    *,
    resolve: Resolve,
    on_reject: Rejected,
    on_chunk: Callable[[], None] = lambda: None,
) -> None:
    """Take in what is valid of ``file``, counting in ``tally`` as it goes.

    ``resolve`` is called where rows carry identity numbers. Raises ``FileDamagedError``,
    ``RemoteError`` or ``Refusal`` (the database failed); what was taken before stays.
    """

    def reject(line: int, why: Reject) -> None:
        tally.rejected[why] += 1
        on_reject(line, why)

    for lines in _chunks(file, rules, tally, reject):
        known = _resolved(lines, resolve, reject) if rules.by_identity else lines
        loaded, unchanged, conflicts = store.run(partial(_store, lines=known))
        tally.loaded += loaded
        tally.unchanged += unchanged
        for line in conflicts:
            reject(line, Reject.CONFLICTS_WITH_STORED)
        on_chunk()


def _chunks(
    file: ScoreFile, rules: RowRules, tally: Tally, reject: Rejected
) -> Iterator[list[Line]]:
    """Yield good rows in chunks, what was good before the file turned out damaged too."""
    lines: list[Line] = []
    try:
        for number, row in file.rows():
            tally.read += 1
            if isinstance(row, Reject):
                reject(number, row)
                continue
            try:
                parsed = rules.parse(row)
            except RowRejected as rejected:
                reject(number, rejected.reject)
                continue
            lines.append((number, parsed.subject, parsed.score))
            if len(lines) == CHUNK_ROWS:
                yield lines
                lines = []
    except FileDamagedError:
        yield lines
        raise
    yield lines


def _resolved(lines: list[Line], resolve: Resolve, reject: Rejected) -> list[Line]:
    refs = resolve([identity for _, identity, _ in lines])
    known = []
    for (number, _, score), ref in zip(lines, refs, strict=True):
        if ref:
            known.append((number, ref, score))
        else:
            reject(number, Reject.IDENTITY_MALFORMED)
    return known


def _store(connection: Connection, lines: Sequence[Line]) -> tuple[int, int, list[int]]:
    """Store the newer scores; return the counts of loaded and unchanged, and lines in conflict."""
    latest = _stored(connection, {ref for _, ref, _ in lines})
    newer: dict[bytes, Score] = {}
    loaded, unchanged, conflicts = 0, 0, []
    for number, ref, score in lines:
        known = latest.get(ref)
        if known is None or score.as_of > known.as_of:
            latest[ref] = newer[ref] = score
            loaded += 1
        elif score.as_of == known.as_of and score != known:
            conflicts.append(number)
        else:
            unchanged += 1
    # In the order of the key: neighbours share pages, of which there are fewer to write.
    scores.put(connection, dict(sorted(newer.items())))
    return loaded, unchanged, conflicts


def _stored(connection: Connection, refs: set[bytes]) -> dict[bytes, Score]:
    ordered = sorted(refs)
    found: dict[bytes, Score] = {}
    for start in range(0, len(ordered), MAX_KEYS):
        found.update(scores.read(connection, ordered[start : start + MAX_KEYS]))
    return found
