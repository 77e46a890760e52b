"""Time: read once a request, passed in everywhere else, and never stepping back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

from google.protobuf.timestamp_pb2 import Timestamp

from concordat.trust.errors import StatementMalformedError

# Clocks of two parties may differ by this much; more and a statement is not fresh.
MAX_SKEW = timedelta(minutes=3)


class Clock:
    """Wall-clock time in UTC that never goes back below the latest time it has seen.

    A clock that is set back must not bring an expired consent or licence back to life, so time stands
    still until the wall clock has caught up. ``floor`` is the latest time that was on record when the
    process started.
    """

    def __init__(
        self,
        floor: datetime | None = None,
        source: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Start at ``source()`` or ``floor``, whichever is later."""
        self._source = source
        self._latest = floor or datetime.min.replace(tzinfo=UTC)
        self._lock = Lock()

    def now(self) -> datetime:
        """Return the current time, no earlier than any returned before."""
        with self._lock:
            self._latest = max(self._latest, self._source())
            return self._latest


def to_timestamp(moment: datetime) -> Timestamp:
    """Return the proto form of an aware ``datetime``."""
    seconds, micros = divmod(to_micros(moment), _SECOND)
    return Timestamp(seconds=seconds, nanos=micros * 1000)


def from_timestamp(timestamp: Timestamp) -> datetime:
    """Return an aware UTC ``datetime``, to the microsecond; raise ``StatementMalformedError`` if out of range."""
    seconds, nanos = timestamp.seconds, timestamp.nanos
    if not (_FIRST <= seconds <= _LAST and 0 <= nanos < 1000 * _SECOND):
        raise StatementMalformedError("a time is outside the years 1 to 9999")
    return _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)


def to_micros(moment: datetime) -> int:
    """Return microseconds since the Unix epoch, the form in which stores keep time."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the aware ``datetime`` of microseconds since the Unix epoch."""
    return _EPOCH + timedelta(microseconds=micros)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000  # microseconds
_FIRST, _LAST = -62_135_596_800, 253_402_300_799  # seconds of the years 1 and 9999
