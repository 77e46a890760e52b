"""Settings that every process has, read from its TOML file and the environment."""

from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import Field, StringConstraints, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from concordat.trust.errors import KeyFileError
from concordat.trust.keys import Ed25519Signer

T = TypeVar("T", bound="ProcessSettings")
MemberId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,62}$")]
Address = Annotated[str, StringConstraints(pattern=r"^\S+:\d{1,5}$")]
AddressOrNone = Annotated[str, StringConstraints(pattern=r"^(\S+:\d{1,5})?$")]


class SettingsError(Exception):
    """The settings cannot be used; the text names each setting and what is wrong with it."""


class ProcessSettings(BaseSettings):
    """What every process that signs and stores needs, a member of the federation or not.

    Paths are relative to the settings file. Every setting can be given as ``CONCORDAT_<NAME>`` in the
    environment (``CONCORDAT_SCORES__URL`` for a nested one), which wins over the file.
    """

    model_config = SettingsConfigDict(
        env_prefix="CONCORDAT_", env_nested_delimiter="__", extra="forbid"
    )

    signing_key: Path = Field(description="Ed25519 key that this process signs with (PKCS#8 PEM).")
    signing_key_passphrase_file: Path | None = Field(
        default=None,
        description="File whose first line opens the signing key; unset for a plain key.",
    )
    database: str = Field(
        description="SQLAlchemy URL; sqlite:/// paths are relative to the settings file."
    )
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Least level logged."
    )
    metrics_listen: AddressOrNone = Field(
        default="",
        description="Where Prometheus reads `/metrics` (plain HTTP, for the operator's network alone), "
        "host:port; empty for nowhere.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the file."""
        del dotenv_settings, file_secret_settings
        return (env_settings, init_settings, TomlConfigSettingsSource(settings_cls))

    def anchored(self, folder: Path) -> Self:
        """Return a copy whose relative paths start at ``folder``."""
        moved: dict[str, object] = {
            name: folder / value for name, value in self if isinstance(value, Path)
        }
        prefix = "sqlite:///"
        if self.database.startswith(prefix) and not self.database.startswith(prefix + "/"):
            moved["database"] = prefix + str(folder / self.database.removeprefix(prefix))
        return self.model_copy(update=moved)

    def passphrase(self) -> bytes | None:
        """Return what opens the signing key, None for a plain one; raise ``KeyFileError`` if it can't be read."""
        if self.signing_key_passphrase_file is None:
            return None
        try:
            return self.signing_key_passphrase_file.read_bytes().splitlines()[0]
        except (OSError, IndexError) as error:
            raise KeyFileError(f"no passphrase in {self.signing_key_passphrase_file}") from error

    def signer(self) -> Ed25519Signer:
        """Load the signing key; raise ``KeyFileError`` if it can't be."""
        return Ed25519Signer.load(self.signing_key, self.passphrase())


class ServerSettings(ProcessSettings):
    """What the exchange, a provider's node and the registrar share: members that serve two ports."""

    member_id: MemberId = Field(description="This process's member id, as in its licence.")
    trust_bundle: Path = Field(description="The federation's trust bundle (JSON).")
    tls_certificate: Path = Field(description="TLS certificate chain (PEM, P-256).")
    tls_key: Path = Field(description="TLS private key (PEM).")
    member_listen: Address = Field(description="Where members connect (mTLS), host:port.")
    public_listen: Address = Field(description="Where subjects connect (server TLS), host:port.")


def load_settings(kind: type[T], path: Path) -> T:
    """Read ``path`` into settings of ``kind``; raise ``SettingsError`` naming every setting that is wrong."""
    if not path.is_file():
        raise SettingsError(f"there is no settings file {path}")

    class FromFile(kind):  # type: ignore[valid-type,misc]  # the class is a parameter
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return FromFile().anchored(path.resolve().parent)  # type: ignore[no-any-return]
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise SettingsError(f"{path}: " + "; ".join(lines)) from error
    except ValueError as error:  # a TOML syntax error
        raise SettingsError(f"{path}: {error}") from error
