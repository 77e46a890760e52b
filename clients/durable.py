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


def flush(path: Path) -> None:
    """Make a file's content, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
