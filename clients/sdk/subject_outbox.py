"""A wallet's outbox: what its subject signed and the exchange has not answered yet.

    wallet/outbox/<time-ordered id>.<kind>     the serialised request

A request is here before it is sent for the first time, and goes when it is answered: taken in, or refused for
a reason that asking again cannot change. Until then it is sent again, byte for byte, by every later command.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError, Message

from clients.sdk.errors import AnswerNotVerified, WalletError, may_pass
from clients.sdk.flow import Call, Flow, Port, exchange_peer
from clients.sdk.listing_memory import Said
from clients.sdk.subject_requests import SubjectRequest
from concordat import v1
from concordat.durable import put_in_place
from concordat.federation.anchors import Anchors
from concordat.ids import new_id
from concordat.rpc.errors import RemoteError
from concordat.statements import digest_of
from concordat.v1 import FlagKind, ListingState

_SERVICE = "/concordat.v1.SubjectService/"


@dataclass(frozen=True, slots=True)
class _Kind:
    request: type[SubjectRequest]
    response: type[Message]
    method: str


_KINDS: Mapping[str, _Kind] = {
    "dispute": _Kind(v1.SubmitDisputeRequest, v1.SubmitDisputeResponse, "SubmitDispute"),
    "event": _Kind(
        v1.SubmitSubjectEventRequest, v1.SubmitSubjectEventResponse, "SubmitSubjectEvent"
    ),
    "flag": _Kind(v1.ChangeFlagRequest, v1.ChangeFlagResponse, "ChangeFlag"),
    "contact": _Kind(v1.ChangeContactRequest, v1.ChangeContactResponse, "ChangeContact"),
}


@dataclass(frozen=True, slots=True)
class Pending:
    """A signed request on its way, or not yet."""

    pending_id: bytes
    kind: str
    request: SubjectRequest

    @classmethod
    def of(cls, request: SubjectRequest) -> "Pending":
        """Take a request that was just signed."""
        kind = next(name for name, kind in _KINDS.items() if isinstance(request, kind.request))
        return cls(new_id(), kind, request)

    @property
    def statement(self) -> v1.Envelope:
        """The subject's signed statement in it."""
        match self.request:
            case v1.SubmitDisputeRequest():
                return self.request.dispute
            case v1.SubmitSubjectEventRequest():
                return self.request.event
            case _:
                return self.request.change

    @property
    def digest(self) -> bytes:
        """Statement digest."""
        return digest_of(self.statement)

    @property
    def said(self) -> Said:
        """What the subject signed."""
        payload = self.statement.payload
        match self.request:
            case v1.SubmitDisputeRequest():
                return v1.Dispute.FromString(payload)
            case v1.SubmitSubjectEventRequest():
                return v1.ListingEvent.FromString(payload)
            case v1.ChangeFlagRequest():
                return v1.FlagChange.FromString(payload)
            case _:
                return v1.ContactChange.FromString(payload)

    @property
    def listing_id(self) -> bytes:
        """The listing that it is about; empty for a flag or a contact."""
        said = self.said
        return said.listing_id if isinstance(said, (v1.Dispute, v1.ListingEvent)) else b""


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of sending a request: answered, refused for good, or still waiting in the outbox."""

    pending: Pending
    response: Message | None = None
    error: RemoteError | AnswerNotVerified | None = None

    @property
    def waits(self) -> bool:
        """Whether it stays in the outbox, to be sent again."""
        if isinstance(self.error, RemoteError):
            return may_pass(self.error)
        return self.error is not None

    @property
    def unanswered(self) -> bool:
        """Whether nobody answered at all."""
        return isinstance(self.error, RemoteError) and not self.error.reason

    def require_taken(self) -> Message:
        """Return the answer; raise what went wrong."""
        if self.error is not None:
            raise self.error
        assert self.response is not None  # noqa: S101 - one or the other
        return self.response

    @property
    def state(self) -> ListingState.ValueType:
        """Where the listing stands after it, in the exchange's word; unspecified where there is none."""
        if isinstance(self.response, (v1.SubmitDisputeResponse, v1.SubmitSubjectEventResponse)):
            return self.response.state
        return ListingState.LISTING_STATE_UNSPECIFIED


def submit(pending: Pending, anchors: Anchors) -> Flow[Posted]:
    """Send a request, the same bytes as ever; return what became of it."""
    kind = _KINDS[pending.kind]
    call = Call(
        exchange_peer(anchors, Port.PUBLIC), _SERVICE + kind.method, pending.request, kind.response
    )
    (answer,) = yield [call]
    if isinstance(answer, RemoteError):
        return Posted(pending, error=answer)
    try:
        _require_done(pending, answer)
    except AnswerNotVerified as error:
        return Posted(pending, error=error)
    return Posted(pending, answer)


def _require_done(pending: Pending, answer: Message) -> None:
    """Raise ``AnswerNotVerified`` where the exchange's answer is not what was asked for."""
    if not isinstance(answer, v1.ChangeFlagResponse):
        return
    change = v1.FlagChange.FromString(pending.statement.payload)
    freeze = change.kind == FlagKind.FLAG_KIND_FREEZE
    now = answer.flags.frozen if freeze else answer.flags.fraud_alert
    if now != change.placed:
        raise AnswerNotVerified("the exchange answered, and did not change the flag as you signed")


class SubjectOutbox:
    """The folder of requests that wait for their answer."""

    def __init__(self, folder: Path) -> None:
        """Keep them in ``folder``, made when first needed."""
        self._folder = folder

    def put(self, pending: Pending) -> None:
        """Write a request, durably, before it is sent; raise ``WalletError`` if that can't be."""
        path = self._path(pending)
        beside = path.with_name(f".{path.name}.new")
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            beside.touch(mode=0o600)
            beside.write_bytes(pending.request.SerializeToString())
            put_in_place(beside, path)
        except OSError as error:
            raise WalletError(f"cannot write {path}: {error.strerror}; nothing was sent") from error

    def waiting(self) -> list[Pending]:
        """Return what waits, oldest first; raise ``WalletError`` for a file that cannot be read."""
        paths = sorted(path for path in self._folder.glob("*.*") if not path.name.startswith("."))
        return [_read(path) for path in paths]

    def drop(self, pending: Pending) -> None:
        """Forget a request that was answered."""
        self._path(pending).unlink(missing_ok=True)

    def _path(self, pending: Pending) -> Path:
        return self._folder / f"{pending.pending_id.hex()}.{pending.kind}"


def _read(path: Path) -> Pending:
    kind = _KINDS.get(path.suffix[1:])
    if kind is None:
        raise WalletError(f"{path} is of another version of this program; upgrade to send it")
    try:
        request = kind.request.FromString(path.read_bytes())
        return Pending(bytes.fromhex(path.stem), path.suffix[1:], request)
    except (OSError, ValueError, DecodeError) as error:
        raise WalletError(f"cannot read {path}: {error}; move it away to go on") from error
