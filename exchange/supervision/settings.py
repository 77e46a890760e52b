"""Table ``[supervision]``: what regulators may read, and how."""

from pydantic import BaseModel, ConfigDict, Field


class SupervisionSettings(BaseModel):
    """Table ``[supervision]``."""

    model_config = ConfigDict(extra="forbid")

    smallest_cell: int = Field(
        default=10,
        ge=2,
        le=1000,
        description="Counts below this are not told in statistics, and the others rounded to its multiples. "
        "What was told of a period stays as it was told.",
    )
    case_look_ups_per_month: int = Field(
        default=200,
        ge=0,
        le=1_000_000,
        description="Case look-ups that are let in a calendar month (UTC), of all regulators together.",
    )
    case_notice_days: int = Field(
        default=180,
        ge=0,
        le=180,
        description="The longest that a case may put off the notice to its subject. Never longer than the log "
        "keeps what opens its entries.",
    )
    custodians_needed: int = Field(
        default=2,
        ge=2,
        le=32,
        description="Witnesses that must hold a case look-up's notice before anything is released.",
    )
    custodian_timeout_seconds: float = Field(
        default=3.0, gt=0, le=20, description="The longest that a custodian is waited for."
    )
