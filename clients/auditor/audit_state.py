"""What an audit keeps between runs, so that the next one goes on where it stopped."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from clients.auditor.errors import KeptUnusable
from clients.durable import write_durably
from concordat.trust.merkle import Frontier
from concordat.trust.tiles import WIDTH

VERSION = 1


@dataclass(slots=True)
class AuditState:
    """What was audited of a log: its first ``size`` entries, a multiple of 256.

    ``edge`` are the hashes of their right edge, largest subtree first. ``note`` is the last checkpoint that
    was found consistent with those before. Times are nanoseconds since 1970. ``unique``: the ids of all
    entries so far stand in the file beside this one.
    """

    key: str
    unique: bool
    note: bytes = b""
    size: int = 0
    edge: tuple[bytes, ...] = ()
    kinds: Counter[str] = field(default_factory=Counter)
    first_at: int = 0
    last_at: int = 0
    untold: dict[bytes, int] = field(default_factory=dict)  # see ``clients.auditor.cases``

    def frontier(self) -> Frontier:
        """Return the right edge, to append to."""
        return Frontier(self.size, self.edge)

    def save(self, path: Path) -> None:
        """Write the state durably."""
        content = {
            "version": VERSION,
            "key": self.key,
            "unique": self.unique,
            "note": self.note.decode(),
            "size": self.size,
            "edge": [each.hex() for each in self.edge],
            "kinds": dict(self.kinds),
            "first_at": self.first_at,
            "last_at": self.last_at,
            "untold": {each.hex(): at for each, at in self.untold.items()},
        }
        write_durably(path, json.dumps(content, indent=2).encode() + b"\n")

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read the state, None if there is none; raise ``KeptUnusable`` where it cannot be gone on from."""
        try:
            return cls._parsed(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise KeptUnusable(f"{path} is not an audit's state: {error!r}") from error

    @classmethod
    def _parsed(cls, content: dict[str, Any]) -> Self:
        if content.pop("version") != VERSION:
            raise ValueError("it is another version's")
        content["note"] = content["note"].encode()
        content["edge"] = tuple(bytes.fromhex(each) for each in content["edge"])
        content["kinds"] = Counter(content["kinds"])
        untold = content.get("untold", {})
        content["untold"] = {bytes.fromhex(each): int(at) for each, at in untold.items()}
        state = cls(**content)
        if state.size % WIDTH:
            raise ValueError("it ends within a bundle")
        state.frontier()
        return state


def ids_path(state: Path) -> Path:
    """Return where the record ids of a kept audit stand."""
    return state.with_name(f"{state.name}.ids")
