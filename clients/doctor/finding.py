"""What the doctor says of one thing that it looked at."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How well it is; a warning is not yet a failure."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, how well it is, what was found, and what to do; nothing where all is well."""

    check: str
    status: Status
    found: str
    advice: str = ""


def ok(check: str, found: str) -> Finding:
    """Return that it is well."""
    return Finding(check, Status.OK, found)


def warn(check: str, found: str, advice: str) -> Finding:
    """Return what will not be well for long."""
    return Finding(check, Status.WARN, found, advice)


def fail(check: str, found: str, advice: str) -> Finding:
    """Return what is not well."""
    return Finding(check, Status.FAIL, found, advice)


def passes(findings: Iterable[Finding], *, strict: bool) -> bool:
    """Return whether nothing failed; ``strict`` takes a warning for a failure."""
    bad = {Status.FAIL, Status.WARN} if strict else {Status.FAIL}
    return not any(finding.status in bad for finding in findings)
