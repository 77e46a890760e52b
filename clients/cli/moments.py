"""Times as people read them."""

from datetime import timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from clients import formats


def moment(timestamp: Timestamp) -> str:
    """Return a time to the second, in UTC, in the language that is written."""
    return formats.moment(timestamp, seconds=True)


_UNITS = (("days", 86_400), ("hours", 3_600), ("minutes", 60))


def duration(length: timedelta) -> str:
    """Return how long something takes, in whole units and never less than it takes: `90 days`, `7 minutes`."""
    seconds = -(-length // timedelta(seconds=1))
    for name, unit in _UNITS:
        if seconds > 2 * unit:
            return f"{-(-seconds // unit)} {name}"
    return f"{seconds} s"
