"""Table ``[limits]``: how much a lender may ask, and from when on its use looks like fishing."""

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator


class LimitSettings(BaseModel):
    """Table ``[limits]``."""

    model_config = ConfigDict(extra="forbid")

    per_minute: int = Field(
        default=60_000, ge=1, description="Asks of one lender that are let in within a minute."
    )
    per_day: int = Field(
        default=5_000_000,
        ge=1,
        description="Asks of one lender that are let in within a day: the current hour and the 23 before it.",
    )
    act_on_signals: bool = Field(
        default=True,
        description="Whether a lender whose use looks like fishing is limited. If not, what its use looks "
        "like is only recorded; quotas hold all the same.",
    )
    fresh_minutes: int = Field(
        default=10,
        ge=1,
        description="Of a lender that is stepped up or throttled: only consents granted this recently are "
        "served.",
    )
    throttled_per_hour: int = Field(
        default=60, ge=1, description="Asks of a throttled lender that are let in within an hour."
    )
    least_asks: int = Field(
        default=100, ge=1, description="A share counts as a signal only of this many in a day."
    )
    no_match_percent: int = Field(
        default=20,
        ge=0,
        le=100,
        description="Answers that found nobody: a larger share is a signal.",
    )
    others_consents_percent: int = Field(
        default=5,
        ge=0,
        le=100,
        description="Asks with a consent that is unknown, forged or another lender's: a larger share is a "
        "signal.",
    )
    consents_of_one_subject: int = Field(
        default=5,
        ge=1,
        description="Consents of one subject that a lender uses within 30 days: one more is a signal.",
    )
    least_outcomes: int = Field(
        default=100,
        ge=1,
        description="Missing outcomes are a signal only of this many that were due within 30 days.",
    )
    missing_outcomes_percent: int = Field(
        default=10,
        ge=0,
        le=100,
        description="Accesses whose outcome was not told within 30 days: a larger share is a signal.",
    )
    thresholds_of_one_subject: int = Field(
        default=2,
        ge=1,
        description="Different thresholds of one subject's score that a lender is told of within "
        "`threshold_days`; its band is told alone, or after fewer thresholds at the bands' own floors.",
    )
    threshold_days: int = Field(
        default=90,
        ge=1,
        le=3660,
        description="Days for which an answer to a threshold, or a band, counts.",
    )
    own_views_per_day: int = Field(
        default=10,
        ge=1,
        description="Times within 24 hours that a person may ask for its own score. They are in no lender's "
        "limit, and no signal.",
    )
    night_from: int = Field(
        default=22, ge=0, le=23, description="Hour of the day from which it is out of hours."
    )
    night_until: int = Field(
        default=6, ge=0, le=23, description="Hour of the day until which it is out of hours."
    )
    night_asks: int = Field(
        default=100, ge=1, description="Asks within one hour out of hours: fewer are no signal."
    )
    night_factor: float = Field(
        default=3.0,
        ge=1,
        description="An hour out of hours with more than this times the lender's own mean of the past seven "
        "days is a signal.",
    )
    time_zone: str = Field(
        default="UTC", description="Time zone of the hours above (IANA), such as `Europe/Rome`."
    )

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        _zone(name)
        return name

    @property
    def zone(self) -> tzinfo:
        """The time zone."""
        return _zone(self.time_zone)


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # also where the system has no time zones
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no time zone {name!r} on this system") from error
