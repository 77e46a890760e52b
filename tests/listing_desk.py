"""Listings at an exchange in one process: furnishers file, subjects answer, reviewers rule, time passes.

    desk = ListingDesk()
    listing = desk.file()                  # a ListingStanding, DRAFT
    desk.read_inbox()                      # the notice is served
    desk.pass_time(31 * DAY)               # the timer runs
    desk.shown()                           # what a lender with consent is told

Every call goes through the servicers, with signed statements; only the ports are left out.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.statements import digest_of, seal
from concordat.v1 import DataCategory, ListingAction, Role, SubjectQuery
from exchange.log import table as log
from exchange.log.servicer import LogServicer
from tests.builders import DAY, EXCHANGE, LENDER, REGULATOR, Federation, Granted, Subject, signer
from tests.exchange_builders import ExchangeDesk
from tests.exchange_services import NO_CONTEXT, ExchangeServices, subject_request
from tests.history_builders import Told, follow, own_request
from tests.listing_builders import (
    APPEAL_BODY,
    COURT,
    FURNISHER,
    OWN,
    REVIEWER,
    judgment_filing,
    listing_filing,
    settlement,
)

OTHER_FURNISHER, OTHER_REVIEWER = "elm-telecom", "second-review"
LISTINGS = [DataCategory.DATA_CATEGORY_LISTINGS]
_FAR = timedelta(days=40 * 365)
_PROFILES = {"eu": 1, "us": 2, "cn": 3, "in": 4, "uk": 5, OWN: 6}


class ListingDesk(ExchangeServices):
    """An exchange with furnishers, a court, reviewers and an appeal body."""

    def __init__(self, desk: ExchangeDesk | None = None, profile: str = "eu") -> None:
        """Begin with no listings; all members have the same profile.

        ``OWN`` needs a desk whose settings name a folder with that profile.
        """
        super().__init__(desk or ExchangeDesk(Federation()))
        self.log = LogServicer(
            self.federation.anchors, self.desk.store, self.desk.tiles, signer(EXCHANGE)
        )
        self.profile = profile
        members = {
            member.member_id: [*member.licence.roles]
            for member in self.federation.directory.members()
        }
        members |= {
            OTHER_FURNISHER: [Role.ROLE_FURNISHER],
            COURT: [Role.ROLE_COURT],
            REVIEWER: [Role.ROLE_REVIEWER],
            OTHER_REVIEWER: [Role.ROLE_REVIEWER],
            APPEAL_BODY: [Role.ROLE_APPEAL],
        }
        members[FURNISHER].append(Role.ROLE_FURNISHER)
        for member, roles in members.items():
            self.enrol(member, *roles)
        until = to_timestamp(self.federation.at + _FAR)
        self.subject = self.federation.subject("ada", not_after=until)

    def enrol(self, member: str, *roles: Role.ValueType) -> None:
        """License a member of the desk's profile, for as long as a listing may take."""
        start = to_timestamp(self.federation.at - 30 * DAY)
        until = to_timestamp(self.federation.at + _FAR)
        key = v1.SigningKey(public_key=signer(member).public_key, not_before=start, not_after=until)
        self.federation.enrol(
            member,
            *roles,
            profile=_PROFILES[self.profile],
            own_profile=OWN if self.profile == OWN else "",
            not_after=until,
            keys=[key],
            version=2,
        )

    # Sources ------------------------------------------------------------------------------------

    def filing(self, court: bool = False, **fields: Any) -> v1.ListingFiling:
        """Return a lawful filing about the subject, as of now."""
        make = judgment_filing if court else listing_filing
        given = {"subject_ref": self.subject.ref, "federation": self.federation.name}
        return make(self.profile, at=self.federation.at, **(given | fields))

    def file_all(self, *filings: v1.ListingFiling) -> list[v1.ListingResult]:
        """File in one call, as the source of the first; return what became of each."""
        envelopes = [seal(filing, signer(filing.source)) for filing in filings]
        request = v1.FileListingsRequest(filings=envelopes)
        return list(self.call(self.furnishers.FileListings, request, filings[0].source).results)

    def file(self, court: bool = False, **fields: Any) -> v1.ListingStanding:
        """File one; raise ``Refusal`` where it is refused."""
        (result,) = self.file_all(self.filing(court, **fields))
        return standing_of(result)

    def event(
        self, listing_id: bytes, action: ListingAction.ValueType, actor: str, **fields: Any
    ) -> v1.ListingEvent:
        """Return an event about one of the subject's listings; ``fields`` are its particulars."""
        given: dict[str, Any] = {
            "event_id": new_id(),
            "federation": self.federation.name,
            "subject_ref": self.subject.ref,
            "listing_id": listing_id,
            "actor": actor,
            "action": action,
            "decided_at": to_timestamp(self.federation.at),
        }
        return v1.ListingEvent(**(given | fields))

    def say(self, *events: v1.ListingEvent, signed_by: str | None = None) -> list[v1.ListingResult]:
        """Submit a source's events in one call."""
        envelopes = [seal(event, signer(signed_by or event.actor)) for event in events]
        request = v1.SubmitListingEventsRequest(events=envelopes)
        caller = signed_by or events[0].actor
        return list(self.call(self.furnishers.SubmitListingEvents, request, caller).results)

    def reconfirm(self, listing_id: bytes, source: str = FURNISHER) -> v1.ListingStanding:
        """Reconfirm a listing."""
        action = ListingAction.LISTING_ACTION_RECONFIRM
        (result,) = self.say(self.event(listing_id, action, source))
        return standing_of(result)

    def settle(self, listing_id: bytes, source: str = FURNISHER) -> v1.ListingStanding:
        """Settle a listing, as of now."""
        action = ListingAction.LISTING_ACTION_SETTLE
        paid = settlement(self.federation.at)
        (result,) = self.say(self.event(listing_id, action, source, settlement=paid))
        return standing_of(result)

    def withdraw(
        self,
        listing_id: bytes,
        source: str = FURNISHER,
        code: v1.WithdrawalCode.ValueType = v1.WithdrawalCode.WITHDRAWAL_CODE_FILED_IN_ERROR,
    ) -> v1.ListingStanding:
        """Withdraw a listing."""
        action = ListingAction.LISTING_ACTION_WITHDRAW
        (result,) = self.say(self.event(listing_id, action, source, withdrawal=code))
        return standing_of(result)

    def sync(self, *debts: bytes, court: str = COURT, **fields: Any) -> v1.SubmitMirrorSyncResponse:
        """Say that a court's register holds exactly these debts."""
        given: dict[str, Any] = {
            "sync_id": new_id(),
            "federation": self.federation.name,
            "court": court,
            "read_at": to_timestamp(self.federation.at),
            "entries": len(debts),
            "digest": hashlib.sha256(b"".join(sorted(debts))).digest(),
        }
        envelope = seal(v1.MirrorSync(**(given | fields)), signer(court))
        request = v1.SubmitMirrorSyncRequest(sync=envelope)
        return self.call(self.furnishers.SubmitMirrorSync, request, court)

    def in_force(self, court: bool = False, **fields: Any) -> bytes:
        """Return the id of a listing that is in force now: filed, noticed, reconfirmed, time passed."""
        listing = self.file(court, **fields)
        self.read_inbox()
        self.pass_time(28 * DAY)
        if court:
            self.sync(fields.get("debt_commitment", self.filing(court).debt_commitment))
        else:
            self.reconfirm(listing.listing_id, fields.get("source", FURNISHER))
        self.pass_time(9 * DAY if self.profile == "in" else 4 * DAY)
        if court:
            self.sync(fields.get("debt_commitment", self.filing(court).debt_commitment))
        return listing.listing_id

    # The subject --------------------------------------------------------------------------------

    def asked(self, query: SubjectQuery.ValueType) -> v1.Envelope:
        """Return the subject's request for records of one kind."""
        return subject_request(self.federation, self.subject, query=query)

    def read_inbox(self) -> list[v1.InboxMessage]:
        """Return all messages; notices among them are served."""
        messages: list[v1.InboxMessage] = []
        while True:
            after = messages[-1].message_id if messages else b""
            request = v1.ReadInboxRequest(
                request=self.asked(SubjectQuery.SUBJECT_QUERY_INBOX),
                binding=self.subject.binding,
                after=after,
            )
            page = self.call(self.subjects.ReadInbox, request)
            messages += page.messages
            if not page.more:
                return messages

    def own(self) -> v1.ListOwnListingsResponse:
        """Return what the subject sees of its listings."""
        request = v1.ListOwnListingsRequest(
            request=self.asked(SubjectQuery.SUBJECT_QUERY_LISTINGS), binding=self.subject.binding
        )
        return self.call(self.subjects.ListOwnListings, request)

    def dispute(
        self,
        listing_id: bytes,
        stage: v1.DisputeStage.ValueType,
        *,
        evidence: Sequence[str] = ("receipt",),
        attachments: Sequence[v1.SealedAttachment] = (),
        **fields: Any,
    ) -> tuple[bytes, v1.SubmitDisputeResponse]:
        """Contest, dispute or appeal; return the dispute's id and the answer."""
        appeal = stage == v1.DisputeStage.DISPUTE_STAGE_APPEAL
        given: dict[str, Any] = {
            "dispute_id": new_id(),
            "federation": self.federation.name,
            "subject_ref": self.subject.ref,
            "listing_id": listing_id,
            "stage": stage,
            "ground": v1.DisputeGround.DISPUTE_GROUND_PAID,
            "evidence_hashes": [hashlib.sha256(each.encode()).digest() for each in evidence],
            "reviewer": APPEAL_BODY if appeal else REVIEWER,
            "raised_at": to_timestamp(self.federation.at),
        }
        dispute = v1.Dispute(**(given | fields))
        request = v1.SubmitDisputeRequest(
            dispute=seal(dispute, self.subject.signer),
            binding=self.subject.binding,
            attachments=attachments,
        )
        return dispute.dispute_id, self.call(self.subjects.SubmitDispute, request)

    def subject_says(
        self, listing_id: bytes, action: ListingAction.ValueType, **fields: Any
    ) -> v1.SubmitSubjectEventResponse:
        """Submit the subject's own event."""
        event = self.event(listing_id, action, "", **fields)
        request = v1.SubmitSubjectEventRequest(
            event=seal(event, self.subject.signer), binding=self.subject.binding
        )
        return self.call(self.subjects.SubmitSubjectEvent, request)

    def flag(
        self, kind: v1.FlagKind.ValueType, placed: bool, sequence: int
    ) -> v1.ChangeFlagResponse:
        """Place or lift a flag."""
        change = v1.FlagChange(
            federation=self.federation.name,
            subject_ref=self.subject.ref,
            kind=kind,
            placed=placed,
            sequence=sequence,
            decided_at=to_timestamp(self.federation.at),
        )
        request = v1.ChangeFlagRequest(
            change=seal(change, self.subject.signer), binding=self.subject.binding
        )
        return self.call(self.subjects.ChangeFlag, request)

    # Reviewers ----------------------------------------------------------------------------------

    def rule(
        self,
        listing_id: bytes,
        dispute_id: bytes,
        outcome: v1.RulingOutcome.ValueType,
        reviewer: str = REVIEWER,
        **fields: Any,
    ) -> tuple[bytes, v1.ListingStanding]:
        """Rule; return the ruling's id and where the listing stands."""
        given: dict[str, Any] = {
            "ruling_id": new_id(),
            "federation": self.federation.name,
            "reviewer": reviewer,
            "subject_ref": self.subject.ref,
            "listing_id": listing_id,
            "dispute_id": dispute_id,
            "outcome": outcome,
            "reasons": "The receipt was checked.",
            "decided_at": to_timestamp(self.federation.at),
        }
        ruling = v1.Ruling(**(given | fields))
        request = v1.SubmitRulingRequest(ruling=seal(ruling, signer(reviewer)))
        answer = self.call(self.reviews.SubmitRuling, request, reviewer)
        return ruling.ruling_id, answer.standing

    def open_review(self, listing_id: bytes, by: str = REGULATOR) -> v1.ListingStanding:
        """Open a review by a reviewer or the regulator."""
        action = ListingAction.LISTING_ACTION_OPEN_REVIEW
        ground = v1.DisputeGround.DISPUTE_GROUND_INELIGIBLE
        event = self.event(listing_id, action, by, ground=ground)
        request = v1.SubmitReviewEventRequest(event=seal(event, signer(by)))
        return self.call(self.reviews.SubmitReviewEvent, request, by).standing

    # Lenders ------------------------------------------------------------------------------------

    def consent(self, person: Subject | None = None, **fields: Any) -> Granted:
        """Return a consent on record that covers listings alone."""
        at = self.federation.at
        given: dict[str, Any] = {
            "data_categories": LISTINGS,
            "valid_from": to_timestamp(at - DAY),
            "valid_until": to_timestamp(at + 30 * DAY),
        }
        return self.desk.grant(person or self.subject, **(given | fields))

    def check(
        self, granted: Granted | None = None, request: v1.Envelope | None = None
    ) -> v1.CheckListingsResponse:
        """Ask for the subject's listings as a lender."""
        granted = granted or self.consent()
        ask = self.federation.ask(granted, request)
        self.refresh()
        return self.call(self.listings.CheckListings, v1.CheckListingsRequest(ask=ask), LENDER)

    def shown(self, person: Subject | None = None) -> list[v1.ListingInView]:
        """Return the listings that a lender with consent is told of now."""
        answer = v1.ListingAnswer.FromString(self.check(self.consent(person)).answer.payload)
        return list(answer.listings.listings)

    def periodic(self, person: Subject | None = None, **fields: Any) -> Granted:
        """Return a consent on record for reviews of an account, once a quarter."""
        at = self.federation.at
        given: dict[str, Any] = {
            "purpose": v1.Purpose.PURPOSE_ACCOUNT_REVIEW,
            "mode": v1.ConsentMode.CONSENT_MODE_PERIODIC,
            "frequency": v1.Frequency(uses=1, period=v1.Period.PERIOD_QUARTER),
            "max_uses": 8,
            "valid_until": to_timestamp(at + 365 * DAY),
        }
        return self.consent(person, **(given | fields))

    def screen_request(self, *consents: Granted, **fields: Any) -> v1.Envelope:
        """Return a lender's request to screen those who gave these consents, as of now."""
        at, first = self.federation.at, consents[0].consent
        given: dict[str, Any] = {
            "request_id": new_id(),
            "federation": self.federation.name,
            "lender": LENDER,
            "purpose": first.purpose,
            "subject_refs": b"".join(each.person.ref for each in consents),
            "consent_ids": b"".join(each.consent.consent_id for each in consents),
            "issued_at": to_timestamp(at),
            "expires_at": to_timestamp(at + timedelta(minutes=1)),
        }
        request = v1.ScreenRequest(**(given | fields))
        return seal(request, signer(request.lender))

    def screen_all(
        self, *requests: v1.Envelope, caller: str = LENDER
    ) -> list[v1.ScreenListingsResponse]:
        """Send screen requests in one stream; return what came back."""
        self.refresh()

        async def sent() -> AsyncIterator[v1.ScreenListingsRequest]:
            for request in requests:
                yield v1.ScreenListingsRequest(request=request)

        async def answered() -> list[v1.ScreenListingsResponse]:
            self.let_in(caller)
            return [answer async for answer in self.listings.ScreenListings(sent(), NO_CONTEXT)]

        return asyncio.run(answered())

    def screen(self, *consents: Granted, **fields: Any) -> v1.ScreenAnswer:
        """Screen in one message; raise ``Refusal`` where the whole of it is refused."""
        (answer,) = self.screen_all(self.screen_request(*consents, **fields))
        if answer.WhichOneof("result") == "refusal":
            raise Refusal(answer.refusal.reason, answer.refusal.message)
        return v1.ScreenAnswer.FromString(answer.answer.payload)

    def recalls(self, lender: str = LENDER) -> list[v1.Envelope]:
        """Return what a lender has to acknowledge, as it is sent."""
        request = v1.ListRetractionsRequest(most=200)
        return list(self.call(self.listings.ListRetractions, request, lender).retractions)

    def retractions(self, lender: str = LENDER) -> list[v1.Retraction]:
        """Return what a lender has to acknowledge."""
        return [v1.Retraction.FromString(each.payload) for each in self.recalls(lender)]

    def acknowledge(self, retraction: v1.Envelope, lender: str = LENDER) -> None:
        """Acknowledge a retraction."""
        said = v1.RetractionAcknowledgement(
            federation=self.federation.name,
            lender=lender,
            retraction_id=v1.Retraction.FromString(retraction.payload).retraction_id,
            retraction_digest=digest_of(retraction),
            acknowledged_at=to_timestamp(self.federation.at),
        )
        request = v1.AcknowledgeRetractionRequest(acknowledgement=seal(said, signer(lender)))
        self.call(self.listings.AcknowledgeRetraction, request, lender)

    # The log ------------------------------------------------------------------------------------

    def history(self, person: Subject | None = None, *, erased: bool = False) -> list[v1.LogRecord]:
        """Return every entry about a person, verified as a wallet does, up to this moment.

        Only with ``erased`` may some of them not open any more; these are left out.
        """
        person = person or self.subject
        self._settle()
        pages: list[Told] = []
        while True:
            request = own_request(self.federation, person)
            after = sum(len(page.answer.entries) for page in pages)
            message = v1.ListAccessesRequest(request=request, binding=person.binding, after=after)
            answer = self.call(self.log.ListAccesses, message)
            pages.append(Told(request, answer))
            if not answer.more:
                break
        chain = follow(self.federation, person, pages)
        chain.require_complete()
        records = [entry.record for entry in chain.entries]
        assert erased or None not in records
        return [record for record in records if record is not None]

    def entries(self) -> list[v1.LogEntry]:
        """Return every entry of the log, whoever it is about, up to this moment."""
        self._settle()
        query = select(log.log_opening.c.entry).order_by(log.log_opening.c.leaf_index)
        found = self.desk.store.run(lambda c: c.execute(query).scalars().all())
        return [v1.LogEntry.FromString(raw) for raw in found]

    def _settle(self) -> None:
        """Wait until all that was entered is in a checkpoint."""

        async def wait() -> None:
            while self.desk.store.run(log.anything_waits):  # noqa: ASYNC110 - another thread's
                await asyncio.sleep(0.002)

        asyncio.run(asyncio.wait_for(wait(), 10))

    # Time ---------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Bring the memory up to date, as the process does several times a second."""

        asyncio.run(self.desk.refresh_listings())

    def pass_time(self, length: timedelta) -> None:
        """Let time pass, and the timer run."""
        self.federation.at += length
        self.desk.listings.run_due_now(self.desk.clock)

    def state(self, listing_id: bytes) -> v1.ListingState.ValueType:
        """Return a listing's state, as its subject sees it."""
        return next(each.state for each in self.own().listings if each.listing_id == listing_id)


def standing_of(result: v1.ListingResult) -> v1.ListingStanding:
    """Return the standing; raise ``Refusal`` where there is a refusal."""
    if result.WhichOneof("result") == "refusal":
        raise Refusal(result.refusal.reason, result.refusal.message)
    return result.standing
