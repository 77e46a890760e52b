"""Table ``[subjects]``: what subjects may ask for, and how long proof is kept when they ask for erasure."""

from pydantic import BaseModel, ConfigDict, Field


class SubjectsSettings(BaseModel):
    """Table ``[subjects]``."""

    model_config = ConfigDict(extra="forbid")

    reports_per_day: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="Whole reports that one subject may ask for in 24 hours.",
    )
    keep_access_days: int = Field(
        default=183,
        ge=0,
        le=3660,
        description="Days for which an access, and the consent that allowed it, are kept as proof that it was "
        "lawful although the subject asks for erasure.",
    )
