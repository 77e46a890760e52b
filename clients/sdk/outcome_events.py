"""A lender's word on what came of its accesses (R17, R18): made, signed, handed in, and what is still owed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from clients.sdk.errors import AnswerNotVerified, ClientError
from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer
from clients.sdk.identity import MemberIdentity
from clients.sdk.members import MemberBook
from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.rpc.errors import name_of
from concordat.statements import seal
from concordat.v1 import DecisionReason, OutcomeKind, ReviewerRole

AT_ONCE = 100


class OutcomeRefused(ClientError):  # noqa: N818 - read as a finding
    """The exchange refused one event; the others of the same call were taken in all the same."""

    def __init__(self, refusal: v1.ItemRefusal) -> None:
        """Be refused for ``refusal.reason``."""
        super().__init__(f"{name_of(refusal.reason)}: {refusal.message}")
        self.reason = refusal.reason
        self.message = refusal.message


@dataclass(frozen=True, slots=True)
class Decision:
    """What a lender decided after one access; ``reviewer`` is who reviewed it, unset where no person did."""

    access_id: bytes
    subject_ref: bytes
    answer_digest: bytes  # of the View or ListingAnswer
    outcome: OutcomeKind.ValueType
    decided_at: datetime
    reasons: Sequence[DecisionReason.ValueType] = ()
    reviewer: ReviewerRole.ValueType = ReviewerRole.REVIEWER_ROLE_UNSPECIFIED
    sequence: int = 1


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """What became of one decision that was handed in."""

    decision: Decision
    result: v1.OutcomeTaken | OutcomeRefused


def event_of(identity: MemberIdentity, federation: str, decision: Decision) -> v1.OutcomeEvent:
    """Return the statement of a decision."""
    return v1.OutcomeEvent(
        event_id=new_id(),
        federation=federation,
        lender=identity.member_id,
        access_id=decision.access_id,
        subject_ref=decision.subject_ref,
        answer_digest=decision.answer_digest,
        outcome=decision.outcome,
        reasons=decision.reasons,
        reviewed_by_person=decision.reviewer != ReviewerRole.REVIEWER_ROLE_UNSPECIFIED,
        reviewer_role=decision.reviewer,
        decided_at=to_timestamp(decision.decided_at),
        sequence=decision.sequence,
    )


def report_outcome_events(
    identity: MemberIdentity, book: MemberBook, decisions: Iterable[Decision]
) -> Flow[list[OutcomeReport]]:
    """Sign decisions and hand them in, a hundred at once; return what became of each, in order.

    A retry underneath repeats the same bytes. Raises ``StatementMalformedError``, before anything is sent, for a
    decision that breaks a bound (a refusal without a reason, for instance), and ``RemoteError``.
    """
    wanted = list(decisions)
    sealed = [
        seal(event_of(identity, book.anchors.federation, each), identity.signer) for each in wanted
    ]
    done: list[OutcomeReport] = []
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        call = Call(
            exchange_peer(book.anchors, Port.MEMBER),
            "/concordat.v1.LenderService/ReportOutcomes",
            v1.ReportOutcomesRequest(events=sealed[start : start + AT_ONCE]),
            v1.ReportOutcomesResponse,
        )
        answer = yield from ask(call, v1.ReportOutcomesResponse)
        if len(answer.results) != len(some):
            raise AnswerNotVerified(f"{len(answer.results)} answers to {len(some)} events")
        done += [
            OutcomeReport(decision, _result(result))
            for decision, result in zip(some, answer.results, strict=True)
        ]
    return done


def _result(result: v1.OutcomeResult) -> v1.OutcomeTaken | OutcomeRefused:
    if result.WhichOneof("result") == "refusal":
        return OutcomeRefused(result.refusal)
    return result.taken


def outcomes_due(book: MemberBook, most: int) -> Flow[list[v1.OutcomeDue]]:
    """Return own accesses of 20 days ago and more whose outcome is owed, the oldest first; ``most`` at most."""
    found: list[v1.OutcomeDue] = []
    after = b""
    while True:
        call = Call(
            exchange_peer(book.anchors, Port.MEMBER),
            "/concordat.v1.LenderService/ListOutcomesDue",
            v1.ListOutcomesDueRequest(after=after),
            v1.ListOutcomesDueResponse,
        )
        answer = yield from ask(call, v1.ListOutcomesDueResponse)
        found += answer.due
        if not answer.next or answer.next == after or len(found) >= most:
            return found[:most]
        after = answer.next
