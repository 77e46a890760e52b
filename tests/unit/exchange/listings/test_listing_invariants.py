"""The rules' invariants, against anybody doing anything at any time for years.

``tests/listing_world.py`` has what is checked, ``tests/listing_intents.py`` what anybody may say; here are the
lives: lawful ones, statements nobody may make, old ones again, two at once on the same view, wrong clocks,
late timers, restarts.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from concordat.v1 import DisputeGround, ListingAction, WithdrawalCode
from exchange.listings.machine import Actor, Listing, Party
from exchange.listings.machine.listing import LIVE, State
from tests.builders import DAY
from tests.listing_builders import (
    APPEAL,
    APPEAL_BODY,
    CONTEST,
    CORRECT,
    COURT,
    EXTEND,
    NOTICE_SERVED,
    OPEN_REVIEW,
    OWN,
    PARTIES,
    PROLONG,
    RECONFIRM,
    RECTIFIED,
    REJECTED,
    REVIEW,
    REVIEWER,
    SECOND_APPEAL_BODY,
    SECOND_REVIEWER,
    SETTLE,
    TAKE_EFFECT,
    WITHDRAW,
    at_of,
    due_of,
    judge_of,
    judgment_filing,
    listing_event,
    listing_filing,
)
from tests.listing_intents import (
    COURTS,
    DAYS,
    EVENTS,
    EVIDENCES,
    FILINGS,
    FURNISHERS,
    INTENTS,
    RULINGS,
    SHARES,
    Event,
    Filing,
    Intent,
    Raise,
    Rule,
)
from tests.listing_world import (
    DISPUTED,
    DRAFT,
    EFFECTIVE,
    ENDS,
    EPOCH,
    IN_APPEAL,
    NOTICED,
    SETTLED,
    UNDER_REVIEW,
    Said,
    World,
)

GROUND = DisputeGround.DISPUTE_GROUND_CLAIM_CONTESTED
DENIED = DisputeGround.DISPUTE_GROUND_SETTLEMENT_DENIED
Step = TypeVar("Step")


def where(*states: State) -> Callable[[Step], Step]:
    """Let a rule be tried only while the latest listing is in one of these states."""
    fits = precondition(lambda self: self.world.latest.state in states)
    return cast("Callable[[Step], Step]", fits)


def of_source(listing: Listing, number: int = 0) -> Party:
    """Return one of those that vouch for a listing, in its part."""
    source = listing.live_sources[number % len(listing.live_sources)]
    return Party(Actor.COURT if source.court else Actor.FURNISHER, source.member_id)


class ListingLives(RuleBasedStateMachine):
    """Lives of a debt's listings."""

    world: World

    @initialize(
        name=st.sampled_from(["eu", "us", "cn", "in", "uk", OWN, OWN]),
        start=st.integers(0, 2500),
        court=st.booleans(),
    )
    def begin(self, name: str, start: int, court: bool) -> None:
        self.world = World(name, EPOCH + start * DAY)
        filing = (judgment_filing if court else listing_filing)(name, at=self.world.now)
        party = PARTIES[Actor.COURT if court else Actor.FURNISHER]
        assert self.world.say(Said(filing, party, name))

    # Time ---------------------------------------------------------------------------------------

    @rule(step=st.timedeltas(timedelta(), timedelta(minutes=5)))
    def moments_pass(self, step: timedelta) -> None:
        self.world.wall += step

    @rule(step=st.timedeltas(timedelta(), timedelta(days=40)), timers=st.booleans())
    def days_pass(self, step: timedelta, timers: bool) -> None:
        self.world.wall += step
        if timers:
            self.world.run_timers()

    @where(EFFECTIVE, SETTLED)
    @rule(step=st.timedeltas(timedelta(), timedelta(days=900)))
    def years_pass(self, step: timedelta) -> None:
        self.world.wall += step
        self.world.run_timers()

    @rule(step=st.timedeltas(timedelta(), timedelta(days=40)))
    def the_wall_clock_is_set_back(self, step: timedelta) -> None:
        before = self.world.now
        self.world.wall -= step
        assert self.world.now == before

    @where(SETTLED, *DISPUTED)
    @rule(late=st.sampled_from([timedelta(), timedelta(seconds=1), timedelta(days=2)]))
    def what_is_due_next_comes(self, late: timedelta) -> None:
        self.world.wall = max(self.world.now, self.world.due) + late
        self.world.run_timers()

    @where(SETTLED, *DISPUTED)
    @rule(before=st.sampled_from([timedelta(microseconds=1), timedelta(days=3)]))
    def what_is_due_next_is_near(self, before: timedelta) -> None:
        self.world.wall = max(self.world.now, self.world.due - before)

    @rule(court=st.sampled_from(COURTS))
    def a_courts_register_is_found_the_same(self, court: str) -> None:
        self.world.synced[court] = self.world.now
        self.world.run_timers()

    @rule()
    def the_exchange_restarts(self) -> None:
        self.world.restart()

    # Lawful lives -------------------------------------------------------------------------------

    def _say(self, intent: Intent) -> bool:
        return self.world.say(intent.of(self.world, self.world.latest))

    def _event(
        self, action: ListingAction.ValueType, by: Party, *, days: int = 0, share: int = 100
    ) -> bool:
        code = WithdrawalCode.WITHDRAWAL_CODE_SOLD
        return self._say(Event(action, by, days, share, code, timedelta()))

    @where(DRAFT)
    @rule()
    def the_notice_is_served(self) -> None:
        assert self._event(NOTICE_SERVED, PARTIES[Actor.EXCHANGE])

    @where(DRAFT, NOTICED)
    @rule()
    def it_takes_effect(self) -> None:
        world = self.world
        self._event(NOTICE_SERVED, PARTIES[Actor.EXCHANGE])
        world.wall = max(world.now, at_of(world.latest.effective_from))
        self._event(RECONFIRM, of_source(world.latest))
        world.run_timers()
        assert world.latest.state in ENDS | {EFFECTIVE}

    @rule(filing=FILINGS)
    def somebody_files(self, filing: Filing) -> None:
        self._say(filing)

    @where(*LIVE)
    @rule(source=st.sampled_from([*FURNISHERS, *COURTS]), overdue=st.integers(93, 300))
    def another_source_joins_lawfully(self, source: str, overdue: int) -> None:
        evidence, certified, abroad = f"of {source} at {self.world.now}", True, False
        self._say(Filing(source, overdue, 100, 900, evidence, certified, abroad, timedelta()))

    @where(*LIVE)
    @rule(number=st.integers(0, 3))
    def one_source_of_several_leaves(self, number: int) -> None:
        if len(self.world.latest.live_sources) > 1:
            state = self.world.latest.state
            assert self._event(WITHDRAW, of_source(self.world.latest, number))
            assert self.world.latest.state == state

    @where(*ENDS)
    @rule(source=st.sampled_from([*FURNISHERS, COURT]), number=st.integers(0, 9))
    def it_is_filed_anew_with_new_evidence(self, source: str, number: int) -> None:
        evidence = f"found later {number}"
        certified, abroad = True, False
        self._say(Filing(source, 200, 100, 900, evidence, certified, abroad, timedelta()))

    @where(*LIVE)
    @rule(number=st.integers(0, 3))
    def a_source_reconfirms_it(self, number: int) -> None:
        assert self._event(RECONFIRM, of_source(self.world.latest, number))

    @where(*LIVE)
    @rule(number=st.integers(0, 3), days=DAYS, share=SHARES)
    def a_source_corrects_it(self, number: int, days: int, share: int) -> None:
        self._event(CORRECT, of_source(self.world.latest, number), days=days, share=share)

    @precondition(lambda self: self.world.latest.court and self.world.profile_name in ("cn", OWN))
    @where(EFFECTIVE)
    @rule(days=st.integers(1, 1300))
    def a_court_prolongs_it(self, days: int) -> None:
        self._event(PROLONG, of_source(self.world.latest), days=days)

    @where(EFFECTIVE, UNDER_REVIEW, IN_APPEAL)
    @rule(by_subject=st.booleans(), days=st.integers(0, 40))
    def it_is_settled(self, by_subject: bool, days: int) -> None:
        by = PARTIES[Actor.SUBJECT] if by_subject else of_source(self.world.latest)
        self._event(SETTLE, by, days=days)

    @where(NOTICED, EFFECTIVE, SETTLED)
    @rule(evidence=EVIDENCES, reviewer=st.sampled_from([REVIEWER, SECOND_REVIEWER]))
    def the_subject_disputes(self, evidence: tuple[str, ...], reviewer: str) -> None:
        stage = CONTEST if self.world.latest.state == NOTICED else REVIEW
        self._say(Raise(stage, reviewer, evidence, GROUND, timedelta()))

    @where(NOTICED, EFFECTIVE, SETTLED)
    @rule(body=st.sampled_from([APPEAL_BODY, SECOND_APPEAL_BODY]))
    def the_subject_appeals(self, body: str) -> None:
        self._say(Raise(APPEAL, body, (), GROUND, timedelta()))

    @where(EFFECTIVE, SETTLED)
    @rule(by=st.sampled_from([Actor.REVIEWER, Actor.REGULATOR]))
    def a_review_is_opened(self, by: Actor) -> None:
        listing, party = self.world.latest, PARTIES[by]
        ground = DENIED if listing.state == SETTLED else GROUND
        event = listing_event(
            listing,
            OPEN_REVIEW,
            at=self.world.now,
            by=party,
            ground=ground,
            event_id=self.world.new_id(),
        )
        self.world.say(Said(event, party))

    @where(*DISPUTED)
    @rule(ruling=RULINGS)
    def somebody_rules(self, ruling: Rule) -> None:
        self._say(ruling)

    @where(*DISPUTED)
    @rule()
    def it_is_rejected(self) -> None:
        self._say(Rule(REJECTED, None, 0, 100, not_settled=False))

    @where(*DISPUTED)
    @rule(days=st.integers(0, 60), share=st.sampled_from([100, 90]), not_settled=st.booleans())
    def it_is_rectified(self, days: int, share: int, not_settled: bool) -> None:
        self._say(Rule(RECTIFIED, None, days, share, not_settled))

    @where(*DISPUTED)
    @rule()
    def the_reviewer_takes_more_time(self) -> None:
        self._event(EXTEND, judge_of(self.world.latest))

    # Attacks ------------------------------------------------------------------------------------

    @where(NOTICED)
    @rule(early=st.booleans(), number=st.integers(0, 60))
    def the_exchange_hastens_the_effect(self, early: bool, number: int) -> None:
        """Before the notice period is over, or with a reconfirmation that somebody kept."""
        if not early:
            self.world.wall = max(self.world.now, at_of(self.world.latest.effective_from))
        kept = [said for said in self.world.said if said.is_event(RECONFIRM)]
        if kept:
            self.world.say(kept[number % len(kept)])
        self._event(TAKE_EFFECT, PARTIES[Actor.EXCHANGE])

    @where(*DISPUTED)
    @rule(ruling=st.one_of(st.none(), RULINGS))
    def who_judges_is_too_late_and_so_is_the_timer(self, ruling: Rule | None) -> None:
        listing = self.world.latest
        self.world.wall = max(self.world.now, due_of(listing))
        if ruling is None:
            assert not self._event(EXTEND, judge_of(listing))
        else:
            assert not self._say(ruling)

    @rule(event=EVENTS)
    def anybody_tries_anything(self, event: Event) -> None:
        self._say(event)

    @rule(number=st.integers(0, 60))
    def an_old_statement_comes_again(self, number: int) -> None:
        said = self.world.said
        if said:
            self.world.say(said[number % len(said)])

    @rule(first=INTENTS, second=INTENTS)
    def two_act_on_the_same_view(self, first: Intent, second: Intent) -> None:
        """Whichever comes first: the other is refused, or does what it does to what it finds."""
        seen = self.world.latest
        one, two = first.of(self.world, seen), second.of(self.world, seen)
        for world, order in ((self.world.fork(), (two, one)), (self.world, (one, two))):
            for said in order:
                world.say(said)
            world.check_all()

    # What must hold -----------------------------------------------------------------------------

    @invariant()
    def everything_holds(self) -> None:
        if hasattr(self, "world"):
            self.world.check_all()

    def teardown(self) -> None:
        """Every dispute ends, and so does every listing, by its end and with nobody's help."""
        if hasattr(self, "world"):
            self.world.live_out()


QUICK = settings(max_examples=80, stateful_step_count=40, deadline=None)
LONG = settings(
    max_examples=3_000,
    stateful_step_count=80,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_what_the_rules_promise_holds_whoever_does_what_and_when() -> None:
    run_state_machine_as_test(ListingLives, settings=QUICK)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_the_rules_promise_holds_in_many_long_lives() -> None:
    run_state_machine_as_test(ListingLives, settings=LONG)
