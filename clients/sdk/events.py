"""Pausing, resuming and revoking: told to the exchange and to each provider by the subject itself."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from clients.sdk.errors import AnswerNotVerified
from clients.sdk.flow import Answer, Call, Flow, Port, exchange_peer, provider_peer
from clients.sdk.members import MemberBook
from clients.sdk.wallet import WalletKey, read_status
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.directory import Member
from concordat.ids import new_id
from concordat.rpc.errors import RemoteError
from concordat.statements import digest_of, seal

NOTICE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Told:
    """What became of telling one party of an event; ``problem`` is empty where it holds it."""

    party: str
    problem: str = ""
    error: RemoteError | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the party said that it holds the event."""
        return not self.problem


@dataclass(frozen=True, slots=True)
class EventReport:
    """Who knows of an event now, and what the exchange says of the consent (None if nothing)."""

    exchange: Told
    providers: tuple[Told, ...]
    status: v1.ConsentStatus | None

    @property
    def complete(self) -> bool:
        """Whether everyone does; else send the same event again later."""
        return all(told.acknowledged for told in (self.exchange, *self.providers))


def sign_event(
    key: WalletKey,
    consent: v1.Envelope,
    kind: v1.ConsentEventKind.ValueType,
    sequence: int,
    at: datetime,
) -> v1.Envelope:
    """Sign a change of a consent; ``sequence`` is one above that of the consent's last event."""
    terms = v1.Consent.FromString(consent.payload)
    event = v1.ConsentEvent(
        event_id=new_id(),
        federation=terms.federation,
        subject_ref=terms.subject_ref,
        consent_id=terms.consent_id,
        consent_digest=digest_of(consent),
        kind=kind,
        sequence=sequence,
        decided_at=to_timestamp(at),
    )
    return seal(event, key.signer)


def tell(
    key: WalletKey,
    book: MemberBook,
    event: v1.Envelope,
    consent: v1.Envelope,
    known: Mapping[str, Member],
    now: Callable[[], datetime],
) -> Flow[EventReport]:
    """Send an event to the exchange and to each provider of the consent, all at once.

    No exchange can hide a revocation that the providers were told of. Whoever cannot be told is in
    the report, and keeps nobody else from being told; repeating the same event is safe. ``known``
    are the providers as the wallet last knew them, for when the exchange's list of members cannot
    be had.
    """
    if not book.fetched:
        with suppress(RemoteError, AnswerNotVerified):  # the report shows what it leads to
            yield from book.refresh(now)
    terms = v1.Consent.FromString(consent.payload)
    scored = v1.DataCategory.DATA_CATEGORY_SCORE in terms.data_categories
    names = list(terms.providers) if scored else []  # else nobody but the exchange acts on it
    members = {name: book.find(name) or known.get(name) for name in names}
    dialled = [m for m in members.values() if m is not None and m.licence.public_endpoint]
    calls = [_to_exchange(key, book, event)]
    calls += [_to_provider(member, key, book, event, consent) for member in dialled]
    first, *rest = yield calls
    sequence = v1.ConsentEvent.FromString(event.payload).sequence
    heard = {
        member.member_id: _provider_said(member.member_id, answer, sequence)
        for member, answer in zip(dialled, rest, strict=True)
    }
    nowhere = "its licence is not known here, or names no public endpoint"
    told = tuple(heard.get(name) or Told(name, nowhere) for name in names)
    exchange, status = _exchange_said(first, book, digest_of(consent), sequence, now())
    return EventReport(exchange, told, status)


def _to_exchange(key: WalletKey, book: MemberBook, event: v1.Envelope) -> Call:
    return Call(
        exchange_peer(book.anchors, Port.PUBLIC),
        "/concordat.v1.ConsentService/SubmitConsentEvent",
        v1.SubmitConsentEventRequest(event=event, binding=key.binding),
        v1.SubmitConsentEventResponse,
    )


def _to_provider(
    provider: Member, key: WalletKey, book: MemberBook, event: v1.Envelope, consent: v1.Envelope
) -> Call:
    return Call(
        provider_peer(book.anchors, provider),
        "/concordat.v1.ConsentNoticeService/NotifyConsentEvent",
        v1.NotifyConsentEventRequest(event=event, consent=consent, binding=key.binding),
        v1.NotifyConsentEventResponse,
        NOTICE_SECONDS,
    )


def _provider_said(name: str, answer: Answer, sequence: int) -> Told:
    if isinstance(answer, RemoteError):
        return Told(name, str(answer), answer)
    assert isinstance(answer, v1.NotifyConsentEventResponse)  # noqa: S101 - as the call names
    if answer.event_sequence < sequence:
        return Told(name, f"it holds event {answer.event_sequence} only")
    return Told(name)


def _exchange_said(
    answer: Answer, book: MemberBook, consent_digest: bytes, sequence: int, at: datetime
) -> tuple[Told, v1.ConsentStatus | None]:
    name = book.anchors.bundle.exchange_id
    if isinstance(answer, RemoteError):
        return Told(name, str(answer), answer), None
    assert isinstance(answer, v1.SubmitConsentEventResponse)  # noqa: S101 - as the call names
    try:
        status = read_status(answer.status, consent_digest, book, at)
    except AnswerNotVerified as error:
        return Told(name, str(error)), None
    if status.event_sequence < sequence:
        return Told(name, f"it holds event {status.event_sequence} only"), status
    return Told(name), status
