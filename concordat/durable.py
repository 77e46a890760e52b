"""Files that are there whole or not at all, whatever dies when."""

import os
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file, and see to it that a loss of power leaves the old one or the new one."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    put_in_place(beside, path)


def put_in_place(beside: Path, path: Path) -> None:
    """Flush ``beside`` to disk and rename it to ``path``, and flush the folder."""
    flush(beside)
    beside.replace(path)
    flush(path.parent)


def create_durably(path: Path, content: bytes) -> bool:
    """Make a file that only its owner reads, unless there is one; tell whether it was made.

    Of several processes that try at once one makes it, and what the others find is whole.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        flush(beside)
        os.link(beside, path)
    except FileExistsError:
        return False
    finally:
        beside.unlink(missing_ok=True)
    flush(path.parent)
    return True


def flush(path: Path) -> None:
    """Make a file's content, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
