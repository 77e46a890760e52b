"""ReviewService: translates; every ruling is the caller's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat import v1
from concordat.refusal import Refusal
from concordat.rpc.admission import current_call
from concordat.v1 import ListingAction, Reason, Role
from concordat.v1.listing_service_pb2_grpc import ReviewServiceServicer
from concordat.verify.listing_statements import open_member_event, open_ruling
from exchange.listings import intake, review_queue
from exchange.listings.intake import Said
from exchange.listings.machine import Actor, Party
from exchange.listings.standing import standing_of

if TYPE_CHECKING:
    from concordat.federation.anchors import Anchors
    from concordat.federation.directory import Member
    from concordat.rpc.aio_server import Context
    from concordat.store.group_commit import GroupCommit
    from exchange.listings.ledger import Office

_REVIEW_ACTIONS = {
    ListingAction.LISTING_ACTION_OPEN_REVIEW: (Actor.REVIEWER, Actor.REGULATOR),
    ListingAction.LISTING_ACTION_EXTEND: (Actor.REVIEWER,),
    ListingAction.LISTING_ACTION_WITHDRAW: (Actor.REVIEWER,),
}
_ROLES = {Actor.REVIEWER: Role.ROLE_REVIEWER, Actor.REGULATOR: Role.ROLE_REGULATOR}


class ReviewServicer(ReviewServiceServicer):
    """Answers reviewers, appeal bodies and the regulator on the member port."""

    def __init__(self, anchors: Anchors, store: GroupCommit, office: Office) -> None:
        """Take statements in at ``store``, as ``office`` does it."""
        self._anchors = anchors
        self._store = store
        self._office = office

    async def ListReviews(
        self, request: v1.ListReviewsRequest, context: Context
    ) -> v1.ListReviewsResponse:
        """Show the caller's queue."""
        del context
        reviewer = current_call().member
        stages = review_queue.stages_of(reviewer.roles)
        reviews = await self._store.arun(
            lambda connection: review_queue.queue(
                connection, reviewer.member_id, stages, request.most
            )
        )
        return v1.ListReviewsResponse(reviews=reviews)

    async def GetReview(
        self, request: v1.GetReviewRequest, context: Context
    ) -> v1.GetReviewResponse:
        """Show one dispute."""
        del context
        reviewer = current_call().member
        stages = review_queue.stages_of(reviewer.roles)
        return await self._store.arun(
            lambda connection: review_queue.show(
                connection, reviewer.member_id, stages, request.dispute_id
            )
        )

    async def SubmitRuling(
        self, request: v1.SubmitRulingRequest, context: Context
    ) -> v1.SubmitRulingResponse:
        """Decide a dispute."""
        del context
        call = current_call()
        ruling = open_ruling(request.ruling, call.member, self._anchors, call.at)
        party = _judge(call.member)
        listing = await self._store.arun(
            lambda connection: intake.rule_one(
                connection, self._office, (ruling, request.ruling), party, call.at
            )
        )
        return v1.SubmitRulingResponse(standing=standing_of(listing))

    async def SubmitReviewEvent(
        self, request: v1.SubmitReviewEventRequest, context: Context
    ) -> v1.SubmitReviewEventResponse:
        """Open a review, take more time, or strike a listing out before its effect."""
        del context
        call = current_call()
        event = open_member_event(request.event, call.member, self._anchors, call.at)
        party = _party_of(call.member, event.message.action)
        said = Said(event, request.event, party)
        (done,) = await self._store.arun(
            lambda connection: intake.apply_many(connection, self._office, [said], call.at)
        )
        if isinstance(done, Refusal):
            raise done
        return v1.SubmitReviewEventResponse(standing=standing_of(done))


def _judge(member: Member) -> Party:
    """Return in what part a member decides; licences let nobody be both."""
    for role, actor in ((Role.ROLE_APPEAL, Actor.APPEAL), (Role.ROLE_REVIEWER, Actor.REVIEWER)):
        if role in member.roles:
            return Party(actor, member.member_id)
    raise Refusal(Reason.REASON_ROLE_NOT_ALLOWED, f"{member.member_id} decides no disputes")


def _party_of(member: Member, action: ListingAction.ValueType) -> Party:
    for actor in _REVIEW_ACTIONS.get(action, ()):
        if _ROLES[actor] in member.roles:
            return Party(actor, member.member_id)
    raise Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED, "not this member's to do")
