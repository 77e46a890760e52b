"""Both pages over real processes: `make console`'s own parts, opened as a browser opens them."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from clients.sandbox import Sandbox
from clients.sandbox.cast import REGULATOR
from clients.sandbox.console import fill, pages
from tools.sandbox_past import write_past

pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]


@contextmanager
def browser(link: str) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """Open a page by its link; give a browser that is in, and the headers of its own forms."""
    home = link.partition("/open/")[0]
    with httpx.Client(base_url=home, timeout=30) as client:
        assert client.get(link).status_code == 200
        yield client, {"origin": home, "sec-fetch-site": "same-origin"}


def csrf(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([\w-]+)"', page.text)
    assert found is not None
    return found[1]


def test_both_pages_open_and_an_officer_signs_in(tmp_path: Path) -> None:
    box = Sandbox(
        providers=2, witnesses=2, scores=True, folder=tmp_path / "box", prepared=write_past
    )
    with box as sandbox:
        desk, wallet = pages(sandbox, fill(sandbox))
        with desk, wallet, browser(wallet.link) as (own, _):
            assert own.get("/accesses").status_code == 200
            with browser(desk.link) as (officer, headers):
                sign_in(officer, headers, sandbox.pki.member(REGULATOR).approver_key(1), tmp_path)
                for path in ("/", "/members", "/traffic", "/disputes", "/listings", "/fishing"):
                    page = officer.get(path)
                    assert page.status_code == 200
                    assert "Nothing is told." not in page.text, path
                assert "No day tells a number." not in officer.get("/traffic").text
                token = csrf(officer.get("/log"))
                verified = officer.post("/log/verify", data={"csrf": token}, headers=headers)
            assert "First look" in verified.text
            assert verified.text.count("cosigned it at") >= 1


def sign_in(officer: httpx.Client, headers: dict[str, str], key: Path, folder: Path) -> None:
    """Answer the page's challenge with the command, as it is typed."""
    token = csrf(officer.get("/sign-in"))
    (folder / "challenge").write_bytes(officer.get("/sign-in/challenge").content)
    typed = ("regulator", "sign-in", folder / "challenge", "--key", key, "--json")
    program = Path(sys.executable).parent / "concordat"
    done = subprocess.run(
        [str(program), *map(str, typed)], capture_output=True, text=True, check=True
    )
    form = {"csrf": token, "answer": json.loads(done.stdout)["answer"]}
    assert officer.post("/sign-in", data=form, headers=headers).status_code == 303
