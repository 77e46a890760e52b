"""What the doctor needs of a process's settings file, whichever party's it is."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import SettingsConfigDict

from concordat.settings import ProcessSettings, load_settings


class WitnessAddress(BaseModel):
    """A table of the exchange's ``[[log.witnesses]]``."""

    name: str
    url: str


class LogPart(BaseModel):
    """The part of the exchange's table ``[log]`` that the doctor reads."""

    model_config = ConfigDict(extra="ignore")

    tiles: str = "files"
    folder: Path = Path("log")
    witnesses: list[WitnessAddress] = Field(default_factory=list)


class DeploymentSettings(ProcessSettings):
    """What any process of a deployment has; a table that is not there tells whose it is not."""

    model_config = SettingsConfigDict(
        env_prefix="CONCORDAT_", env_nested_delimiter="__", extra="ignore"
    )

    member_id: str = ""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    log: LogPart | None = None
    logs: list[object] | None = None  # a witness's
    identity: dict[str, object] | None = None  # a registrar's

    @property
    def party(self) -> str:
        """The package of the party whose settings these are."""
        if self.log is not None:
            return "exchange"
        if self.logs is not None:
            return "witness"
        return "registrar" if self.identity is not None else "provider"

    def anchored(self, folder: Path) -> Self:
        """Return a copy whose relative paths start at ``folder``, the log's too."""
        moved = super().anchored(folder)
        if self.log is None:
            return moved
        log = self.log.model_copy(update={"folder": folder / self.log.folder})
        return moved.model_copy(update={"log": log})


def read(path: Path) -> DeploymentSettings:
    """Read a settings file; raise ``SettingsError``."""
    return load_settings(DeploymentSettings, path)
