"""`concordat wallet notices`: what is told, what was withheld with evidence, and an exchange that is away."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner

from clients.cli import wallet_notices
from clients.cli.main import app
from clients.sdk.accesses import AccessList
from clients.sdk.cases_custody import Collected, collect_notices
from clients.sdk.wallet import WalletKey
from clients.sdk.wallet_file import WalletFolder
from concordat import v1
from concordat.federation.anchors import save_bundle
from concordat.rpc.errors import RemoteError
from concordat.trust.checkpoint import open_checkpoint
from concordat.v1 import Reason
from concordat.verify.history import Kept
from tests.builders import REGULATOR
from tests.case_builders import CaseHouse


class Exchange:
    """The exchange as ada's wallet calls it."""

    def __init__(self, house: CaseHouse) -> None:
        self.house, self.away = house, False
        self.book = SimpleNamespace(directory=house.federation.directory)

    def read_inbox(self, _store: object) -> list[v1.InboxMessage]:
        if self.away:
            nothing = Reason.REASON_UNSPECIFIED
            raise RemoteError(grpc.StatusCode.UNAVAILABLE, nothing, "nobody answers")
        return self.house.inbox(self.house.ada)

    def list_accesses(self, _key: WalletKey, _kept: Kept, _receipts: object) -> AccessList:
        told = self.house.ask(self.house.ada)
        checkpoint = open_checkpoint(told.answer.checkpoint, self.house.federation.anchors.log)
        entries = tuple(self.house.chain(self.house.ada))
        return AccessList(entries, checkpoint, told.answer.history, Kept(), 0)


@pytest.fixture
def house() -> Iterator[CaseHouse]:
    house = CaseHouse()
    house.look_up(house.case(house.ada))
    house.later(days=30, minutes=2)
    yield house
    house.close()


@pytest.fixture
def exchange(house: CaseHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exchange:
    save_bundle(house.federation.bundle, tmp_path / "bundle.json")
    made = WalletFolder.create(tmp_path / "wallet", tmp_path / "bundle.json", None)
    made.save_binding(house.federation.subject("ada", public_key=made.signer.public_key).binding)
    held = WalletFolder.open(tmp_path / "wallet", None)
    exchange = Exchange(house)

    @contextmanager
    def desk(*_: object) -> Iterator[Any]:
        store = SimpleNamespace(held=held)
        yield SimpleNamespace(client=exchange, store=store, now=house.federation.at)

    def collect(key: WalletKey, anchors: Any, at: Any) -> Collected:
        return collect_notices(key, anchors, at, house.post)

    monkeypatch.setattr(wallet_notices, "wallet_desk", desk)
    monkeypatch.setattr(wallet_notices, "collect_notices", collect)
    monkeypatch.setattr(held, "keep_history", lambda _kept: None, raising=False)
    return exchange


def run(*options: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, ["wallet", "notices", *options, "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_what_the_exchange_told_is_shown_and_nothing_was_withheld(exchange: Exchange) -> None:
    exchange.house.deliver()
    (notice,) = run()["notices"]
    assert (notice["regulator"], notice["from"]) == (REGULATOR, "the exchange")
    everything = run("--collect")
    assert (len(everything["notices"]), everything["withheld"]) == (1, 0)
    shown = CliRunner().invoke(app, ["wallet", "notices", "--collect"])
    assert "1 in all" in shown.output


def test_a_notice_that_is_withheld_is_found_out_and_proved(exchange: Exchange) -> None:
    assert run()["notices"] == []
    found = run("--collect", code=1)
    assert (found["reason"], found["withheld"]) == ("NOTICE_WITHHELD", 1)
    (notice,) = found["notices"]
    assert (notice["withheld"], notice["from"]) == (True, "3 custodians")
    assert "notice-1.env" in {path.name for path in Path(found["evidence"]).iterdir()}


def test_an_exchange_that_is_away_keeps_nobody_from_the_custodians(exchange: Exchange) -> None:
    exchange.away = True
    run(code=3)
    found = run("--collect", code=3)
    assert [each["regulator"] for each in found["notices"]] == [REGULATOR]
    assert found["withheld"] == 0  # an exchange that was not asked is accused of nothing
