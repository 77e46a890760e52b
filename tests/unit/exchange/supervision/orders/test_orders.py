"""Orders to put a listing right: who gives them, what they do meanwhile, and how they end."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.v1 import DisputeStage, ListingState, OrderStage, Role, RulingOutcome
from exchange.supervision import bounds
from exchange.supervision.bounds import Bounded
from tests.builders import DAY, REGULATOR
from tests.exchange_services import reason_of
from tests.listing_builders import FURNISHER, digest, money
from tests.listing_desk import OTHER_FURNISHER, ListingDesk
from tests.orders_desk import (
    AMOUNT,
    CORRECT,
    DATE,
    EVIDENCE,
    PAID,
    WHOLE,
    WITHDRAW,
    OrdersDesk,
)

GIVEN, COMPLIED = OrderStage.ORDER_STAGE_GIVEN, OrderStage.ORDER_STAGE_COMPLIED
OVERDUE, MOOT = OrderStage.ORDER_STAGE_OVERDUE, OrderStage.ORDER_STAGE_MOOT
EFFECTIVE = ListingState.LISTING_STATE_EFFECTIVE
SETTLED = ListingState.LISTING_STATE_SETTLED
UNDER_REVIEW = ListingState.LISTING_STATE_UNDER_REVIEW
OTHER_REGULATOR = "second-regulator"


@pytest.fixture
def desk() -> Iterator[ListingDesk]:
    desk = ListingDesk()
    desk.enrol(OTHER_REGULATOR, Role.ROLE_REGULATOR)
    yield desk
    desk.close()


@pytest.fixture
def orders(desk: ListingDesk) -> OrdersDesk:
    return OrdersDesk(desk)


# Given ------------------------------------------------------------------------------------------


def test_an_order_hides_the_listing_tells_subject_and_furnisher_and_is_logged(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.in_force()
    assert desk.shown()
    order = orders.give(listing_id)
    assert (order.stage, order.furnisher, order.overdue) == (GIVEN, FURNISHER, False)
    assert desk.state(listing_id) == UNDER_REVIEW
    assert not desk.shown()
    (duty,) = orders.duties()
    assert v1.CorrectionOrder.FromString(duty.order.payload).order_id == order.order_id
    assert duty.due_at == order.due_at
    assert [act.stage for act in orders.logged()] == [GIVEN]
    text = desk.read_inbox()[-1].text
    assert "has ordered" in text
    assert "Order 631 art. 25" in text


def test_the_same_order_again_changes_nothing_and_other_bytes_are_refused(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    order = orders.order(desk.in_force())
    request = orders.request(order)
    first = orders.submit(request)
    desk.federation.at += 2 * DAY  # it may come late, too, once it was taken
    assert orders.submit(request) == first
    assert len(orders.logged()) == 1
    other = orders.order(order.listing_id, order_id=order.order_id, facts=[DATE])
    assert reason_of(lambda: orders.submit(orders.request(other))) == "REPLAYED_WITH_OTHER_BYTES"


def test_a_furnisher_ordered_about_anothers_listing_is_refused_as_about_none(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.in_force()
    bent: list[dict[str, Any]] = [
        {"furnisher": OTHER_FURNISHER},
        {"listing_id": bytes(16)},
        {"subject_ref": bytes(32)},
    ]
    for fields in bent:
        request = orders.request(orders.order(**({"listing_id": listing_id} | fields)))
        assert reason_of(partial(orders.submit, request)) == "ORDER_REFUSED"
    assert desk.state(listing_id) == EFFECTIVE
    assert not orders.logged()


def test_one_furnisher_has_one_order_about_a_listing_at_a_time(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.in_force()
    orders.give(listing_id)
    assert reason_of(lambda: orders.give(listing_id)) == "ORDER_REFUSED"


def test_an_ended_listing_and_a_settled_one_that_is_to_be_settled_are_refused(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.in_force()
    desk.settle(listing_id)
    assert reason_of(lambda: orders.give(listing_id, facts=[PAID])) == "ORDER_REFUSED"
    desk.withdraw(listing_id)
    assert reason_of(lambda: orders.give(listing_id)) == "ORDER_REFUSED"


def test_an_order_must_be_fresh_its_callers_own_and_come_with_its_own_review(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id, at = desk.in_force(), desk.federation.at
    old = orders.order(listing_id, issued_at=to_timestamp(at - timedelta(days=1, minutes=1)))
    assert reason_of(lambda: orders.submit(orders.request(old))) == "STATEMENT_NOT_FRESH"
    order = orders.order(listing_id)
    theirs = orders.request(order)
    refused = reason_of(lambda: orders.submit(theirs, OTHER_REGULATOR))
    assert refused == "SIGNATURE_INVALID"
    stolen = orders.request(order, signed_by=OTHER_REGULATOR)
    assert reason_of(lambda: orders.submit(stolen, OTHER_REGULATOR)) == "CALLER_NOT_SIGNER"
    apart = orders.request(order, subject_ref=bytes(32))
    assert reason_of(lambda: orders.submit(apart)) == "ORDER_REFUSED"


def test_a_listing_not_in_force_comes_under_review_the_moment_it_would_take_effect(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.file().listing_id
    desk.read_inbox()
    desk.pass_time(28 * DAY)
    orders.give(listing_id)
    assert desk.state(listing_id) == ListingState.LISTING_STATE_NOTICED
    desk.reconfirm(listing_id)
    desk.pass_time(4 * DAY)
    assert desk.state(listing_id) == UNDER_REVIEW
    assert not desk.shown()


def test_a_regulator_gives_so_many_orders_a_day_and_no_other_is_held_to_that(
    desk: ListingDesk, orders: OrdersDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(bounds.PER_DAY, Bounded.ORDER, 2)
    listings = [desk.in_force(debt_commitment=digest(f"debt {n}")) for n in range(3)]
    given = [orders.request(orders.order(each)) for each in listings]
    for request in (*given[:2], given[0]):  # the same again counts once
        orders.submit(request)
    with pytest.raises(Refusal) as stopped:
        orders.submit(given[2])
    assert stopped.value.reason == v1.Reason.REASON_QUOTA_EXCEEDED
    midnight = (desk.federation.at + DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    assert stopped.value.retry_after == midnight - desk.federation.at
    assert len(orders.logged()) == 2
    # Nor does it learn from the refusal, which leaves no trace, whether there is such a listing.
    for nothing in (orders.order(bytes(16)), orders.order(listings[2], furnisher=OTHER_FURNISHER)):
        assert reason_of(lambda: orders.submit(orders.request(nothing))) == "QUOTA_EXCEEDED"  # noqa: B023
    other = orders.order(listings[2], regulator=OTHER_REGULATOR)
    orders.submit(orders.request(other, OTHER_REGULATOR), OTHER_REGULATOR)
    desk.federation.at = midnight
    desk.withdraw(listings[2])
    assert reason_of(lambda: orders.submit(given[2])) == "ORDER_REFUSED"  # it is looked at again


# Obeyed -----------------------------------------------------------------------------------------


def lower(orders: OrdersDesk, listing_id: bytes) -> None:
    amount = orders.facts(listing_id).amount
    orders.correct(listing_id, amount=money(amount.minor - 1, amount.currency))


def earlier(orders: OrdersDesk, listing_id: bytes) -> None:
    since = from_timestamp(orders.facts(listing_id).delinquent_since) - 100 * DAY
    orders.correct(listing_id, delinquent_since=to_timestamp(since))


def proven(orders: OrdersDesk, listing_id: bytes) -> None:
    orders.correct(listing_id, evidence_hash=digest("other evidence"))


def settle(orders: OrdersDesk, listing_id: bytes) -> None:
    orders.desk.settle(listing_id)


@pytest.mark.parametrize(
    ("fact", "obey", "state"),
    [
        (AMOUNT, lower, EFFECTIVE),
        (DATE, earlier, EFFECTIVE),
        (EVIDENCE, proven, EFFECTIVE),
        (PAID, settle, SETTLED),
        (WHOLE, lower, EFFECTIVE),
    ],
)
def test_an_order_to_correct_is_obeyed_by_just_that_and_the_listing_is_back(
    desk: ListingDesk,
    orders: OrdersDesk,
    fact: v1.OrderedFact.ValueType,
    obey: Callable[[OrdersDesk, bytes], None],
    state: ListingState.ValueType,
) -> None:
    listing_id = desk.in_force()
    order = orders.give(listing_id, facts=[fact])
    obey(orders, listing_id)
    after = orders.read(order.order_id)
    assert (after.stage, after.overdue) == (COMPLIED, False)
    assert after.HasField("ended_at")
    assert desk.state(listing_id) == state
    assert len(desk.shown()) == 1
    assert not orders.duties()
    assert [act.stage for act in orders.logged()] == [GIVEN, COMPLIED]
    assert any("review has ended" in message.text for message in desk.read_inbox())


def test_a_correction_of_something_else_obeys_nothing(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.in_force()
    order = orders.give(listing_id, facts=[AMOUNT, DATE])
    lower(orders, listing_id)
    assert orders.read(order.order_id).stage == GIVEN
    assert desk.state(listing_id) == UNDER_REVIEW


@pytest.mark.parametrize("action", [CORRECT, WITHDRAW])
def test_a_listing_taken_back_obeys_every_order(
    desk: ListingDesk, orders: OrdersDesk, action: v1.OrderedAction.ValueType
) -> None:
    listing_id = desk.in_force()
    order = orders.give(listing_id, action=action, facts=[WHOLE])
    desk.withdraw(listing_id)
    assert orders.read(order.order_id).stage == COMPLIED


def test_no_correction_obeys_an_order_to_withdraw(desk: ListingDesk, orders: OrdersDesk) -> None:
    listing_id = desk.in_force()
    order = orders.give(listing_id, action=WITHDRAW, facts=[AMOUNT])
    lower(orders, listing_id)
    assert orders.read(order.order_id).stage == GIVEN


def test_two_furnishers_of_a_listing_are_ordered_apart_and_it_is_back_when_both_have_obeyed(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.in_force()
    desk.file(source=OTHER_FURNISHER)
    first = orders.give(listing_id, facts=[AMOUNT])
    second = orders.give(listing_id, furnisher=OTHER_FURNISHER, action=WITHDRAW, facts=[WHOLE])
    lower(orders, listing_id)
    stages = [orders.read(each.order_id).stage for each in (first, second)]
    assert stages == [COMPLIED, GIVEN]
    assert desk.state(listing_id) == UNDER_REVIEW
    desk.withdraw(listing_id, OTHER_FURNISHER)
    assert orders.read(second.order_id).stage == COMPLIED
    assert desk.state(listing_id) == EFFECTIVE


# Not obeyed -------------------------------------------------------------------------------------


def test_an_order_past_due_is_put_down_once_and_can_still_be_obeyed(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.in_force()
    order = orders.give(listing_id)
    orders.pass_time(11 * DAY)
    orders.pass_time(DAY)
    late = orders.read(order.order_id)
    assert (late.stage, late.overdue, late.HasField("ended_at")) == (OVERDUE, True, False)
    assert [act.stage for act in orders.logged()] == [GIVEN, OVERDUE]
    assert "has not done so" in desk.read_inbox()[-1].text
    assert len(orders.duties()) == 1
    lower(orders, listing_id)
    obeyed = orders.read(order.order_id)
    assert (obeyed.stage, obeyed.overdue) == (COMPLIED, True)


def test_a_listing_that_ends_otherwise_makes_its_order_moot(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.in_force()
    order = orders.give(listing_id)
    upheld = RulingOutcome.RULING_OUTCOME_UPHELD
    desk.rule(listing_id, orders.dispute_of(listing_id), upheld)
    assert orders.read(order.order_id).stage == MOOT
    assert [act.stage for act in orders.logged()] == [GIVEN, MOOT]
    assert not orders.duties()


def test_a_review_that_nobody_decides_takes_the_listing_out_and_the_order_is_moot(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.in_force()
    order = orders.give(listing_id)
    orders.pass_time(31 * DAY)
    after = orders.read(order.order_id)
    assert desk.state(listing_id) == ListingState.LISTING_STATE_WITHDRAWN
    assert after.stage == MOOT


def test_a_reviewer_who_rejects_the_review_ends_it_and_the_order_stands(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.in_force()
    order = orders.give(listing_id)
    rejected = RulingOutcome.RULING_OUTCOME_REJECTED
    desk.rule(listing_id, orders.dispute_of(listing_id), rejected)
    assert desk.state(listing_id) == EFFECTIVE
    assert orders.read(order.order_id).stage == GIVEN
    assert len(orders.duties()) == 1


def test_an_order_during_the_subjects_own_dispute_takes_over_once_that_is_rejected(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.in_force()
    dispute_id, _ = desk.dispute(listing_id, DisputeStage.DISPUTE_STAGE_REVIEW)
    orders.give(listing_id)
    desk.rule(listing_id, dispute_id, RulingOutcome.RULING_OUTCOME_REJECTED)
    assert desk.state(listing_id) == UNDER_REVIEW
    assert not desk.shown()


def test_nobody_who_knows_an_order_uses_up_the_id_of_its_review(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.file().listing_id
    desk.read_inbox()
    desk.pass_time(28 * DAY)
    order = orders.give(listing_id)
    reconfirm = v1.ListingAction.LISTING_ACTION_RECONFIRM
    desk.say(desk.event(listing_id, reconfirm, FURNISHER, event_id=order.order_id))
    desk.pass_time(4 * DAY)
    assert desk.state(listing_id) == UNDER_REVIEW


def test_a_review_whose_id_is_used_up_keeps_the_listing_moving(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.file().listing_id
    desk.read_inbox()
    desk.pass_time(28 * DAY)
    request = orders.request(orders.order(listing_id))
    orders.submit(request)
    guessed = v1.ListingEvent.FromString(request.review.payload).event_id
    reconfirm = v1.ListingAction.LISTING_ACTION_RECONFIRM
    desk.say(desk.event(listing_id, reconfirm, FURNISHER, event_id=guessed))
    desk.pass_time(4 * DAY)
    assert desk.state(listing_id) == EFFECTIVE
    desk.withdraw(listing_id)
    assert desk.state(listing_id) == ListingState.LISTING_STATE_WITHDRAWN


def test_an_obeyed_order_does_not_end_the_subjects_own_dispute(
    desk: ListingDesk, orders: OrdersDesk
) -> None:
    listing_id = desk.in_force()
    desk.dispute(listing_id, DisputeStage.DISPUTE_STAGE_REVIEW)
    order = orders.give(listing_id)
    lower(orders, listing_id)
    assert orders.read(order.order_id).stage == COMPLIED
    assert desk.state(listing_id) == UNDER_REVIEW


# Reading ----------------------------------------------------------------------------------------


def test_a_regulator_reads_its_own_orders_alone(desk: ListingDesk, orders: OrdersDesk) -> None:
    order = orders.give(desk.in_force())
    assert orders.read_all([order.order_id, new_id()]) == [order]
    assert orders.read_all([order.order_id], OTHER_REGULATOR) == []
    assert orders.read(order.order_id).order.payload
    assert orders.read_all([order.order_id], REGULATOR) == [order]
