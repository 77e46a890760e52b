"""`concordat regulator order` and `disputes`, as typed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clients.sdk.aio_client import AioRegulatorClient
from clients.sdk.client import RegulatorClient
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.anchors import save_bundle
from concordat.v1 import Extent, OrderStage
from tests.builders import REGULATOR
from tests.fake_orders import Ordered
from tests.unit.clients.cli.conftest import Desk

LISTING, SUBJECT = "ab" * 16, "cd" * 32
WHAT = ("--action", "correct", "--fact", "amount", "--fact", "delinquency-date")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("COLUMNS", "240")
    with Ordered(datetime.now(UTC)) as fake:
        save_bundle(fake.federation.bundle, tmp_path / "bundle.json")
        yield Desk(fake, tmp_path)


def give(desk: Desk, *more: object, code: int = 0, **options: Any) -> Any:
    given = {"subject": SUBJECT, "furnisher": "alder-bank", "article": "Order 631 art. 25"}
    typed = [part for name, value in (given | options).items() for part in (f"--{name}", value)]
    folder = desk.folder / REGULATOR
    if not folder.exists():
        desk.member(REGULATOR)
    command = ("regulator", "order", "give", LISTING, *typed, *WHAT, *more)
    return desk.json(*command, "--member", folder, *desk.trust, code=code)


def test_an_order_is_given_with_its_review_and_shown_by_its_id(desk: Desk) -> None:
    order = give(desk, "--days", "5")
    assert (order["stage"], order["action"]) == ("given", "correct")
    assert order["facts"] == ["amount", "delinquency date"]
    assert order["listing_id"] == LISTING
    regulator = ("--member", desk.folder / REGULATOR, *desk.trust)
    (shown,) = desk.json("regulator", "order", "show", order["order_id"], *regulator)["orders"]
    assert shown == {name: value for name, value in order.items() if name != "ok"}
    table = desk.run("regulator", "order", "show", order["order_id"], *regulator).stdout
    assert order["order_id"] in table


def test_an_order_that_came_late_says_so(desk: Desk) -> None:
    order_id = give(desk)["order_id"]
    fake = desk.fake
    assert isinstance(fake, Ordered)
    standing = fake.orders[bytes.fromhex(order_id)]
    standing.stage, standing.overdue = OrderStage.ORDER_STAGE_COMPLIED, True
    standing.ended_at.CopyFrom(to_timestamp(fake.at))
    regulator = ("--member", desk.folder / REGULATOR, *desk.trust)
    assert "complied, late" in desk.run("regulator", "order", "show", order_id, *regulator).stdout


def test_an_order_that_is_not_ones_own_is_not_shown(desk: Desk) -> None:
    regulator = ("--member", desk.member(REGULATOR), *desk.trust)
    facts = desk.json("regulator", "order", "show", "00" * 16, *regulator, code=2)
    assert facts["advice"] == "none of these is an order of yours"


def test_an_order_outside_its_bounds_is_not_given(desk: Desk) -> None:
    options = {"subject": SUBJECT, "furnisher": "alder-bank", "article": "Order 631 art. 25"}
    folder = desk.member(REGULATOR)
    bent: list[dict[str, Any]] = [
        {"subject": "ab"},
        {"days": 2},
        {"days": 31},
        {"article": "x; drop"},
    ]
    for fields in bent:
        typed = [p for name, value in (options | fields).items() for p in (f"--{name}", value)]
        command = ("regulator", "order", "give", LISTING, *typed, *WHAT, "--member", folder)
        assert desk.run(*command, *desk.trust).exit_code == 2
    fake = desk.fake
    assert isinstance(fake, Ordered)
    assert not fake.orders


def test_disputes_are_told_by_furnisher_and_what_is_not_told_is_null(desk: Desk) -> None:
    at = to_timestamp(desk.fake.at)
    none, few = v1.Shortfall(extent=Extent.EXTENT_NONE), v1.Shortfall(extent=Extent.EXTENT_FEW)
    told = v1.FurnisherOversight(
        furnisher="alder-bank",
        open_over_10_days=40,
        open_overdue=few,
        decided=50,
        upheld=30,
        ran_out=none,
        orders_overdue=v1.Shortfall(extent=Extent.EXTENT_COUNTED, count=20),
    )
    fake = desk.fake
    assert isinstance(fake, Ordered)
    fake.oversight = v1.ReadOversightResponse(
        as_of=at, month_from=at, month_until=at, smallest_cell=10, furnishers=[told]
    )
    regulator = ("--member", desk.member(REGULATOR), *desk.trust)
    (row,) = desk.json("regulator", "disputes", *regulator)["furnishers"]
    assert (row["open_over_10_days"], row["open_under_3_days"]) == (40, None)
    assert (row["open_overdue"], row["ran_out"], row["orders_overdue"]) == (
        "fewer than 10",
        "none",
        20,
    )
    assert row["upheld_percent"] == 60
    table = desk.run("regulator", "disputes", *regulator).stdout
    assert "60 %" in table
    assert "fewer than 10" in table


def test_both_clients_do_the_same() -> None:
    names = ("submit_order", "read_orders", "read_oversight")
    assert all(
        hasattr(client, n) for client in (RegulatorClient, AioRegulatorClient) for n in names
    )
