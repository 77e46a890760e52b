"""Counting what no table keeps: how long things took, and what came of asking. By day, of no person.

Runs within the transaction of the act that is counted. Nothing here knows whose act it was.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import IntEnum

from sqlalchemy import Connection

from concordat.clock import to_micros
from concordat.ids import new_id
from exchange.supervision.statistics import table
from exchange.supervision.statistics.buckets import bucket_of
from exchange.supervision.statistics.table import Counted

_DAY = timedelta(days=1) // timedelta(microseconds=1)
_PROCESS = new_id().hex()  # rows that no other process counts in


class Series(IntEnum):
    """What is counted, by member and cell. Kept in the database: never number one anew."""

    VIEW_LATENCY = 1  # by lender and bucket
    PROVIDER_OUTCOME = 2  # by provider and ProviderOutcomeKind
    PROVIDER_LATENCY = 3  # by provider and bucket
    CONSENT_EVENT_LATENCY = 4  # by bucket
    FISHING = 5  # by lender and StatisticsMeasure
    LISTING = 6  # by who filed it and StatisticsMeasure
    CASE = 7  # look-ups, by regulator and StatisticsMeasure
    CASE_ARTICLE = 8  # look-ups, by legal article and StatisticsMeasure


def count(connection: Connection, acts: Iterable[tuple[datetime, Iterable[Counted]]]) -> None:
    """Count acts, each with when it was done."""
    counts = Counter((to_micros(at) // _DAY, each) for at, cells in acts for each in cells)
    table.add(connection, _PROCESS, counts)


def took(series: Series, member: str, length: timedelta) -> Counted:
    """Return how long something took, as it is counted."""
    return series, member, bucket_of(length)
