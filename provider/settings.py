"""The settings of a provider's node."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from concordat.clock import MAX_SKEW
from concordat.settings import ServerSettings

_SQLITE = "sqlite:///"


class ScoresSettings(BaseModel):
    """Table ``[scores]``: where the scores come from."""

    model_config = ConfigDict(extra="forbid")

    source: Literal["store", "query"] = Field(
        default="store",
        description="`store`: the node's own database, filled by `load`; "
        "`query`: the provider's existing database, read in place.",
    )
    url: str = Field(
        default="",
        description="For `query`: SQLAlchemy URL of that database; "
        "sqlite:/// paths are relative to the settings file.",
    )
    query: str = Field(
        default="",
        description="For `query`: a SELECT with the list `:subject_refs`, as in "
        "`WHERE ref IN :subject_refs`, that returns the columns subject_ref, score, as_of, "
        "model_version and reasons (codes separated by `;`, or NULL).",
    )
    subject_ref_format: Literal["bytes", "hex"] = Field(
        default="bytes",
        description="For `query`: how that database keeps a subject_ref, as 32 bytes or as 64 "
        "lower-case hex digits.",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.source == "query" and not (self.url and ":subject_refs" in self.query):
            raise ValueError("source = 'query' needs url, and a query with :subject_refs")
        return self


class ConsentSettings(BaseModel):
    """Table ``[consent]``: how consents are checked."""

    model_config = ConfigDict(extra="forbid")

    status_max_age_seconds: int = Field(
        default=int(MAX_SKEW.total_seconds()),
        ge=1,
        le=3600,
        description="A stapled consent status older than this is refused.",
    )


class ProviderSettings(ServerSettings):
    """What a provider's node needs to run."""

    threads: int = Field(
        default=4, ge=1, le=64, description="Threads that answer calls on the member port."
    )
    grace_seconds: float = Field(
        default=5.0, ge=0, le=60, description="How long open calls may go on after a stop signal."
    )
    scores: ScoresSettings = Field(
        default_factory=ScoresSettings, description="Where the scores come from."
    )
    consent: ConsentSettings = Field(
        default_factory=ConsentSettings, description="How consents are checked."
    )

    def anchored(self, folder: Path) -> Self:
        """Return a copy whose relative paths, the query's database too, start at ``folder``."""
        moved = super().anchored(folder)
        path = self.scores.url.removeprefix(_SQLITE)
        if path == self.scores.url or path.startswith("/"):
            return moved
        scores = self.scores.model_copy(update={"url": f"{_SQLITE}{folder / path}"})
        return moved.model_copy(update={"scores": scores})
