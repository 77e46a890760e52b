"""A file that is there whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from concordat.durable import put_in_place
from exchange.backup.errors import BackupError


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write beside ``path``, make durable, rename; on any failure nothing is left and ``path`` is as it was.

    Only the owner may read it. Raises ``BackupError`` where the disk is full or the folder cannot be
    written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                yield file
            put_in_place(beside, path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
    except OSError as error:
        raise BackupError(
            f"cannot write {path}: {error.strerror or error}; no file was left"
        ) from error
