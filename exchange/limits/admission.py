"""Which of a lender's asks are let in, decided from its standing and its counts: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from concordat.clock import from_micros, to_micros
from concordat.refusal import Refusal
from concordat.v1 import Reason
from exchange.limits.rules import DAY, HOUR, Level, Standing
from exchange.limits.settings import LimitSettings

MINUTE = timedelta(minutes=1)
_MICRO = timedelta(microseconds=1)

Bucket = tuple[datetime, int]  # start, and how many were let in

_OTHERS = frozenset(
    {
        Reason.REASON_CONSENT_UNKNOWN,
        Reason.REASON_CONSENT_WRONG_RECIPIENT,
        Reason.REASON_SIGNATURE_INVALID,
    }
)


def is_others_consent(reason: Reason.ValueType) -> bool:
    """Tell whether an ask was refused because its consent is unknown, forged or another lender's."""
    return reason in _OTHERS


@dataclass(frozen=True, slots=True)
class LetIn:
    """What was let in lately, oldest first, with no bucket that does not count any more."""

    minute: Sequence[Bucket] = ()  # of the current minute, at most one
    hour: Sequence[Bucket] = ()  # minutes: the current one and the 59 before it
    day: Sequence[Bucket] = ()  # hours: the current one and the 23 before it


class _Quota:
    """One quota while a group of asks is decided."""

    def __init__(self, buckets: Sequence[Bucket], span: timedelta, most: int) -> None:
        self._buckets = buckets
        self._span = span
        self._most = most
        self.left = most - sum(count for _, count in buckets)
        self.opens: datetime | None = None

    @classmethod
    def of_throttled(
        cls, standing: Standing, let_in: LetIn, at: datetime, limits: LimitSettings
    ) -> "_Quota":
        """Return the quota of an hour of a throttled lender.

        It is counted from the minute after it was throttled: what it asked before is not held against it,
        and in what is left of that minute it is let in no more.
        """
        since = start_of(standing.since, MINUTE)
        buckets = [bucket for bucket in let_in.hour if bucket[0] > since]
        quota = cls(buckets, HOUR, limits.throttled_per_hour)
        if start_of(at, MINUTE) <= since:
            quota.left, quota.opens = 0, since + MINUTE
        return quota

    def again(self, now: Bucket) -> datetime:
        """Return when there is room again, once ``now`` was let in: when enough buckets have run out."""
        if self.opens is not None:
            return self.opens
        buckets = [*(bucket for bucket in self._buckets if bucket[0] != now[0]), now]
        total = sum(count for _, count in buckets)
        for start, count in buckets:
            total -= count
            if total < self._most:
                return start + self._span
        return now[0] + self._span


def decide(
    asks: Sequence[datetime | None],
    standing: Standing,
    let_in: LetIn,
    at: datetime,
    limits: LimitSettings,
) -> list[Refusal | None]:
    """Return for each ask why it is not let in, or None.

    An ask is when the exchange was granted its consent; None where it has no such consent on record. Asks
    are let in as long as there is room, in their order.
    """
    fresh = at - MINUTE * limits.fresh_minutes
    throttled = _Quota.of_throttled(standing, let_in, at, limits)
    minute = _Quota(let_in.minute, MINUTE, limits.per_minute)
    day = _Quota(let_in.day, DAY, limits.per_day)
    taken = 0
    results: list[Refusal | None] = []
    for granted in asks:
        if standing.level is Level.STOPPED:
            reason, again = Reason.REASON_LENDER_STOPPED, max(standing.until or at, at + MINUTE)
        elif standing.level and (granted is None or granted < fresh):
            results.append(Refusal(Reason.REASON_LENDER_STEPPED_UP))
            continue
        elif standing.level is Level.THROTTLED and taken >= throttled.left:
            reason = Reason.REASON_LENDER_THROTTLED
            again = throttled.again(_now(let_in.hour, at, MINUTE, taken))
        elif taken >= day.left:
            reason = Reason.REASON_QUOTA_EXCEEDED
            again = day.again(_now(let_in.day, at, HOUR, taken))
        elif taken >= minute.left:
            reason = Reason.REASON_QUOTA_EXCEEDED
            again = minute.again(_now(let_in.minute, at, MINUTE, taken))
        else:
            taken += 1
            results.append(None)
            continue
        results.append(Refusal(reason, retry_after=again - at))
    return results


def start_of(at: datetime, span: timedelta) -> datetime:
    """Return the start of the bucket that a time is in; buckets begin with the Unix epoch."""
    return from_micros(to_micros(at) // (span // _MICRO) * (span // _MICRO))


def _now(buckets: Sequence[Bucket], at: datetime, span: timedelta, taken: int) -> Bucket:
    """Return the current bucket with what was let in of this group."""
    start = start_of(at, span)
    return start, taken + sum(count for begin, count in buckets if begin == start)
