"""How checkpoints are shown: to people in one line, to programs as an object."""

import base64
from datetime import datetime


def root_text(root: bytes) -> str:
    """Return a root as it stands in a checkpoint: base64."""
    return base64.b64encode(root).decode()


def checkpoint_line(size: int, root: bytes, at: datetime | None, source: str) -> str:
    """Return size, root, time and origin of a checkpoint for a person to compare."""
    when = "at a time not known" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{size} entries, root {root_text(root)}, {when}, from {source}"


def checkpoint_json(size: int, root: bytes, at: datetime | None, source: str) -> dict[str, object]:
    """Return the same for a program."""
    return {
        "size": size,
        "root": root_text(root),
        "time": None if at is None else at.isoformat(),
        "from": source,
    }
