"""What is well and what is not of the log: its age, its witnesses, what it says of itself. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from clients.doctor.finding import Finding, fail, ok, warn

QUIET = timedelta(hours=24)
"""A log in use grows more often than that."""


def freshness(size: int, last_at: datetime | None, now: datetime) -> Finding:
    """Judge when the last of a log's entries was made; None for an empty log."""
    if last_at is None:
        return warn("log", "it is still empty", "nothing, if nothing was done here yet")
    age = now - last_at
    found = f"{size:,} entries, the last of {last_at:%Y-%m-%d %H:%M:%S} UTC"
    if age > QUIET:
        hours = age // timedelta(hours=1)
        return warn(
            "log",
            f"{found}, {hours} h ago",
            "see whether the exchange still takes requests, and whether a cache before the log "
            "keeps an old checkpoint",
        )
    return ok("log", found)


def quorum(cosigned: int, known: int, needed: int) -> Finding:
    """Judge how many of the trust bundle's witnesses cosigned the current checkpoint."""
    check, found = "witness quorum", f"{cosigned} of {known} cosigned, {needed} are needed"
    if known == 0:
        return warn(
            check,
            "the trust bundle names no witness",
            "name witnesses that others run: without them only who compares can tell a second log",
        )
    if cosigned < needed:
        return fail(
            check, found, "start the witnesses that are away; the exchange stops releasing views"
        )
    # The exchange waits for no more than a quorum: fewer than all is as it should be.
    return ok(check, found)


def health(told: Mapping[str, object]) -> Finding:
    """Judge what the exchange's log says of itself at ``/health``."""
    check = "log's own health"
    if failure := told.get("failure"):
        return fail(
            check, f"entries are not integrated: {failure}", "read the exchange's log; then restart"
        )
    if since := told.get("unwitnessed_since"):
        return fail(
            check, f"without a quorum since {since}", "start the witnesses, or mend the way to them"
        )
    return ok(check, "integrating entries" if told.get("sequencing") else "another process does it")
