"""Take the pictures of both pages that the documents show, from a federation with something to show.

    .venv/bin/python tools/screenshots.py      write docs/img/*.png

Every page is taken twice: wide and light, narrow and dark. They are as the pages were, so that they tell of real
throw-away keys and of times that are over; take them again where the pages have changed. The machine
needs a font with Chinese letters.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

from clients.console.desk.challenge import parse_challenge, sign_challenge
from clients.sandbox import Sandbox
from clients.sandbox.cast import REGULATOR
from clients.sandbox.console import PROVIDERS, WITNESSES, fill, pages
from concordat.clock import Clock
from tools.chromium import MISSING, chromium, find_chromium
from tools.sandbox_past import write_past

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "img"
MOST_BYTES = 150_000
_COLOURS = 128
_WALLET = {"score": "/", "accesses": "/accesses", "consents": "/consents", "listings": "/listings"}
_DESK = {"look-ups": "/", "traffic": "/traffic", "members": "/members", "log": "/log"}


@dataclass(frozen=True, slots=True)
class Look:
    """How a page is taken: how wide and high, in CSS pixels, at most, and in which colours."""

    name: str
    width: int
    height: int
    scheme: str


LOOKS = (Look("wide", 1440, 1400, "light"), Look("narrow", 360, 1400, "dark"))


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


def wallet_pages(page: Page, link: str) -> Iterator[str]:
    """Open the wallet, look at the score, give a consent, and yield the name of each page as it is shown."""
    home = _open(page, link)
    _press(page, home + "/")
    _press(page, home + "/inbox")
    _press(page, home + "/consents/new")
    page.locator("main form button").first.click()
    for name, path in _WALLET.items():
        page.goto(home + path)
        yield name
    page.goto(f"{home}/?lang=zh")
    yield "score-chinese"


def desk_pages(page: Page, link: str, sandbox: Sandbox) -> Iterator[str]:
    """Open the desk, sign in with its own key, and yield the name of each page as it is shown."""
    home = _open(page, link)
    page.goto(home + "/sign-in")
    challenge = parse_challenge(page.locator("pre.said").first.inner_text())
    key = sandbox.pki.signer(REGULATOR)
    page.get_by_role("textbox").fill(sign_challenge(challenge, key, Clock().now()))
    page.locator("main form button").first.click()
    _press(page, home + "/log")
    for name, path in _DESK.items():
        page.goto(home + path)
        if name == "log":
            page.locator("main form button").first.click()
        yield name


def _open(page: Page, link: str) -> str:
    page.goto(link)
    page.wait_for_url(lambda url: "/open/" not in url)
    return page.url.rstrip("/").removesuffix("/sign-in")


def _press(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("main form button").first.click()
    page.wait_for_load_state()


def take_all(browser: Browser, sandbox: Sandbox) -> None:
    """Take both sites, each page in every look."""
    desk, wallet = pages(sandbox, fill(sandbox))
    context: dict[str, Any] = {"locale": "en-GB", "timezone_id": "UTC"}
    with desk, wallet:
        # A browser each, since cookies know no ports: the desk would take the wallet's language over.
        windows = [browser.new_context(**context).new_page() for _ in range(2)]
        sites = {
            "wallet": (windows[0], wallet_pages(windows[0], wallet.link)),
            "desk": (windows[1], desk_pages(windows[1], desk.link, sandbox)),
        }
        for site, (window, shown) in sites.items():
            for name in shown:
                for look in LOOKS:
                    take(window, look, FOLDER / f"{site}-{name}-{look.name}.png")


def main() -> int:
    """Take them; exit 1 where there is no Chromium."""
    if find_chromium() is None:
        print(MISSING, file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    with (
        Sandbox(
            providers=PROVIDERS, witnesses=WITNESSES, scores=True, prepared=write_past
        ) as sandbox,
        chromium() as browser,
    ):
        take_all(browser, sandbox)
    return 0


if __name__ == "__main__":
    sys.exit(main())
