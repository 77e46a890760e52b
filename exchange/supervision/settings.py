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
