"""What counts as well, as a warning and as a failure."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clients.doctor import rules, rules_log
from clients.doctor.finding import Finding, Status, fail, ok, passes, warn
from concordat.clock import MAX_SKEW

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
GIB = 1 << 30
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("finding", "status", "says"),
    [
        (rules.clock(2 * SECOND), Status.OK, "ahead of"),
        (rules.clock(-30 * SECOND), Status.WARN, "behind"),
        (rules.clock(200 * SECOND), Status.FAIL, "refused from 180 s"),
        (rules.expiry("licence", NOW + 31 * DAY, NOW, "renew"), Status.OK, "31 days"),
        (rules.expiry("licence", NOW + 29 * DAY, NOW, "renew"), Status.WARN, "29 days"),
        (rules.expiry("licence", NOW, NOW, "renew"), Status.FAIL, "ended on 2026-06-01"),
        (rules.disk("disk", 50 * GIB, 100 * GIB), Status.OK, "50.0 GiB free"),
        (rules.disk("disk", 5 * GIB, 100 * GIB), Status.WARN, "5.0 GiB free"),
        (rules.disk("disk", GIB - 1, GIB), Status.FAIL, "free"),
        (rules.revision("database", "0002", "0002"), Status.OK, "0002"),
        (rules.revision("database", "0001", "0002"), Status.FAIL, "needs 0002"),
        (rules.revision("database", "0003", "0002"), Status.FAIL, "newer"),
        (rules.revision("database", None, "0002"), Status.FAIL, "no schema"),
        (rules.backup("backup", "a", NOW - 25 * HOUR, NOW), Status.OK, "25 h old"),
        (rules.backup("backup", "a", NOW - 27 * HOUR, NOW), Status.WARN, "27 h old"),
        (rules.backup("backup", "a", NOW - 8 * DAY, NOW), Status.FAIL, "8 days old"),
        (rules_log.freshness(7, NOW - HOUR, NOW), Status.OK, "7 entries"),
        (rules_log.freshness(7, NOW - 25 * HOUR, NOW), Status.WARN, "25 h ago"),
        (rules_log.freshness(0, None, NOW), Status.WARN, "empty"),
        (rules_log.quorum(2, 3, 2), Status.OK, "2 of 3 cosigned"),
        (rules_log.quorum(1, 3, 2), Status.FAIL, "2 are needed"),
        (rules_log.quorum(0, 0, 0), Status.WARN, "names no witness"),
        (rules_log.health({"sequencing": True, "failure": None}), Status.OK, "integrating"),
        (rules_log.health({"failure": "disk full"}), Status.FAIL, "disk full"),
        (rules_log.health({"unwitnessed_since": "noon"}), Status.FAIL, "since noon"),
    ],
)
def test_what_is_found_is_judged_and_what_to_do_is_said(
    finding: Finding, status: Status, says: str
) -> None:
    assert finding.status == status
    assert says in finding.found
    assert bool(finding.advice) == (status != Status.OK)


def test_a_warning_counts_only_where_that_is_asked_for() -> None:
    well, warned, failed = ok("a", ""), warn("b", "", ""), fail("c", "", "")
    assert passes([well, warned], strict=False)
    assert not passes([well, warned], strict=True)
    assert not passes([well, failed], strict=False)


def test_the_page_of_the_doctor_has_the_limits_that_hold() -> None:
    page = (Path(__file__).parents[4] / "docs/doctor.md").read_text("utf-8")
    for limit in (
        f"{rules.CLOCK_WATCH // SECOND} s apart",
        f"{MAX_SKEW // timedelta(minutes=1)} minutes",
        f"{rules.EXPIRY_WATCH // DAY} days before the end",
        f"under {rules.FREE_WATCH_PERCENT} % free",
        f"under {rules.LEAST_FREE // GIB} GiB free",
        f"older than {rules.BACKUP_WATCH // HOUR} h",
        f"older than {rules.BACKUP_LIMIT // DAY} days",
        f"no entry for {rules_log.QUIET // HOUR} h",
    ):
        assert limit in page
