"""What is queued reaches the exchange once, over real mTLS, whatever the exchange does meanwhile."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from concordat import v1
from concordat.clock import Clock
from concordat.refusal import Refusal
from concordat.rpc.tls import TlsIdentity
from concordat.store.engine import migrate, open_engine
from concordat.store.group_commit import GroupCommit
from concordat.v1 import Reason
from provider.listings.courier import Courier
from provider.listings.exchange_link import ExchangeLink
from provider.listings.orders import FilingOrder, Order
from provider.listings.spool import Spool
from provider.migrations import SCRIPTS
from provider.store import listings, outbox
from provider.store.outbox import Delivery, Posted
from tests.fake_furnisher_service import FakeFurnisherService, Statement
from tests.unit.provider.house import SELF, House
from tests.unit.provider.listings.builders import evidence, intake, order, speaker


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


class Node:
    """The listings' half of a node: a spool, a database, and the courier between them and the exchange."""

    def __init__(self, house: House, deadline_seconds: float = 5.0) -> None:
        self.house = house
        self.spool = Spool(house.folder / "spool")
        self._engine = open_engine(f"sqlite:///{house.folder}/outbox.db")
        migrate(self._engine, SCRIPTS)
        self.store = GroupCommit(self._engine)
        identity = TlsIdentity(*house.pki.issue(SELF))
        self.link = ExchangeLink(house.federation.anchors, identity, deadline_seconds)
        self.courier = Courier(self.spool, self.store, intake(), self.link, Clock().now)

    def hand_in(self, *orders: Order) -> None:
        self.spool.lay(orders)

    def posts(self, filed: FilingOrder) -> list[Posted]:
        key = (filed.filing.subject_ref, filed.filing.filing_id)
        return self.store.run(lambda c: outbox.of_filings(c, [key]))[key]

    def counts(self) -> dict[Delivery, int]:
        return self.store.run(outbox.counts)

    def wait_until(self, holds: Callable[[], bool], seconds: float = 20.0) -> None:
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, (self.counts(), self.house.furnishing.calls)
            time.sleep(0.02)

    def wait_sent(self, count: int) -> None:
        self.wait_until(lambda: self.counts() == {Delivery.SENT: count})

    def close(self) -> None:
        self.courier.stop()
        self.store.close()
        self._engine.dispose()


@pytest.fixture
def node(house: House) -> Iterator[Node]:
    node = Node(house)
    yield node
    node.close()


@pytest.fixture
def exchange(house: House) -> FakeFurnisherService:
    return house.furnishing


def orders(count: int) -> list[FilingOrder]:
    return [order(f"L-{n}", f"p{n}") for n in range(count)]


def filed_once(exchange: FakeFurnisherService, filed: list[FilingOrder]) -> bool:
    return len(exchange.filings) == len(filed) and all(
        len(exchange.filed(one.filing.debt_commitment)) == 1 for one in filed
    )


def test_filings_go_out_in_batches_of_128_with_one_signature_each(
    node: Node, exchange: FakeFurnisherService
) -> None:
    filed = orders(300)
    node.hand_in(*filed)
    node.courier.start()
    node.wait_sent(300)
    assert filed_once(exchange, filed)
    assert exchange.calls == [("file", 128, 1), ("file", 128, 1), ("file", 44, 1)]


def test_an_exchange_that_is_away_gets_everything_once_it_is_back(
    node: Node, house: House, exchange: FakeFurnisherService
) -> None:
    house.unplug()
    node.courier.start()
    filed = orders(10)
    node.hand_in(*filed)
    node.wait_until(lambda: all(node.posts(one) and node.posts(one)[0].attempts for one in filed))
    (post,) = node.posts(filed[0])
    assert (post.state, post.message != "") == (Delivery.QUEUED, True)
    house.plug_in()
    node.wait_sent(10)
    assert filed_once(exchange, filed)


