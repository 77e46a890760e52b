"""Times as files write them, read strictly."""

import re
from datetime import UTC, datetime

from concordat.clock import to_micros

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


def read_micros(text: str) -> int:
    """Return an ISO 8601 date or time in microseconds since the epoch; UTC if no offset is given.

    Raises ``ValueError`` for anything else, and for a time before 1970.
    """
    if not _TIME.fullmatch(text):
        raise ValueError("not an ISO 8601 date or time")
    moment = datetime.fromisoformat(text)
    micros = to_micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if micros < 0:
        raise ValueError("before 1970")
    return micros
