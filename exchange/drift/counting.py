"""Counting the scores of released views: by day and bin, and nothing else.

Runs within the release's own transaction, over all releases that wait at once. Nothing here knows whose score
it was: a release hands over the cells that its scores lie in.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from concordat.ids import new_id
from exchange.drift.table import Cell, add_scores, day_of


class ScoreCounter:
    """Counts in rows of this process, so that none waits for another; one of these a process."""

    def __init__(self) -> None:
        """Count in rows that no other process has."""
        self._process = new_id().hex()

    def count(
        self, connection: Connection, released: Iterable[tuple[datetime, Iterable[Cell]]]
    ) -> None:
        """Count the cells of views, each with when it was released."""
        counts = Counter((day_of(at), cell) for at, cells in released for cell in cells)
        add_scores(connection, self._process, counts)
