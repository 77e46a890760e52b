"""One label of a metric: its values come from a closed list, or are bounded names."""

import re
from dataclasses import dataclass, field

OTHER = "other"
MOST_NAMES = 500
"""Of members or logs in one label: more than a federation licenses; what comes later counts as ``other``."""
_NAME = re.compile(r"[a-z0-9][a-z0-9./-]{0,254}")


@dataclass(frozen=True, slots=True)
class Label:
    """A label: ``values`` is its closed list; None for names that licences or settings bound."""

    name: str
    what: str
    values: frozenset[str] | None = None
    _seen: set[str] = field(default_factory=set, compare=False, repr=False)

    def bounded(self, value: str) -> str:
        """Return ``value`` if it may stand in the label, else ``other``."""
        if self.values is not None:
            return value if value in self.values else OTHER
        if value not in self._seen:
            if len(self._seen) >= MOST_NAMES or not _NAME.fullmatch(value):
                return OTHER
            self._seen.add(value)
        return value
