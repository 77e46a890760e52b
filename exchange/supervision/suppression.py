"""Small cells: which counts are told, and how: pure."""

from collections.abc import Sequence


def rounded(count: int, smallest: int) -> int:
    """Return a count rounded to a multiple of the smallest cell, halves up."""
    return (count + smallest // 2) // smallest * smallest


def told(counts: Sequence[int], smallest: int) -> list[int | None]:
    """Return the counts that may be told, rounded; None for those that are suppressed.

    A count below ``smallest`` is suppressed. As a total is told too, what is suppressed could be found by
    subtraction; so as long as it is a single cell, or all of it together is below ``smallest``, the next smallest
    count is suppressed with it.
    """
    order = sorted(range(len(counts)), key=lambda place: counts[place])
    hidden = [place for place in order if counts[place] < smallest]
    rest = iter(order[len(hidden) :])
    while hidden and (len(hidden) == 1 or sum(counts[place] for place in hidden) < smallest):
        more = next(rest, None)
        if more is None:
            break
        hidden.append(more)
    return [
        None if place in hidden else rounded(count, smallest) for place, count in enumerate(counts)
    ]


def told_pairs(counts: Sequence[tuple[int, int]], smallest: int) -> list[int | None]:
    """Return the second of each (all, part) where it may be told: neither it nor the rest is a small cell.

    The rest of a cell follows from its total, so both are suppressed together, and with them one more cell where
    the sum over all would tell it.
    """
    parts = told([min(part, whole - part) for whole, part in counts], smallest)
    return [
        None if shown is None else rounded(part, smallest)
        for shown, (_, part) in zip(parts, counts, strict=True)
    ]
