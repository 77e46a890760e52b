"""Pages served to a real browser from threads of this process, and windows that keep what a page should not do."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request

from clients.cli.wallet_page import listen
from clients.console.base import Console

AXE = (Path(__file__).parent / "vendor/axe-core/axe.min.js").read_text("utf-8")
# A violation of the policy is a console error already; this one says which rule, and what it stopped.
_TELLING = """
document.addEventListener("securitypolicyviolation",
  (event) => console.error(`policy: ${event.effectiveDirective} stopped ${event.blockedURI}`));
"""
# Links that lead to a file, or out of the language.
_FILES = ("/permission", "/receipt", "/file", "/json", "/challenge", ".env")
_ID = re.compile(r"/(?:[0-9a-f]{32,}|\d+)(?=/|$)")
_PRESSES = 90


class Served:
    """A site on a free port of loopback, until closed."""

    def __init__(self, site: Console) -> None:
        self.site = site
        listening = listen(0)
        self.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        settings = uvicorn.Config(
            site,
            log_level="error",
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._server.run, args=([listening],), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@contextmanager
def served(site: Console) -> Iterator[Served]:
    """Serve a site for as long as the block lasts."""
    running = Served(site)
    try:
        yield running
    finally:
        running.close()


@dataclass
class Window:
    """A browser's window on one site; ``faults`` is what no page of ours may do."""

    page: Page
    home: str
    faults: list[str] = field(default_factory=list)

    @classmethod
    def on(cls, context: BrowserContext, site: Served) -> "Window":
        """Open the site by a fresh link, as a person would."""
        context.add_init_script(_TELLING)
        window = cls(context.new_page(), site.address)
        window.page.on("console", window._said)
        window.page.on("pageerror", lambda error: window.faults.append(str(error)))
        window.page.on("request", window._asked)
        window.page.goto(site.site.issue_link(site.address))
        window.page.wait_for_url(f"{site.address}/**")
        window.page.wait_for_url(lambda url: "/open/" not in url)
        return window

    def see(self, path: str) -> int:
        """Load a page and return its status."""
        answer = self.page.goto(self.home + path)
        assert answer is not None
        return answer.status

    @property
    def title(self) -> str:
        return self.page.inner_text("h1")

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    def links(self) -> list[str]:
        """Return the addresses of this site that the page leads to, files apart."""
        found = self.page.eval_on_selector_all(
            "a[href^='/']", "all => all.map(a => a.getAttribute('href'))"
        )
        return [each for each in found if "?" not in each and not each.endswith(_FILES)]

    def walk(self, start: str, look: Callable[[str], None]) -> set[str]:
        """Load what links lead to from ``start``, one page of each kind, and ``look`` at it; return the kinds."""
        waiting, kinds = [start], {start}
        while waiting:
            path = waiting.pop(0)
            assert self.see(path) == 200, path
            look(path)
            for link in self.links():
                kind = _ID.sub("/ID", link)
                if kind not in kinds:
                    waiting.append(link)
                    kinds.add(kind)
        return kinds

    def tab_to(self, wanted: Locator, key: str = "Tab") -> None:
        """Press a key until something has the focus, as who has no mouse does."""
        for _ in range(_PRESSES):
            if wanted.evaluate("each => each === document.activeElement"):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"the keyboard does not reach {wanted}")

    def enter(self, wanted: Locator) -> None:
        """Reach something by the keyboard and press Enter there."""
        self.tab_to(wanted)
        self.page.keyboard.press("Enter")
        self.page.wait_for_load_state()

    def obstacles(self) -> list[str]:
        """Return what axe finds serious or critical in the page as it stands, with the elements."""
        self.page.evaluate(AXE)
        found: list[dict[str, Any]] = self.page.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then(told => told.violations)"
        )
        return [
            f"{self.path}: {each['id']} ({each['impact']}): {node['html']}"
            for each in found
            if each["impact"] in {"serious", "critical"}
            for node in each["nodes"]
        ]

    def forgive(self, status: int) -> None:
        """Forget what the browser says of an answer that was meant to be refused; fail where it said nothing."""
        said = [each for each in self.faults if f"status of {status}" in each]
        assert said, self.faults
        self.faults = [each for each in self.faults if each not in said]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.home + "/", "data:")):
            self.faults.append(f"asks elsewhere: {request.url}")
