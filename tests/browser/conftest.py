"""A federation with data, its two sites, and Debian's Chromium; for one module, as Playwright holds its thread."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from clients.auditor.source import open_source
from clients.cli.regulator_desk import open_desk
from clients.console.desk.challenge import parse_challenge, sign_challenge
from clients.console.wallet.app import wallet_app
from clients.sandbox import Sandbox
from clients.sandbox.cast import REGULATOR
from clients.sandbox.demo import BORROWERS
from clients.sandbox.furnishing import Debt
from clients.sdk.wallet_file import WalletFolder
from concordat.clock import Clock
from concordat.trust.keys import Ed25519Signer
from concordat.v1 import DisputeGround, DisputeStage
from tests.browser_builders import Served, Window, served
from tools.chromium import MISSING, chromium, find_chromium
from tools.sandbox_past import write_past

expect.set_options(timeout=15_000)  # ms: other tests run beside


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if find_chromium() is None:
        pytest.skip(MISSING)
    with chromium() as running:
        yield running


@dataclass(frozen=True)
class House:
    """A federation with a past, in which things have happened, and where the wallet and the desk's things lie."""

    sandbox: Sandbox
    borrower: Path
    desk: Path

    def wallet_page(self, folder: Path, clock: Clock | None = None) -> Any:
        return wallet_app(WalletFolder.open(folder, None), clock or Clock())

    def desk_page(self) -> Any:
        anchors, log = self.sandbox.anchors, str(self.sandbox.log_folder)
        identity = self.sandbox.identity(REGULATOR)
        return open_desk(anchors, identity, self.desk, lambda: open_source(log))

    @property
    def desk_key(self) -> Ed25519Signer:
        return self.sandbox.pki.signer(REGULATOR)


@pytest.fixture(scope="module")
def house(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Sandbox(providers=2, scores=True, prepared=write_past) as sandbox:
        yield House(sandbox, _borrower(sandbox), tmp_path_factory.mktemp("desk"))


def _borrower(sandbox: Sandbox) -> Path:
    """Have somebody consent, be looked at, be listed and contest it; return the wallet's folder."""
    number = next(iter(BORROWERS))
    (person,) = sandbox.enrol([number])
    sandbox.lender().request_view(person.consent(sandbox.provider_ids))
    wallet = sandbox.wallet_of(person)
    debt = Debt(reference="CARD-2291", amount="750.00", delinquent_since="2012-03-01")
    sandbox.furnisher(sandbox.provider_ids[1]).file(number, debt)
    wallet.inbox()
    (own,) = wallet.listings().listings
    stage, ground = DisputeStage.DISPUTE_STAGE_CONTEST, DisputeGround.DISPUTE_GROUND_PAID
    wallet.dispute(own.listing.listing_id, stage, ground, [b"Paid on 2 March 2012"])
    return wallet.folder


@pytest.fixture(scope="module")
def wallet(house: House) -> Iterator[Served]:
    with served(house.wallet_page(house.borrower)) as site:
        yield site


@pytest.fixture(scope="module")
def desk(house: House) -> Iterator[Served]:
    with served(house.desk_page()) as site:
        yield site


Open = Callable[..., Window]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Return what opens a site in a browser of its own; a page that did what none may fails the test."""
    contexts: list[BrowserContext] = []
    windows: list[Window] = []

    def open_site(site: Served, **options: Any) -> Window:
        contexts.append(browser.new_context(**({"locale": "en-GB"} | options)))
        contexts[-1].set_default_timeout(15_000)
        windows.append(Window.on(contexts[-1], site))
        return windows[-1]

    yield open_site
    faults = [fault for window in windows for fault in window.faults]
    for context in contexts:
        context.close()
    assert faults == []


def answer_challenge(window: Window, key: Ed25519Signer) -> None:
    """Sign the challenge that the desk shows, as the command does, and paste the answer."""
    window.see("/sign-in")
    challenge = parse_challenge(window.page.locator("pre.said").first.inner_text())
    answer = sign_challenge(challenge, key, Clock().now())
    window.page.get_by_role("textbox").fill(answer)
    window.page.locator("main form button").click()
