"""The time limits of a profile, read from its file by other code than the exchange's."""

import re
import tomllib
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

OWN = Path(__file__).parent / "profiles"
_BUILT_IN = Path(__file__).parents[2] / "exchange" / "listings" / "profiles"
_DEFAULTS = {"appeal_within": "10d", "appeal": "15d"}
_LENGTH = re.compile(r"(?:(\d+)y)?(?:(\d+)d)?")


@dataclass(frozen=True, slots=True)
class Length:
    """Calendar years, then days."""

    years: int = 0
    days: int = 0

    def after(self, moment: datetime) -> datetime:
        """Return the time this long after ``moment``; there is no 29 February in most years."""
        year = moment.year + self.years
        day = min(moment.day, monthrange(year, moment.month)[1])
        return moment.replace(year=year, day=day) + timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Repair:
    """When what was settled ends early."""

    state: str
    after: Length
    paid_within: Length | None
    up_to: int | None  # cents

    def due(self, minor: int, since: datetime, settled: datetime) -> datetime | None:
        """Return when it ends a debt; None where the rule is not for it."""
        if self.up_to is not None and minor > self.up_to:
            return None
        if self.paid_within is not None and settled > self.paid_within.after(since):
            return None
        return self.after.after(settled)


@dataclass(frozen=True, slots=True)
class Limits:
    """Those of private debts in one profile."""

    name: str
    notice: Length
    dispute: Length
    appeal: Length
    life: Length
    after_settlement: Length | None
    repairs: tuple[Repair, ...]
    floor: int  # cents
    bands: tuple[int, ...]  # cents


def limits_of(name: str) -> Limits:
    """Read a profile by its name: one of ours, or one that comes with the exchange."""
    path = OWN / f"{name}.toml"
    if not path.exists():
        path = _BUILT_IN / f"{name}.toml"
    told: dict[str, Any] = _DEFAULTS | tomllib.loads(path.read_text("utf-8"))
    debt = told["debt"]
    assert debt["while_disputed"] == "suppress"  # what ``model`` takes for granted
    return Limits(
        name,
        _length(told["notice"]),
        _length(told["dispute"]),
        _length(told["appeal"]),
        _length(debt["life"]),
        _maybe(debt.get("after_settlement")),
        tuple(map(_repair, debt.get("repair", []))),
        told["floor_minor"],
        tuple(told["bands_minor"]),
    )


def _repair(rule: dict[str, Any]) -> Repair:
    return Repair(
        rule["ends"].upper(),
        _length(rule.get("after", "0d")),
        _maybe(rule.get("paid_within")),
        rule.get("up_to_minor"),
    )


def _maybe(written: str | None) -> Length | None:
    return None if written is None else _length(written)


def _length(written: str) -> Length:
    match = _LENGTH.fullmatch(written)
    assert match is not None, written
    return Length(*(int(part or 0) for part in match.groups()))
