"""The wallet's page over a federation in this process, opened as a person opens it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.console.wallet.app import wallet_app
from clients.sdk.client import WalletClient
from clients.sdk.wallet_file import WalletFolder
from concordat.clock import Clock
from concordat.federation.anchors import save_bundle
from tests.builders import PROVIDERS
from tests.fake_listings import ListingFederation
from tests.page_client import PageClient
from tests.view_builders import Failed


@dataclass
class Opened:
    """Ada's wallet, its page in a browser, and the exchange behind it."""

    fake: ListingFederation
    held: WalletFolder
    page: PageClient


@pytest.fixture
def ada(tmp_path: Path) -> Iterator[Opened]:
    with ListingFederation(datetime.now(UTC)) as fake:
        save_bundle(fake.federation.bundle, tmp_path / "bundle.json")
        held = WalletFolder.create(tmp_path / "wallet", tmp_path / "bundle.json", None)
        with WalletClient(held.anchors) as client:
            held.save_binding(client.bind(held.signer, "12345", "code"))
        fake.person = replace(fake.person, signer=held.signer)
        fake.own_answers = dict(zip(PROVIDERS, (640, 600, Failed()), strict=True))
        with PageClient(wallet_app(held, Clock())) as page:
            yield Opened(fake, held, page.enter())
