"""The rejects file: a line number and a reason for each row that was not taken, and nothing else."""

import csv
from enum import StrEnum
from pathlib import Path
from typing import TextIO


class RejectsFile:
    """Written as rows are rejected; there is no file where none was."""

    def __init__(self, path: Path) -> None:
        """Write to ``path``; what an earlier run left there goes."""
        self.path = path
        self._file: TextIO | None = None
        path.unlink(missing_ok=True)

    def add(self, line: int, reject: StrEnum) -> None:
        """Write one row."""
        self.add_text(line, reject.value)

    def add_text(self, line: int, reason: str) -> None:
        """Write one row whose reason is another party's: a name of letters and underscores."""
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow(["line", "reason"])
        self._file.write(f"{line},{reason}\r\n")

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()
