"""A federation with listings, for tests of clients: real gRPC and signatures over stories that a test tells.

with ListingFederation() as fake:
    story = fake.story().filed().noticed().effective()
    fake.bend_own = lambda own: own.ClearField("steps")        # a lie
    fake.told = v1.ListingsInForce(...)                        # what lenders are told
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Self

import grpc

from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.purposes import covers
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.rpc.errors import to_item, to_status
from concordat.statements import digest_of, seal
from concordat.v1 import DataCategory, FlagKind, LogEntryKind, Reason, ReleaseResult
from concordat.v1.listing_service_pb2_grpc import (
    add_ListingServiceServicer_to_server,
    add_ReviewServiceServicer_to_server,
)
from concordat.v1.subject_service_pb2_grpc import add_SubjectServiceServicer_to_server
from exchange.log import records
from exchange.subjects.report_accesses import ChainEntry, reported_accesses
from tests.builders import AT, EXCHANGE, LENDER, signer
from tests.fake_federation import FakeFederation
from tests.own_listing_builders import Story, enrol_judges
from tests.own_view_builders import OwnViewBuilder
from tests.receipt_builders import receipts_of
from tests.view_builders import Answer, ViewBuilder


class ListingFederation(FakeFederation):
    """As ``FakeFederation``, with judges, and with listings about ada."""

    def __init__(self, at: datetime = AT) -> None:
        super().__init__(at)
        self.stories: list[Story] = []
        self.flags = v1.SubjectFlags()
        self.flag_sequence = 0
        self.contact: v1.ContactChange | None = None
        self.contact_signed: v1.Envelope | None = None
        self.inbox: list[v1.InboxMessage] = []
        self.attachments: dict[bytes, list[v1.SealedAttachment]] = {}  # by dispute
        self.listings_page = 20
        self.told = v1.ListingsInForce()  # to lenders
        self.refusals: dict[bytes, Reason.ValueType] = {}  # of screened subjects
        self.retractions: list[v1.Envelope] = []
        self.bend_own: Callable[[v1.OwnListing], object] = lambda own: None
        self.bend_answer: Callable[[v1.ListingAnswer], object] = lambda answer: None
        self.bend_check: Callable[[v1.CheckListingsResponse], object] = lambda response: None
        self.bend_screen: Callable[[v1.ScreenAnswer], object] = lambda answer: None
        self.bend_review: Callable[[v1.GetReviewResponse], object] = lambda review: None
        self.drop_flags = False  # answers a change, and does not make it
        self.own_answers: dict[str, Answer] = {}  # what providers tell a person of itself
        self.bend_report: Callable[[v1.SubjectReport], object] = lambda report: None
        self.erasure = v1.ErasureOutcome()  # what an erasure says that it did
        self.erased: dict[bytes, v1.Envelope] = {}  # the outcome of each, by its request's digest
        self.lose_erasures = 0  # so many answers are lost on their way
        self.bend_own_view: Callable[[v1.RequestOwnViewResponse], object] = lambda answer: None

    def __enter__(self) -> Self:
        super().__enter__()
        enrol_judges(self.federation)
        self.person = self.federation.subject("ada")  # whom stories are about
        return self

    def add_services(self, server: grpc.Server, member_id: str) -> None:
        servicer: Any = _Servicer(self)
        add_SubjectServiceServicer_to_server(servicer, server)
        add_ListingServiceServicer_to_server(servicer, server)
        add_ReviewServiceServicer_to_server(servicer, server)

    def story(self, *, days_ago: int = 60, **fields: Any) -> Story:
        """Begin a story about ada that many days ago."""
        started = self.at - timedelta(days=days_ago)
        listing_id = bytes([len(self.stories) + 1]) * 16
        given: dict[str, Any] = {"at": started, "listing_id": listing_id}
        story = Story(self.federation, self.person, **(given | fields))
        self.stories.append(story)
        return story

    def in_force(self, **fields: Any) -> Story:
        """Return a story whose listing took effect and stands so until now."""
        story = self.story(**fields).filed().noticed().effective()
        story.at = self.at
        return story

    def find(self, listing_id: bytes) -> Story:
        for story in self.stories:
            if story.listing_id == listing_id:
                return story
        raise Refusal(Reason.REASON_LISTING_UNKNOWN)

    def disputed(self, dispute_id: bytes) -> Story:
        for story in self.stories:
            if story.now.dispute and story.now.dispute.dispute_id == dispute_id:
                return story
        raise Refusal(Reason.REASON_LISTING_UNKNOWN)

    def retract(self, answer: bytes = bytes(32), **fields: Any) -> v1.Envelope:
        """Recall the first listing of an answer from the lender."""
        given: dict[str, Any] = {
            "retraction_id": new_id(),
            "federation": self.federation.name,
            "lender": LENDER,
            "answer_digest": answer,
            "subject_ref": self.federation.subject("ada").ref,
            "cause": v1.RetractionCause.RETRACTION_CAUSE_WITHDRAWN,
            "issued_at": to_timestamp(self.at),
            "acknowledge_by": to_timestamp(self.at + timedelta(days=3)),
        }
        signed_by = fields.pop("signed_by", EXCHANGE)
        envelope = seal(v1.Retraction(**(given | fields)), signer(signed_by))
        self.retractions.append(envelope)
        return envelope

    def view_of(self, ask: v1.RequestViewRequest) -> v1.RequestViewResponse:
        made = ViewBuilder(
            self.federation, dict(self.answers), ask=ask, listings=self.told, flags=self.flags
        )
        return made.answer()

    # What lenders are told ----------------------------------------------------------------------

    def check(self, ask: v1.RequestViewRequest) -> v1.CheckListingsResponse:
        fed, at = self.federation, to_timestamp(self.at)
        request = v1.ViewRequest.FromString(ask.request.payload)
        consent = v1.Consent.FromString(ask.consent.payload)
        listed = covers(consent, DataCategory.DATA_CATEGORY_LISTINGS)
        flagged = covers(consent, DataCategory.DATA_CATEGORY_FLAGS)
        answer = v1.ListingAnswer(
            answer_id=new_id(),
            federation=fed.name,
            lender=request.lender,
            subject_ref=request.subject_ref,
            request_digest=digest_of(ask.request),
            consent_digest=digest_of(ask.consent),
            purpose=request.purpose,
            listings=self.told if listed else None,
            flags=self.flags if flagged else None,
            access_id=new_id(),
            issued_at=at,
            delete_by=to_timestamp(self.at + timedelta(days=consent.data_life_days)),
        )
        self.bend_answer(answer)
        envelope = seal(answer, signer(EXCHANGE))
        intent = v1.LogRecord(
            record_id=answer.access_id,
            recorded_at=at,
            subject_ref=request.subject_ref,
            intent=v1.AccessIntent(
                lender=request.lender,
                purpose=request.purpose,
                disclosure=request.disclosure,
                consent_id=consent.consent_id,
                request_digest=digest_of(ask.request),
            ),
        )
        categories = [
            category
            for category, told in (
                (DataCategory.DATA_CATEGORY_LISTINGS, listed),
                (DataCategory.DATA_CATEGORY_FLAGS, flagged),
            )
            if told
        ]
        release = v1.LogRecord(
            record_id=new_id(),
            recorded_at=at,
            subject_ref=request.subject_ref,
            release=v1.AccessRelease(
                access_id=answer.access_id,
                lender=request.lender,
                view_digest=digest_of(envelope),
                result=ReleaseResult.RELEASE_RESULT_LISTINGS_ONLY,
                categories=categories,
                listings=len(answer.listings.listings),
            ),
        )
        logged = receipts_of(
            [
                (intent, LogEntryKind.LOG_ENTRY_KIND_ACCESS_INTENT),
                (release, LogEntryKind.LOG_ENTRY_KIND_ACCESS_RELEASE),
            ],
            origin=fed.anchors.log.name,
            log=signer("log"),
            at=self.at,
        )
        response = v1.CheckListingsResponse(answer=envelope, intent=logged[0], release=logged[1])
        self.bend_check(response)
        return response

    def screen(self, envelope: v1.Envelope) -> v1.Envelope:
        request = v1.ScreenRequest.FromString(envelope.payload)
        refs = [request.subject_refs[i : i + 32] for i in range(0, len(request.subject_refs), 32)]
        ada = self.federation.subject("ada").ref
        results = [self.refusals.get(ref, 0) for ref in refs]
        hit = ada in refs and bool(self.told.listings) and not results[refs.index(ada)]
        answer = v1.ScreenAnswer(
            federation=self.federation.name,
            lender=request.lender,
            request_digest=digest_of(envelope),
            results=bytes(results),
            hits=[v1.ScreenHit(index=refs.index(ada), listings=self.told)] if hit else [],
            alerts=[refs.index(ada)] if ada in refs and self.flags.fraud_alert else [],
            access_ids=b"".join(bytes(16) if result else new_id() for result in results),
            issued_at=to_timestamp(self.at),
        )
        self.bend_screen(answer)
        return seal(answer, signer(EXCHANGE))


class _Servicer:
    """The three services over the fake's stories; each method notes what came in."""

    def __init__(self, fake: ListingFederation) -> None:
        self.fake = fake

    def __getattr__(self, name: str) -> Any:
        """Serve nothing of what no test here needs."""
        if not name[0].isupper():
            raise AttributeError(name)

        def absent(_request: Any, context: grpc.ServicerContext) -> Any:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, name)

        return absent

    def _answer(
        self, method: str, request: Any, context: grpc.ServicerContext, make: Callable[[], Any]
    ) -> Any:
        fake = self.fake
        fake.seen.setdefault(method, []).append(request)
        try:
            if fake.refuse.get(method):
                raise fake.refuse[method].pop(0)
            return make()
        except Refusal as refusal:
            return context.abort_with_status(to_status(refusal, "test-request"))

    # SubjectService -----------------------------------------------------------------------------

    def RequestOwnView(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.RequestOwnViewResponse:
            fake = self.fake
            answer = OwnViewBuilder(fake.federation, dict(fake.own_answers), ask=request).answer()
            fake.bend_own_view(answer)
            return answer

        return self._answer("RequestOwnView", request, context, make)

    def RequestReport(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.RequestReportResponse:
            fake = self.fake
            report = v1.SubjectReport(
                federation=fake.federation.name,
                subject_ref=fake.person.ref,
                request_digest=digest_of(request.request),
                as_of=to_timestamp(fake.at),
                flags=fake.flags,
                listings=[story.own() for story in fake.stories],
                consents=fake.consents,
                log_size=len(fake.log.leaves),
                accesses=[access for _, access in reported_accesses(self._chain(), {})],
            )
            fake.bend_report(report)
            return v1.RequestReportResponse(report=seal(report, signer(EXCHANGE)))

        return self._answer("RequestReport", request, context, make)

    def _chain(self) -> Iterator[ChainEntry]:
        for shown in self.fake.log.shown.get(self.fake.person.ref, []):
            if shown.HasField("opening"):
                record = v1.LogRecord.FromString(shown.opening.record)
                yield ChainEntry(shown.link.sequence, shown.index, record)

    def RequestErasure(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.RequestErasureResponse:
            fake, digest = self.fake, digest_of(request.request)
            asked = v1.ErasureRequest.FromString(request.request.payload)
            outcome = fake.erased.get(digest) or self._outcome(asked, digest)
            if not asked.preview and fake.lose_erasures:
                fake.lose_erasures -= 1
                raise Refusal(Reason.REASON_UNAVAILABLE)
            return v1.RequestErasureResponse(outcome=outcome)

        return self._answer("RequestErasure", request, context, make)

    def _outcome(self, asked: v1.ErasureRequest, digest: bytes) -> v1.Envelope:
        """Return the signed outcome of an erasure, put on record and in the log unless it is a preview."""
        fake = self.fake
        outcome = v1.ErasureOutcome(
            federation=fake.federation.name,
            subject_ref=asked.subject_ref,
            request_digest=digest,
            at=to_timestamp(fake.at),
            preview=asked.preview,
        )
        outcome.MergeFrom(fake.erasure)
        envelope = seal(outcome, signer(EXCHANGE))
        if not asked.preview:
            fake.stories.clear()
            fake.erased[digest] = envelope
            gone, kept = sum(i.count for i in outcome.gone), sum(i.count for i in outcome.kept)
            fake.log.add(records.erasure_request(asked.subject_ref, digest, gone, kept, fake.at))
        return envelope

    def ListOwnListings(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.ListOwnListingsResponse:
            fake = self.fake
            owns = [story.own() for story in fake.stories]
            for own in owns:
                fake.bend_own(own)
            rest = [own for own in owns if own.listing_id > request.after]
            return v1.ListOwnListingsResponse(
                listings=rest[: fake.listings_page],
                more=len(rest) > fake.listings_page,
                flags=fake.flags,
                flag_sequence=fake.flag_sequence,
                contact_sequence=fake.contact.sequence if fake.contact else 0,
                contact=fake.contact_signed,
            )

        return self._answer("ListOwnListings", request, context, make)

    def ReadInbox(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.ReadInboxResponse:
            rest = [m for m in self.fake.inbox if m.message_id > request.after]
            page = self.fake.listings_page
            return v1.ReadInboxResponse(messages=rest[:page], more=len(rest) > page)

        return self._answer("ReadInbox", request, context, make)

    def SubmitDispute(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.SubmitDisputeResponse:
            dispute = v1.Dispute.FromString(request.dispute.payload)
            story = self.fake.find(dispute.listing_id).take(request.dispute)
            self.fake.attachments[dispute.dispute_id] = list(request.attachments)
            own = story.own()
            return v1.SubmitDisputeResponse(state=own.state, decide_by=own.decide_by)

        return self._answer("SubmitDispute", request, context, make)

    def SubmitSubjectEvent(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.SubmitSubjectEventResponse:
            event = v1.ListingEvent.FromString(request.event.payload)
            story = self.fake.find(event.listing_id).take(request.event)
            return v1.SubmitSubjectEventResponse(state=story.now.state)

        return self._answer("SubmitSubjectEvent", request, context, make)

    def ChangeFlag(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.ChangeFlagResponse:
            fake, change = self.fake, v1.FlagChange.FromString(request.change.payload)
            if change.sequence <= fake.flag_sequence:
                raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES)
            if not fake.drop_flags:
                fake.flag_sequence = change.sequence
                if change.kind == FlagKind.FLAG_KIND_FREEZE:
                    fake.flags.frozen = change.placed
                else:
                    fake.flags.fraud_alert = change.placed
            return v1.ChangeFlagResponse(flags=fake.flags)

        return self._answer("ChangeFlag", request, context, make)

    def ChangeContact(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.ChangeContactResponse:
            self.fake.contact = v1.ContactChange.FromString(request.change.payload)
            self.fake.contact_signed = request.change
            return v1.ChangeContactResponse()

        return self._answer("ChangeContact", request, context, make)

    # ListingService -----------------------------------------------------------------------------

    def CheckListings(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._answer("CheckListings", request, context, lambda: self.fake.check(request.ask))

    def ScreenListings(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:  # noqa: N802
        for message in requests:
            self.fake.seen.setdefault("ScreenListings", []).append(message)
            if self.fake.refuse.get("ScreenListings"):
                refusal = to_item(self.fake.refuse["ScreenListings"].pop(0))
                yield v1.ScreenListingsResponse(refusal=refusal)
            else:
                yield v1.ScreenListingsResponse(answer=self.fake.screen(message.request))

    def ListRetractions(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.ListRetractionsResponse:
            return v1.ListRetractionsResponse(retractions=self.fake.retractions)

        return self._answer("ListRetractions", request, context, make)

    def AcknowledgeRetraction(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.AcknowledgeRetractionResponse:
            said = v1.RetractionAcknowledgement.FromString(request.acknowledgement.payload)
            waiting = [e for e in self.fake.retractions if digest_of(e) != said.retraction_digest]
            if len(waiting) == len(self.fake.retractions):
                raise Refusal(Reason.REASON_LISTING_UNKNOWN)
            self.fake.retractions = waiting
            return v1.AcknowledgeRetractionResponse()

        return self._answer("AcknowledgeRetraction", request, context, make)

    # ReviewService ------------------------------------------------------------------------------

    def ListReviews(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.ListReviewsResponse:
            summaries = [_summary(story) for story in self.fake.stories if story.now.dispute]
            return v1.ListReviewsResponse(reviews=sorted(summaries, key=lambda s: s.due_at.seconds))

        return self._answer("ListReviews", request, context, make)

    def GetReview(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.GetReviewResponse:
            story = self.fake.disputed(request.dispute_id)
            own = story.own()
            review = v1.GetReviewResponse(
                summary=_summary(story),
                standing=_standing(story),
                filings=[story.steps[0].statement],
                attachments=self.fake.attachments.get(request.dispute_id, []),
                facts=own.facts,
            )
            for step in story.steps:
                if step.statement.payload_type.endswith("dispute.v1+protobuf"):
                    review.dispute.CopyFrom(step.statement)
                    review.binding.CopyFrom(story.person.binding)
                if step.statement.payload_type.endswith("ruling.v1+protobuf"):
                    review.ruling.CopyFrom(step.statement)
            self.fake.bend_review(review)
            return review

        return self._answer("GetReview", request, context, make)

    def SubmitRuling(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.SubmitRulingResponse:
            ruling = v1.Ruling.FromString(request.ruling.payload)
            story = self.fake.disputed(ruling.dispute_id).take(request.ruling)
            return v1.SubmitRulingResponse(standing=_standing(story))

        return self._answer("SubmitRuling", request, context, make)

    def SubmitReviewEvent(self, request: Any, context: Any) -> Any:  # noqa: N802
        def make() -> v1.SubmitReviewEventResponse:
            event = v1.ListingEvent.FromString(request.event.payload)
            story = self.fake.find(event.listing_id).take(request.event)
            return v1.SubmitReviewEventResponse(standing=_standing(story))

        return self._answer("SubmitReviewEvent", request, context, make)


def _summary(story: Story) -> v1.ReviewSummary:
    dispute = story.now.dispute
    assert dispute is not None
    return v1.ReviewSummary(
        dispute_id=dispute.dispute_id,
        stage=dispute.stage,
        ground=dispute.ground,
        due_at=to_timestamp(dispute.due_at),
        extended=dispute.extended,
        listing_id=story.listing_id,
        subject_ref=story.person.ref,
    )


def _standing(story: Story) -> v1.ListingStanding:
    own = story.own()
    return v1.ListingStanding(
        listing_id=own.listing_id,
        state=own.state,
        version=own.version,
        expires_at=own.expires_at,
    )
