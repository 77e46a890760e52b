"""What a wallet keeps of one consent."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from clients.sdk.errors import WalletError
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member, open_licence
from concordat.refusal import Refusal
from concordat.v1 import ConsentEventKind as Kind

_VERSION = 1


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """A consent, whether the exchange has it, the last event signed, and the providers' licences.

    The event is kept before it is sent: its sequence is never used for another, and it can be sent
    again, byte for byte, to whoever was not reached.
    """

    envelope: v1.Envelope
    granted: bool = False
    event: v1.Envelope | None = None
    licences: Mapping[str, v1.Envelope] = field(default_factory=dict)  # by provider

    @property
    def terms(self) -> v1.Consent:
        """What was agreed to."""
        return v1.Consent.FromString(self.envelope.payload)

    @property
    def consent_id(self) -> bytes:
        """The consent's id."""
        return self.terms.consent_id

    @property
    def last_event(self) -> v1.ConsentEvent:
        """The last event signed; an empty one, with sequence 0, where there is none."""
        return v1.ConsentEvent.FromString(self.event.payload if self.event else b"")

    def after(self, event: v1.Envelope) -> "ConsentRecord":
        """Return the record with a newer event."""
        return replace(self, event=event)

    def event_for(self, kind: v1.ConsentEventKind.ValueType) -> v1.Envelope | None:
        """Return the last event where it is of this kind, to be sent again; None to sign a new one.

        Raises ``WalletError`` where the consent's state does not allow the change: nobody is told of
        an event that cannot hold.
        """
        last = self.last_event.kind
        if last == kind:
            return self.event
        if last == Kind.CONSENT_EVENT_KIND_REVOKE:
            raise WalletError("the consent is revoked, for ever; grant a new one")
        if kind == Kind.CONSENT_EVENT_KIND_RESUME and last != Kind.CONSENT_EVENT_KIND_PAUSE:
            raise WalletError("the consent is not paused, so there is nothing to resume")
        return None

    def providers(self, anchors: Anchors, at: datetime) -> dict[str, Member]:
        """Return the providers as last known; a licence that does not verify is left out."""
        members: dict[str, Member] = {}
        for name, envelope in self.licences.items():
            try:
                members[name] = open_licence(envelope, anchors, at)
            except Refusal:
                continue
        return members

    def to_json(self) -> bytes:
        """Return the file's content."""
        content: dict[str, Any] = {
            "version": _VERSION,
            "consent": _encoded(self.envelope),
            "granted": self.granted,
            "event": _encoded(self.event) if self.event else None,
            "event_sequence": self.last_event.sequence,
            "providers": {name: _encoded(licence) for name, licence in self.licences.items()},
        }
        return json.dumps(content, indent=2).encode() + b"\n"

    @classmethod
    def from_json(cls, raw: bytes, path: Path) -> "ConsentRecord":
        """Read a file's content; raise ``WalletError`` where it is not one of these."""
        try:
            content = json.loads(raw)
            if content["version"] != _VERSION:
                raise WalletError(
                    f"{path} is of another version of this program; upgrade to read it"
                )
            return cls(
                _decoded(content["consent"]),
                bool(content["granted"]),
                _decoded(content["event"]) if content["event"] else None,
                {name: _decoded(text) for name, text in content["providers"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError, DecodeError) as error:
            raise WalletError(f"{path} is damaged: {error!r}") from error


def _encoded(envelope: v1.Envelope) -> str:
    return b64encode(envelope.SerializeToString()).decode()


def _decoded(text: str) -> v1.Envelope:
    return v1.Envelope.FromString(b64decode(text, validate=True))
