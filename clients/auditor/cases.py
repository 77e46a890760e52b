"""Whether every sealed entry of a case look-up was opened to its subject in time: anybody can tell, of nobody.

A sealed entry says when it was made and nothing else; the entry that opens it has an id that follows from its own.
So an auditor learns that somebody was told, and when, and never who. What it cannot see is in whose chain the
opening stands: its subject does, and the witnesses hold the notice for it.
"""

from collections.abc import Iterable

from clients.auditor.entries import EntryFacts
from concordat.verify.case_notice import notice_record_id

SEALED = frozenset({"case look up", "case refusal"})
OPENED = "case notice"
CASE_KINDS = SEALED | {OPENED}
_DAY = 86_400_000_000_000  # nanoseconds
LONGEST = 181 * _DAY
"""No notice is put off for more than 180 days; a day more is for the exchange to deliver it."""


def follow(untold: dict[bytes, int], facts: Iterable[EntryFacts]) -> None:
    """Go on with entries in their order.

    ``untold`` has the time of each sealed entry that was not opened yet, by the id of the entry that will open it.
    """
    for each in facts:
        if each.kind in SEALED:
            untold[notice_record_id(each.record_id)] = each.at
        else:
            untold.pop(each.record_id, None)


def overdue(untold: dict[bytes, int], at: int) -> int:
    """Return how many sealed entries should have been opened by ``at`` (nanoseconds since 1970) and were not."""
    return sum(1 for sealed_at in untold.values() if at - sealed_at > LONGEST)
