"""A debt's listings through the years, and what must hold of them whoever does what, in whatever order.

A ``World`` takes statements as the exchange does (``say``), runs its timers early, late or not at all, and
checks the rules' invariants after every step. What it knows of the past it has put down itself: it asks no
listing when its notice was served, what evidence was brought, or who judged it before.
"""

from collections import defaultdict
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

from concordat import v1
from concordat.clock import Clock, from_timestamp
from concordat.refusal import Refusal
from concordat.v1 import DisputeGround, ListingKind, ListingState, RulingOutcome, WithdrawalCode
from exchange.listings.machine import (
    Actor,
    Listing,
    Party,
    PastDebt,
    apply_event,
    join,
    mark_of,
    next_due,
    open_listing,
    raise_dispute,
    rule,
    tick,
)
from exchange.listings.machine.listing import State
from exchange.listings.profile import Profile, Span
from exchange.listings.rows import listing_of, listing_values, source_values
from tests.listing_builders import (
    APPEAL,
    EXTEND,
    MICRO,
    OPEN_REVIEW,
    OWN,
    PARTIES,
    PROLONG,
    RECONFIRM,
    SETTLE,
    TAKE_EFFECT,
    TIME_OUT,
    at_of,
    listing_event,
    profile,
)

DRAFT, NOTICED = ListingState.LISTING_STATE_DRAFT, ListingState.LISTING_STATE_NOTICED
CONTESTED, EFFECTIVE = ListingState.LISTING_STATE_CONTESTED, ListingState.LISTING_STATE_EFFECTIVE
SETTLED, UNDER_REVIEW = ListingState.LISTING_STATE_SETTLED, ListingState.LISTING_STATE_UNDER_REVIEW
IN_APPEAL, WITHDRAWN = ListingState.LISTING_STATE_APPEAL, ListingState.LISTING_STATE_WITHDRAWN
REPAIRED, EXPIRED = ListingState.LISTING_STATE_REPAIRED, ListingState.LISTING_STATE_EXPIRED
ENDS = {WITHDRAWN, REPAIRED, EXPIRED}
DISPUTED = {CONTESTED, UNDER_REVIEW, IN_APPEAL}
STEPS: Mapping[State, set[State]] = {
    DRAFT: {NOTICED, WITHDRAWN, EXPIRED},
    NOTICED: {CONTESTED, EFFECTIVE, IN_APPEAL, WITHDRAWN, EXPIRED},
    CONTESTED: {NOTICED, EFFECTIVE, IN_APPEAL, WITHDRAWN, EXPIRED},
    EFFECTIVE: {SETTLED, UNDER_REVIEW, IN_APPEAL, WITHDRAWN, EXPIRED},
    SETTLED: {UNDER_REVIEW, IN_APPEAL, WITHDRAWN, REPAIRED, EXPIRED},
    UNDER_REVIEW: {EFFECTIVE, SETTLED, IN_APPEAL, WITHDRAWN, REPAIRED, EXPIRED},
    IN_APPEAL: {NOTICED, EFFECTIVE, SETTLED, WITHDRAWN, REPAIRED, EXPIRED},
}
PRIVATE, JUDGMENT = ListingKind.LISTING_KIND_DEBT, ListingKind.LISTING_KIND_JUDGMENT
PAID = {WithdrawalCode.WITHDRAWAL_CODE_PAID, WithdrawalCode.WITHDRAWAL_CODE_WAIVED}

Message: TypeAlias = v1.ListingFiling | v1.ListingEvent | v1.Dispute | v1.Ruling


@dataclass(frozen=True)
class Said:
    """A statement, and in what part its signer said it; of a filing also its source's profile."""

    message: Message
    party: Party
    profile: str = ""

    def is_event(self, action: int) -> bool:
        """Tell whether it is an event of this action."""
        return isinstance(self.message, v1.ListingEvent) and self.message.action == action


@dataclass
class Memory:
    """What the world has put down of one listing."""

    served_at: datetime | None = None
    sources: set[str] = field(default_factory=set)
    vouched: dict[str, datetime] = field(default_factory=dict)
    brought: set[bytes] = field(default_factory=set)
    disputes: int = 0
    extended: set[bytes] = field(default_factory=set)
    judge: str = ""
    ruled_at: datetime | None = None
    final: set[bytes] = field(default_factory=set)  # rulings that were appealed, or made in appeal
    first_end: datetime | None = None  # before any court's order


