"""Every page in a real browser: no script, nothing from elsewhere, no obstacle, and all of it by the keyboard."""

import re

import pytest
from playwright.sync_api import Browser, Route, expect

from clients.console.desk.site import _MENU as DESK_MENU
from clients.console.wallet.app import MENU as WALLET_MENU
from tests.browser.conftest import House, Open, answer_challenge
from tests.browser_builders import Served, Window

pytestmark = pytest.mark.timeout(180)
LANGUAGES = {"en-GB": "en", "zh-CN": "zh-Hans"}
languages = pytest.mark.parametrize("locale", LANGUAGES)


def looks_right(window: Window, locale: str, path: str) -> None:
    """Nothing may go wrong in a page, whatever its language."""
    assert window.page.locator("html").get_attribute("lang") == LANGUAGES[locale]
    assert window.faults == [], path
    assert window.page.locator("h1").count() == 1
    is_chinese = bool(re.search(r"[\u4e00-\u9fff]", window.title))
    assert is_chinese == (locale == "zh-CN"), window.title
    if locale == "en-GB":  # the same elements in another language; the long tests look there too
        assert window.obstacles() == []


@languages
def test_every_page_of_the_wallet(opened: Open, wallet: Served, locale: str) -> None:
    window = opened(wallet, locale=locale)
    looks_right(window, locale, "the first page, before a look")
    for path in ("/", "/inbox", "/notices", "/outcomes", "/report", "/erasure"):
        window.see(path)
        window.page.locator("main form button").first.click()
        looks_right(window, locale, path)
    seen = window.walk("/", lambda path: looks_right(window, locale, path))
    assert {path for path, _ in WALLET_MENU} <= seen
    assert {"/consents/new", "/report/print", "/listings/ID", "/accesses/ID"} <= seen
    window.see("/")
    window.page.locator("footer button").click()
    looks_right(window, locale, "closed")


def test_the_desk_draws_the_past_and_asks_who_serves(
    opened: Open, desk: Served, house: House
) -> None:
    window = opened(desk, locale="en-GB", viewport={"width": 360, "height": 900})
    answer_challenge(window, house.desk_key)
    drawn = {"/traffic": 2, "/latency": 2, "/revocations": 1, "/disputes": 1, "/fishing": 1}
    for path, charts in drawn.items():
        window.see(path)
        assert window.page.locator("figure svg").count() == charts, path
        assert window.page.get_by_text("No day tells a number.").count() == 0, path
        assert cut_off(window) == [], path
    window.see("/members")
    expect(window.page.locator("li.card svg")).to_have_count(len(house.sandbox.provider_ids))
    window.page.get_by_role("button", name="Ask them now").click()
    expect(window.page.get_by_role("status")).to_contain_text("serves; it answered within")
    assert window.page.get_by_role("cell", name="silent").count() == 0
    assert window.obstacles() == []


def cut_off(window: Window) -> list[str]:
    """Return the words of charts that do not fit into their drawing."""
    found: list[str] = window.page.eval_on_selector_all(
        "figure svg text",
        """all => all.filter(each => {
             const text = each.getBoundingClientRect(), plane = each.ownerSVGElement.getBoundingClientRect();
             return text.left < plane.left - 1 || text.right > plane.right + 1
                 || text.top < plane.top - 1 || text.bottom > plane.bottom + 1;
           }).map(each => each.textContent)""",
    )
    return found


@languages
def test_every_page_of_the_desk(opened: Open, desk: Served, house: House, locale: str) -> None:
    window = opened(desk, locale=locale)
    looks_right(window, locale, "/sign-in")
    answer_challenge(window, house.desk_key)
    seen = window.walk("/", lambda path: looks_right(window, locale, path))
    assert {path for path, _ in DESK_MENU} <= seen
    window.see("/log")
    window.page.locator("main form button").first.click()
    looks_right(window, locale, "verified")


def test_a_consent_is_given_and_revoked_by_the_keyboard_alone(opened: Open, wallet: Served) -> None:
    window = opened(wallet)
    page = window.page
    window.see("/consents")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    window.enter(page.get_by_role("link", name="Give a consent"))
    window.tab_to(page.get_by_label("Days that it can be used"))
    page.keyboard.type("3")
    window.enter(page.get_by_role("button", name="Read it before you sign"))
    assert window.title == "Read this before you sign"
    window.enter(page.get_by_role("button", name="I agree: sign it"))
    expect(page.get_by_role("status")).to_contain_text("Granted.")
    window.enter(page.locator("summary"))
    window.enter(page.get_by_role("button", name="Revoke"))
    expect(page.get_by_role("status")).to_contain_text("Revoked for ever")
    expect(page.locator("dl")).to_contain_text("revoked")


FORBIDDEN = {
    "<script>document.title = 'run'</script>": "script-src",
    "<p style='color: red'>red</p>": "style-src",
    "<img alt='' src='http://127.0.0.1:9/a.png'>": "asks elsewhere",
    "<a href='javascript:document.title = \"run\"'>go</a>": "script-src",
}


@pytest.mark.slow
def test_a_page_that_does_what_none_may_is_found(browser: Browser, wallet: Served) -> None:
    context = browser.new_context()
    window = Window.on(context, wallet)
    contents = list(FORBIDDEN)

    def answer(route: Route) -> None:
        real = route.fetch()
        route.fulfill(response=real, body=real.text().replace("</main>", contents[0] + "</main>"))

    window.page.route("**/switches", answer)
    while contents:
        window.faults.clear()
        window.see("/switches")
        for link in window.page.get_by_role("link", name="go", exact=True).all():
            link.click()
            window.page.wait_for_timeout(200)
        assert [each for each in window.faults if FORBIDDEN[contents[0]] in each], contents[0]
        assert window.page.title() != "run"
        contents.pop(0)
    context.close()
