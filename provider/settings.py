"""The settings of a provider's node."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from concordat.clock import MAX_SKEW
from concordat.settings import Address, ServerSettings

_SQLITE = "sqlite:///"


class ScoresSettings(BaseModel):
    """Table ``[scores]``: where the scores come from."""

    model_config = ConfigDict(extra="forbid")

    source: Literal["store", "query", "none"] = Field(
        default="store",
        description="`store`: the node's own database, filled by `load`; "
        "`query`: the provider's existing database, read in place; `none`: a furnisher or a court with "
        "no scores, which opens no ports, so that `member_listen` and `public_listen` are not needed.",
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


class ListingsSettings(BaseModel):
    """Table ``[listings]``: filing debts, for a furnisher or a court."""

    model_config = ConfigDict(extra="forbid")

    debt_key: Path = Field(
        default=Path("debt.key"),
        description="32 random bytes that the secrets of the node's own debts are derived from. `init` "
        "makes it; keep a copy in a safe place: without it a debt gets another name.",
    )
    spool: Path = Field(
        default=Path("listings-spool"),
        description="Folder where the `listings` commands lay what is to be filed, for whichever process "
        "holds the database. Whoever can write to it files in this member's name.",
    )


class ProviderSettings(ServerSettings):
    """What the node of a provider, a furnisher or a court needs to run."""

    # Not needed where no port is opened, which the validator below sees to.
    member_listen: Address = Field(
        default="127.0.0.1:0", description="Where members connect (mTLS), host:port."
    )
    public_listen: Address = Field(
        default="127.0.0.1:0", description="Where subjects connect (server TLS), host:port."
    )

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

    listings: ListingsSettings = Field(
        default_factory=ListingsSettings, description="Filing debts."
    )

    @model_validator(mode="after")
    def _listens(self) -> Self:
        missing = {"member_listen", "public_listen"} - self.model_fields_set
        if missing and self.scores.source != "none":
            raise ValueError(f"{' and '.join(sorted(missing))} needed to answer score requests")
        return self

    def anchored(self, folder: Path) -> Self:
        """Return a copy whose relative paths, those in tables too, start at ``folder``."""
        moved = super().anchored(folder)
        listings = self.listings.model_copy(
            update={
                "debt_key": folder / self.listings.debt_key,
                "spool": folder / self.listings.spool,
            }
        )
        moved = moved.model_copy(update={"listings": listings})
        path = self.scores.url.removeprefix(_SQLITE)
        if path == self.scores.url or path.startswith("/"):
            return moved
        scores = self.scores.model_copy(update={"url": f"{_SQLITE}{folder / path}"})
        return moved.model_copy(update={"scores": scores})
