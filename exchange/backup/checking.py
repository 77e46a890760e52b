"""Reading a backup whole before anything of it counts."""

from collections.abc import Sequence
from pathlib import Path

from exchange.backup.errors import BackupDamagedError, BackupError
from exchange.backup.format import End, Header, TableHead, read_backup
from exchange.backup.raw import ENTRIES, head_of
from exchange.backup.snapshot import Tell, silent
from exchange.backup.tally import LogTally
from exchange.tables import metadata


def checked(file: Path, sizes: Sequence[int], tell: Tell = silent) -> tuple[LogTally, End]:
    """Read a backup whole; return the tally of its log with the roots at ``sizes``, and its end.

    Raises ``BackupDamagedError`` for what is not whole, and ``BackupError`` where tables or columns are
    not this version's.
    """
    wanted = {table.name: head_of(table) for table in metadata.sorted_tables}
    tally, done, of, log_rows = LogTally(sizes), 0, 0, False
    index = entry = 0
    seen: set[str] = set()
    for part in read_backup(file):
        if isinstance(part, Header):
            of = part.rows
        elif isinstance(part, TableHead):
            if wanted.get(part.name) != part:
                raise BackupError(f"this version has no table {part.name} of the backup's columns")
            seen.add(part.name)
            log_rows = part.name == ENTRIES
            if log_rows:
                index, entry = map(part.columns.index, ("leaf_index", "entry"))
        elif isinstance(part, End):
            if missing := wanted.keys() - seen:
                raise BackupError(f"the backup has no table {min(missing)}")
            return tally, part
        else:
            if log_rows:
                tally.add(*_entry(part[index], part[entry]))
            done += 1
            tell("checking", done, of)
    raise BackupDamagedError("the end is missing")  # pragma: no cover - read_backup has raised


def _entry(index: object, entry: object) -> tuple[int, bytes]:
    if not isinstance(index, int) or not isinstance(entry, bytes):
        raise BackupDamagedError("an entry of the log is none")
    return index, entry
