"""FurnisherService: translates; every statement is the caller's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat import v1
from concordat.clock import to_timestamp
from concordat.refusal import Refusal
from concordat.rpc.admission import current_call
from concordat.v1 import ListingAction, ListingKind, Reason, Role
from concordat.v1.listing_service_pb2_grpc import FurnisherServiceServicer
from concordat.verify.listing_statements import open_filing, open_member_event, open_mirror_sync
from exchange.listings import intake, mirror
from exchange.listings.duties import duties_of
from exchange.listings.intake import Filed, Said
from exchange.listings.machine import Actor, Listing, Party
from exchange.listings.standing import result_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from concordat.federation.anchors import Anchors
    from concordat.federation.directory import Member
    from concordat.rpc.aio_server import Context
    from concordat.store.group_commit import GroupCommit
    from exchange.listings.ledger import Office

_SOURCE_ACTIONS = frozenset(
    {
        ListingAction.LISTING_ACTION_RECONFIRM,
        ListingAction.LISTING_ACTION_SETTLE,
        ListingAction.LISTING_ACTION_WITHDRAW,
        ListingAction.LISTING_ACTION_CORRECT,
        ListingAction.LISTING_ACTION_PROLONG,
    }
)


class FurnisherServicer(FurnisherServiceServicer):
    """Answers furnishers and courts on the member port."""

    def __init__(self, anchors: Anchors, store: GroupCommit, office: Office) -> None:
        """Take statements in at ``store``, as ``office`` does it."""
        self._anchors = anchors
        self._store = store
        self._office = office

    async def FileListings(
        self, request: v1.FileListingsRequest, context: Context
    ) -> v1.FileListingsResponse:
        """File debts or judgments."""
        del context
        call = current_call()
        opened = [self._filing(envelope, call.member, call.at) for envelope in request.filings]
        items = [each for each in opened if isinstance(each, Filed)]
        done = await self._store.arun(
            lambda connection: intake.file_many(connection, self._office, items, call.at)
        )
        return v1.FileListingsResponse(results=_merged(opened, done, call.member.member_id))

    def _filing(self, envelope: v1.Envelope, source: Member, at: datetime) -> Filed | Refusal:
        try:
            filing = open_filing(envelope, source, self._anchors, at)
            require_may_file(filing.message, source)
            return Filed(filing, envelope, self._office.profiles.name_of(source.licence))
        except Refusal as refusal:
            return refusal

    async def SubmitListingEvents(
        self, request: v1.SubmitListingEventsRequest, context: Context
    ) -> v1.SubmitListingEventsResponse:
        """Reconfirm, settle, withdraw, correct or prolong."""
        del context
        call = current_call()
        opened = [self._event(envelope, call.member, call.at) for envelope in request.events]
        items = [each for each in opened if isinstance(each, Said)]
        done = await self._store.arun(
            lambda connection: intake.apply_many(connection, self._office, items, call.at)
        )
        return v1.SubmitListingEventsResponse(results=_merged(opened, done, call.member.member_id))

    def _event(self, envelope: v1.Envelope, source: Member, at: datetime) -> Said | Refusal:
        try:
            event = open_member_event(envelope, source, self._anchors, at)
        except Refusal as refusal:
            return refusal
        if event.message.action not in _SOURCE_ACTIONS:
            return Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "not a source's to do")
        return Said(event, envelope, Party(Actor.FURNISHER, source.member_id))

    async def SubmitMirrorSync(
        self, request: v1.SubmitMirrorSyncRequest, context: Context
    ) -> v1.SubmitMirrorSyncResponse:
        """Hear that a court's register is the same as its listings."""
        del context
        call = current_call()
        sync = open_mirror_sync(request.sync, call.member, self._anchors, call.at)
        until = await self._store.arun(
            lambda connection: mirror.take_sync(
                connection, self._office, sync, request.sync, call.at
            )
        )
        return v1.SubmitMirrorSyncResponse(live_until=to_timestamp(until))

    async def ListDuties(
        self, request: v1.ListDutiesRequest, context: Context
    ) -> v1.ListDutiesResponse:
        """Say what the caller has to do."""
        del context
        call = current_call()
        source = call.member.member_id
        duties, more = await self._store.arun(
            lambda connection: duties_of(connection, source, request.after, call.at)
        )
        return v1.ListDutiesResponse(duties=duties, next=more)


def require_may_file(filing: v1.ListingFiling, source: Member) -> None:
    """Raise ``Refusal`` (REASON_ROLE_NOT_ALLOWED) unless the source's licence covers such a filing (R01)."""
    role = Role.ROLE_FURNISHER
    if filing.kind == ListingKind.LISTING_KIND_JUDGMENT:
        role = Role.ROLE_COURT
    if role not in source.roles:
        raise Refusal(Reason.REASON_ROLE_NOT_ALLOWED, f"{source.member_id} is no {Role.Name(role)}")
    allowed = source.licence.furnishes
    if allowed and filing.basis not in allowed:
        raise Refusal(Reason.REASON_ROLE_NOT_ALLOWED, "the licence covers no such debts")


def _merged(
    opened: Sequence[Filed | Said | Refusal], done: Sequence[Listing | Refusal], source: str
) -> list[v1.ListingResult]:
    """Return one result for each item: those that did not verify were never taken in."""
    rest = iter(done)
    return [result_of(each if isinstance(each, Refusal) else next(rest), source) for each in opened]
