"""A lender's look at a part of its portfolio: messages of up to 1,000 subjects over one stream, in order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from clients.sdk.errors import AnswerNotVerified
from clients.sdk.exchange_answers import verified
from clients.sdk.flow import Flow
from clients.sdk.identity import MemberIdentity
from clients.sdk.members import MemberBook
from clients.sdk.streaming import ViewRefused
from clients.sdk.views import REQUEST_LIFE
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.directory import Member
from concordat.ids import new_id
from concordat.statements import seal
from concordat.verify.screen_answer import VerifiedScreening, verify_screen_answer

METHOD = "/concordat.v1.ListingService/ScreenListings"
BATCH = 1000
IN_FLIGHT = 2
STREAM_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Screened:
    """A subject to be screened: who it is, and the periodic consent that allows it."""

    subject_ref: bytes
    consent_id: bytes


@dataclass(frozen=True, slots=True)
class ScreenMessage:
    """A message that is out."""

    subjects: Sequence[Screened]
    request: v1.Envelope

    @property
    def message(self) -> v1.ScreenListingsRequest:
        """What is sent."""
        return v1.ScreenListingsRequest(request=self.request)


@dataclass(frozen=True, slots=True)
class ScreenedBatch:
    """What became of one message: a verified answer, or why there is none."""

    subjects: Sequence[Screened]
    result: VerifiedScreening | ViewRefused | AnswerNotVerified

    def screening(self) -> VerifiedScreening:
        """Return the verified answer; raise what became of it where there is none."""
        if isinstance(self.result, VerifiedScreening):
            return self.result
        raise self.result


def batches(subjects: Iterable[Screened], size: int) -> Iterator[list[Screened]]:
    """Yield lists of up to ``size`` subjects, in order, none of them twice in one."""
    batch: list[Screened] = []
    seen: set[bytes] = set()
    for subject in subjects:
        if len(batch) == size or subject.subject_ref in seen:
            yield batch
            batch, seen = [], set()
        batch.append(subject)
        seen.add(subject.subject_ref)
    if batch:
        yield batch


def prepare_screening(
    identity: MemberIdentity,
    federation: str,
    purpose: v1.Purpose.ValueType,
    subjects: Sequence[Screened],
    at: datetime,
) -> ScreenMessage:
    """Return a signed message about up to 1,000 subjects, to be sent at once."""
    request = v1.ScreenRequest(
        request_id=new_id(),
        federation=federation,
        lender=identity.member_id,
        purpose=purpose,
        subject_refs=b"".join(subject.subject_ref for subject in subjects),
        consent_ids=b"".join(subject.consent_id for subject in subjects),
        issued_at=to_timestamp(at),
        expires_at=to_timestamp(at + REQUEST_LIFE),
    )
    return ScreenMessage(subjects, seal(request, identity.signer))


def finish_screening(
    sent: ScreenMessage,
    answer: v1.ScreenListingsResponse,
    book: MemberBook,
    now: Callable[[], datetime],
) -> Flow[ScreenedBatch]:
    """Verify the answer to one message."""
    if answer.WhichOneof("result") == "refusal":
        return ScreenedBatch(sent.subjects, ViewRefused(answer.refusal))

    def verify(exchange: Member, at: datetime) -> VerifiedScreening:
        return verify_screen_answer(
            sent.request, answer.answer, exchange=exchange, anchors=book.anchors, at=at
        )

    try:
        return ScreenedBatch(sent.subjects, (yield from verified(book, now, verify)))
    except AnswerNotVerified as error:
        return ScreenedBatch(sent.subjects, error)
