"""Any statement of the federation, as a person reads it, and whether it verifies."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from clients.pki.errors import PkiError
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.directory import open_licence, open_status
from concordat.refusal import Refusal
from concordat.trust.envelope import parse_statement, payload_type_of
from concordat.trust.errors import StatementMalformedError
from concordat.verify.consent import open_binding

STATEMENTS: dict[str, type[Message]] = {
    payload_type_of(kind): kind
    for kind in (
        v1.Licence,
        v1.LicenceStatus,
        v1.SubjectBinding,
        v1.Consent,
        v1.ConsentEvent,
        v1.ConsentStatus,
        v1.SubjectRequest,
        v1.ViewRequest,
        v1.ScoreStatement,
        v1.View,
        v1.AccessHistory,
        v1.ListingFiling,
        v1.ListingEvent,
        v1.Dispute,
        v1.Ruling,
        v1.MirrorSync,
        v1.ListingAnswer,
        v1.ScreenRequest,
        v1.ScreenAnswer,
        v1.Retraction,
        v1.RetractionAcknowledgement,
        v1.FlagChange,
        v1.ContactChange,
        v1.CorrectionOrder,
    )
}
_CHAINED_TO_THE_BUNDLE = {
    payload_type_of(v1.Licence): open_licence,
    payload_type_of(v1.LicenceStatus): open_status,
    payload_type_of(v1.SubjectBinding): open_binding,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a statement verifies: None where the trust bundle alone cannot tell."""

    verifies: bool | None
    explanation: str


def read_statement(envelope: v1.Envelope) -> Message:
    """Parse a statement of any kind, unverified; raise ``PkiError``."""
    kind = STATEMENTS.get(envelope.payload_type)
    if kind is None:
        raise PkiError(f"{envelope.payload_type} is no statement that this version knows")
    try:
        return parse_statement(kind, envelope.payload)
    except StatementMalformedError as error:
        raise PkiError(f"the statement is malformed: {error}") from error


def verdict_on(envelope: v1.Envelope, anchors: Anchors | None, at: datetime) -> Verdict:
    """Tell whether a statement chains to the trust bundle at ``at``."""
    if anchors is None:
        return Verdict(None, "not checked: name a trust bundle with --trust-bundle")
    check = _CHAINED_TO_THE_BUNDLE.get(envelope.payload_type)
    if check is None:
        return Verdict(None, "not checked: a member or a subject signs this kind, not the bundle")
    try:
        check(envelope, anchors, at)
    except Refusal as refusal:
        return Verdict(verifies=False, explanation=str(refusal))
    return Verdict(verifies=True, explanation="verifies against the trust bundle")


def describe(message: Message, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield every field that says something, as (dotted name, text).

    Bytes are in hex, times in ISO 8601. A number without presence is shown even where it is 0.
    """
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        name = prefix + field.name
        if field.is_repeated:
            yield from _describe_list(field, list(value), name)
        elif field.message_type is not None:
            if message.HasField(field.name):
                yield from _describe_message(value, name)
        elif _says_something(message, field, value):
            yield name, _text(field, value)


def _describe_list(field: Any, values: list[Any], name: str) -> Iterator[tuple[str, str]]:
    if field.message_type is None:
        if values:
            yield name, ", ".join(_text(field, value) for value in values)
        return
    for index, value in enumerate(values):
        yield from _describe_message(value, f"{name}[{index}]")


def _describe_message(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Timestamp):
        yield name, value.ToJsonString()
    else:
        yield from describe(value, name + ".")


def _says_something(message: Message, field: Any, value: Any) -> bool:
    if field.has_presence:
        return message.HasField(field.name)
    return bool(value) or (isinstance(value, int) and field.enum_type is None)


def _text(field: Any, value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else str(value)
    return str(value)
