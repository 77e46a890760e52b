"""Table ``[drift]``: from when on a provider's scores have moved, and what of it is told."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class DriftSettings(BaseModel):
    """Table ``[drift]``."""

    model_config = ConfigDict(extra="forbid")

    window_days: int = Field(
        default=90, ge=1, le=400, description="Whole days before today whose scores are compared."
    )
    psi_watch: float = Field(
        default=0.10,
        gt=0,
        description="Population stability index, less what chance alone makes of it, from which a provider "
        "is watched (Siddiqi 2006).",
    )
    psi_stale: float = Field(
        default=0.25, gt=0, description="As `psi_watch`: from which it is marked stale."
    )
    ratio_watch: float = Field(
        default=1.10,
        gt=1,
        description="Observed defaults over calibrated ones: a provider is watched where the whole 95 % "
        "interval is above this, or below its inverse.",
    )
    ratio_stale: float = Field(
        default=1.25, gt=1, description="As `ratio_watch`: where it is marked stale."
    )
    fit_p_value: float = Field(
        default=0.01,
        gt=0,
        le=0.5,
        description="A provider is watched where its bins differ from the calibration as much as chance alone "
        "makes them in less than this share of cases.",
    )
    least_subjects: int = Field(
        default=1000,
        ge=100,
        description="Scores, and outcomes, below which nothing is concluded or told but their number.",
    )
    smallest_cell: int = Field(
        default=10,
        ge=2,
        le=1000,
        description="Counts below this are not told, and the others rounded to its multiples; lenders report "
        "no bin with fewer subjects.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.psi_watch > self.psi_stale or self.ratio_watch > self.ratio_stale:
            raise ValueError("drift: what is watched begins no later than what is stale")
        return self
