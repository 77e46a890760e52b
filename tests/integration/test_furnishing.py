"""A furnisher's and a court's commands against the exchange's own services, over real mTLS."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from concordat.refusal import Refusal
from concordat.rpc.errors import to_status
from concordat.v1 import Role
from tests.exchange_builders import ExchangeDesk
from tests.exchange_services import ExchangeServices
from tests.unit.provider.house import House
from tests.unit.provider.listings.builders import evidence, ref

ALL_FOUR = ("--attest", "accurate,adult,unsecured,not-frozen")
METHODS = ("FileListings", "SubmitListingEvents", "SubmitMirrorSync", "ListDuties")

pytestmark = pytest.mark.timeout(120)


class World:
    """A member's house, whose exchange is the real one's servicer behind the house's own port."""

    def __init__(self, folder: Path, member_id: str, role: Role.ValueType) -> None:
        folder.mkdir()
        self.house = House(folder, member_id, [role])
        self._services = ExchangeServices(ExchangeDesk(self.house.federation))
        self._member = member_id
        self._one_at_a_time = threading.Lock()
        for name in METHODS:
            setattr(self.house.furnishing, name, self._bridge(name))
        self.house.unplug()
        self.house.plug_in()
        assert self.house.run("init").exit_code == 0

    def _bridge(self, name: str) -> Any:
        method = getattr(self._services.furnishers, name)

        def answer(request: Any, context: Any) -> Any:
            with self._one_at_a_time:
                try:
                    return self._services.call(method, request, self._member, datetime.now(UTC))
                except Refusal as refusal:
                    return context.abort_with_status(to_status(refusal, "request-id"))

        return answer

    def run(self, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
        with structlog.testing.capture_logs():
            result = self.house.run("listings", *arguments, "--json")
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, json.loads(result.stdout)

    def close(self) -> None:
        self.house.close()
        self._services.close()


@pytest.fixture
def furnisher(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "furnisher", "dune-telecom", Role.ROLE_FURNISHER)
    yield world
    world.close()


@pytest.fixture
def court(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "court", "county-court", Role.ROLE_COURT)
    yield world
    world.close()


def days(count: int) -> str:
    return (datetime.now(UTC) + timedelta(days=count)).date().isoformat()


def file(world: World, reference: str, amount: str, *more: str, proof: str = "contract") -> Any:
    debt = ("--subject-ref", ref("ada").hex(), "--reference", reference, "--basis", "loan")
    facts = ("--amount", amount, "--currency", "EUR", "--delinquent-since", days(-100))
    late = ("--late", "waited-to-be-eligible", "--evidence-hash", evidence(proof).hex())
    return world.run("file", *ALL_FOUR, *debt, *facts, *late, *more)


def test_a_debt_is_filed_followed_up_withdrawn_and_filed_anew(furnisher: World) -> None:
    code, told = file(furnisher, "L-1", "123.50")
    assert (code, told["sent"]) == (0, 1)
    code, told = file(furnisher, "L-2", "1.00")
    assert (code, told["refused"]) == (1, {"LISTING_INELIGIBLE": 1})
    assert furnisher.run("reconfirm", "L-1")[0] == 0
    better = ("--amount", "120", "--evidence-hash", evidence("statement").hex())
    assert furnisher.run("correct", "L-1", *better)[0] == 0
    paid = ("--paid-on", days(-1), "--receipt-hash", evidence("receipt").hex())
    code, told = furnisher.run("settle", "L-1", *paid)  # not in force yet: that is a withdrawal
    assert (code, told["said"][0]["outcome"]) == (1, "LISTING_TRANSITION_REFUSED")
    assert furnisher.run("withdraw", "L-1", "--code", "filed-in-error")[0] == 0
    assert file(furnisher, "L-1", "123.50", "--reinsert", proof="new")[1]["sent"] == 1
    assert furnisher.run("duties") == (0, {"ok": True, "duties": []})
    code, told = furnisher.run("status", "L-1")
    assert [debt["state"] for debt in told["debts"]] == ["withdrawn", "draft"]


def test_a_register_and_the_exchange_are_found_to_be_the_same(court: World) -> None:
    path = court.house.folder / "register.csv"
    columns = "subject_ref,reference,amount,currency,delinquent_since,source_ends_at"
    entries = [
        [ref(f"p{n}").hex(), f"C-{n}", "500", "EUR", days(-30), days(900)] for n in range(300)
    ]

    def mirror(*more: str) -> tuple[int, dict[str, Any]]:
        lines = [columns, *(",".join(entry) for entry in entries), f"#end,{len(entries)}", ""]
        path.write_text("\n".join(lines))
        return court.run("mirror", path, *ALL_FOUR, *more)

    code, told = mirror()
    assert (code, told["filed"], told["synced"]) == (0, 300, 300)
    del entries[:5]
    entries[0][2], entries[1][2] = "400", "600"
    code, told = mirror()
    assert (code, told["removed"], told["corrected"], told["synced"]) == (3, 5, 1, 295)
    code, told = mirror("--reinsert")
    assert (code, told["replaced"], told["synced"]) == (0, 1, 295)