@pytest.mark.slow
def test_where_the_answer_is_lost_the_same_bytes_are_sent_again(
    node: Node, exchange: FakeFurnisherService
) -> None:
    exchange.lose_answers = 2
    filed = orders(5)
    node.hand_in(*filed)
    node.courier.start()
    node.wait_sent(5)
    assert filed_once(exchange, filed)  # other bytes under the same id are refused there
    assert len(exchange.calls) == 3
    ids = {row.listing_id for row in node.store.run(listings.all_open)}
    assert ids == set(exchange.standings)


@pytest.mark.slow
def test_a_slow_exchange_is_asked_again_and_files_nothing_twice(
    house: House, exchange: FakeFurnisherService
) -> None:
    node = Node(house, deadline_seconds=0.3)
    exchange.slow_seconds = 0.6
    filed = orders(3)
    node.hand_in(*filed)
    node.courier.start()
    node.wait_until(lambda: len(exchange.calls) >= 2)
    exchange.slow_seconds = 0
    node.wait_sent(3)
    node.close()
    assert filed_once(exchange, filed)


def test_a_refused_item_is_kept_with_its_reason_and_costs_no_other(
    node: Node, exchange: FakeFurnisherService
) -> None:
    filed = orders(5)
    bad = filed[2]
    exchange.refuse = refusing(bad, Refusal(Reason.REASON_LISTING_INELIGIBLE, "secret detail"))
    node.hand_in(*filed)
    node.courier.start()
    node.wait_until(lambda: node.counts() == {Delivery.SENT: 4, Delivery.REFUSED: 1})
    (post,) = node.posts(bad)
    assert post.reason == Reason.REASON_LISTING_INELIGIBLE
    assert "may not be listed" in post.message
    assert len(exchange.calls) == 1  # and it is not sent again
    time.sleep(0.6)
    assert len(exchange.calls) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(Reason.REASON_UNAVAILABLE),
        Refusal(Reason.REASON_LISTINGS_STALE),
        Refusal(Reason.REASON_QUOTA_EXCEEDED, retry_after=timedelta(seconds=0.5)),
        Refusal(Reason.REASON_LOG_UNAVAILABLE),
    ],
    ids=str,
)
def test_what_passes_is_tried_again_until_it_is_taken(
    node: Node, exchange: FakeFurnisherService, refusal: Refusal
) -> None:
    filed = orders(2)
    exchange.refuse = refusing(filed[0], refusal)
    node.hand_in(*filed)
    node.courier.start()
    node.wait_until(lambda: node.counts() == {Delivery.SENT: 1, Delivery.QUEUED: 1})
    exchange.refuse = lambda statement: None
    node.wait_sent(2)
    assert filed_once(exchange, filed)


def test_what_is_to_wait_an_hour_waits_an_hour(node: Node, exchange: FakeFurnisherService) -> None:
    filed = orders(2)
    exchange.refuse = refusing(
        filed[0], Refusal(Reason.REASON_QUOTA_EXCEEDED, retry_after=timedelta(hours=1))
    )
    node.hand_in(*filed)
    node.courier.start()
    node.wait_until(lambda: node.counts() == {Delivery.SENT: 1, Delivery.QUEUED: 1})
    time.sleep(0.8)
    (post,) = node.posts(filed[0])
    assert post.due_at - post.made_at >= 3600 * 1_000_000
    assert len(exchange.calls) == 1


def test_a_statement_for_which_the_whole_call_is_refused_is_found_and_set_aside(
    node: Node, exchange: FakeFurnisherService
) -> None:
    filed = orders(100)
    bad = {filed[17].filing.filing_id, filed[80].filing.filing_id}

    def refuse_call(statements: list[Statement]) -> Refusal | None:
        guilty = any(s.filing_id in bad for s in statements if isinstance(s, v1.ListingFiling))
        return Refusal(Reason.REASON_MESSAGE_INVALID) if guilty else None

    exchange.refuse_call = refuse_call  # type: ignore[assignment]
    node.hand_in(*filed)
    node.courier.start()
    node.wait_until(lambda: node.counts() == {Delivery.SENT: 98, Delivery.REFUSED: 2})
    assert len(exchange.filings) == 98
    assert node.posts(filed[17])[0].reason == Reason.REASON_MESSAGE_INVALID


