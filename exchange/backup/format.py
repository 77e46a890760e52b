"""The file: gzip over lines of JSON. Header; each table's head and rows; an end with counts and SHA-256.

{"format": "concordat-exchange-backup", "version": 1, "federation": …, "schema": "0004", …}
{"table": "consent", "columns": ["subject_ref", …]}
["bAAEC…", 7, "sada", null]
…
{"end": {"rows": {"consent": 1, …}, "sha256": "…"}}

Values are what lies in the database: numbers, booleans and null as JSON has them, text after an ``s``,
bytes in base64 after a ``b``. The SHA-256 is of all bytes before the last line. It finds accidents and
clumsy changes; who can write the file can compute it again, so keep backups where only you can write.
"""

import base64
import binascii
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from exchange.backup.errors import BackupDamagedError, BackupError

FORMAT, VERSION = "concordat-exchange-backup", 1
_LEVEL = 3  # the least work for most of the gain: keys, signatures and sealed records do not shrink
_GZIP = 16 + zlib.MAX_WBITS

Value = int | float | str | bytes | None
Row = Sequence[Value]


@dataclass(frozen=True, slots=True)
class Header:
    """What a backup is of. ``size`` and ``root`` are those of the latest signed checkpoint, the note.

    ``entries`` counts those that have an index: the log may be ahead of its checkpoint by a batch.
    """

    federation: str
    origin: str
    schema: str
    made_at: datetime
    entries: int
    size: int
    root: bytes
    checkpoint: bytes
    rows: int


@dataclass(frozen=True, slots=True)
class TableHead:
    """The rows that follow are this table's, with these columns."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class End:
    """A whole backup was written or read: rows by table, SHA-256 of the content in hex."""

    rows: dict[str, int]
    sha256: str


class BackupWriter:
    """Writes one backup: the header when made, then heads and rows, then ``finish``."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        """Write to ``file``, which stays open; raise ``OSError`` as it does."""
        self._file = file
        self._zip = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._sha256 = hashlib.sha256()
        self._rows: dict[str, int] = {}
        self._table = ""
        self._line(_header_json(header))

    def table(self, head: TableHead) -> None:
        """Begin a table."""
        self._table = head.name
        self._rows[head.name] = 0
        self._line({"table": head.name, "columns": head.columns})

    def row(self, row: Row) -> None:
        """Write a row of the table begun last; raise ``BackupError`` for a value of an unknown kind."""
        try:
            self._line([_encoded(value) for value in row])
        except TypeError as error:
            raise BackupError(f"{self._table} holds a value that no backup can: {error}") from error
        self._rows[self._table] += 1

    def finish(self) -> End:
        """Write the end; the file is whole once it is flushed."""
        end = End(self._rows, self._sha256.hexdigest())
        self._line({"end": {"rows": end.rows, "sha256": end.sha256}})
        self._file.write(self._zip.flush())
        return end

    def _line(self, content: object) -> None:
        line = json.dumps(content, separators=(",", ":")).encode() + b"\n"
        self._sha256.update(line)
        self._file.write(self._zip.compress(line))


def read_header(path: Path) -> Header:
    """Return the header alone; raise ``BackupDamagedError``, and ``OSError`` where there is no file."""
    for part in read_backup(path):
        if isinstance(part, Header):
            return part
    raise BackupDamagedError(f"{path.name} is no backup")  # pragma: no cover - a header is first


def read_backup(path: Path) -> Iterator[Header | TableHead | list[Value] | End]:
    """Yield a backup's parts in order, the ``End`` last; raise ``BackupDamagedError``, ``OSError``.

    Nothing counts before the ``End`` was yielded: only then is the file known to be whole.
    """
    reader = _Reader()
    try:
        with gzip.open(path, "rb") as file:
            for line in file:
                yield reader.part(line)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BackupDamagedError(
            f"{path.name} was cut short or altered, or is no backup"
        ) from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BackupDamagedError(f"{path.name} was altered, or is no backup of ours") from error
    if not reader.ended:
        raise BackupDamagedError(f"{path.name} was cut short: its end is missing")


@dataclass(slots=True)
class _Reader:
    """What one line after the other means; raises ``ValueError`` and its like where that is nothing."""

    begun: bool = False
    ended: bool = False
    head: TableHead | None = None
    rows: dict[str, int] = field(default_factory=dict)
    digest: Any = field(default_factory=hashlib.sha256)

    def part(self, line: bytes) -> Header | TableHead | list[Value] | End:
        if self.ended:
            raise ValueError("something follows the end")
        content = json.loads(line)
        if not self.begun:
            self.begun = True
            self.digest.update(line)
            return _header_of(content)
        if isinstance(content, dict) and "end" in content:
            return self._end(content["end"])
        self.digest.update(line)
        if isinstance(content, dict):
            return self._table(content)
        if self.head is None or len(content) != len(self.head.columns):
            raise ValueError("a row does not fit its table")
        self.rows[self.head.name] += 1
        return [_decoded(value) for value in content]

    def _table(self, content: dict[str, Any]) -> TableHead:
        self.head = TableHead(content["table"], tuple(content["columns"]))
        if self.head.name in self.rows:
            raise ValueError("a table comes twice")
        self.rows[self.head.name] = 0
        return self.head

    def _end(self, content: dict[str, Any]) -> End:
        if content != {"rows": self.rows, "sha256": self.digest.hexdigest()}:
            raise ValueError("the end does not fit what came before")
        self.ended = True
        return End(self.rows, self.digest.hexdigest())


def _encoded(value: Any) -> int | float | str | None:
    if isinstance(value, bytes | memoryview):
        return "b" + base64.b64encode(value).decode()
    if isinstance(value, str):
        return "s" + value
    if value is None or isinstance(value, int | float):
        return value
    raise TypeError(type(value).__name__)


def _decoded(value: Any) -> Value:
    if not isinstance(value, str):
        if value is None or isinstance(value, int | float):
            return value
        raise ValueError("a value of no kind")
    kind, content = value[:1], value[1:]
    if kind == "s":
        return content
    if kind != "b":
        raise ValueError("a value of no kind")
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _header_json(header: Header) -> dict[str, object]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "federation": header.federation,
        "origin": header.origin,
        "schema": header.schema,
        "made_at": header.made_at.isoformat(),
        "entries": header.entries,
        "size": header.size,
        "root": header.root.hex(),
        "checkpoint": header.checkpoint.decode(),
        "rows": header.rows,
    }


def _header_of(content: dict[str, Any]) -> Header:
    if content["format"] != FORMAT:
        raise ValueError("another format")
    if content["version"] != VERSION:
        raise BackupError(
            f"the backup is of format version {content['version']}, and this program reads {VERSION}: "
            "restore with the version that made it"
        )
    return Header(
        federation=str(content["federation"]),
        origin=str(content["origin"]),
        schema=str(content["schema"]),
        made_at=datetime.fromisoformat(content["made_at"]),
        entries=int(content["entries"]),
        size=int(content["size"]),
        root=bytes.fromhex(content["root"]),
        checkpoint=content["checkpoint"].encode(),
        rows=int(content["rows"]),
    )
