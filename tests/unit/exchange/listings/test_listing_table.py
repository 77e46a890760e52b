"""Who moves a listing from which state to which: the whole table, every cell of it.

``ROWS`` is written down from the rules, not from the code. Each state is reached by real moves, each act is
tried by everybody in it, with particulars and at a time that would suit.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import pytest

from concordat.refusal import Refusal
from concordat.v1 import DisputeGround, ListingAction, ListingState, Reason, WithdrawalCode
from exchange.listings.machine import ALLOWED, Act, Actor, Listing, Party, join
from exchange.listings.machine.allowed import ACT_OF, require_allowed
from exchange.listings.machine.listing import State
from exchange.listings.profile import Span
from tests.builders import AT, DAY, REGULATOR
from tests.listing_builders import (
    APPEAL_BODY,
    BUYER,
    CONTEST,
    COURT,
    FURNISHER,
    HOUR,
    NOTICE_SERVED,
    OUTSIDER,
    OWN,
    PARTIES,
    REVIEW,
    REVIEWER,
    SETTLE,
    UPHELD,
    WITHDRAW,
    act,
    appealed,
    at_of,
    contested,
    disputed,
    effective,
    expired,
    filed,
    judgment_filing,
    listing_filing,
    noticed,
    old_judgment,
    profile,
    refuses,
    repaired,
    ruled,
    under_review,
)

DRAFT, NOTICED, CONTESTED, EFFECTIVE, SETTLED, UNDER_REVIEW, APPEAL = LIVE = (
    ListingState.LISTING_STATE_DRAFT,
    ListingState.LISTING_STATE_NOTICED,
    ListingState.LISTING_STATE_CONTESTED,
    ListingState.LISTING_STATE_EFFECTIVE,
    ListingState.LISTING_STATE_SETTLED,
    ListingState.LISTING_STATE_UNDER_REVIEW,
    ListingState.LISTING_STATE_APPEAL,
)
WITHDRAWN, REPAIRED, EXPIRED = ENDS = (
    ListingState.LISTING_STATE_WITHDRAWN,
    ListingState.LISTING_STATE_REPAIRED,
    ListingState.LISTING_STATE_EXPIRED,
)

BACK = {EFFECTIVE, SETTLED, NOTICED}  # where a dispute found it
ANYONE_WHO_FILES = (Actor.FURNISHER, Actor.COURT)

# Act, who, and from where to where.
ROWS: list[tuple[Act, tuple[Actor, ...], Mapping[State, set[State]]]] = [
    (Act.NOTICE_SERVED, (Actor.EXCHANGE,), {DRAFT: {NOTICED}}),
    (Act.CONTEST, (Actor.SUBJECT,), {NOTICED: {CONTESTED}}),
    # "NOTICED, CONTESTED -> WITHDRAWN", and by its sources at any time.
    (Act.WITHDRAW, ANYONE_WHO_FILES, {state: {WITHDRAWN} for state in LIVE}),
    (Act.WITHDRAW, (Actor.REVIEWER,), {NOTICED: {WITHDRAWN}, CONTESTED: {WITHDRAWN}}),
    (Act.TAKE_EFFECT, (Actor.EXCHANGE,), {NOTICED: {EFFECTIVE}}),
    (
        Act.RULE,
        (Actor.REVIEWER,),
        {CONTESTED: {NOTICED, EFFECTIVE}, UNDER_REVIEW: {EFFECTIVE, SETTLED}},
    ),
    (Act.RULE, (Actor.APPEAL,), {APPEAL: BACK}),
    (Act.DISPUTE, (Actor.SUBJECT,), {EFFECTIVE: {UNDER_REVIEW}, SETTLED: {UNDER_REVIEW}}),
    (
        Act.OPEN_REVIEW,
        (Actor.REVIEWER, Actor.REGULATOR),
        {EFFECTIVE: {UNDER_REVIEW}, SETTLED: {UNDER_REVIEW}},
    ),
    (Act.APPEAL, (Actor.SUBJECT,), {NOTICED: {APPEAL}, EFFECTIVE: {APPEAL}, SETTLED: {APPEAL}}),
    (
        Act.TIME_OUT,
        (Actor.EXCHANGE,),
        {
            CONTESTED: {WITHDRAWN, APPEAL},
            UNDER_REVIEW: {WITHDRAWN, APPEAL},
            APPEAL: {WITHDRAWN} | BACK,
        },
    ),
    (
        Act.SETTLE,
        (*ANYONE_WHO_FILES, Actor.SUBJECT),
        {EFFECTIVE: {SETTLED}, UNDER_REVIEW: {UNDER_REVIEW}, APPEAL: {APPEAL}},
    ),
    (
        Act.REPAIR,
        (Actor.EXCHANGE,),
        {state: {REPAIRED, WITHDRAWN} for state in (SETTLED, UNDER_REVIEW, APPEAL)},
    ),
    (Act.EXPIRE, (Actor.EXCHANGE,), {state: {EXPIRED} for state in LIVE}),
    # What moves nothing.
    (Act.RECONFIRM, ANYONE_WHO_FILES, {state: {state} for state in LIVE}),
    (Act.CORRECT, ANYONE_WHO_FILES, {state: {state} for state in LIVE}),
    (Act.STATE, (Actor.SUBJECT,), {state: {state} for state in LIVE}),
    (
        Act.EXTEND,
        (Actor.REVIEWER,),
        {CONTESTED: {CONTESTED}, UNDER_REVIEW: {UNDER_REVIEW}},
    ),
    (Act.PROLONG, (Actor.COURT,), {EFFECTIVE: {EFFECTIVE}}),
    (Act.END_REVIEW, (Actor.EXCHANGE,), {UNDER_REVIEW: {EFFECTIVE, SETTLED}}),
]
LAWFUL: Mapping[tuple[State, Actor, Act], set[State]] = {
    (start, actor, done): ends
    for done, actors, moves in ROWS
    for actor in actors
    for start, ends in moves.items()
}
STATES = [state for state in ListingState.values() if state]
CELLS = [*itertools.product(STATES, Act)]


def named(value: object) -> str:
    return value.name.lower() if isinstance(value, Act) else ListingState.Name(value).lower()  # type: ignore[arg-type]


# Listings in each state, by real moves ----------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """A listing, and the time at which it stands like this."""

    listing: Listing
    now: datetime


@cache
def standings(state: State, court: bool) -> list[Standing]:
    """Return listings of the OWN profile in a state: fresh ones, ruled ones, settled ones where there are."""
    given: dict[str, Any] = old_judgment() if court else {}
    noticed_at, in_force = AT, at_of(effective(OWN, court=court, **given).effective_at)
    ruled_at = in_force + 2 * DAY

    def paid(listing: Listing, at: datetime) -> Listing:
        return act(listing, SETTLE, at=at)

    force = effective(OWN, court=court, **given)
    rejected = ruled(under_review(OWN, court=court, **given), at=ruled_at)
    told = noticed(OWN, court=court, **given)
    heard = ruled(contested(OWN, court=court, **given), at=AT + 2 * DAY)
    open_ = disputed(force, at=in_force)
    open_review = ListingAction.LISTING_ACTION_OPEN_REVIEW
    ordered = act(force, open_review, at=in_force, by=PARTIES[Actor.REGULATOR])
    struck_out = act(
        told,
        WITHDRAW,
        at=AT + HOUR,
        by=PARTIES[Actor.REVIEWER],
        withdrawal=WithdrawalCode.WITHDRAWAL_CODE_STRUCK_OUT,
    )
    found: dict[State, list[tuple[Listing, datetime]]] = {
        DRAFT: [(filed(OWN, court=court, **given), AT)],
        NOTICED: [(told, noticed_at), (heard, AT + 2 * DAY)],
        CONTESTED: [(contested(OWN, court=court, **given), AT + DAY)],
        EFFECTIVE: [(force, in_force), (rejected, ruled_at)],
        SETTLED: [(paid(force, ruled_at), ruled_at), (paid(rejected, ruled_at), ruled_at)],
        UNDER_REVIEW: [
            (open_, in_force),
            (paid(open_, in_force), in_force),
            (ordered, in_force),
            (paid(ordered, in_force), in_force),
        ],
        APPEAL: [
            (appealed(rejected, at=ruled_at), ruled_at),
            (paid(appealed(rejected, at=ruled_at), ruled_at), ruled_at),
            (appealed(heard, at=AT + 3 * DAY), AT + 3 * DAY),
        ],
        WITHDRAWN: [
            (struck_out, AT + HOUR),
            (ruled(open_, UPHELD, at=in_force + HOUR), in_force + HOUR),
        ],
        REPAIRED: [(repaired(court=court), AT + 400 * DAY)],
        EXPIRED: [(each := expired(OWN, court=court, **given), each.expires_at)],
    }
    assert {listing.state for listing, _ in found[state]} == {state}
    return [Standing(listing, at + HOUR) for listing, at in found[state]]


def when(standing: Standing, done: Act) -> datetime:
    """Return the time that suits an act: what time does is done when it is due."""
    listing = standing.listing
    if done is Act.EXPIRE:
        return listing.expires_at
    if done is Act.TIME_OUT and listing.dispute is not None:
        return listing.dispute.due_at
    if done is Act.TAKE_EFFECT and listing.effective_from is not None:
        return listing.effective_from
    if done is Act.REPAIR and listing.settled_at is not None:
        return Span(months=12).after(listing.settled_at)
    return standing.now


EVENTS = {ACT_OF[action]: action for action in ListingAction.values() if action in ACT_OF}


def attempt(standing: Standing, done: Act, party: Party) -> Listing:
    """Let somebody try, with what the act needs."""
    listing, at = standing.listing, when(standing, done)
    if done is Act.TAKE_EFFECT and listing.state == NOTICED:
        listing = act(listing, ListingAction.LISTING_ACTION_RECONFIRM, at=at)
    if done in EVENTS:
        fields: dict[str, Any] = {}
        if done is Act.WITHDRAW and party.actor is Actor.REVIEWER:
            fields["withdrawal"] = WithdrawalCode.WITHDRAWAL_CODE_STRUCK_OUT
        return act(listing, EVENTS[done], at=at, by=party, **fields)
    if done is Act.RULE:
        return ruled(listing, at=at, by=party)
    require_allowed(listing, done, party)  # disputes have no other signer than the subject
    if done is Act.APPEAL:
        return appealed(listing, at=at)
    stage = CONTEST if done is Act.CONTEST else REVIEW
    return disputed(listing, at=at, stage=stage, evidence=("a letter",))


# The table --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "done"), CELLS, ids=named)
def test_what_the_rules_allow_is_done_and_everything_else_is_refused(
    state: State, done: Act
) -> None:
    for actor in Actor:
        ends = LAWFUL.get((state, actor, done), set())
        reached: set[State] = set()
        reasons: set[Reason.ValueType] = set()
        for standing in standings(state, actor is Actor.COURT):
            try:
                reached.add(attempt(standing, done, PARTIES[actor]).state)
            except Refusal as refusal:
                reasons.add(refusal.reason)
        assert bool(reached) == bool(ends), (actor, reached)
        assert reached <= ends, (actor, reached)
        if not ends:  # else only some listing in this state had to be one that suits
            assert reasons == {Reason.REASON_LISTING_TRANSITION_REFUSED}, actor


def test_the_code_allows_what_the_table_does_and_no_more() -> None:
    code = {
        (state, actor, done)
        for done, rows in ALLOWED.items()
        for actors, states in rows
        for state in states
        for actor in actors
    }
    assert code == set(LAWFUL)
    assert len(STATES) * len(Actor) * len(Act) == 10 * 7 * 18
    assert len(code) == 92


@pytest.mark.parametrize("state", ENDS, ids=named)
def test_an_end_is_an_end_whoever_comes(state: State) -> None:
    for court in (False, True):
        for standing in standings(state, court):
            for done, actor in itertools.product(Act, Actor):
                with pytest.raises(Refusal):
                    attempt(standing, done, PARTIES[actor])
            for filing in (listing_filing(OWN, source=BUYER), judgment_filing(OWN)):
                with refuses():
                    join(standing.listing, filing, profile(OWN), AT)


SOURCES_ACTS = [
    done for done, actors, _ in ROWS if Actor.FURNISHER in actors or Actor.COURT in actors
]


@pytest.mark.parametrize(("state", "done"), CELLS, ids=named)
def test_who_is_no_source_learns_only_that(state: State, done: Act) -> None:
    """Neither another furnisher nor another court can tell the states of a listing apart."""
    for court in (False, True):
        for standing in standings(state, court):
            for actor, member in (
                (Actor.FURNISHER, OUTSIDER),
                (Actor.COURT, OUTSIDER),
                (Actor.FURNISHER, COURT if not court else FURNISHER),
            ):
                with refuses(Reason.REASON_LISTING_NOT_OWN):
                    attempt(standing, done, Party(actor, member))


@pytest.mark.parametrize("state", LIVE, ids=named)
def test_a_source_that_left_is_a_source_no_more(state: State) -> None:
    for standing in standings(state, court=False):
        at = standing.now
        two = join(standing.listing, listing_filing(OWN, source=BUYER, at=at), profile(OWN), at)
        left = act(two, WITHDRAW, at=at, by=Party(Actor.FURNISHER, FURNISHER))
        assert left.state == state
        for done in SOURCES_ACTS:
            with refuses(Reason.REASON_LISTING_NOT_OWN):
                attempt(Standing(left, at), done, Party(Actor.FURNISHER, FURNISHER))


def test_a_regulator_never_files_rules_or_moves_but_opens_a_review() -> None:
    may = {(state, done) for state, actor, done in LAWFUL if actor is Actor.REGULATOR}
    assert may == {(EFFECTIVE, Act.OPEN_REVIEW), (SETTLED, Act.OPEN_REVIEW)}
    listing = effective(OWN)
    at = at_of(listing.effective_at) + HOUR
    opened = act(
        listing,
        ListingAction.LISTING_ACTION_OPEN_REVIEW,
        at=at,
        by=Party(Actor.REGULATOR, REGULATOR),
        ground=DisputeGround.DISPUTE_GROUND_FRAUD,
    )
    assert opened.dispute is not None
    assert opened.dispute.reviewer == ""  # any reviewer decides; the regulator does not
    for actor in (Actor.REGULATOR, Actor.EXCHANGE, Actor.FURNISHER, Actor.APPEAL):
        with pytest.raises(Refusal):
            ruled(opened, at=at, by=PARTIES[actor])
    assert ruled(opened, at=at, by=Party(Actor.REVIEWER, REVIEWER)).state == EFFECTIVE


def test_a_notice_is_served_once() -> None:
    listing = noticed()
    with refuses():
        act(listing, NOTICE_SERVED, at=AT + 10 * DAY)


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        (Actor.REVIEWER, WithdrawalCode.WITHDRAWAL_CODE_PAID),
        (Actor.REVIEWER, WithdrawalCode.WITHDRAWAL_CODE_FILED_IN_ERROR),
        (Actor.FURNISHER, WithdrawalCode.WITHDRAWAL_CODE_STRUCK_OUT),
    ],
)
def test_a_code_of_withdrawal_is_used_by_whose_it_is(
    actor: Actor, code: WithdrawalCode.ValueType
) -> None:
    """A source that strikes out its own listing would leave no trace of whether it was paid."""
    with refuses():
        act(noticed(), WITHDRAW, at=AT, by=PARTIES[actor], withdrawal=code)


def test_every_act_of_a_reviewer_asks_whether_it_ever_was_a_source() -> None:
    """Even where its licence changed since: a listing is nobody's own to strike out, prolong or decide."""
    listing = act(
        join(noticed(OWN), listing_filing(OWN, source=BUYER), profile(OWN), AT),
        WITHDRAW,
        at=AT,
        by=Party(Actor.FURNISHER, BUYER),
    )
    reviewer = Party(Actor.REVIEWER, BUYER)
    tries: list[Callable[[], Listing]] = [
        lambda: disputed(listing, at=AT + DAY, reviewer=BUYER),
        lambda: act(
            listing,
            WITHDRAW,
            at=AT + DAY,
            by=reviewer,
            withdrawal=WithdrawalCode.WITHDRAWAL_CODE_STRUCK_OUT,
        ),
    ]
    force = act(
        join(effective(OWN), listing_filing(OWN, source=BUYER), profile(OWN), AT),
        WITHDRAW,
        at=AT,
        by=Party(Actor.FURNISHER, BUYER),
    )
    at = at_of(force.effective_at) + DAY
    opened = act(
        force, ListingAction.LISTING_ACTION_OPEN_REVIEW, at=at, by=PARTIES[Actor.REGULATOR]
    )
    tries += [
        lambda: act(force, ListingAction.LISTING_ACTION_OPEN_REVIEW, at=at, by=reviewer),
        lambda: act(opened, ListingAction.LISTING_ACTION_EXTEND, at=at, by=reviewer),
        lambda: ruled(opened, at=at, by=reviewer),
    ]
    for attempted in tries:
        with refuses(Reason.REASON_REVIEWER_NOT_INDEPENDENT):
            attempted()
    assert APPEAL_BODY not in {source.member_id for source in force.sources}
