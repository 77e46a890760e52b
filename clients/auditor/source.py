"""Reading a log that is laid out as C2SP tlog-tiles says, over HTTP or from a directory."""

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from clients.auditor.errors import (
    BundleWrong,
    LogUnreadable,
    ResourceMissing,
    ResourceOversize,
    TileWrong,
)
from clients.auditor.http_files import HttpFiles
from concordat.trust.errors import MalformedNoteError
from concordat.trust.merkle import HASH_BYTES
from concordat.trust.note import MAX_NOTE_BYTES
from concordat.trust.tiles import (
    ENTRIES,
    MAX_ENTRY_BYTES,
    WIDTH,
    Tile,
    decode_bundle,
    encode_bundle,
)

CHECKPOINT = "checkpoint"

_LENGTH_BYTES = 2  # before each entry of a bundle


class Files(Protocol):
    """Files by their path within a log."""

    @property
    def concurrency(self) -> int:
        """How many to read at once, from threads, so as not to wait for each."""

    def read(self, path: str, limit: int) -> bytes:
        """Return a file of at most ``limit`` bytes.

        Raises ``ResourceMissing``, ``ResourceOversize``, or ``LogUnreadable`` for all else.
        """

    def close(self) -> None:
        """Let go of connections."""


class LogSource(AbstractContextManager["LogSource"]):
    """A log to read. What it returns has the right length and is otherwise *not* verified.

    ``name`` is the URL or path that ``open_source`` opens again, in another process too.
    """

    def __init__(self, name: str, files: Files) -> None:
        """Read from ``files``."""
        self.name = name
        self._files = files

    @property
    def concurrency(self) -> int:
        """How many tiles to read at once, from threads."""
        return self._files.concurrency

    def checkpoint(self) -> bytes:
        """Return the current checkpoint; raise ``LogUnreadable`` where there is none."""
        try:
            return self._files.read(CHECKPOINT, MAX_NOTE_BYTES)
        except ResourceMissing as error:
            raise LogUnreadable(f"there is no log at {self.name}: {error}") from error

    def tile(self, tile: Tile) -> bytes:
        """Return a hash tile or an entry bundle; a log may have replaced a partial one by the full one.

        Ask only for what a verified checkpoint requires.
        """
        try:
            return self._whole(tile)
        except ResourceMissing:
            if tile.width == WIDTH:
                raise
        try:
            full = self._whole(Tile(tile.level, tile.index))
        except ResourceMissing as error:
            raise ResourceMissing(
                "the log serves neither this nor the full one", where=tile.path
            ) from error
        return _first(full, tile)

    def _whole(self, tile: Tile) -> bytes:
        if tile.level == ENTRIES:
            return self._files.read(tile.path, tile.width * (_LENGTH_BYTES + MAX_ENTRY_BYTES))
        expected = tile.width * HASH_BYTES
        content = self._files.read(tile.path, expected)
        if len(content) != expected:
            raise TileWrong(
                f"{len(content)} bytes instead of {expected}",
                where=tile.path,
                evidence={tile.path: content},
            )
        return content

    def close(self) -> None:
        """Let go of connections."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_source(text: str) -> LogSource:
    """Return the log at an HTTP(S) prefix or in a directory."""
    if text.startswith(("http://", "https://")):
        return LogSource(text, HttpFiles(text))
    return LogSource(text, DirectoryFiles(Path(text)))


class DirectoryFiles:
    """A log's files on this machine: a mirror, or what the exchange writes."""

    concurrency = 1

    def __init__(self, folder: Path) -> None:
        """Read under ``folder``."""
        self._folder = folder

    def read(self, path: str, limit: int) -> bytes:
        """Return a file of at most ``limit`` bytes."""
        try:
            with (self._folder / path).open("rb") as file:
                content = file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ResourceMissing(f"not in {self._folder}", where=path) from error
        except OSError as error:
            raise LogUnreadable(f"cannot read it: {error.strerror}", where=path) from error
        if len(content) > limit:
            raise ResourceOversize(f"longer than {limit} bytes", where=path)
        return content

    def close(self) -> None:
        """Have nothing open."""


def _first(full: bytes, tile: Tile) -> bytes:
    """Return the first ``tile.width`` hashes or entries of the full tile."""
    if tile.level != ENTRIES:
        return full[: tile.width * HASH_BYTES]
    try:
        return encode_bundle(decode_bundle(full, WIDTH)[: tile.width])
    except MalformedNoteError as error:
        path = Tile(tile.level, tile.index).path
        raise BundleWrong(str(error), where=path, evidence={path: full}) from error
