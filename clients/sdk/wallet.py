"""A subject's side: binding a key, granting a consent, listing what is on record."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from google.protobuf.message import Message

from clients.sdk.errors import AnswerNotVerified
from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer, registrar_peer
from clients.sdk.members import MemberBook
from clients.sdk.possession import possession_bytes
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.anchors import Anchors
from concordat.ids import new_id
from concordat.refusal import Refusal, refusing_untrusted
from concordat.statements import digest_of, seal
from concordat.trust.envelope import Verified, open_envelope
from concordat.trust.keys import Signer
from concordat.verify.consent import open_binding, open_consent, open_consent_event
from concordat.verify.former_keys import open_former_keys

S = TypeVar("S", bound=Message)
REQUEST_LIFE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class WalletKey:
    """What a subject signs with: its key, and the registrar's binding of it."""

    signer: Signer
    binding: v1.Envelope
    former: tuple[v1.Envelope, ...] = ()  # the registrar's earlier bindings, where keys were lost

    @property
    def subject_ref(self) -> bytes:
        """The subject, as the binding names it."""
        return v1.SubjectBinding.FromString(self.binding.payload).subject_ref


@dataclass(frozen=True, slots=True)
class HeldConsent:
    """A consent as the exchange holds it; the subject's own signatures on it were checked."""

    envelope: v1.Envelope
    terms: v1.Consent
    state: v1.ConsentState.ValueType
    uses: int
    events: tuple[v1.ConsentEvent, ...]


def bind(
    anchors: Anchors, signer: Signer, identity_number: str, enrolment_code: str, at: datetime
) -> Flow[v1.Envelope]:
    """Have the registrar bind ``signer``'s key to the person; return the binding; see ``request_binding``."""
    answer = yield from request_binding(anchors, signer, identity_number, enrolment_code, at)
    return answer.binding


def request_binding(
    anchors: Anchors, signer: Signer, identity_number: str, enrolment_code: str, at: datetime
) -> Flow[v1.BindSubjectResponse]:
    """Have the registrar bind ``signer``'s key to the person; return the binding, and those of earlier keys.

    The code works once, so the call is made once and never repeated. Raises ``AnswerNotVerified``
    where the binding does not hold, or is of another key.
    """
    proof = signer.sign(possession_bytes(anchors.federation, identity_number, enrolment_code))
    call = Call(
        registrar_peer(anchors, Port.PUBLIC),
        "/concordat.v1.RegistrarService/BindSubject",
        v1.BindSubjectRequest(
            identity_number=identity_number,
            enrolment_code=enrolment_code,
            public_key=signer.public_key,
            possession_sig=proof,
        ),
        v1.BindSubjectResponse,
    )
    answer = yield from ask(call, v1.BindSubjectResponse)
    try:
        binding = open_binding(answer.binding, anchors, at)
        open_former_keys(answer.earlier, binding, anchors, at)
    except Refusal as refusal:
        raise AnswerNotVerified(f"the registrar's binding does not verify: {refusal}") from refusal
    if binding.message.public_key != signer.public_key:
        raise AnswerNotVerified("the registrar bound another key than the wallet's")
    return answer


def grant(
    key: WalletKey, book: MemberBook, consent: v1.Envelope, now: Callable[[], datetime]
) -> Flow[v1.ConsentStatus]:
    """Put a signed consent on record at the exchange; return where it stands. Repeating is safe."""
    if not book.fetched:
        yield from book.refresh(now)
    call = Call(
        exchange_peer(book.anchors, Port.PUBLIC),
        "/concordat.v1.ConsentService/GrantConsent",
        v1.GrantConsentRequest(consent=consent, binding=key.binding),
        v1.GrantConsentResponse,
    )
    answer = yield from ask(call, v1.GrantConsentResponse)
    return read_status(answer.status, digest_of(consent), book, now())


def read_status(
    envelope: v1.Envelope, consent_digest: bytes, book: MemberBook, at: datetime
) -> v1.ConsentStatus:
    """Return the exchange's word on a consent, in whatever state; raise ``AnswerNotVerified``."""
    try:
        exchange = book.directory.require(
            book.anchors.bundle.exchange_id, at, v1.Role.ROLE_EXCHANGE
        )
        with refusing_untrusted():
            status = open_envelope(envelope, v1.ConsentStatus, exchange.keys, at).message
    except Refusal as refusal:
        raise AnswerNotVerified(f"the exchange's status does not verify: {refusal}") from refusal
    if status.consent_digest != consent_digest:
        raise AnswerNotVerified("the exchange answered about another consent")
    return status


def list_consents(
    key: WalletKey, book: MemberBook, now: Callable[[], datetime]
) -> Flow[list[HeldConsent]]:
    """Return every consent of this subject that the exchange holds, page by page."""
    held: list[HeldConsent] = []
    after = b""
    while True:
        call = Call(
            exchange_peer(book.anchors, Port.PUBLIC),
            "/concordat.v1.ConsentService/ListConsents",
            v1.ListConsentsRequest(
                request=own_request(
                    key, book.anchors, now(), v1.SubjectQuery.SUBJECT_QUERY_CONSENTS
                ),
                binding=key.binding,
                after=after,
            ),
            v1.ListConsentsResponse,
        )
        answer = yield from ask(call, v1.ListConsentsResponse)
        page = _read_records(answer.consents, key, book.anchors, now())
        held += page
        if not answer.more or not page:
            return held
        if page[-1].terms.consent_id <= after:
            raise AnswerNotVerified("the exchange's pages of consents do not go on")
        after = page[-1].terms.consent_id


def own_request(
    key: WalletKey,
    anchors: Anchors,
    at: datetime,
    query: v1.SubjectQuery.ValueType,
    custodian: str = "",
) -> v1.Envelope:
    """Sign a request for the subject's own records; ``custodian`` names the witness that is asked for notices."""
    request = v1.SubjectRequest(
        request_id=new_id(),
        federation=anchors.federation,
        subject_ref=key.subject_ref,
        query=query,
        issued_at=to_timestamp(at),
        expires_at=to_timestamp(at + REQUEST_LIFE),
        custodian=custodian,
    )
    return seal(request, key.signer)


def _read_records(
    records: Iterable[v1.ConsentRecord], key: WalletKey, anchors: Anchors, at: datetime
) -> list[HeldConsent]:
    """Check that the subject itself signed what the exchange says it did."""
    try:
        binding = open_binding(key.binding, anchors, at)
        former = open_former_keys(key.former, binding, anchors, at)
        return [
            HeldConsent(
                record.consent,
                former.open_with(
                    binding, partial(_open, open_consent, record.consent, anchors, at)
                ).message,
                record.state,
                record.uses,
                tuple(
                    former.open_with(
                        binding, partial(_open, open_consent_event, event, anchors, at)
                    ).message
                    for event in record.events
                ),
            )
            for record in records
        ]
    except Refusal as refusal:
        raise AnswerNotVerified(
            f"the exchange holds a consent that this wallet's key did not sign: {refusal}"
        ) from refusal


def _open(
    open_it: Callable[[v1.Envelope, Verified[v1.SubjectBinding], Anchors, datetime], Verified[S]],
    envelope: v1.Envelope,
    anchors: Anchors,
    at: datetime,
    binding: Verified[v1.SubjectBinding],
) -> Verified[S]:
    """Return what ``open_it`` opens with one of the subject's keys."""
    return open_it(envelope, binding, anchors, at)
