"""Listings for tests: lawful statements that a test may bend, and the pure machine driven by them.

    filing = listing_filing("us", amount=money(9_999, "USD"))    # keywords are the proto's field names
    listing = effective("us")                                    # got there by real moves, at real times
    listing = act(listing, SETTLE, at=listing.effective_at + DAY)
    listing = run_timers(listing, at=listing.expires_at)

Every statement is lawful at ``at`` unless a keyword says otherwise. They are bare messages: whoever needs
them signed calls ``concordat.statements.seal(message, signer(FURNISHER))``. ``OWN`` is a profile that an
operator might write, with every rule that the built-in ones lack.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.v1 import (
    DisputeGround,
    DisputeStage,
    LateFilingCode,
    ListingAction,
    ListingBasis,
    ListingKind,
    ListingState,
    NoticeChannel,
    Reason,
    RulingOutcome,
    WithdrawalCode,
)
from exchange.listings.machine import (
    Actor,
    Listing,
    Party,
    PastDebt,
    apply_event,
    join,
    open_listing,
    raise_dispute,
    rule,
    tick,
)
from exchange.listings.profile import Profile, Profiles, Span, parse_profile
from tests.builders import AT, DAY, EXCHANGE, NAME, PROVIDERS, REGULATOR

FURNISHER, BUYER, OUTSIDER = PROVIDERS
COURT, SECOND_COURT = "county-court", "high-court"
REVIEWER, SECOND_REVIEWER = "ombuds-one", "ombuds-two"
APPEAL_BODY, SECOND_APPEAL_BODY = "tribunal-one", "tribunal-two"
PARTIES: Mapping[Actor, Party] = {
    Actor.FURNISHER: Party(Actor.FURNISHER, FURNISHER),
    Actor.COURT: Party(Actor.COURT, COURT),
    Actor.SUBJECT: Party(Actor.SUBJECT),
    Actor.REVIEWER: Party(Actor.REVIEWER, REVIEWER),
    Actor.APPEAL: Party(Actor.APPEAL, APPEAL_BODY),
    Actor.REGULATOR: Party(Actor.REGULATOR, REGULATOR),
    Actor.EXCHANGE: Party(Actor.EXCHANGE, EXCHANGE),
}

RECONFIRM = ListingAction.LISTING_ACTION_RECONFIRM
SETTLE = ListingAction.LISTING_ACTION_SETTLE
WITHDRAW = ListingAction.LISTING_ACTION_WITHDRAW
CORRECT = ListingAction.LISTING_ACTION_CORRECT
OPEN_REVIEW = ListingAction.LISTING_ACTION_OPEN_REVIEW
EXTEND = ListingAction.LISTING_ACTION_EXTEND
STATE = ListingAction.LISTING_ACTION_STATE
NOTICE_SERVED = ListingAction.LISTING_ACTION_NOTICE_SERVED
TAKE_EFFECT = ListingAction.LISTING_ACTION_TAKE_EFFECT
TIME_OUT = ListingAction.LISTING_ACTION_TIME_OUT
REPAIR = ListingAction.LISTING_ACTION_REPAIR
EXPIRE = ListingAction.LISTING_ACTION_EXPIRE
PROLONG = ListingAction.LISTING_ACTION_PROLONG
END_REVIEW = ListingAction.LISTING_ACTION_END_REVIEW

CONTEST = DisputeStage.DISPUTE_STAGE_CONTEST
REVIEW = DisputeStage.DISPUTE_STAGE_REVIEW
APPEAL = DisputeStage.DISPUTE_STAGE_APPEAL

UPHELD = RulingOutcome.RULING_OUTCOME_UPHELD
RECTIFIED = RulingOutcome.RULING_OUTCOME_RECTIFIED
REJECTED = RulingOutcome.RULING_OUTCOME_REJECTED
UNVERIFIABLE = RulingOutcome.RULING_OUTCOME_UNVERIFIABLE

OWN = "atlantis"
OWN_PROFILE = """
notice = "14d"
dispute = "10d"
extension = "5d"
appeal_within = "20d"
appeal = "10d"
currency = "ATL"
floor_minor = 1_000
bands_minor = [10_000, 100_000, 1_000_000]

[debt]
life = "4y"
after_settlement = "2y"
while_disputed = "mark"

[[debt.repair]]
ends = "repaired"
after = "6m"
up_to_minor = 50_000

