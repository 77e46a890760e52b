"""A part of a report: a title, sentences, and a table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report; every cell is plain text."""

    title: str
    lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
