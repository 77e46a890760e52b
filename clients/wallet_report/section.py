"""A part of a report: a title, sentences, and a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from clients.language import tr


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report; every cell is plain text."""

    title: str
    lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(
        cls,
        title: str,
        lines: tuple[str, ...],
        columns: Sequence[str],
        rows: tuple[tuple[str, ...], ...],
    ) -> Self:
        """Return a section; its columns, marked texts, are named where there are rows."""
        return cls(title, lines, tuple(tr(column) for column in columns) if rows else (), rows)
