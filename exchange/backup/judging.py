"""Whether a log leads to what is known of it. Pure."""

from collections.abc import Iterable

from exchange.backup.errors import ANOTHER, SHORTER, Known, LogNotContinuedError
from exchange.backup.tally import LogTally


def require_continued(
    what: str, ours: Known | None, tally: LogTally, known: Iterable[Known]
) -> None:
    """Raise ``LogNotContinuedError`` unless the entries that ``tally`` took lead to every one of ``known``.

    It has noted the roots at their sizes. The newest is held against it first, so that it is the one shown.
    """
    for each in sorted(known, key=lambda each: each.size, reverse=True):
        if each.size > tally.size:
            raise LogNotContinuedError(what, ours, each, SHORTER)
        if tally.roots[each.size] != each.root:
            raise LogNotContinuedError(what, ours, each, ANOTHER)
