"""Debian's own Chromium, driven by Playwright: nothing is downloaded, and no page is loaded from elsewhere."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

VARIABLE = "CONCORDAT_CHROMIUM"
MISSING = f"no Chromium: install Debian's package chromium, or name one in {VARIABLE}"
# Nothing of the browser's own goes out, and text looks the same on every machine.
_OPTIONS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--font-render-hinting=none",
    "--no-first-run",
)


def find_chromium() -> str | None:
    """Return the program: the one that the environment names, else Debian's; None where there is none."""
    return shutil.which(os.environ.get(VARIABLE) or "chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it without a window, and close it; raise ``FileNotFoundError`` where there is none."""
    program = find_chromium()
    if program is None:
        raise FileNotFoundError(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_OPTIONS))
        try:
            yield browser
        finally:
            browser.close()
