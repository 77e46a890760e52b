"""The witness's settings."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from concordat.settings import Address, ProcessSettings
from concordat.trust.errors import MalformedNoteError
from concordat.trust.note import ED25519, VerifierKey, check_key_name

MOST_NAME_CHARACTERS = 255


def _key_name(name: str) -> str:
    try:
        check_key_name(name)
    except MalformedNoteError as error:
        raise ValueError(str(error)) from error
    if len(name) > MOST_NAME_CHARACTERS:
        raise ValueError(f"the name is longer than {MOST_NAME_CHARACTERS} characters")
    return name


KeyName = Annotated[str, AfterValidator(_key_name)]


class WitnessedLog(BaseModel):
    """Table ``[[logs]]``: a log whose checkpoints are cosigned."""

    model_config = ConfigDict(extra="forbid")

    vkey: str = Field(
        description="The log's verifier key (c2sp.org/signed-note, Ed25519); its name is the origin. "
        "A log that changes its key has two entries for a while."
    )

    @field_validator("vkey")
    @classmethod
    def _is_a_logs_key(cls, text: str) -> str:
        try:
            key = VerifierKey.parse(text)
        except MalformedNoteError as error:
            raise ValueError(str(error)) from error
        if key.algorithm != ED25519:
            raise ValueError("a log's key is of type 0x01, Ed25519")
        _key_name(key.name)
        return text

    @property
    def key(self) -> VerifierKey:
        """The key parsed."""
        return VerifierKey.parse(self.vkey)


class WitnessSettings(ProcessSettings):
    """What a witness process needs. It is no server of the federation: it speaks plain HTTP.

    TLS, where it is wanted, is the business of the reverse proxy (or bastion) before it.
    """

    name: KeyName = Field(
        description="Name in the cosignatures: a URL without scheme that is this witness's alone, "
        "such as witness.example/w1. No space, no plus."
    )
    listen: Address = Field(description="Where logs and watchers connect (plain HTTP), host:port.")
    prefix: str = Field(
        default="",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Path before add-checkpoint, such as /w1, unless a proxy takes it off.",
    )
    logs: list[WitnessedLog] = Field(
        default=[], description="The logs whose checkpoints are cosigned."
    )
    trust_bundle: Path | None = Field(
        default=None,
        description="The trust bundle (JSON) of the federation whose deferred notices are held in custody; "
        "unset for none.",
    )
    max_body_bytes: int = Field(
        default=131_072, ge=4096, le=262_144, description="A longer request is refused (413)."
    )
    shutdown_grace_seconds: int = Field(
        default=5, ge=1, le=60, description="How long requests may finish after a stop signal."
    )

    @model_validator(mode="after")
    def _each_key_once(self) -> Self:
        keys = [log.key for log in self.logs]
        if len(set(keys)) < len(keys):
            raise ValueError("logs: a key is given twice")
        return self
