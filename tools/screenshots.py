"""Take the pictures of both pages that the documents show, from a federation with something to show.

    .venv/bin/python tools/screenshots.py      write docs/img/*.png

Every page of both menus is taken twice: wide and light, narrow and dark. They are as the pages were, so that they
tell of real throw-away keys and of times that are over; the sandbox's past is made up (`tools/sandbox_past.py`).
Take them again where the pages have changed; what no page is called any more is deleted. The machine needs a font
with Chinese letters.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

from clients.console.desk.challenge import parse_challenge, sign_challenge
from clients.console.desk.site import _MENU as DESK_MENU
from clients.console.wallet.app import MENU as WALLET_MENU
from clients.sandbox import Sandbox
from clients.sandbox.cast import OTHER_LENDER, REGULATOR
from clients.sandbox.console import PROVIDERS, WITNESSES, fill, pages
from clients.sdk.wallet_file import WalletFolder
from concordat.clock import Clock
from tools.chromium import MISSING, chromium, find_chromium
from tools.sandbox_past import write_past

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "img"
MOST_BYTES = 150_000
_COLOURS = 128
MOST_BYTES_IN_ALL = 4_000_000
_ON_A_BUTTON = ("/log", "/notices", "/erasure")
WALLET_FIRST, DESK_FIRST = "score", "look-ups"  # what the first page of each is called


@dataclass(frozen=True, slots=True)
class Look:
    """How a page is taken: how wide and high, in CSS pixels, at most, and in which colours."""

    name: str
    width: int
    height: int
    scheme: str


LOOKS = (Look("wide", 1140, 1400, "light"), Look("narrow", 360, 1400, "dark"))


def take(page: Page, look: Look, path: Path) -> None:
    """Write what a page shows, in few colours; raise ``ValueError`` where the file gets too large."""
    page.emulate_media(color_scheme="dark" if look.scheme == "dark" else "light")
    page.set_viewport_size({"width": look.width, "height": 600})
    high = min(int(page.evaluate("document.documentElement.scrollHeight")), look.height)
    page.set_viewport_size({"width": look.width, "height": high})
    shown = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    plain = shown.quantize(_COLOURS, dither=Image.Dither.NONE)
    plain.save(path, optimize=True)
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, more than {MOST_BYTES}")


def names(site: str) -> dict[str, str]:
    """Return what the pictures of a site are called, by the address of the page in its menu."""
    first, menu = {"wallet": (WALLET_FIRST, WALLET_MENU), "desk": (DESK_FIRST, DESK_MENU)}[site]
    return {path: path.strip("/") or first for path, _ in menu}


def wallet_pages(page: Page, link: str) -> Iterator[str]:
    """Open the wallet, look at what is to be fetched, give a consent; yield each page's name as it is shown."""
    home = _open(page, link)
    for path in ("/", "/inbox", "/outcomes", "/report"):
        _press(page, home + path)
    _press(page, home + "/consents/new")
    page.locator("main form button").first.click()
    page.wait_for_load_state()
    for path, name in names("wallet").items():
        _show(page, home + path)
        yield name
    page.goto(f"{home}/?lang=zh")
    yield f"{WALLET_FIRST}-chinese"


def desk_pages(page: Page, link: str, sandbox: Sandbox, subject: bytes) -> Iterator[str]:
    """Open the desk, sign in with its own key, propose something; yield each page's name as it is shown."""
    home = _open(page, link)
    page.goto(home + "/sign-in")
    yield "sign-in"
    challenge = parse_challenge(page.locator("pre.said").first.inner_text())
    key = sandbox.pki.signer(REGULATOR)
    page.get_by_role("textbox").fill(sign_challenge(challenge, key, Clock().now()))
    page.locator("main form button").first.click()
    _propose(page, home, subject)
    _press(page, home + "/log")
    for path, name in names("desk").items():
        if name == "sign-in":
            continue
        _show(page, home + path)
        yield name
    page.goto(f"{home}/traffic?lang=zh")
    yield "traffic-chinese"


def _propose(page: Page, home: str, subject: bytes) -> None:
    """Propose a case about somebody, and that a lender be suspended."""
    page.goto(home + "/cases")
    page.locator("[name=subject]").fill(subject.hex())
    page.locator("[name=article]").fill("Banking Act Art. 12(3)")
    page.locator("[name=reference]").fill("FR/2026-0117")
    page.locator("[name=scope]").first.check()
    page.locator("main form button").last.click()
    page.goto(home + "/licences")
    page.locator("[name=member]").select_option(OTHER_LENDER)
    page.locator("[name=act]").select_option("suspend")
    page.locator("[name=basis]").fill("Order 631 art. 41")
    page.locator("main form button").last.click()
    page.wait_for_load_state()


def _open(page: Page, link: str) -> str:
    page.goto(link)
    page.wait_for_url(lambda url: "/open/" not in url)
    return page.url.rstrip("/").removesuffix("/sign-in")


def _show(page: Page, address: str) -> None:
    """Load a page; of one that shows what it is about on a button, press that."""
    if address.endswith(_ON_A_BUTTON):
        _press(page, address)
    else:
        page.goto(address)


def _press(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("main form button").first.click()
    page.wait_for_load_state()


def take_all(browser: Browser, sandbox: Sandbox, into: Path) -> None:
    """Take both sites, each page in every look; delete pictures of what is no page any more."""
    folder = fill(sandbox)
    subject = WalletFolder.open(folder, None).key().subject_ref
    desk, wallet = pages(sandbox, folder)
    context: dict[str, Any] = {
        "locale": "en-GB",
        "timezone_id": "UTC",
        "reduced_motion": "reduce",
    }
    with desk, wallet:
        # A browser each, since cookies know no ports: the desk would take the wallet's language over.
        windows = [browser.new_context(**context).new_page() for _ in range(2)]
        sites = {
            "wallet": (windows[0], wallet_pages(windows[0], wallet.link)),
            "desk": (windows[1], desk_pages(windows[1], desk.link, sandbox, subject)),
        }
        for site, (window, shown) in sites.items():
            taken = set()
            for name in shown:
                for look in LOOKS:
                    path = into / f"{site}-{name}-{look.name}.png"
                    take(window, look, path)
                    taken.add(path)
            for path in {*into.glob(f"{site}-*.png")} - taken:
                path.unlink()


def main() -> int:
    """Take them; exit 1 where there is no Chromium."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--into", type=Path, default=FOLDER, help="Another folder than docs/img.")
    into = parser.parse_args().into
    if find_chromium() is None:
        print(MISSING, file=sys.stderr)
        return 1
    into.mkdir(exist_ok=True)
    with (
        Sandbox(
            providers=PROVIDERS, witnesses=WITNESSES, scores=True, prepared=write_past
        ) as sandbox,
        chromium() as browser,
    ):
        take_all(browser, sandbox, into)
    return 0


if __name__ == "__main__":
    sys.exit(main())