[judgment]
life = "3y"
prolonged_by_court = "2y"
while_disputed = "mark"

[[judgment.repair]]
ends = "withdrawn"
paid_within = "3m"

[[judgment.repair]]
ends = "repaired"
after = "1y"
"""
_BUILT_IN = Profiles.load()
_OWN = parse_profile(OWN_PROFILE, OWN)


def profile(name: str = "eu") -> Profile:
    """Return a built-in profile, or ``OWN``."""
    return _OWN if name == OWN else _BUILT_IN[name]


def digest(text: str) -> bytes:
    """Return 32 bytes that stand for something, the same in every run."""
    return hashlib.sha256(text.encode()).digest()


SUBJECT_REF = digest("subject ada")
DEBT = digest("a debt")
LISTING_ID = digest("a listing")[:16]
NOTHING_OPEN = bytes(16)  # the id of no dispute


def money(minor: int, currency: str = "EUR") -> v1.Money:
    """Return an amount."""
    return v1.Money(currency=currency, minor=minor)


# Times and reasons ------------------------------------------------------------------------------

HOUR, SECOND, MICRO = timedelta(hours=1), timedelta(seconds=1), timedelta(microseconds=1)


def day(year: int, month: int, of_month: int) -> datetime:
    """Return the start of a day."""
    return datetime(year, month, of_month, tzinfo=UTC)


def at_of(moment: datetime | None) -> datetime:
    """Return a time of a listing that must be set by now."""
    assert moment is not None
    return moment


def due_of(listing: Listing) -> datetime:
    """Return when the open dispute has to be decided."""
    assert listing.dispute is not None
    return listing.dispute.due_at


def dispute_id_of(listing: Listing) -> bytes:
    """Return the id of the open dispute."""
    assert listing.dispute is not None
    return listing.dispute.dispute_id


@contextmanager
def refuses(
    reason: Reason.ValueType = Reason.REASON_LISTING_TRANSITION_REFUSED,
) -> Iterator[None]:
    """Expect a ``Refusal`` for just this reason."""
    with pytest.raises(Refusal) as told:
        yield
    assert told.value.reason == reason, told.value


# Statements -------------------------------------------------------------------------------------


def listing_filing(name: str = "eu", *, at: datetime = AT, **fields: Any) -> v1.ListingFiling:
    """Return a furnisher's filing of a loan, 120 days overdue, of ten times the profile's floor."""
    limits = profile(name)
    given: dict[str, Any] = {
        "filing_id": new_id(),
        "federation": NAME,
        "source": FURNISHER,
        "subject_ref": SUBJECT_REF,
        "debt_commitment": DEBT,
        "kind": ListingKind.LISTING_KIND_DEBT,
        "basis": ListingBasis.LISTING_BASIS_LOAN,
        "amount": money(limits.floor_minor * 10, limits.currency),
        "delinquent_since": to_timestamp(at - 120 * DAY),
        "evidence_hash": digest("the furnisher's evidence"),
        "attestation": attested(),
        "late": LateFilingCode.LATE_FILING_CODE_WAITED_TO_BE_ELIGIBLE,
        "filed_at": to_timestamp(at),
    }
    return v1.ListingFiling(**(given | fields))


def judgment_filing(name: str = "eu", *, at: datetime = AT, **fields: Any) -> v1.ListingFiling:
    """Return a court's filing of a judgment entered 20 days ago that its register shows for ten years."""
    entered = at - 20 * DAY
    given: dict[str, Any] = {
        "source": COURT,
        "kind": ListingKind.LISTING_KIND_JUDGMENT,
        "basis": ListingBasis.LISTING_BASIS_JUDGMENT,
        "delinquent_since": to_timestamp(entered),
        "evidence_hash": digest("the judgment"),
        "late": LateFilingCode.LATE_FILING_CODE_UNSPECIFIED,
        "source_ends_at": to_timestamp(Span(months=120).after(entered)),
    }
    return listing_filing(name, at=at, **(given | fields))


def attested(**bent: bool) -> v1.Attestation:
    """Return what a furnisher vouches for; ``bent`` are flags that it does not set."""
    flags = {"accurate": True, "adult": True, "unsecured": True, "not_frozen": True}
    return v1.Attestation(**(flags | bent))


