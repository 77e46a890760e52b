"""The registrar's settings."""

from pathlib import Path
from re import Pattern
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from concordat.settings import ServerSettings


class IdentitySettings(BaseModel):
    """Table ``[identity]``: how identity numbers are read, and how long what they give lasts."""

    model_config = ConfigDict(extra="forbid")

    derivation_key: Path = Field(
        description="Secret that subject_refs derive from: 32 bytes, raw or hex. Init makes it; "
        "whoever holds it can compute everyone's subject_ref, and without it all are lost."
    )
    pattern: Pattern[str] = Field(
        default="^[A-Z0-9-]{4,32}$",
        validate_default=True,
        description="What an identity number looks like once normalised.",
    )
    strip_separators: bool = Field(
        default=True, description="Whether spaces and hyphens are no part of an identity number."
    )
    daily_quota: int = Field(
        default=1_000_000,
        ge=1,
        description="Identities that one member may present a day (UTC).",
    )
    binding_days: int = Field(
        default=730, ge=1, le=3650, description="Days that a subject's key binding is valid."
    )
    code_hours: int = Field(
        default=72, ge=1, le=24 * 90, description="Hours that an enrolment code works."
    )


class RegistrarSettings(ServerSettings):
    """What a registrar process needs beyond what every server has."""

    identity: IdentitySettings
    threads: int = Field(default=4, ge=1, le=64, description="Calls answered at once on each port.")
    shutdown_grace_seconds: float = Field(
        default=5.0, ge=0, le=60, description="How long calls may finish after a stop signal."
    )

    def anchored(self, folder: Path) -> Self:
        """Return a copy whose relative paths start at ``folder``, the derivation key's too."""
        moved = super().anchored(folder)
        key = folder / self.identity.derivation_key
        identity = self.identity.model_copy(update={"derivation_key": key})
        return moved.model_copy(update={"identity": identity})
