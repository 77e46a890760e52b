"""Sorting records, and merging changes into sorted ones."""

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from exchange.listings.entries import MOST_ROWS, RECORD, Records
from exchange.listings.sorted_entries import Column, Rows, SortedEntries, as_words, runs

_PIECES = 256  # of a merge: each short, so that other threads need not wait for long between two


def sort_entries(unsorted: Records) -> SortedEntries:
    """Sort records.

    Raises ``ValueError`` where a subject has a listing twice, or more than 65,535 of them.
    """
    records = np.empty(len(unsorted) + 1, RECORD)
    listed = records[:-1]
    _sort_into(listed, unsorted)
    _refuse_twins(listed[_repeated(listed["high"])])
    _count_rows(listed)
    return SortedEntries(records)


def merge(base: SortedEntries, changes: Iterable[dict[bytes, bytes]]) -> SortedEntries:
    """Return ``base`` with the records of some subjects, by key, replaced: by ``BLANK`` for none.

    Takes the memory of the result, and little beside.
    """
    kept, added = _kept(base, b"".join(chain.from_iterable(changes))), _added(changes)
    records = np.empty(int(kept.sum()) + len(added) + 1, RECORD)
    done = 0
    for old, new in _pieces(base, added["high"]):
        piece = np.concatenate((base.records[old][kept[old]], added[new]))
        _sort_into(records[done : done + len(piece)], piece)
        done += len(piece)
    return SortedEntries(records)


def _kept(base: SortedEntries, keys: bytes) -> NDArray[np.bool_]:
    """Return which rows are of none of these keys."""
    halves = np.frombuffer(keys, np.uint64).reshape(-1, 2)
    kept = np.ones(len(base), np.bool_)
    kept[runs(*base.find(halves[:, 0], halves[:, 1]))] = False
    return kept


def _added(changes: Iterable[dict[bytes, bytes]]) -> Records:
    """Return the records that come in, sorted."""
    joined = b"".join(b"".join(part.values()) for part in changes)
    unsorted = np.frombuffer(joined, RECORD)
    unsorted = unsorted[unsorted["rows"] > 0]
    added = np.empty_like(unsorted)
    _sort_into(added, unsorted)
    return added


def _pieces(base: SortedEntries, added: Column) -> Iterator[tuple[slice, slice]]:
    """Yield the rows of ``base`` and of the sorted keys ``added`` that go together."""
    between = np.unique(np.linspace(0, len(base), _PIECES + 1).astype(np.intp))[1:-1]
    edges = base.records["high"][between]
    old = [0, *base.first_rows(edges).tolist(), len(base)]
    new = [0, *added.searchsorted(edges).tolist(), len(added)]
    for old_piece, new_piece in zip(pairwise(old), pairwise(new), strict=True):
        yield slice(*old_piece), slice(*new_piece)


def _sort_into(place: Records, records: Records) -> None:
    """Sort by key, then delinquent day, then listing id."""
    order = records["high"].argsort(kind="stable")
    tied = _repeated(records["high"][order])
    rows = order[tied]
    order[tied] = rows[_order_of_tied(records[rows])]
    as_words(records).take(order, axis=0, out=as_words(place), mode="clip")


def _order_of_tied(records: Records) -> Rows:
    first, second = _ids(records)
    by = (second, first, records["delinquent_day"], records["low"], records["high"])
    return np.lexsort(by)


def _repeated(ordered: Column) -> NDArray[np.bool_]:
    """Return which of these are equal to the one before or behind."""
    same = ordered[1:] == ordered[:-1]
    found = np.zeros(len(ordered), np.bool_)
    found[1:] = same
    found[:-1] |= same
    return found


def _refuse_twins(records: Records) -> None:
    """Raise ``ValueError`` where two of them have the same key and listing id."""
    columns = (*_ids(records), records["low"], records["high"])
    order = np.lexsort(columns)
    same = np.ones(max(0, len(order) - 1), np.bool_)
    for column in columns:
        same &= column[order[1:]] == column[order[:-1]]
    if same.any():
        raise ValueError(f"{int(same.sum())} listings are given twice")


def _count_rows(records: Records) -> None:
    """Set ``rows`` in sorted records; raise ``ValueError`` for too many."""
    new = np.ones(len(records), np.bool_)
    for half in ("high", "low"):
        new[1:] &= records[half][1:] == records[half][:-1]
    new[1:] = ~new[1:]
    first = np.flatnonzero(new)
    rows = np.diff(first, append=len(records))
    if rows.max(initial=0) > MOST_ROWS:
        raise ValueError(f"a subject has more than {MOST_ROWS} listings")
    records["rows"] = (first + rows).repeat(rows) - np.arange(len(records))


def _ids(records: Records) -> tuple[Column, Column]:
    """Return both halves of the listing ids, as numbers in the order of the bytes."""
    ids = np.ascontiguousarray(records["listing_id"]).view(">u8").astype(np.uint64).reshape(-1, 2)
    return ids[:, 0], ids[:, 1]
