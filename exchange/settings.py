"""The exchange's settings."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from concordat.settings import Address, ServerSettings


class WitnessSettings(BaseModel):
    """A table of ``[[log.witnesses]]``: where a witness of the trust bundle is asked."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="The witness's name, as in the trust bundle.")
    url: str = Field(pattern="^https?://", description="Its submission prefix.")


class LogSettings(BaseModel):
    """Table ``[log]``: the transparency log."""

    model_config = ConfigDict(extra="forbid")

    signing_key: Path = Field(
        description="Ed25519 key that signs the log's checkpoints (PKCS#8 PEM): the trust bundle's."
    )
    listen: Address = Field(description="Where anyone reads the log (plain HTTP), host:port.")
    tiles: Literal["files", "database"] = Field(
        default="files",
        description="Where tiles are kept: `files`, which any web server can serve, or `database`, which "
        "several exchange processes share.",
    )
    folder: Path = Field(default=Path("log"), description="For `files`: the directory.")
    batch_seconds: float = Field(
        default=0.02,
        ge=0.001,
        le=1,
        description="A checkpoint is signed at most once in this time.",
    )
    witnesses: list[WitnessSettings] = Field(
        default_factory=list,
        description="Where the trust bundle's witnesses are asked; a list of tables with `name` and `url`.",
    )
    witness_timeout_seconds: float = Field(
        default=1.0,
        gt=0,
        le=30,
        description="The longest that a checkpoint waits for cosignatures.",
    )
    when_unwitnessed: Literal["refuse", "continue"] = Field(
        default="refuse",
        description="What happens once too few witnesses have cosigned for `unwitnessed_seconds`: no view "
        "is released, or all goes on.",
    )
    unwitnessed_seconds: float = Field(
        default=30.0, ge=0, le=86_400, description="How long views are released without a quorum."
    )
    keep_days: int = Field(
        default=2190, ge=1, description="Days after which what opens an entry is erased."
    )


class ExchangeSettings(ServerSettings):
    """What an exchange process needs beyond what every server has."""

    log: LogSettings
    provider_timeout_seconds: float = Field(
        default=5.0, gt=0, le=30, description="The longest that a view waits for a provider."
    )
    coalesce_window_seconds: float = Field(
        default=0.010,
        ge=0,
        le=0.04,  # below the least that a view may wait for its providers (concordat.rpc.deadline)
        description="How long requests to one provider wait for company under load; 0 sends at once.",
    )
    shutdown_grace_seconds: float = Field(
        default=5.0, ge=0, le=60, description="How long calls may finish after a stop signal."
    )

    def anchored(self, folder: Path) -> Self:
        """Return a copy whose relative paths start at ``folder``, the log's too."""
        log = self.log.model_copy(
            update={
                "signing_key": folder / self.log.signing_key,
                "folder": folder / self.log.folder,
            }
        )
        return super().anchored(folder).model_copy(update={"log": log})
