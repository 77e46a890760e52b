"""A report's sections in the terminal."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clients.wallet_report.section import Section
from clients.wallet_report.sections import Document


def section_parts(document: Document, *, but: Sequence[str] = ()) -> Iterator[RenderableType]:
    """Yield every section, but those whose titles begin so."""
    for section in document.sections:
        if not section.title.startswith(tuple(but)):
            yield Text(f"\n{section.title}", style="bold")
            yield from (Text(line) for line in section.lines)
            if section.rows:
                yield _table(section)


def _table(section: Section) -> Table:
    table = Table(*section.columns)
    for row in section.rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