def test_a_member_that_is_suspended_keeps_its_queue_and_is_told_why(
    node: Node, exchange: FakeFurnisherService
) -> None:
    exchange.refuse_call = lambda statements: Refusal(Reason.REASON_MEMBER_SUSPENDED)
    filed = orders(3)
    node.hand_in(*filed)
    node.courier.start()
    node.wait_until(lambda: bool(node.posts(filed[0]) and node.posts(filed[0])[0].attempts))
    (post,) = node.posts(filed[0])
    assert (post.state, post.reason) == (Delivery.QUEUED, Reason.REASON_MEMBER_SUSPENDED)
    exchange.refuse_call = lambda statements: None
    node.wait_sent(3)


def test_events_follow_their_filing_in_order(node: Node, exchange: FakeFurnisherService) -> None:
    filed = orders(3)
    key = (filed[0].filing.subject_ref, filed[0].filing.filing_id)
    node.hand_in(
        *filed,
        speaker().reconfirm(key),
        speaker().settle(key, evidence(), 1_700_000_000_000_000),
    )
    node.courier.start()
    node.wait_sent(5)
    said = exchange.said(filed[0].filing.filing_id)
    names = [v1.ListingAction.Name(event.action) for event in said]
    assert names == ["LISTING_ACTION_RECONFIRM", "LISTING_ACTION_SETTLE"]
    states = {row.filing_id: row.state for row in node.store.run(listings.all_open)}
    assert states[filed[0].filing.filing_id] == v1.ListingState.LISTING_STATE_SETTLED


def test_an_answer_that_does_not_fit_the_question_is_not_put_down(
    node: Node, exchange: FakeFurnisherService
) -> None:
    honest = exchange.FileListings

    def one_too_few(request: object, context: object) -> v1.FileListingsResponse:
        answer = honest(request, context)
        del answer.results[0]
        return answer

    exchange.FileListings = one_too_few  # type: ignore[method-assign]
    node.house.unplug()
    node.house.plug_in()
    filed = orders(3)
    node.hand_in(*filed)
    node.courier.start()
    node.wait_until(lambda: bool(node.posts(filed[0]) and node.posts(filed[0])[0].attempts))
    assert node.counts() == {Delivery.QUEUED: 3}
    assert "2 results to 3 statements" in node.posts(filed[0])[0].message


def test_a_node_stops_at_once_while_a_call_is_out(
    house: House, exchange: FakeFurnisherService
) -> None:
    node = Node(house, deadline_seconds=30)
    exchange.slow_seconds = 3
    node.hand_in(*orders(1))
    node.courier.start()
    called: list[float] = []
    exchange.on_call = lambda: called.append(time.monotonic())
    node.wait_until(lambda: bool(called))
    started = time.monotonic()
    node.close()
    assert time.monotonic() - started < 2


def test_orders_that_cannot_be_read_are_set_aside_and_hold_up_no_others(
    node: Node, exchange: FakeFurnisherService
) -> None:
    folder = node.house.folder / "spool"
    for n, content in enumerate((b"", b"no json\n", b'{"do": "file"}\n', b'{"do": "burn"}\n')):
        (folder / f"{n:032x}.orders").write_bytes(content)
    filed = orders(1)
    node.hand_in(*filed)
    node.courier.start()
    node.wait_sent(1)
    assert len(list(folder.glob("*.bad"))) == 3  # an empty file is no order, and no fault
    assert list(folder.glob("*.orders")) == []


def refusing(filed: FilingOrder, refusal: Refusal) -> Callable[[Statement], Refusal | None]:
    def refuse(statement: Statement) -> Refusal | None:
        is_it = (
            isinstance(statement, v1.ListingFiling)
            and statement.filing_id == filed.filing.filing_id
        )
        return refusal if is_it else None

    return refuse
