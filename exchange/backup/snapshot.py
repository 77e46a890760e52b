"""Making a backup of a database, beside the processes that run on it.

On SQLite the serving process holds a lock file, which keeps other *writers* away and is not asked for
here: the database is opened read-only, so that it can neither write nor move the write-ahead log, and one
read transaction sees one moment of it. PostgreSQL: one REPEATABLE READ, READ ONLY transaction.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from concordat.federation.anchors import Anchors
from concordat.store.engine import require_current
from concordat.store.reading import opened_to_read
from concordat.trust.checkpoint import open_checkpoint
from concordat.trust.errors import TrustError
from concordat.trust.merkle import EMPTY_ROOT
from exchange.backup.errors import BackupDamagedError, BackupError
from exchange.backup.format import BackupWriter, End, Header
from exchange.backup.raw import ENTRIES, count_rows, head_of, read_rows
from exchange.backup.tally import LogTally
from exchange.backup.whole_file import whole_file
from exchange.log import table as log
from exchange.migrations import SCRIPTS
from exchange.tables import metadata

Tell = Callable[[str, int, int], None]
"""What is being done, how many of its steps are done, and of how many."""


def silent(_what: str, _done: int, _of: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was written."""

    header: Header
    end: End
    bytes_written: int


def make_backup(url: str, anchors: Anchors, path: Path, now: datetime, tell: Tell = silent) -> Made:
    """Write a backup of the database at ``url`` to ``path``, whole or not at all.

    Raises ``BackupError`` where the file can't be written or the log in the database is damaged (then no
    backup of it could be restored), and ``StoreError`` where the database can't be read.
    """
    with snapshot(url) as connection:
        require_current(connection.engine, SCRIPTS)
        header = header_of(connection, anchors, now)
        with whole_file(path) as file:
            end = write_backup(connection, header, file, tell)
        return Made(header, end, path.stat().st_size)


@contextmanager
def snapshot(url: str) -> Iterator[Connection]:
    """Open a database to read one moment of it; raise ``StoreError``."""
    with opened_to_read(url) as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")  # the driver begins none to read
        else:
            connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        yield connection


def header_of(connection: Connection, anchors: Anchors, now: datetime) -> Header:
    """Return what a backup of this moment is of; raise ``BackupError`` where the log is another's."""
    state = log.state(connection)
    note = b"" if state is None else state.checkpoint
    if note:
        try:
            open_checkpoint(note, anchors.log, anchors.witnesses)
        except TrustError as error:
            raise BackupError(
                f"the database's checkpoint is not this federation's: {error}"
            ) from error
    return Header(
        federation=anchors.federation,
        origin=anchors.log.name,
        schema=str(MigrationContext.configure(connection).get_current_revision()),
        made_at=now,
        entries=0 if state is None else state.next_index,
        size=0 if state is None else state.size,
        root=EMPTY_ROOT if state is None else state.root,
        checkpoint=note,
        rows=count_rows(connection),
    )


def write_backup(
    connection: Connection, header: Header, file: BinaryIO, tell: Tell = silent
) -> End:
    """Write every table; raise ``BackupError`` where the log's entries do not give its checkpoint."""
    writer, tally, done = BackupWriter(file, header), LogTally([header.size]), 0
    for table in metadata.sorted_tables:
        head = head_of(table)
        writer.table(head)
        index, entry = (
            map(head.columns.index, ("leaf_index", "entry")) if table.name == ENTRIES else (-1, -1)
        )
        for row in read_rows(connection, table):
            writer.row(row)
            if table.name == ENTRIES:
                tally.add(row[index], row[entry])
            done += 1
            tell("backing up", done, header.rows)
    try:
        tally.require(header.size, header.root, header.entries)
    except BackupDamagedError as error:
        raise BackupError(
            f"the database is damaged, and no backup of it could be restored: {error}. "
            "Keep a copy of the database as it is, and the last backup"
        ) from error
    return writer.finish()
