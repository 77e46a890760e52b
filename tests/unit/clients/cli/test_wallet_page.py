"""`concordat wallet page`, as it is typed."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from clients.cli import wallet_page
from clients.console.base import Console
from tests.page_client import HOME, PageClient
from tests.unit.clients.cli.conftest import ListingDesk


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Console]:
    """What would be served until Ctrl-C."""
    served: list[Console] = []

    def serve(app: Console, listening: socket.socket) -> None:
        served.append(app)
        assert listening.getsockname()[0] == "127.0.0.1"
        listening.close()

    monkeypatch.setattr(wallet_page, "serve", serve)
    return served


def test_the_link_that_is_printed_opens_the_page_once(
    listed: ListingDesk, served: list[Console]
) -> None:
    wallet = listed.wallet()
    told = listed.json("wallet", "page", *wallet)
    assert told["link"].startswith(f"{told['address']}/open/")
    path = told["link"].removeprefix(told["address"])
    with PageClient(served[0]) as page:
        assert page.get(HOME + path).status_code == 200
        assert page.get("/").status_code == 200
        assert page.get(HOME + path).status_code == 401


def test_the_browser_is_opened_only_when_asked_for(
    listed: ListingDesk, served: list[Console], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    wallet = listed.wallet()
    assert listed.run("wallet", "page", *wallet).exit_code == 0
    assert not opened
    result = listed.run("wallet", "page", "--open", *wallet)
    assert opened[0] in result.stdout
    assert len(served) == 2


def test_a_wallet_that_cannot_be_used_and_a_port_that_is_taken_are_told(
    listed: ListingDesk, served: list[Console]
) -> None:
    nowhere = ("--wallet", listed.folder / "nowhere")
    assert listed.json("wallet", "page", *nowhere, code=2)["ok"] is False
    wallet = listed.wallet()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert listed.json("wallet", "page", "--port", port, *wallet, code=2)["ok"] is False
    assert not served


@pytest.mark.slow
def test_the_page_is_served_on_loopback_until_it_is_interrupted(listed: ListingDesk) -> None:
    wallet = listed.wallet()
    command = [str(Path(sys.executable).with_name("concordat")), "wallet", "page", "--json"]
    with subprocess.Popen([*command, *wallet], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
        with httpx.Client(base_url=told["address"]) as browser:
            opened = browser.get(told["link"])
            assert opened.status_code == 200
            assert "server" not in opened.headers
            assert browser.get("/").status_code == 200
            assert browser.get("/consents").status_code == 200
            foreign = browser.get("/", headers={"host": "evil.example"})
            assert foreign.status_code == 421
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
