"""What is checked of one entry of an exchange's log, beyond its hash."""

from collections.abc import Callable
from typing import NamedTuple

from concordat import v1
from concordat.trust.envelope import parse_statement

RECORD_ID_BYTES = 16

_PREFIX = "LOG_ENTRY_KIND_"
_NANOS = 1_000_000_000


class EntryFacts(NamedTuple):
    """What the audit goes by: the kind's name, the time in nanoseconds since 1970, the record's id."""

    kind: str
    at: int
    record_id: bytes


CheckEntry = Callable[[bytes], EntryFacts]
"""Checks an entry's bytes, or raises a ``TrustError``. A module's function: worker processes call it."""


def check_log_entry(raw: bytes) -> EntryFacts:
    """Parse a ``LogEntry`` strictly; raise ``StatementMalformedError``."""
    entry = parse_statement(v1.LogEntry, raw)
    at = entry.logged_at.seconds * _NANOS + entry.logged_at.nanos
    return EntryFacts(_KINDS[entry.kind], at, entry.record_id)


_KINDS = {
    number: name.removeprefix(_PREFIX).lower().replace("_", " ")
    for name, number in v1.LogEntryKind.items()
}
