"""What is well and what is not: clock, dates that end, room on disk, age of a backup. Pure."""

from datetime import datetime, timedelta

from clients.doctor.finding import Finding, fail, ok, warn
from concordat.clock import MAX_SKEW

CLOCK_WATCH = timedelta(seconds=10)
"""A clock that is off by more will soon be off by too much: nothing sets it."""

EXPIRY_WATCH = timedelta(days=30)
LEAST_FREE = 1 << 30
"""Bytes below which a disk counts as full: a database that can't write loses no entry, but answers nobody."""

FREE_WATCH_PERCENT = 10
BACKUP_WATCH = timedelta(hours=26)  # a daily one, and two hours that it may take
BACKUP_LIMIT = timedelta(days=7)


def clock(offset: timedelta) -> Finding:
    """Judge how far this machine's clock is ahead of the exchange's (behind: below zero)."""
    seconds = abs(offset.total_seconds())
    way = "ahead of" if offset > timedelta(0) else "behind"
    found = f"{seconds:.1f} s {way} the exchange's"
    advice = "have NTP set the clock of this machine, and of the exchange's if this one is right"
    if abs(offset) > MAX_SKEW:
        limit = f"; statements are refused from {MAX_SKEW.total_seconds():.0f} s"
        return fail("clock", found + limit, advice)
    return warn("clock", found, advice) if abs(offset) > CLOCK_WATCH else ok("clock", found)


def expiry(check: str, ends: datetime, now: datetime, renew: str) -> Finding:
    """Judge something that ends at ``ends``; ``renew`` says how to get another."""
    left = ends - now
    if left <= timedelta(0):
        return fail(check, f"ended on {ends:%Y-%m-%d}", renew)
    found = f"until {ends:%Y-%m-%d}, {left.days} days"
    return warn(check, found, renew) if left < EXPIRY_WATCH else ok(check, found)


def disk(check: str, free: int, total: int) -> Finding:
    """Judge the room of a disk, in bytes."""
    found = f"{free / (1 << 30):,.1f} GiB free of {total / (1 << 30):,.1f}"
    advice = "make room or move the folder to a larger disk; nothing is answered once it is full"
    if free < LEAST_FREE:
        return fail(check, found, advice)
    low = free * 100 < total * FREE_WATCH_PERCENT
    return warn(check, found, advice) if low else ok(check, found)


def revision(check: str, found: str | None, newest: str) -> Finding:
    """Judge a database's schema against the newest that this version has."""
    if found == newest:
        return ok(check, f"opens, schema {found}")
    if found is None:
        return fail(check, "it has no schema", "run init with these settings")
    if found > newest:
        return fail(
            check,
            f"schema {found}, newer than this version's {newest}",
            "install the version that migrated it",
        )
    return fail(
        check, f"schema {found}, and this version needs {newest}", "run init, which migrates it"
    )


def backup(check: str, name: str, made_at: datetime, now: datetime) -> Finding:
    """Judge the age of the newest backup."""
    age = now - made_at
    found = f"{name}, {made_at:%Y-%m-%d %H:%M} UTC, {_age(age)} old"
    advice = "run concordat-exchange backup now, and see why it did not run by itself"
    if age > BACKUP_LIMIT:
        return fail(check, found, advice)
    return warn(check, found, advice) if age > BACKUP_WATCH else ok(check, found)


def _age(age: timedelta) -> str:
    hours = max(age, timedelta(0)) // timedelta(hours=1)
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"  # noqa: PLR2004 - two days
