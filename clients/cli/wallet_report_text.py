"""A report's sections in the terminal."""

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clients.wallet_report.section import Section


def section_parts(sections: Iterable[Section]) -> Iterator[RenderableType]:
    """Yield each section: its title, its lines, its table."""
    for section in sections:
        yield Text(f"\n{section.title}", style="bold")
        yield from (Text(line) for line in section.lines)
        if section.rows:
            yield _table(section)


def _table(section: Section) -> Table:
    table = Table(*section.columns)
    for row in section.rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
