"""Reading a score file row by row in bounded memory, whatever its size."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from provider.loading.rows import Reject

Row = Sequence[str] | Reject


class FileDamagedError(Exception):
    """The file can't be read on; the text says from where. Rows before are good."""


class ScoreFile(Protocol):
    """An open file of scores."""

    @property
    def columns(self) -> Sequence[str]:
        """The names of its columns."""

    @property
    def size(self) -> int:
        """Its size in bytes."""

    def position(self) -> int:
        """Return about how many of these bytes were read."""

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield each row's line number and its fields as text, or why it can't be read.

        Raises ``FileDamagedError`` where nothing more can be read.
        """

    def close(self) -> None:
        """Close it."""


def open_score_file(path: Path) -> ScoreFile:
    """Open ``path`` as Parquet (``.parquet``) or CSV (anything else, gzipped or not).

    Raises ``ColumnsRefused`` or ``FileDamagedError`` where not even its columns can be read.
    """
    if path.suffix.lower() == ".parquet":
        from provider.loading.parquet_file import ParquetScoreFile  # noqa: PLC0415 - optional extra

        return ParquetScoreFile(path)
    from provider.loading.csv_file import CsvFile  # noqa: PLC0415 - as above

    return CsvFile(path)
