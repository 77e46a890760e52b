"""Two reviewers and an appeal body: they look into their queues, open the evidence, and rule."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.chargeoffs.cases import Case
from benchmarks.chargeoffs.model import What
from benchmarks.chargeoffs.world import APPEALS, REVIEWERS, World
from clients.sdk import MemberIdentity
from clients.sdk.aio_client import AioReviewerClient
from clients.sdk.review_statements import make_ruling
from clients.sdk.reviews import open_attachments
from concordat import v1
from concordat.clock import Clock
from concordat.trust.sealed import SealingKey
from concordat.v1 import DisputeStage, RulingOutcome

_OUTCOMES = {
    What.UPHELD: RulingOutcome.RULING_OUTCOME_UPHELD,
    What.RECTIFIED: RulingOutcome.RULING_OUTCOME_RECTIFIED,
    What.REJECTED: RulingOutcome.RULING_OUTCOME_REJECTED,
    What.UNVERIFIABLE: RulingOutcome.RULING_OUTCOME_UNVERIFIABLE,
}
_REASONS = "The parties were heard, and the evidence was read."
_KEPT = 4, 5  # four fifths of an amount are left by a correction


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is to be decided about a debt."""

    case: Case
    who: str
    outcome: What


@dataclass(slots=True)
class _Office:
    identity: MemberIdentity
    client: AioReviewerClient
    key: SealingKey


@dataclass(slots=True)
class Reviewers:
    """All three."""

    offices: dict[str, _Office]
    federation: str
    clock: Clock
    ruled: Counter[str] = field(default_factory=Counter)
    opened: int = 0  # pieces of evidence

    @classmethod
    def of(cls, world: World, clock: Clock) -> "Reviewers":
        """Return clients for all."""
        offices = {}
        for member in (*REVIEWERS, APPEALS):
            identity = world.identity(member)
            key = SealingKey.load(world.pki.member(member).sealing_key, None)
            client = AioReviewerClient(world.anchors, identity, clock)
            offices[member] = _Office(identity, client, key)
        return cls(offices, world.anchors.federation, clock)

    async def rule(self, rulings: Sequence[Ruling]) -> None:
        """Decide; each dispute must be in its reviewer's queue, with evidence that opens."""
        for who in sorted({ruling.who for ruling in rulings}):
            office = self.offices[who]
            queue = {review.dispute_id: review for review in await office.client.list_reviews()}
            for ruling in rulings:
                if ruling.who == who:
                    await self._rule_one(office, queue[ruling.case.dispute_id], ruling)

    async def _rule_one(self, office: _Office, summary: v1.ReviewSummary, ruling: Ruling) -> None:
        case, at = ruling.case, self.clock.now()
        review = await office.client.get_review(summary.dispute_id)
        evidence = open_attachments(review, office.key)
        assert len(evidence) == 1
        assert not evidence[0].fault
        self.opened += 1
        correction = None
        minor = review.shown.facts.amount.minor
        if ruling.outcome is What.RECTIFIED:
            minor = kept_of(minor)
            correction = v1.Correction(
                amount=v1.Money(currency=review.shown.facts.amount.currency, minor=minor),
                delinquent_since=review.shown.facts.delinquent_since,
                evidence_hash=evidence[0].evidence.digest if evidence[0].evidence else b"",
            )
        envelope = make_ruling(
            office.identity,
            self.federation,
            summary,
            _OUTCOMES[ruling.outcome],
            _REASONS,
            at,
            correction=correction,
        )
        await office.client.submit_ruling(envelope)
        case.note(ruling.outcome, at, minor)
        case.ruling_id = v1.Ruling.FromString(envelope.payload).ruling_id
        stage = DisputeStage.Name(summary.stage).removeprefix("DISPUTE_STAGE_").lower()
        self.ruled[f"rulings: {stage} {ruling.outcome.name.lower()}"] += 1

    async def close(self) -> None:
        """Close all channels."""
        for office in self.offices.values():
            await office.client.close()


def kept_of(minor: int) -> int:
    """Return what a correction leaves of an amount in cents."""
    return minor * _KEPT[0] // _KEPT[1]
