"""A subject's report and erasure: asked for with its own signature, every answer verified."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from google.protobuf.message import DecodeError

from clients.sdk.errors import AnswerNotVerified
from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer
from clients.sdk.members import MemberBook
from clients.sdk.wallet import WalletKey, own_request
from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal, refusing_untrusted
from concordat.statements import digest_of, seal
from concordat.trust.envelope import open_envelope
from concordat.v1 import LogEntryKind, Role, SubjectQuery
from concordat.verify.history import HistoryEntry
from concordat.verify.own_view import VerifiedOwnView
from concordat.verify.subject_report import VerifiedReport, verify_report

REQUEST_LIFE = timedelta(seconds=60)
MOST_PAGES = 256
_ACCESSES = frozenset(
    {
        LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT,
        LogEntryKind.LOG_ENTRY_KIND_ACCESS_REFUSAL,
        LogEntryKind.LOG_ENTRY_KIND_SCREENING,
        LogEntryKind.LOG_ENTRY_KIND_MONITORING,
    }
)


def request_report(
    key: WalletKey,
    book: MemberBook,
    own_view: VerifiedOwnView | None,
    now: Callable[[], datetime],
) -> Flow[VerifiedReport]:
    """Return the whole report, verified; with ``own_view``, the subject's score goes into it.

    Raises ``RemoteError``, and ``AnswerNotVerified`` where an answer does not hold.
    """
    yield from book.refresh(now)
    request = own_request(key, book.anchors, now(), SubjectQuery.SUBJECT_QUERY_REPORT)
    pages: list[v1.Envelope] = []
    after = b""
    while not pages or after:
        call = Call(
            exchange_peer(book.anchors, Port.PUBLIC),
            "/concordat.v1.SubjectService/RequestReport",
            v1.RequestReportRequest(request=request, binding=key.binding, after=after),
            v1.RequestReportResponse,
        )
        answer = yield from ask(call, v1.RequestReportResponse)
        pages.append(answer.report)
        before, after = after, _next_of(answer.report)
        if len(pages) > MOST_PAGES or (after and after <= before):
            raise AnswerNotVerified("the exchange's pages of the report do not go on")
    exchange = book.directory.require(book.anchors.bundle.exchange_id, now(), Role.ROLE_EXCHANGE)
    bundle = v1.SubjectReportBundle(
        pages=pages,
        request=request,
        binding=key.binding,
        licence=exchange.licence_envelope,
        own_view=own_view.bundle if own_view else None,
    )
    try:
        return verify_report(bundle, book.anchors)
    except Refusal as refusal:
        raise AnswerNotVerified(f"the exchange's report does not verify: {refusal}") from refusal


def _next_of(page: v1.Envelope) -> bytes:
    try:
        return v1.SubjectReport.FromString(page.payload).next
    except DecodeError as error:
        raise AnswerNotVerified("the exchange's answer holds no report") from error


def accesses_left_out(
    verified: VerifiedReport, entries: Iterable[HistoryEntry]
) -> list[HistoryEntry]:
    """Return the accesses among the subject's proved ``entries`` that the report does not tell of.

    Those that were erased, and those that entered the log after what the report was read from, do not count.
    """
    report = verified.report
    told = {access.log_index for access in report.accesses}
    return [
        entry
        for entry in entries
        if entry.entry.kind in _ACCESSES
        and entry.record is not None
        and entry.index < report.log_size
        and entry.index not in told
    ]


def make_erasure_request(
    key: WalletKey, federation: str, at: datetime, *, preview: bool
) -> v1.Envelope:
    """Return a signed request for erasure of everything that can go."""
    request = v1.ErasureRequest(
        request_id=new_id(),
        federation=federation,
        subject_ref=key.subject_ref,
        preview=preview,
        issued_at=to_timestamp(at),
        expires_at=to_timestamp(at + REQUEST_LIFE),
    )
    return seal(request, key.signer)


def request_erasure(
    key: WalletKey, book: MemberBook, now: Callable[[], datetime], *, preview: bool
) -> Flow[v1.ErasureOutcome]:
    """Have everything erased that can go, or only told what would; return the exchange's signed word.

    Raises ``RemoteError``, and ``AnswerNotVerified``.
    """
    request = make_erasure_request(key, book.anchors.federation, now(), preview=preview)
    return (yield from send_erasure(key, book, request, now))


def send_erasure(
    key: WalletKey, book: MemberBook, request: v1.Envelope, now: Callable[[], datetime]
) -> Flow[v1.ErasureOutcome]:
    """Send a signed request for erasure; the same bytes again erase nothing more, and are answered as they were.

    Raises ``RemoteError``, and ``AnswerNotVerified``.
    """
    yield from book.refresh(now)
    preview = v1.ErasureRequest.FromString(request.payload).preview
    call = Call(
        exchange_peer(book.anchors, Port.PUBLIC),
        "/concordat.v1.SubjectService/RequestErasure",
        v1.RequestErasureRequest(request=request, binding=key.binding),
        v1.RequestErasureResponse,
        seconds=30.0,
    )
    answer = yield from ask(call, v1.RequestErasureResponse)
    return _read_outcome(answer.outcome, request, book, now(), preview=preview)


def _read_outcome(
    envelope: v1.Envelope, request: v1.Envelope, book: MemberBook, at: datetime, *, preview: bool
) -> v1.ErasureOutcome:
    anchors = book.anchors
    try:
        exchange = book.directory.require(anchors.bundle.exchange_id, at, Role.ROLE_EXCHANGE)
        with refusing_untrusted():
            outcome = open_envelope(envelope, v1.ErasureOutcome, exchange.keys, at).message
        anchors.require_federation(outcome.federation)
    except Refusal as refusal:
        raise AnswerNotVerified(f"the exchange's outcome does not verify: {refusal}") from refusal
    if (outcome.request_digest, outcome.preview) != (digest_of(request), preview):
        raise AnswerNotVerified("the exchange answered another request for erasure")
    return outcome
