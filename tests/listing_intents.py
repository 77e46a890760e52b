"""What anybody may want to say about a listing, lawful or not, for tests that try everything.

An intent becomes a statement only when it is said (``of``), about the listing as its speaker saw it. The
strategies at the end draw intents at random, most of them such that somebody has to refuse them.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from hypothesis import strategies as st

from concordat import v1
from concordat.clock import to_timestamp
from concordat.v1 import (
    DisputeGround,
    DisputeStage,
    ListingAction,
    RulingOutcome,
    WithdrawalCode,
)
from exchange.listings.machine import Actor, Listing, Party
from tests.builders import DAY, EXCHANGE, REGULATOR
from tests.listing_builders import (
    APPEAL,
    APPEAL_BODY,
    BUYER,
    CORRECT,
    COURT,
    FURNISHER,
    NOTICE_SERVED,
    OUTSIDER,
    PARTIES,
    PROLONG,
    RECTIFIED,
    REVIEWER,
    SECOND_APPEAL_BODY,
    SECOND_COURT,
    SECOND_REVIEWER,
    SETTLE,
    WITHDRAW,
    appeal_of,
    correction,
    digest,
    dispute_of,
    judge_of,
    judgment_filing,
    listing_event,
    listing_filing,
    money,
    notice_proof,
    profile,
    prolongation,
    reinsertion,
    ruling_of,
    settlement,
)
from tests.listing_world import Said, World

FURNISHERS, COURTS = (FURNISHER, BUYER, OUTSIDER), (COURT, SECOND_COURT)
JUDGES = (REVIEWER, SECOND_REVIEWER, APPEAL_BODY, SECOND_APPEAL_BODY)
EVERYBODY = [
    *(Party(Actor.FURNISHER, member) for member in (*FURNISHERS, REVIEWER)),
    *(Party(Actor.COURT, member) for member in (*COURTS, FURNISHER)),
    Party(Actor.SUBJECT),
    # Also those who hold a part today that they must not use on what they filed or judged before.
    *(Party(Actor.REVIEWER, member) for member in (REVIEWER, SECOND_REVIEWER, BUYER)),
    *(Party(Actor.APPEAL, member) for member in (APPEAL_BODY, SECOND_APPEAL_BODY, REVIEWER, BUYER)),
    Party(Actor.REGULATOR, REGULATOR),
    Party(Actor.EXCHANGE, EXCHANGE),
]
EVIDENCE = ["a letter", "a receipt", "a contract", "a witness", "a judgment", "a photograph"]


class Intent(Protocol):
    """Something that somebody wants to say about what it sees."""

    def of(self, world: World, seen: Listing) -> Said:
        """Return the statement, about a listing as it was seen."""


@dataclass(frozen=True)
class Event:
    """An event of any action, by anybody, with particulars as far off as ``days`` and ``share`` say."""

    action: ListingAction.ValueType
    by: Party
    days: int
    share: int  # of the amount on record, percent
    code: WithdrawalCode.ValueType
    skew: timedelta

    def of(self, world: World, seen: Listing) -> Said:
        """Return the event."""
        now = world.now
        particulars: dict[int, dict[str, Any]] = {
            SETTLE: {"settlement": settlement(now - self.days * DAY)},
            WITHDRAW: {"withdrawal": self.code},
            CORRECT: {"correction": corrected(seen, self.days, self.share)},
            PROLONG: {"prolongation": prolongation(seen.expires_at + self.days * DAY)},
            NOTICE_SERVED: {"notice": notice_proof(now - self.days * DAY)},
        }
        fields: dict[str, Any] = {
            "event_id": world.new_id(),
            "decided_at": to_timestamp(now + self.skew),
            **particulars.get(self.action, {}),
        }
        event = listing_event(seen, self.action, at=now, by=self.by, **fields)
        return Said(event, self.by)


def corrected(seen: Listing, days: int, share: int) -> v1.Correction:
    """Return a correction that moves the anchor by days to and fro, and the amount up or down."""
    since = seen.delinquent_since - days * DAY
    amount = money(seen.amount * share // 100, seen.currency)
    evidence = digest(EVIDENCE[days % len(EVIDENCE)])
    return correction(
        seen, amount=amount, delinquent_since=to_timestamp(since), evidence_hash=evidence
    )


@dataclass(frozen=True)
class Filing:
    """A filing by any source, of any age, with evidence that may have been used before."""

    source: str
    overdue: int  # days
    share: int  # of ten times the floor, percent
    register: int  # days that a court's register shows it yet
    evidence: str
    certified: bool
    abroad: bool  # by a source of another profile, in another currency
    skew: timedelta

    def of(self, world: World, seen: Listing | None) -> Said:
        """Return the filing."""
        del seen
        now, court = world.now, self.source in COURTS
        name = "us" if self.abroad else world.profile_name
        limits = profile(name)
        fields: dict[str, Any] = {
            "filing_id": world.new_id(),
            "source": self.source,
            "amount": money(limits.floor_minor * self.share // 10, limits.currency),
            "delinquent_since": to_timestamp(now - self.overdue * DAY),
            "evidence_hash": digest(self.evidence),
            "late": v1.LateFilingCode.LATE_FILING_CODE_ACQUIRED,
            "filed_at": to_timestamp(now + self.skew),
        }
        if self.certified:
            fields["reinsertion"] = reinsertion(f"new: {self.evidence}")
        if court:
            fields["source_ends_at"] = to_timestamp(now + self.register * DAY)
        part = Party(Actor.COURT if court else Actor.FURNISHER, self.source)
        return Said(
            (judgment_filing if court else listing_filing)(name, at=now, **fields), part, name
        )


@dataclass(frozen=True)
class Raise:
    """A dispute of any stage, naming anybody."""

    stage: DisputeStage.ValueType
    reviewer: str
    evidence: tuple[str, ...]
    ground: DisputeGround.ValueType
    skew: timedelta

    def of(self, world: World, seen: Listing) -> Said:
        """Return the dispute."""
        make = appeal_of if self.stage == APPEAL else dispute_of
        said = make(
            seen,
            at=world.now + self.skew,
            dispute_id=world.new_id(),
            stage=self.stage,
            reviewer=self.reviewer,
            evidence=self.evidence,
            ground=self.ground,
        )
        return Said(said, PARTIES[Actor.SUBJECT])


@dataclass(frozen=True)
class Rule:
    """A ruling by who should make it, or by anybody."""

    outcome: RulingOutcome.ValueType
    by: Party | None
    days: int
    share: int
    not_settled: bool

    def of(self, world: World, seen: Listing) -> Said:
        """Return the ruling."""
        party = self.by or judge_of(seen)
        fields: dict[str, Any] = {"ruling_id": world.new_id(), "reviewer": party.member_id}
        if self.outcome == RECTIFIED:
            fields["correction"] = corrected(seen, self.days, self.share)
            fields["not_settled"] = self.not_settled
        return Said(ruling_of(seen, self.outcome, at=world.now, **fields), party)


# Strategies -------------------------------------------------------------------------------------

SKEWS = st.sampled_from([timedelta(), timedelta(minutes=3), timedelta(minutes=-3), -4 * DAY])
SHARES = st.sampled_from([100, 50, 0, 101])
DAYS = st.one_of(st.integers(-3, 3), st.integers(-400, 1500))
EVIDENCES = st.lists(st.sampled_from(EVIDENCE), max_size=2, unique=True).map(tuple)


def values(enum: Any) -> st.SearchStrategy[Any]:
    """Return the values of an enum that mean something."""
    return st.sampled_from([value for value in enum.values() if value])


EVENTS = st.builds(
    Event,
    action=values(ListingAction),
    by=st.sampled_from(EVERYBODY),
    days=DAYS,
    share=SHARES,
    code=values(WithdrawalCode),
    skew=SKEWS,
)
FILINGS = st.builds(
    Filing,
    source=st.sampled_from([*FURNISHERS, *COURTS, REVIEWER]),
    overdue=st.one_of(st.integers(93, 400), st.integers(0, 3000)),
    share=st.sampled_from([100, 60, 200, 9]),
    register=st.integers(100, 4000),
    evidence=st.sampled_from(EVIDENCE),
    certified=st.booleans(),
    abroad=st.sampled_from([False, False, False, True]),
    skew=SKEWS,
)
DISPUTES = st.builds(
    Raise,
    stage=values(DisputeStage),
    reviewer=st.sampled_from([*JUDGES, BUYER]),
    evidence=EVIDENCES,
    ground=values(DisputeGround),
    skew=SKEWS,
)
RULINGS = st.builds(
    Rule,
    outcome=values(RulingOutcome),
    by=st.one_of(st.none(), st.none(), st.sampled_from(EVERYBODY)),
    days=DAYS,
    share=SHARES,
    not_settled=st.booleans(),
)
INTENTS: st.SearchStrategy[Intent] = st.one_of(EVENTS, FILINGS, DISPUTES, RULINGS)
