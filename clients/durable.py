"""Files that are there whole or not at all, whatever dies when."""

import os
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file, and see to it that a loss of power leaves the old one or the new one."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