def since(moment: datetime) -> dict[str, Any]:
    """Return the fields of a debt that is overdue since then, filed late for a good reason."""
    late = LateFilingCode.LATE_FILING_CODE_JOINED_LATER
    return {"delinquent_since": to_timestamp(moment), "late": late}


def register_until(moment: datetime) -> dict[str, Any]:
    """Return the fields of a judgment that its register shows until then."""
    return {"source_ends_at": to_timestamp(moment)}


def reinsertion(evidence: str = "new evidence", *, certified: bool = True) -> v1.Reinsertion:
    """Return a furnisher's certificate that a debt may be listed again."""
    return v1.Reinsertion(certified=certified, new_evidence_hash=digest(evidence))


def correction(listing: Listing, **fields: Any) -> v1.Correction:
    """Return the facts on record with new evidence; ``fields`` correct them."""
    given: dict[str, Any] = {
        "amount": money(listing.amount, listing.currency),
        "delinquent_since": to_timestamp(listing.delinquent_since),
        "evidence_hash": digest("the corrected evidence"),
    }
    return v1.Correction(**(given | fields))


def settlement(paid_at: datetime) -> v1.Settlement:
    """Return the particulars of a settlement."""
    return v1.Settlement(receipt_hash=digest("receipt"), paid_at=to_timestamp(paid_at))


def notice_proof(served_at: datetime) -> v1.NoticeProof:
    """Return the proof of a notice that was fetched from the inbox."""
    return v1.NoticeProof(
        channel=NoticeChannel.NOTICE_CHANNEL_INBOX,
        served_at=to_timestamp(served_at),
        notice_hash=digest("the notice"),
        evidence_digest=digest("the subject's request"),
    )


def prolongation(until: datetime) -> v1.Prolongation:
    """Return the particulars of a court's order."""
    return v1.Prolongation(order_hash=digest("order"), until=to_timestamp(until))


def _extension(listing: Listing, _: datetime) -> v1.ReasonedExtension:
    open_id = listing.dispute.dispute_id if listing.dispute else NOTHING_OPEN
    return v1.ReasonedExtension(dispute_id=open_id, reasons="The bank's archive is abroad.")


_PARTICULARS: Mapping[int, tuple[str, Callable[[Listing, datetime], Any]]] = {
    SETTLE: ("settlement", lambda _, at: settlement(at)),
    WITHDRAW: ("withdrawal", lambda *_: WithdrawalCode.WITHDRAWAL_CODE_FILED_IN_ERROR),
    CORRECT: ("correction", lambda listing, _: correction(listing)),
    OPEN_REVIEW: ("ground", lambda *_: DisputeGround.DISPUTE_GROUND_INELIGIBLE),
    EXTEND: ("extension", _extension),
    STATE: ("words", lambda *_: v1.SubjectWords(text="I was in hospital.", language="en")),
    NOTICE_SERVED: ("notice", lambda _, at: notice_proof(at)),
    END_REVIEW: (
        "review_id",
        lambda listing, _: listing.dispute.dispute_id if listing.dispute else bytes(16),
    ),
    PROLONG: (
        "prolongation",
        lambda listing, _: prolongation(Span(months=12).after(listing.expires_at)),
    ),
}
_ACTORS: Mapping[int, Actor] = {
    OPEN_REVIEW: Actor.REVIEWER,
    EXTEND: Actor.REVIEWER,
    STATE: Actor.SUBJECT,
    NOTICE_SERVED: Actor.EXCHANGE,
    END_REVIEW: Actor.EXCHANGE,
    TAKE_EFFECT: Actor.EXCHANGE,
    TIME_OUT: Actor.EXCHANGE,
    REPAIR: Actor.EXCHANGE,
    EXPIRE: Actor.EXCHANGE,
}


def party_of(listing: Listing, action: ListingAction.ValueType) -> Party:
    """Return who does such a thing: of a source's acts the first that vouches for the listing."""
    if action in _ACTORS:
        return PARTIES[_ACTORS[action]]
    source = (listing.live_sources or listing.sources)[0]
    return Party(Actor.COURT if source.court else Actor.FURNISHER, source.member_id)