class World:
    """One debt of one subject, everybody who has to do with it, and a clock that may be wrong."""

    def __init__(self, name: str, start: datetime) -> None:
        """Begin with no listing."""
        self.profile_name, self.limits = name, profile(name)
        self.wall = start
        self.clock = Clock(source=lambda: self.wall)
        self.listings: list[Listing] = []
        self.memories: dict[bytes, Memory] = defaultdict(Memory)
        self.said: list[Said] = []
        self.synced: dict[str, datetime] = {}
        self._ids = 0

    @property
    def now(self) -> datetime:
        """The exchange's time, which never goes back."""
        return self.clock.now()

    @property
    def latest(self) -> Listing:
        """The listing that was filed last."""
        return self.listings[-1]

    @property
    def due(self) -> datetime:
        """When something is due next to the listing that was filed last, which has not ended."""
        return at_of(next_due(self.latest, self._limits(self.latest)))

    def new_id(self) -> bytes:
        """Return an id that is the same in every run of the same example."""
        self._ids += 1
        return self._ids.to_bytes(16, "big")

    def fork(self) -> "World":
        """Return a world with the same past, in which other things may happen next."""
        other = World(self.profile_name, self.now)
        other.listings, other.said = [*self.listings], [*self.said]
        other.memories, other.synced = deepcopy(self.memories), {**self.synced}
        other._ids = self._ids
        return other

    # What happens -------------------------------------------------------------------------------

    def say(self, said: Said) -> bool:
        """Take a statement in; return whether it was accepted. Checks the step that it makes."""
        place, before = self._addressed(said)
        try:
            after = self.after(before, said)
        except Refusal:
            return False
        self.check_step(before, after, said)
        self._put_down(before, after, said)
        if place is None:
            self.listings.append(after)
        else:
            self.listings[place] = after
        self.said.append(said)
        return True

    def _addressed(self, said: Said) -> tuple[int | None, Listing | None]:
        """Return where the listing is that a statement is about; a filing's is the live one, if any."""
        for place, listing in enumerate(self.listings):
            if isinstance(said.message, v1.ListingFiling):
                if listing.state not in ENDS:
                    return place, listing
            elif listing.listing_id == said.message.listing_id:
                return place, listing
        return None, None

    def after(self, before: Listing | None, said: Said) -> Listing:
        """Return the listing after a statement, as the machine has it. Raises ``Refusal``."""
        now = self.now
        if isinstance(said.message, v1.ListingFiling):
            limits = profile(said.profile)
            if before is not None:
                return join(before, said.message, limits, now)
            past = PastDebt.of(self.listings)
            return open_listing(said.message, self.new_id(), (said.profile, limits), now, past)
        assert before is not None
        limits = profile(before.profile)
        if isinstance(said.message, v1.ListingEvent):
            return apply_event(before, said.message, said.party, limits, now)
        if isinstance(said.message, v1.Dispute):
            return raise_dispute(before, said.message, limits, now)
        return rule(before, said.message, said.party, limits, now)

    def run_timers(self) -> None:
        """Let the exchange do everything that is due, as it does after a restart too."""
        for _ in range(8):
            listing = self.latest
            action = tick(listing, self._limits(listing), self.now, self.synced)
            if action is None:
                break
            exchange = PARTIES[Actor.EXCHANGE]
            event = listing_event(listing, action, at=self.now, event_id=self.new_id())
            assert self.say(Said(event, exchange)), "what is due is refused"
        else:
            raise AssertionError("the exchange is never done")
        self.check_nothing_is_overdue()

    def restart(self) -> None:
        """Lose everything that is not in the database, and start on a clock that may have been set back."""
        self.listings = [_stored_and_read(listing) for listing in self.listings]
        self.clock = Clock(floor=self.now, source=lambda: self.wall)

    def live_out(self) -> None:
        """Let time pass from one due time to the next until nothing is left to come."""
        started = self.now
        while self.latest.state not in ENDS:
            due = self.due
            if due <= self.now:
                due = self.latest.expires_at  # nobody reconfirms it any more
            self.wall = max(due, self.now)
            self.run_timers()
            assert len(self.said) < 10_000, "it never ends"
        assert self.now <= max(listing.expires_at for listing in self.listings) or (
            self.now == started
        )

    def _limits(self, listing: Listing) -> Profile:
        return profile(listing.profile)

    # What is put down ---------------------------------------------------------------------------

    def _put_down(self, before: Listing | None, after: Listing, said: Said) -> None:
        memory, message, now = self.memories[after.listing_id], said.message, self.now
        if isinstance(message, v1.ListingFiling):
            memory.sources.add(message.source)
            memory.vouched[message.source] = min(now, from_timestamp(message.filed_at))
        elif isinstance(message, v1.Dispute):
            memory.disputes += 1
            memory.brought |= set(message.evidence_hashes)
            memory.final.add(message.ruling_id)
        elif isinstance(message, v1.Ruling):
            memory.judge, memory.ruled_at = said.party.member_id, now
            if said.party.actor is Actor.APPEAL:
                memory.final.add(message.ruling_id)
        elif said.is_event(RECONFIRM):
            told = min(now, from_timestamp(message.decided_at))
            member = said.party.member_id
            memory.vouched[member] = max(told, memory.vouched[member])
        elif said.is_event(EXTEND):
            memory.extended.add(message.extension.dispute_id)
        elif said.is_event(PROLONG) and memory.first_end is None:
            assert before is not None
            memory.first_end = before.expires_at
        if before is not None and before.state == DRAFT and after.state == NOTICED:
            memory.served_at = now

    # What must hold of a step -------------------------------------------------------------------

    def check_step(self, before: Listing | None, after: Listing, said: Said) -> None:
        """Check one accepted statement against everything that it must not do."""
        if before is None:
            self._check_opening(after, said)
            return
        assert before.state not in ENDS, "an end absorbs"
        assert after.state in STEPS[before.state] | {before.state}
        self._check_nothing_worse(before, after, said)
        self._check_settled(before, after, said)
        self._check_clocks(before, after, said)
        self._check_dispute(before, after, said)
        if isinstance(said.message, v1.Ruling):
            self._check_ruling(before, after, said, said.message)
        if isinstance(said.message, v1.ListingFiling):
            assert (after.state, after.dispute) == (before.state, before.dispute)
            assert mark_of(after) == mark_of(before)
            if said.message.source in self.memories[before.listing_id].sources:
                self._check_certified(said.message)
        if said.party.actor is Actor.REGULATOR:
            assert said.is_event(OPEN_REVIEW), "a regulator only asks for a review"

    def _check_opening(self, after: Listing, said: Said) -> None:
        message = said.message
        assert isinstance(message, v1.ListingFiling)
        assert after.state == DRAFT
        assert all(each.state in ENDS for each in self.listings), "one live listing a debt"
        for each in self.listings:
            assert each.settled_at is None, "a settled debt never comes back"
            assert each.withdrawal not in PAID
            assert each.state != REPAIRED
            assert after.expires_at <= each.expires_at, "none that came back lasts longer"
            assert after.delinquent_since <= each.delinquent_since
        if self.listings:
            self._check_certified(message)

    def _check_certified(self, filing: v1.ListingFiling) -> None:
        """Check R15: a new certificate, and no evidence that any source ever brought for this debt."""
        used = {hashed for each in self.said for hashed in _evidence_of(each.message)}
        assert filing.reinsertion.certified
        assert not _evidence_of(filing) & used

    def _check_nothing_worse(self, before: Listing, after: Listing, said: Said) -> None:
        """Check invariant 4, and that facts only get better for the subject."""
        if said.is_event(PROLONG):
            self._check_prolonged(before, after, said)
        else:
            assert after.expires_at <= before.expires_at
        assert after.delinquent_since <= before.delinquent_since
        assert after.amount <= before.amount
        assert after.currency == before.currency
        facts = (after.amount, after.delinquent_since) != (before.amount, before.delinquent_since)
        assert after.version >= before.version + facts
        assert after.heard >= before.heard
        assert after.evidence >= before.evidence
        for kept in ("listing_id", "subject_ref", "debt", "profile", "filed_at"):
            assert getattr(after, kept) == getattr(before, kept)

    def _check_prolonged(self, before: Listing, after: Listing, said: Said) -> None:
        assert said.party.actor is Actor.COURT
        assert all(source.court for source in before.live_sources)
        allowed = self._limits(before).judgment.prolonged_by_court
        assert allowed is not None
        first = self.memories[before.listing_id].first_end or before.expires_at
        assert after.expires_at <= allowed.after(first)
        life = self._limits(before).judgment.life
        assert after.expires_at <= allowed.after(life.after(before.delinquent_since))
        assert self.now < before.expires_at

    def _check_settled(self, before: Listing, after: Listing, said: Said) -> None:
        if after.settled_at is None:
            if before.settled_at is not None:
                assert isinstance(said.message, v1.Ruling)
                assert before.dispute is not None
                denied = DisputeGround.DISPUTE_GROUND_SETTLEMENT_DENIED
                assert before.dispute.ground == denied, "nobody loses it by its own dispute"
            return
        if before.settled_at is None:
            assert said.is_event(SETTLE)
            assert before.delinquent_since <= after.settled_at <= self.now
            if said.party.actor is Actor.SUBJECT:
                assert after.settled_at == self.now, "a claim dates nothing back"

    def _check_clocks(self, before: Listing, after: Listing, said: Said) -> None:
        """Check invariant 2, against the world's own clock and memory."""
        memory, now = self.memories[after.listing_id], self.now
        if before.delivered_at is not None:
            assert after.delivered_at == before.delivered_at
            assert after.effective_from == before.effective_from
        elif after.delivered_at is not None:
            assert after.delivered_at == now, "a notice counts from when it is on record"
        if before.effective_at is not None:
            assert after.effective_at == before.effective_at
        elif after.effective_at is not None:
            assert memory.served_at is not None
            notice = self._limits(after).notice.after(memory.served_at)
            assert after.effective_at == now >= notice
            assert said.is_event(TAKE_EFFECT) or isinstance(said.message, v1.Ruling)
            if said.is_event(TAKE_EFFECT) and before.kind == PRIVATE:
                live = [source.member_id for source in before.live_sources]
                assert max(memory.vouched[member] for member in live) >= now - timedelta(days=5)

    def _check_dispute(self, before: Listing, after: Listing, said: Said) -> None:
        """Check invariants 6 and 9: what may happen to an open dispute, and what may open one."""
        old, new = before.dispute, after.dispute
        memory = self.memories[before.listing_id]
        assert (new is not None) == (after.state in DISPUTED)
        if isinstance(said.message, v1.Dispute):
            assert old is None
            appeals = said.message.stage == APPEAL
            fresh = set(said.message.evidence_hashes) - memory.brought
            assert fresh or not memory.disputes or appeals, "nothing new was brought"
            assert said.message.reviewer not in memory.sources
            if appeals:
                assert said.message.ruling_id not in memory.final
                assert said.message.reviewer != memory.judge
                within = self._limits(before).appeal_within
                assert self.now < within.after(at_of(memory.ruled_at))
            return
        if old is None:
            assert new is None or said.is_event(OPEN_REVIEW)
            return
        if said.is_event(TIME_OUT):
            assert self.now >= old.due_at
            self._check_undecided(before, after)
        if new is None or (new.stage == APPEAL and old.stage != APPEAL):
            return
        assert new.dispute_id == old.dispute_id
        assert new.suppresses >= old.suppresses, "what a dispute hides stays hidden"
        if said.is_event(EXTEND):
            assert old.dispute_id not in memory.extended
            assert self.now < old.due_at < new.due_at
        else:
            assert new.due_at == old.due_at, "nothing else moves a limit"

    def _check_undecided(self, before: Listing, after: Listing) -> None:
        if before.kind == PRIVATE:
            assert after.state == WITHDRAWN, "a private debt is withdrawn"
        else:
            assert all(source.court for source in after.live_sources)

    def _check_ruling(self, before: Listing, after: Listing, said: Said, ruling: v1.Ruling) -> None:
        """Check invariants 3 and 7."""
        memory = self.memories[before.listing_id]
        assert before.dispute is not None
        assert self.now < before.dispute.due_at
        assert said.party.member_id not in memory.sources, "nobody judges its own listing"
        if said.party.actor is Actor.APPEAL:
            assert before.state == IN_APPEAL
            assert said.party.member_id != memory.judge, "nor its own ruling"
        else:
            assert said.party.actor is Actor.REVIEWER
            assert before.state in (CONTESTED, UNDER_REVIEW)
        if ruling.outcome == RulingOutcome.RULING_OUTCOME_UPHELD:
            assert after.state == WITHDRAWN
            assert mark_of(after) is None
        elif ruling.outcome == RulingOutcome.RULING_OUTCOME_UNVERIFIABLE:
            self._check_undecided(before, after)

    # What must hold at any time -----------------------------------------------------------------

    def visible(self, listing: Listing) -> bool:
        """Tell whether a lender with consent sees a listing now."""
        if mark_of(listing) is None or self.now >= listing.expires_at:
            return False
        day_ago = self.now - timedelta(days=1)
        return not listing.court or self.synced.get(listing.court, day_ago) > day_ago

    def check_all(self) -> None:
        """Check what must hold between any two steps."""
        assert sum(listing.state not in ENDS for listing in self.listings) <= 1
        for listing in self.listings:
            if self.visible(listing):
                self._check_visible(listing)
            self._check_due(listing)

    def _check_visible(self, listing: Listing) -> None:
        """Check invariant 1."""
        memory = self.memories[listing.listing_id]
        assert listing.state in (EFFECTIVE, SETTLED, UNDER_REVIEW, IN_APPEAL)
        assert listing.live_sources
        assert memory.served_at is not None
        assert self.now >= self._limits(listing).notice.after(memory.served_at)
        if listing.dispute is not None:
            assert self._limits(listing).limits(listing.kind).while_disputed == "mark"
            assert listing.back_to in (EFFECTIVE, SETTLED)

    def _check_due(self, listing: Listing) -> None:
        """Check that who looks again just when ``next_due`` says misses nothing."""
        limits, now = self._limits(listing), self.now
        due = next_due(listing, limits)
        assert (due is None) == (listing.state in ENDS)
        if due is None:
            assert tick(listing, limits, now, self.synced) is None
        elif tick(listing, limits, now, self.synced) is not None:
            assert due <= now
        elif due > now:
            for moment in (now + (due - now) / 2, due - MICRO):
                assert tick(listing, limits, moment, self.synced) is None
            assert tick(listing, limits, due, self.synced) is not None or listing.state == NOTICED
        else:
            assert listing.state == NOTICED, "only what waits to be reconfirmed may be past due"

    def check_nothing_is_overdue(self) -> None:
        """Check invariant 6 once the timers ran: no limit is over and still open."""
        for listing in self.listings:
            if listing.state in ENDS:
                assert listing.dispute is None
                continue
            assert listing.expires_at > self.now
            assert listing.dispute is None or listing.dispute.due_at > self.now
            self._check_no_settled_debt_lingers(listing)

    def _check_no_settled_debt_lingers(self, listing: Listing) -> None:
        """Check the two rules by which settled listings of our profiles end, as the profiles say them."""
        settled = listing.settled_at
        if settled is None:
            return
        if listing.profile == OWN and listing.kind == PRIVATE and listing.amount <= 50_000:
            assert self.now < Span(months=6).after(settled)
        if listing.profile == "uk" and listing.kind == JUDGMENT:
            assert settled > Span(months=1).after(listing.delinquent_since)


def _evidence_of(message: Message) -> set[bytes]:
    """Return the evidence of a debt that a source or a ruling brings."""
    if isinstance(message, v1.ListingFiling):
        found = {message.evidence_hash, message.reinsertion.new_evidence_hash}
    elif isinstance(message, v1.ListingEvent | v1.Ruling):
        found = {message.correction.evidence_hash}
    else:
        found = set()
    return found - {b""}


def _stored_and_read(listing: Listing) -> Listing:
    row = cast("Any", SimpleNamespace(**listing_values(listing)))
    sources = cast("Any", [SimpleNamespace(**values) for values in source_values(listing)][::-1])
    words = listing.words.SerializeToString() if listing.words else None
    read = listing_of(row, sources, words)
    assert read == listing
    return read


EPOCH = datetime(2023, 1, 31, 10, 30, tzinfo=UTC)
