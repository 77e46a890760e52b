"""The exchange's settings."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from concordat.settings import Address, ServerSettings, SettingsError
from exchange.drift.settings import DriftSettings
from exchange.limits.settings import LimitSettings
from exchange.subjects.settings import SubjectsSettings
from exchange.supervision.settings import SupervisionSettings

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


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


class MailSettings(BaseModel):
    """Table ``[listings.mail]``: the mail server through which notices go out besides the inbox."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(
        min_length=1, description="The mail server. Without the table no mail is sent."
    )
    port: int = Field(default=587, ge=1, le=65_535, description="Its port.")
    security: Literal["starttls", "tls", "plain"] = Field(
        default="starttls",
        description="`starttls`: TLS is required before anything is said; `tls`: from the first byte; "
        "`plain`: none, for a server on this machine alone.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="CA certificates (PEM) that the server's must lead to; unset for the system's.",
    )
    sender: str = Field(
        pattern=r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,189}$",
        description="The address that notices come from; somebody should read what comes back to it.",
    )
    username: str = Field(default="", description="To log in with; unset for no login.")
    password_file: Path | None = Field(
        default=None, description="File whose first line is the password; needed with `username`."
    )
    full_text: bool = Field(
        default=True,
        description="Whether mail carries the whole notice and so serves it, from the moment the server "
        "takes it: the server must check the recipient before it does, as no relay on trust would. If not, "
        "mail only says that a notice waits, and only reading the inbox counts.",
    )
    timeout_seconds: float = Field(
        default=20.0, gt=0, le=120, description="The longest that any one answer is waited for."
    )
    message_seconds: float = Field(
        default=60.0, gt=0, le=300, description="The longest that sending one message may take."
    )
    at_once: int = Field(default=4, ge=1, le=32, description="Messages sent at the same time.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.security == "plain" and self.host not in _THIS_MACHINE:
            raise ValueError(
                "security = 'plain' is for a server on this machine; use starttls or tls"
            )
        if bool(self.username) != (self.password_file is not None):
            raise ValueError("username and password_file go together")
        return self

    def password(self) -> str:
        """Return the password, empty for none; raise ``SettingsError`` if it can't be read."""
        if self.password_file is None:
            return ""
        try:
            return self.password_file.read_text("utf-8").splitlines()[0]
        except (OSError, UnicodeDecodeError, IndexError) as error:
            raise SettingsError(f"no password in {self.password_file}") from error

    def anchored(self, folder: Path) -> Self:
        """Return a copy whose relative paths start at ``folder``."""
        paths = {"ca_file": self.ca_file, "password_file": self.password_file}
        return self.model_copy(
            update={name: folder / path for name, path in paths.items() if path is not None}
        )


class ListingsSettings(BaseModel):
    """Table ``[listings]``: the unified blacklist."""

    model_config = ConfigDict(extra="forbid")

    profiles: Path | None = Field(
        default=None,
        description="Folder of the operator's own jurisdiction profiles, `<name>.toml`; unset for none.",
    )
    mail: MailSettings | None = Field(default=None, description="See `listings.mail`.")

    def anchored(self, folder: Path) -> Self:
        """Return a copy whose relative paths start at ``folder``."""
        update: dict[str, object] = {}
        if self.profiles is not None:
            update["profiles"] = folder / self.profiles
        if self.mail is not None:
            update["mail"] = self.mail.anchored(folder)
        return self.model_copy(update=update)


class ExchangeSettings(ServerSettings):
    """What an exchange process needs beyond what every server has."""

    storage_keys: Path = Field(
        default=Path("storage_keys.json"),
        description="The keyring that what is kept of people is sealed under; `init` makes it. Keep a copy "
        "apart from those of the database: without it they cannot be read.",
    )
    log: LogSettings
    listings: ListingsSettings = Field(default_factory=ListingsSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    drift: DriftSettings = Field(default_factory=DriftSettings)
    subjects: SubjectsSettings = Field(default_factory=SubjectsSettings)
    supervision: SupervisionSettings = Field(default_factory=SupervisionSettings)
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

    @model_validator(mode="after")
    def _kept_while_it_counts(self) -> Self:
        if self.log.keep_days < self.limits.threshold_days:
            raise ValueError(
                "log.keep_days erases what limits.threshold_days still counts: keep entries at least as long"
            )
        return self

    def anchored(self, folder: Path) -> Self:
        """Return a copy whose relative paths start at ``folder``, the log's too."""
        log = self.log.model_copy(
            update={
                "signing_key": folder / self.log.signing_key,
                "folder": folder / self.log.folder,
            }
        )
        listings = self.listings.anchored(folder)
        return super().anchored(folder).model_copy(update={"log": log, "listings": listings})
