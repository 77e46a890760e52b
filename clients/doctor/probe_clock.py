"""How far this machine's clock is from the exchange's: by the date of an answer from its log."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from clients.doctor import rules
from clients.doctor.finding import Finding, warn

_SECONDS = 5.0
_HALF = timedelta(seconds=0.5)  # a Date says the second only, cut off


def probe(url: str, now: Callable[[], datetime]) -> list[Finding]:
    """Judge the clock; raise ``httpx.HTTPError`` where the log does not answer."""
    before = now()
    answer = httpx.get(f"{url.rstrip('/')}/checkpoint", timeout=_SECONDS)
    between = before + (now() - before) / 2
    try:
        date = parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError):
        advice = "compare this machine's clock with the exchange's by hand"
        return [warn("clock", "the log's answers carry no date", advice)]
    return [rules.clock(between - date - _HALF)]
