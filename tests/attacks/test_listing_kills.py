"""A furnisher's node is killed in the middle of delivering, again and again: every debt is filed exactly once."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from concordat.store.reading import opened_to_read
from concordat.v1 import Role
from provider.store import listings, outbox
from provider.store.outbox import Delivery
from tests.unit.provider.house import House
from tests.unit.provider.listings.builders import evidence, ref
from tests.unit.provider.running import Running, running

pytestmark = pytest.mark.timeout(300)

FURNISHER = "dune-telecom"
ROWS = 2000
ATTEST = ("--attest", "accurate,adult,unsecured,not-frozen")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, FURNISHER, [Role.ROLE_FURNISHER])
    assert house.run("init").exit_code == 0
    yield house
    house.close()


def debts_file(house: House, rows: int = ROWS) -> Path:
    path = house.folder / "debts.csv"
    since = (datetime.now(UTC) - timedelta(days=80)).date().isoformat()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "subject_ref",
                "reference",
                "basis",
                "amount",
                "currency",
                "delinquent_since",
                "evidence_hash",
            ]
        )
        for n in range(rows):
            facts = ("service-contract", f"{100 + n}.50", "EUR", since)
            writer.writerow([ref(f"p{n}").hex(), f"L-{n}", *facts, evidence(str(n)).hex()])
    return path


def file_in_its_own_process(house: House, path: Path, wait: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "provider.main", "listings", "file", "--csv", str(path)]
    command += [*ATTEST, "--wait", wait, "--json", "--config", str(house.config)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Killer:
    """Kills a process within the exchange's n-th call from now: before what it brings is taken, or after."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.calls = 0
        self._at = 0
        self._kill: Callable[[], None] = lambda: None
        self.killed = threading.Event()
        house.furnishing.on_call = self._called

    def arm(self, calls_from_now: int, kill: Callable[[], None], *, after: bool) -> None:
        self.killed.clear()
        self._kill, self._at = kill, self.calls + calls_from_now
        self._house.furnishing.on_taken = self._strike if after else lambda: None
        self._after = after

    def _called(self) -> None:
        self.calls += 1
        if not self._after:
            self._strike()

    _after = False

    def _strike(self) -> None:
        if self._at and self.calls >= self._at:
            self._at = 0
            self._kill()
            self.killed.set()


def require_all_filed_once(house: House, rows: int = ROWS) -> None:
    exchange = house.furnishing
    debts = [filing.debt_commitment for filing in exchange.filings.values()]
    assert len(debts) == len(set(debts)) == rows
    with opened_to_read(f"sqlite:///{house.folder}/provider.db") as connection:
        assert outbox.counts(connection) == {Delivery.SENT: rows}
        known = {row.filing_id: row.listing_id for row in listings.all_open(connection)}
    assert known == {
        filing_id: exchange.standing(filing_id).listing_id for filing_id in exchange.filings
    }


def wait_for_all(house: House, node: Running, rows: int = ROWS) -> None:
    for _ in range(3000):
        with opened_to_read(f"sqlite:///{house.folder}/provider.db") as connection:
            if outbox.counts(connection) == {Delivery.SENT: rows}:
                return
        assert node.process.poll() is None, node.output.read_text()
        time.sleep(0.02)
    raise AssertionError(node.output.read_text())


@pytest.mark.slow
def test_a_node_killed_while_it_delivers_files_every_debt_exactly_once(house: House) -> None:
    killer = Killer(house)
    house.furnishing.slow_seconds = 0.05  # so that a kill finds a call out, and more to come
    filing: subprocess.Popen[bytes] | None = None
    for calls, after in ((3, False), (3, True), (4, False), (3, True)):
        with running(house) as node:
            killer.arm(calls, node.process.kill, after=after)
            filing = filing or file_in_its_own_process(house, debts_file(house), "0")
            assert killer.killed.wait(60), node.output.read_text()
            node.process.wait()
    assert filing is not None
    with running(house) as node:
        wait_for_all(house, node)
        assert filing.wait(60) == 0
        assert node.stop() == 0
    require_all_filed_once(house)
    assert len(house.furnishing.calls) > ROWS / 128  # some batches came twice, and were known


@pytest.mark.slow
def test_a_command_killed_while_it_files_and_run_again_files_every_debt_exactly_once(
    house: House,
) -> None:
    killer = Killer(house)
    path = debts_file(house)
    for calls, after in ((1, True), (3, False)):
        command = file_in_its_own_process(house, path, "30")
        killer.arm(calls, lambda c=command: os.kill(c.pid, signal.SIGKILL), after=after)  # type: ignore[misc]
        assert killer.killed.wait(60)
        command.wait()
    result = house.run("listings", "file", "--csv", path, *ATTEST, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["read"], told["rejected"], told["refused"]) == (ROWS, {}, {})
    require_all_filed_once(house)


@pytest.mark.slow
def test_what_a_killed_command_had_taken_in_is_sent_by_the_node(house: House) -> None:
    house.unplug()
    path = debts_file(house, 50)
    command = file_in_its_own_process(house, path, "30")
    for _ in range(1000):
        with opened_to_read(f"sqlite:///{house.folder}/provider.db") as connection:
            if outbox.counts(connection) == {Delivery.QUEUED: 50}:
                break
        time.sleep(0.02)
    command.kill()
    command.wait()
    house.plug_in()
    with running(house) as node:
        wait_for_all(house, node, 50)
    require_all_filed_once(house, 50)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["orders laid", "orders taken in", "outcome written"])
def test_orders_survive_a_death_at_any_step_of_taking_them_in(house: House, moment: str) -> None:
    """A process of its own hands orders in and dies at a step; the node does the rest, once."""
    step = {
        "orders laid": "provider.listings.counter.take_in",
        "orders taken in": "provider.listings.spool.Spool.settle",
        "outcome written": "provider.listings.spool.Spool._sweep",
    }[moment]
    script = (
        "import os, sys\n"
        "from unittest.mock import patch\n"
        "from provider.main import app\n"
        f"with patch({step!r}, lambda *_, **__: os._exit(9)):\n"
        "    app(sys.argv[1:])\n"
    )
    arguments = ["listings", "file", "--csv", str(debts_file(house, 300)), *ATTEST, "--wait", "0"]
    died = subprocess.run(
        [sys.executable, "-c", script, *arguments, "--config", str(house.config)], check=False
    )
    assert died.returncode == 9
    assert house.furnishing.filings == {}
    with running(house) as node:
        wait_for_all(house, node, 300)
    require_all_filed_once(house, 300)