def listing_event(
    listing: Listing,
    action: ListingAction.ValueType,
    *,
    at: datetime,
    by: Party | None = None,
    **fields: Any,
) -> v1.ListingEvent:
    """Return an event about a listing, with particulars that suit its action."""
    given: dict[str, Any] = {
        "event_id": new_id(),
        "federation": NAME,
        "subject_ref": listing.subject_ref,
        "listing_id": listing.listing_id,
        "actor": (by or party_of(listing, action)).member_id,
        "action": action,
        "decided_at": to_timestamp(at),
    }
    if action in _PARTICULARS:
        field, make = _PARTICULARS[action]
        given[field] = make(listing, at)
    return v1.ListingEvent(**(given | fields))


def dispute_of(
    listing: Listing, *, at: datetime, evidence: tuple[str, ...] = (), **fields: Any
) -> v1.Dispute:
    """Return the subject's contest of a listing that was noticed, and its dispute of one in force."""
    noticed = listing.state == ListingState.LISTING_STATE_NOTICED
    given: dict[str, Any] = {
        "dispute_id": new_id(),
        "federation": NAME,
        "subject_ref": listing.subject_ref,
        "listing_id": listing.listing_id,
        "stage": CONTEST if noticed else REVIEW,
        "ground": DisputeGround.DISPUTE_GROUND_CLAIM_CONTESTED,
        "evidence_hashes": [digest(each) for each in evidence],
        "reviewer": REVIEWER,
        "raised_at": to_timestamp(at),
    }
    return v1.Dispute(**(given | fields))


def appeal_of(listing: Listing, *, at: datetime, **fields: Any) -> v1.Dispute:
    """Return the subject's appeal against the last ruling."""
    last = listing.ruling.ruling_id if listing.ruling else NOTHING_OPEN
    given: dict[str, Any] = {"stage": APPEAL, "reviewer": APPEAL_BODY, "ruling_id": last}
    return dispute_of(listing, at=at, **(given | fields))


def ruling_of(
    listing: Listing,
    outcome: RulingOutcome.ValueType = REJECTED,
    *,
    at: datetime,
    **fields: Any,
) -> v1.Ruling:
    """Return the ruling on the open dispute, by whom it names."""
    open_id = listing.dispute.dispute_id if listing.dispute else NOTHING_OPEN
    given: dict[str, Any] = {
        "ruling_id": new_id(),
        "federation": NAME,
        "reviewer": judge_of(listing).member_id,
        "subject_ref": listing.subject_ref,
        "listing_id": listing.listing_id,
        "dispute_id": open_id,
        "outcome": outcome,
        "reasons": "The contract is signed, and no payment is on record.",
        "decided_at": to_timestamp(at),
    }
    if outcome == RECTIFIED:
        given["correction"] = correction(listing)
    return v1.Ruling(**(given | fields))


def judge_of(listing: Listing) -> Party:
    """Return who decides the open dispute."""
    named = listing.dispute.reviewer if listing.dispute else ""
    if listing.state == ListingState.LISTING_STATE_APPEAL:
        return Party(Actor.APPEAL, named or APPEAL_BODY)
    return Party(Actor.REVIEWER, named or REVIEWER)


# Moves ------------------------------------------------------------------------------------------


def act(
    listing: Listing,
    action: ListingAction.ValueType,
    *,
    at: datetime,
    by: Party | None = None,
    **fields: Any,
) -> Listing:
    """Apply an event, by default of whoever may cause it."""
    who = by or party_of(listing, action)
    event = listing_event(listing, action, at=at, by=who, **fields)
    return apply_event(listing, event, who, profile(listing.profile), at)


def joined(
    listing: Listing, filing: v1.ListingFiling, at: datetime = AT, name: str = ""
) -> Listing:
    """Let a further source join, whose profile is the listing's or ``name``."""
    return join(listing, filing, profile(name or listing.profile), at)


def disputed(listing: Listing, *, at: datetime, **fields: Any) -> Listing:
    """Let the subject contest or dispute."""
    return raise_dispute(
        listing, dispute_of(listing, at=at, **fields), profile(listing.profile), at
    )


def appealed(listing: Listing, *, at: datetime, **fields: Any) -> Listing:
    """Let the subject appeal."""
    return raise_dispute(listing, appeal_of(listing, at=at, **fields), profile(listing.profile), at)


def ruled(
    listing: Listing,
    outcome: RulingOutcome.ValueType = REJECTED,
    *,
    at: datetime,
    by: Party | None = None,
    **fields: Any,
) -> Listing:
    """Let the reviewer or the appeal body decide."""
    who = by or judge_of(listing)
    ruling = ruling_of(listing, outcome, at=at, **({"reviewer": who.member_id} | fields))
    return rule(listing, ruling, who, profile(listing.profile), at)


