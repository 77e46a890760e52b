"""Whether a log leads to what is known of it. Pure."""

from collections.abc import Callable, Iterable

from exchange.backup.errors import ANOTHER, SHORTER, Known, LogNotContinuedError


def require_continued(
    what: str,
    ours: Known | None,
    size: int,
    root_at: Callable[[int], bytes | None],
    known: Iterable[Known],
) -> None:
    """Raise ``LogNotContinuedError`` unless a log of ``size`` leads to every one of ``known``.

    ``root_at`` tells its root at their sizes, none where that cannot be told. The newest is held against it first,
    so that it is the one shown.
    """
    for each in sorted(known, key=lambda each: each.size, reverse=True):
        if each.size > size:
            raise LogNotContinuedError(what, ours, each, SHORTER)
        if root_at(each.size) not in {each.root, None}:
            raise LogNotContinuedError(what, ours, each, ANOTHER)
