"""A public register's extract, read whole or not at all: what the court mirrors.

An extract is CSV with the columns of ``listings file`` (the evidence left out, if need be), one judgment a
row, and a last line ``#end,<rows>[,<when it was read>]``, without which a cut-off file could not be told
from one that lost its last entries. Whatever is not right, nothing of it is used.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from concordat.clock import MAX_SKEW, from_micros
from provider.listings.rejects import ADVICE, RowRejected
from provider.listings.rows import EXPECTED, DebtRow, DebtRows
from provider.loading.csv_file import CsvFile
from provider.loading.files import FileDamagedError
from provider.loading.rows import ColumnsRefused
from provider.loading.rows import Reject as LineReject
from provider.loading.times import read_micros

END = "#end"
MAX_BYTES = 1 << 30
_TIMEOUT_SECONDS = 60.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_ENTRY_DOMAIN = b"concordat/register-entry/v1\n"


class RegisterRefused(Exception):  # noqa: N818 - as Refusal
    """An extract is not used; the text says why."""


@dataclass(frozen=True, slots=True)
class Extract:
    """All entries of a register at one time, each with its line."""

    entries: list[tuple[int, DebtRow]]
    by_identity: bool  # whether an entry's subject is an identity number
    read_at: datetime


@contextmanager
def fetched(source: str) -> Iterator[tuple[Path, datetime]]:
    """Yield the extract's file and when it was last written: of a folder the newest, of a URL a copy.

    Raises ``RegisterRefused``. What is fetched over HTTP must be encrypted, or of this machine: whoever
    could change it on the way could have anyone listed.
    """
    if source.startswith(("http://", "https://")):
        with tempfile.TemporaryDirectory(prefix="concordat-register-") as folder:
            suffix = ".csv.gz" if source.endswith(".gz") else ".csv"
            path = Path(folder) / f"register{suffix}"
            yield path, _download(source, path)
        return
    path = Path(source)
    try:
        if path.is_dir():
            path = _newest(path)
        yield path, datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError as error:
        raise RegisterRefused(f"cannot read {error.filename}: {error.strerror}") from error


def read_extract(
    path: Path, written_at: datetime, *, late: str = "", end_line: bool = True
) -> Extract:
    """Read an extract; raise ``RegisterRefused`` where a line of it is wrong, or its end is missing.

    ``late`` is the late-filing code of rows that bring none. Without ``end_line`` the extract has none.
    """
    try:
        file = CsvFile(path, EXPECTED)
    except (ColumnsRefused, FileDamagedError, OSError) as error:
        raise RegisterRefused(f"{path.name}: {error}") from error
    try:
        defaults = {"kind": "judgment", "basis": "judgment", "late": late}
        rules = DebtRows(
            file.columns, defaults, lambda name: _hash(path.parent / name), evidence=False
        )
        if not end_line:
            _require_last_line_whole(path)
        entries, end = _lines(file, rules)
    except (ColumnsRefused, FileDamagedError, OSError) as error:
        raise RegisterRefused(f"{path.name}: {error}") from error
    finally:
        file.close()
    if end_line and end is None:
        raise RegisterRefused(
            f"{path.name} has no last line {END},<rows>: it may have been cut off "
            "(--no-end-line, if this register's extracts have none)"
        )
    read_at = written_at if end is None else _end(end, len(entries), written_at)
    return Extract(entries, rules.by_identity, read_at)


def require_recent(read_at: datetime, oldest: timedelta, at: datetime) -> None:
    """Raise ``RegisterRefused`` where an extract is older than ``oldest``, or from the future."""
    if at - read_at > oldest:
        raise RegisterRefused(
            f"the extract is of {read_at:%Y-%m-%d %H:%M} UTC, older than {oldest}"
        )
    if read_at - at > MAX_SKEW:
        raise RegisterRefused(f"the extract is of {read_at:%Y-%m-%d %H:%M} UTC, in the future")


def with_evidence(row: DebtRow, subject_ref: bytes, secret: bytes) -> DebtRow:
    """Return an entry with the hash of its own content where the register has no evidence for it.

    The debt's secret is hashed in, so that nobody finds the entry by trying numbers.
    """
    if row.evidence_hash:
        return row
    facts = [row.reference, row.currency, row.minor, row.delinquent_since, row.source_ends_at]
    content = json.dumps([subject_ref.hex(), *facts]).encode()
    return replace(row, evidence_hash=hashlib.sha256(_ENTRY_DOMAIN + secret + content).digest())


def _lines(
    file: CsvFile, rules: DebtRows
) -> tuple[list[tuple[int, DebtRow]], Sequence[str] | None]:
    """Return all entries, and the fields of the end line if there is one."""
    entries: list[tuple[int, DebtRow]] = []
    end: Sequence[str] | None = None
    for number, fields in file.rows():
        if end is not None:
            raise RegisterRefused(f"line {number}: something follows the end line")
        if isinstance(fields, LineReject):
            raise RegisterRefused(f"line {number}: {fields.value}")
        if fields[0] == END:
            end = fields
            continue
        try:
            entries.append((number, rules.parse(fields)))
        except RowRejected as rejected:
            why = rejected.reject
            raise RegisterRefused(f"line {number}: {why.value}: {ADVICE[why]}") from rejected
    return entries, end


def _end(fields: Sequence[str], entries: int, written_at: datetime) -> datetime:
    """Return when the register was read, from an end line that must count its entries."""
    if len(fields) not in (2, 3) or fields[1] != str(entries):
        raise RegisterRefused(f"the end line does not count the {entries:,} entries that are there")
    if len(fields) == 2:  # noqa: PLR2004 - no time
        return written_at
    try:
        return from_micros(read_micros(fields[2]))
    except ValueError as error:
        raise RegisterRefused("the end line's time is no ISO 8601 time") from error


def _require_last_line_whole(path: Path) -> None:
    """Raise where a plain file ends within a line; a gzipped one that is cut off can't be read anyway."""
    with path.open("rb") as file:
        if file.read(2) == b"\x1f\x8b":
            return
        file.seek(-1, 2)
        if file.read(1) != b"\n":
            raise RegisterRefused(f"{path.name} ends within a line: it was cut off")


def _newest(folder: Path) -> Path:
    found = [path for pattern in ("*.csv", "*.csv.gz") for path in folder.glob(pattern)]
    if not found:
        raise RegisterRefused(f"{folder} holds no .csv or .csv.gz")
    return max(found, key=lambda path: (path.stat().st_mtime, path.name))


def _download(url: str, path: Path) -> datetime:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise RegisterRefused("a register is fetched over https only")
    try:
        with (
            httpx.stream("GET", url, timeout=_TIMEOUT_SECONDS) as answer,
            path.open("wb") as file,
        ):
            if answer.status_code != httpx.codes.OK:
                raise RegisterRefused(f"the register's server answers {answer.status_code}")
            # Unpacked by nobody but the reader, which notices where it was cut off.
            for piece in answer.iter_raw():
                file.write(piece)
                if file.tell() > MAX_BYTES:
                    raise RegisterRefused("the register's server sends more than 1 GiB")
            written = answer.headers.get("last-modified")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RegisterRefused(
            f"the register can't be fetched: {type(error).__name__}: {error}"
        ) from error
    try:
        return parsedate_to_datetime(written) if written else datetime.now(UTC)
    except ValueError as error:
        raise RegisterRefused("the register's server sends no time that can be read") from error


def _hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
