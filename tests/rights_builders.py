"""A subject's report and erasure, asked for at a ``ListingDesk``."""

from datetime import timedelta
from typing import Any

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.statements import seal
from concordat.trust.envelope import open_envelope
from tests.builders import EXCHANGE, Subject
from tests.listing_desk import ListingDesk

REPORT = v1.SubjectQuery.SUBJECT_QUERY_REPORT


def report_pages(desk: ListingDesk, asked: v1.Envelope | None = None) -> list[v1.SubjectReport]:
    """Return every page of the subject's report, verified."""
    desk._settle()  # what is on its way into the log gets there
    asked = asked or desk.asked(REPORT)
    keys = desk.federation.member(EXCHANGE).keys
    pages: list[v1.SubjectReport] = []
    while not pages or pages[-1].next:
        after = pages[-1].next if pages else b""
        request = v1.RequestReportRequest(request=asked, binding=desk.subject.binding, after=after)
        answer = desk.call(desk.subjects.RequestReport, request)
        pages.append(
            open_envelope(answer.report, v1.SubjectReport, keys, desk.federation.at).message
        )
    return pages


def erasure_request(desk: ListingDesk, person: Subject | None = None, **fields: Any) -> v1.Envelope:
    """Return a signed request for erasure."""
    person, at = person or desk.subject, desk.federation.at
    given: dict[str, Any] = {
        "request_id": new_id(),
        "federation": desk.federation.name,
        "subject_ref": person.ref,
        "issued_at": to_timestamp(at),
        "expires_at": to_timestamp(at + timedelta(minutes=1)),
    }
    return seal(v1.ErasureRequest(**(given | fields)), person.signer)


def erase(
    desk: ListingDesk, request: v1.Envelope | None = None, **fields: Any
) -> v1.ErasureOutcome:
    """Ask for erasure; return what became of it, verified."""
    desk._settle()
    request = request or erasure_request(desk, **fields)
    message = v1.RequestErasureRequest(request=request, binding=desk.subject.binding)
    answer = desk.call(desk.subjects.RequestErasure, message)
    keys = desk.federation.member(EXCHANGE).keys
    return open_envelope(answer.outcome, v1.ErasureOutcome, keys, desk.federation.at).message
