"""CSV: comma-separated, UTF-8, one row a line, a header first; gzipped or not.

Each line stands alone: a stray quote or a byte that is not UTF-8 costs its own row and no other.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from provider.loading.files import FileDamagedError, Row
from provider.loading.rows import EXPECTED, ColumnsRefused, Reject

MAX_LINE_BYTES = 4096
_GZIP = b"\x1f\x8b"
_UTF8_BOM, _UTF16_BOMS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")


class CsvFile:
    """A CSV file."""

    def __init__(self, path: Path, expected: str = EXPECTED) -> None:
        """Open it and read the header; ``expected`` says what columns there should be, for errors."""
        self._expected = expected
        self.size = path.stat().st_size
        self._raw = path.open("rb")
        zipped = self._raw.read(2) == _GZIP
        self._raw.seek(0)
        # Not through another buffer: what was unpacked before a damaged place would be lost with it.
        self._lines: BinaryIO | gzip.GzipFile = (
            gzip.GzipFile(fileobj=self._raw) if zipped else self._raw
        )
        try:
            self.columns = self._header()
        except BaseException:
            self.close()
            raise

    def position(self) -> int:
        """Return how many bytes of the file, as it lies on disk, were read."""
        return self._raw.tell()

    def close(self) -> None:
        """Close it."""
        self._raw.close()

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield each line's number, from 2, and its fields; blank lines are passed over."""
        number = 1
        while line := self._line(number + 1):
            number += 1
            row = _fields(line)
            if row != [""]:
                yield number, row
            if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                self._skip_line(number)

    def _header(self) -> list[str]:
        line = self._line(1).removeprefix(_UTF8_BOM)
        if line.startswith(_UTF16_BOMS):
            raise ColumnsRefused("the file is UTF-16; save it as UTF-8")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ColumnsRefused(
                f"line 1 is not UTF-8 at byte {error.start}; save the file as UTF-8"
            ) from error
        fields = _fields(line)
        if isinstance(fields, Reject) or not text.strip():
            raise ColumnsRefused(f"line 1 is no header of columns. Expected: {self._expected}")
        return fields

    def _line(self, number: int) -> bytes:
        try:
            return self._lines.readline(MAX_LINE_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FileDamagedError(
                f"the gzipped file is damaged or cut off before line {number}"
            ) from error

    def _skip_line(self, number: int) -> None:
        """Pass over the rest of a line that is too long."""
        while (rest := self._line(number)) and not rest.endswith(b"\n"):
            pass


def _fields(line: bytes) -> list[str] | Reject:
    """Return the fields of one line."""
    if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
        return Reject.LINE_TOO_LONG
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return Reject.NOT_UTF8
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except (csv.Error, StopIteration):
        return Reject.QUOTES_MALFORMED