def run_timers(
    listing: Listing, *, at: datetime, synced: Mapping[str, datetime] | None = None
) -> Listing:
    """Let the exchange do all that is due at ``at``."""
    limits = profile(listing.profile)
    for _ in range(10):
        action = tick(listing, limits, at, synced)
        if action is None:
            return listing
        listing = act(listing, action, at=at)
    raise AssertionError("the exchange is never done")


# Listings in each state, by real moves ----------------------------------------------------------


def filed(
    name: str = "eu",
    *,
    at: datetime = AT,
    court: bool = False,
    past: PastDebt | None = None,
    **fields: Any,
) -> Listing:
    """Return a DRAFT; ``court`` files a judgment, else a furnisher files a debt. Raises ``Refusal``."""
    filing = (judgment_filing if court else listing_filing)(name, at=at, **fields)
    return open_listing(filing, LISTING_ID, (name, profile(name)), at, past)


def refused(name: str = "eu", *, at: datetime = AT, **fields: Any) -> Reason.ValueType:
    """Return why a filing that is lawful but for ``fields`` is refused."""
    with pytest.raises(Refusal) as told:
        filed(name, at=at, **fields)
    return told.value.reason


def noticed(name: str = "eu", *, at: datetime = AT, court: bool = False, **fields: Any) -> Listing:
    """Return a listing whose notice was served when it was filed."""
    return act(filed(name, at=at, court=court, **fields), NOTICE_SERVED, at=at)


def contested(
    name: str = "eu", *, at: datetime = AT, court: bool = False, **fields: Any
) -> Listing:
    """Return a listing that the subject contests a day after its notice."""
    return disputed(noticed(name, at=at, court=court, **fields), at=at + DAY)


def effective(
    name: str = "eu", *, at: datetime = AT, court: bool = False, **fields: Any
) -> Listing:
    """Return a listing that took effect as soon as it could: at its ``effective_at``."""
    listing = noticed(name, at=at, court=court, **fields)
    assert listing.effective_from is not None
    listing = act(listing, RECONFIRM, at=listing.effective_from)
    return run_timers(listing, at=at_of(listing.effective_from))


def settled(name: str = "eu", *, at: datetime = AT, court: bool = False, **fields: Any) -> Listing:
    """Return a listing whose source says, a day after it took effect, that it was paid just now."""
    listing = effective(name, at=at, court=court, **fields)
    return act(listing, SETTLE, at=at_of(listing.effective_at) + DAY)


def under_review(
    name: str = "eu", *, at: datetime = AT, court: bool = False, **fields: Any
) -> Listing:
    """Return a listing that the subject disputes a day after it took effect."""
    listing = effective(name, at=at, court=court, **fields)
    return disputed(listing, at=at_of(listing.effective_at) + DAY)


def under_appeal(
    name: str = "eu", *, at: datetime = AT, court: bool = False, **fields: Any
) -> Listing:
    """Return a listing whose dispute was rejected after another day, which is appealed at once."""
    listing = under_review(name, at=at, court=court, **fields)
    decided = at_of(listing.effective_at) + 2 * DAY
    return appealed(ruled(listing, at=decided), at=decided)


def withdrawn(
    name: str = "eu", *, at: datetime = AT, court: bool = False, **fields: Any
) -> Listing:
    """Return a listing that its source took back a day after its notice, as filed in error."""
    return act(noticed(name, at=at, court=court, **fields), WITHDRAW, at=at + DAY)


def old_judgment(at: datetime = AT) -> dict[str, Any]:
    """Return the fields of a judgment that was entered 200 days before it is filed."""
    return since(at - 200 * DAY)


def repaired(*, at: datetime = AT, court: bool = False, **fields: Any) -> Listing:
    """Return a listing of ``OWN`` repaired by its rules: a small debt after six months, a judgment in a year."""
    given = old_judgment(at) if court else {}
    listing = settled(OWN, at=at, court=court, **(given | fields))
    return run_timers(listing, at=Span(months=12 if court else 6).after(at_of(listing.settled_at)))


def expired(name: str = "eu", *, at: datetime = AT, court: bool = False, **fields: Any) -> Listing:
    """Return a listing that was in force until it expired."""
    listing = effective(name, at=at, court=court, **fields)
    return run_timers(listing, at=listing.expires_at)
