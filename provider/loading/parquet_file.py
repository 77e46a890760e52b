"""Parquet, where pyarrow is installed (the optional extra ``parquet``)."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from provider.loading.files import FileDamagedError, Row

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as _error:
    raise FileDamagedError(
        "reading Parquet needs pyarrow: pip install 'concordat[parquet]', or give a CSV file"
    ) from _error

BATCH_ROWS = 8192


class ParquetScoreFile:
    """A Parquet file of scores. Cells are read as text, so that the same rules hold as for CSV."""

    def __init__(self, path: Path) -> None:
        """Open it and read its schema."""
        self.size = path.stat().st_size
        try:
            self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        except pa.ArrowException as error:
            raise FileDamagedError(f"this is no Parquet file: {error}") from error
        self.columns: list[str] = list(self._file.schema_arrow.names)
        self._read = 0

    def position(self) -> int:
        """Return the share of the file's bytes that its rows read so far are of its rows."""
        rows: int = self._file.metadata.num_rows
        return self.size * self._read // max(rows, 1)

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield each row's number, from 1, and its cells as text; a null is empty text."""
        try:
            # One row group at a time: a reader of several keeps what it held of each until the last.
            for group in range(self._file.num_row_groups):
                for batch in self._file.iter_batches(BATCH_ROWS, row_groups=[group]):
                    for cells in zip(*(_texts(column) for column in batch.columns), strict=True):
                        self._read += 1
                        yield self._read, cells
        except pa.ArrowException as error:
            raise FileDamagedError(f"the file is damaged after row {self._read}") from error


def _texts(column: "pa.Array") -> list[str]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return [_text(cell) for cell in column.to_pylist()]


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bytes):
        return cell.hex()
    if isinstance(cell, date | datetime):
        return cell.isoformat()
    return str(cell)
