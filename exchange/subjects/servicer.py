"""SubjectService: translates; every request is signed by the subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.rpc.admission import current_call
from concordat.rpc.deadline import MAX_SECONDS
from concordat.v1 import DisputeStage, ListingAction, Reason, Role, SubjectQuery
from concordat.v1.subject_service_pb2_grpc import SubjectServiceServicer
from concordat.verify.consent import open_binding, open_subject_request
from concordat.verify.listing_statements import (
    open_contact_change,
    open_dispute,
    open_flag_change,
    open_subject_event,
)
from exchange.consents import table as consents
from exchange.consents.ledger import require_latest_binding
from exchange.listings import intake
from exchange.listings.intake import Said
from exchange.listings.machine import Actor, Party
from exchange.subjects import flags, inbox
from exchange.subjects.contact_table import contact_on_record
from exchange.subjects.flag_table import NO_FLAGS, Flags, flags_of
from exchange.subjects.own_listings import own_listings

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from concordat.federation.directory import MemberDirectory
    from concordat.rpc.aio_server import Context
    from concordat.store.group_commit import GroupCommit
    from concordat.trust.envelope import Verified
    from exchange.listings.ledger import Office
    from exchange.subjects.own_views import OwnViewDesk
    from exchange.subjects.rights import Rights

T = TypeVar("T")

_SUBJECT = Party(Actor.SUBJECT)
_SUBJECT_ACTIONS = (ListingAction.LISTING_ACTION_SETTLE, ListingAction.LISTING_ACTION_STATE)


class SubjectServicer(SubjectServiceServicer):
    """Answers wallets on the public port."""

    def __init__(
        self,
        directory: MemberDirectory,
        store: GroupCommit,
        office: Office,
        own_views: OwnViewDesk,
        rights: Rights,
    ) -> None:
        """Take statements in at ``store``, as ``office`` does it; show scores through ``own_views``.

        Reports and erasures are the business of ``rights``.
        """
        self._directory = directory
        self._anchors = directory.anchors
        self._store = store
        self._office = office
        self._own_views = own_views
        self._rights = rights
        self._fetch_many = inbox.fetching(office)

    async def ListOwnListings(
        self, request: v1.ListOwnListingsRequest, context: Context
    ) -> v1.ListOwnListingsResponse:
        """Show the subject its listings, flags and contact."""
        del context
        at = current_call().at
        binding = open_binding(request.binding, self._anchors, at)
        query = SubjectQuery.SUBJECT_QUERY_LISTINGS
        asked = open_subject_request(request.request, query, binding, self._anchors, at)
        ref = asked.message.subject_ref
        (listings, more), now, (sequence, contact) = await self._run(
            binding,
            request.binding,
            lambda connection: (
                own_listings(connection, self._office.profiles, ref, request.after, at),
                flags_of(connection, [ref]).get(ref, NO_FLAGS),
                contact_on_record(connection, ref),
            ),
        )
        return v1.ListOwnListingsResponse(
            listings=listings,
            more=more,
            flags=_flags(now),
            flag_sequence=now.sequence,
            contact_sequence=sequence,
            contact=contact,
        )

    async def ReadInbox(
        self, request: v1.ReadInboxRequest, context: Context
    ) -> v1.ReadInboxResponse:
        """Show the subject its inbox; what it fetches has reached it."""
        del context
        at = current_call().at
        binding = open_binding(request.binding, self._anchors, at)
        query = SubjectQuery.SUBJECT_QUERY_INBOX
        asked = open_subject_request(request.request, query, binding, self._anchors, at)
        ask = inbox.Ask(asked, binding, request.binding, request.after, at)
        messages, more = await self._store.arun_in(self._fetch_many, ask)
        return v1.ReadInboxResponse(messages=messages, more=more)

    async def SubmitDispute(
        self, request: v1.SubmitDisputeRequest, context: Context
    ) -> v1.SubmitDisputeResponse:
        """Contest, dispute or appeal."""
        del context
        at = current_call().at
        binding = open_binding(request.binding, self._anchors, at)
        dispute = open_dispute(request.dispute, binding, self._anchors, at)
        appeal = dispute.message.stage == DisputeStage.DISPUTE_STAGE_APPEAL
        role = Role.ROLE_APPEAL if appeal else Role.ROLE_REVIEWER
        try:
            self._directory.require(dispute.message.reviewer, at, role)
        except Refusal as refusal:
            raise Refusal(
                Reason.REASON_REVIEWER_NOT_INDEPENDENT, f"it cannot decide: {refusal}"
            ) from refusal
        listing = await self._run(
            binding,
            request.binding,
            lambda connection: intake.dispute_one(
                connection, self._office, (dispute, request.dispute), request.attachments, at
            ),
        )
        due = listing.dispute.due_at if listing.dispute else at
        return v1.SubmitDisputeResponse(state=listing.state, decide_by=to_timestamp(due))

    async def SubmitSubjectEvent(
        self, request: v1.SubmitSubjectEventRequest, context: Context
    ) -> v1.SubmitSubjectEventResponse:
        """Settle, or attach words."""
        del context
        at = current_call().at
        binding = open_binding(request.binding, self._anchors, at)
        event = open_subject_event(request.event, binding, self._anchors, at)
        if event.message.action not in _SUBJECT_ACTIONS:
            raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "not a subject's to do")
        said = Said(event, request.event, _SUBJECT)
        (done,) = await self._run(
            binding,
            request.binding,
            lambda connection: intake.apply_many(connection, self._office, [said], at),
        )
        if isinstance(done, Refusal):
            raise done
        return v1.SubmitSubjectEventResponse(state=done.state)

    async def ChangeFlag(
        self, request: v1.ChangeFlagRequest, context: Context
    ) -> v1.ChangeFlagResponse:
        """Place or lift a freeze or a fraud alert."""
        del context
        at = current_call().at
        binding = open_binding(request.binding, self._anchors, at)
        change = open_flag_change(request.change, binding, self._anchors, at)
        now = await self._run(
            binding,
            request.binding,
            lambda connection: flags.change_flag(connection, change, request.change, at),
        )
        return v1.ChangeFlagResponse(flags=_flags(now))

    async def ChangeContact(
        self, request: v1.ChangeContactRequest, context: Context
    ) -> v1.ChangeContactResponse:
        """Keep where notices go."""
        del context
        at = current_call().at
        binding = open_binding(request.binding, self._anchors, at)
        change = open_contact_change(request.change, binding, self._anchors, at)
        await self._run(
            binding,
            request.binding,
            lambda connection: flags.change_contact(connection, change, request.change, at),
        )
        return v1.ChangeContactResponse()

    async def RequestOwnView(
        self, request: v1.RequestOwnViewRequest, context: Context
    ) -> v1.RequestOwnViewResponse:
        """Show the subject its own score."""
        del context
        call = current_call()
        left = MAX_SECONDS if call.seconds_left is None else min(call.seconds_left, MAX_SECONDS)
        return await self._own_views.answer(request, call.at, left)

    async def RequestReport(
        self, request: v1.RequestReportRequest, context: Context
    ) -> v1.RequestReportResponse:
        """Give the subject a page of its report."""
        del context
        at = current_call().at
        binding = open_binding(request.binding, self._anchors, at)
        work = self._rights.report(request, binding, at)
        return v1.RequestReportResponse(report=await self._run(binding, request.binding, work))

    async def RequestErasure(
        self, request: v1.RequestErasureRequest, context: Context
    ) -> v1.RequestErasureResponse:
        """Erase what can go, and tell what is kept."""
        del context
        at = current_call().at
        binding = open_binding(request.binding, self._anchors, at)
        work = self._rights.erasure(request, binding, at)
        return v1.RequestErasureResponse(outcome=await self._run(binding, request.binding, work))

    async def _run(
        self,
        binding: Verified[v1.SubjectBinding],
        envelope: v1.Envelope,
        work: Callable[[Connection], T],
    ) -> T:
        """Do ``work`` in a transaction, under the latest binding of the subject alone, which is kept."""

        def under_latest(connection: Connection) -> T:
            ref = binding.message.subject_ref
            known = consents.binding_versions(connection, [ref]).get(ref)
            require_latest_binding(known, binding.message)
            done = work(connection)
            consents.put_binding(connection, binding.message, envelope, known)
            return done

        return await self._store.arun(under_latest)


def _flags(flags: Flags) -> v1.SubjectFlags:
    return v1.SubjectFlags(frozen=flags.frozen, fraud_alert=flags.fraud_alert)
