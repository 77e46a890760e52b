"""Whole stories in the browser, what is refused there, and no obstacle in any language, light, dark, narrow."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Route, expect

from clients.sandbox import REVIEWER
from clients.sandbox.cast import LENDER
from clients.sandbox.furnishing import Debt
from clients.sdk.review_statements import make_ruling
from clients.sdk.wallet_file import WalletFolder
from concordat.clock import Clock
from concordat.v1 import RulingOutcome
from tests.browser.conftest import House, Open, answer_challenge
from tests.browser_builders import Served, Window, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
OTHER = "SBA-1516785008"
FORGETFUL = "SBA-1001534008"
REASONS = "The receipt names this debt, and its date lies before the filing."


@pytest.fixture
def listed(house: House) -> Iterator[Served]:
    """Return the page of somebody else about whom a debt has just been filed."""
    (person,) = house.sandbox.enrol([OTHER])
    debt = Debt(reference="CARD-4410", amount="1200.00", delinquent_since="2013-05-01")
    house.sandbox.furnisher(house.sandbox.provider_ids[0]).file(OTHER, debt)
    with served(house.wallet_page(house.sandbox.wallet_of(person).folder)) as site:
        yield site


def test_a_dispute_from_the_wallet_to_its_ruling(
    opened: Open, house: House, listed: Served
) -> None:
    window = opened(listed)
    page = window.page
    window.see("/listings")
    expect(page.locator("main")).to_contain_text("Read the notice in your inbox")
    window.see("/inbox")
    page.get_by_role("button", name="Fetch my messages").click()
    page.get_by_role("link", name="To the listing that it is about").click()
    page.get_by_label("Why").first.select_option(label="paid")
    page.get_by_label("Evidence").first.set_input_files(
        {"name": "receipt.txt", "mimeType": "text/plain", "buffer": b"Paid on 2 March 2012"}
    )
    page.get_by_role("button", name="Contest it, before it takes effect").click()
    expect(page.get_by_role("status")).to_contain_text("Taken in.")
    expect(page.locator("main")).to_contain_text("Wait: somebody independent decides it.")

    reviewer = house.sandbox.reviewer()
    about = bytes.fromhex(window.path.rpartition("/")[2])
    (waiting,) = [each for each in reviewer.list_reviews() if each.listing_id == about]
    upheld, federation = RulingOutcome.RULING_OUTCOME_UPHELD, house.sandbox.anchors.federation
    identity, now = house.sandbox.identity(REVIEWER), datetime.now(UTC)
    reviewer.submit_ruling(make_ruling(identity, federation, waiting, upheld, REASONS, now))

    page.reload()
    expect(page.locator("main")).to_contain_text("Nothing is left to do.")
    expect(page.get_by_role("table").first).to_contain_text("withdrawn")
    window.see("/inbox")
    page.get_by_role("button", name="Fetch again").click()
    expect(page.locator("main")).to_contain_text(REASONS)


def test_a_contact_is_set_and_everything_erased_by_the_keyboard_alone(
    opened: Open, house: House
) -> None:
    (person,) = house.sandbox.enrol([FORGETFUL])
    with served(house.wallet_page(house.sandbox.wallet_of(person).folder)) as site:
        window = opened(site, locale="zh-CN")
        page, button = window.page, window.page.locator("main form button")
        window.see("/contact")
        window.tab_to(page.locator("#email"))
        page.keyboard.type("ada@example.org")
        window.enter(button.first)
        expect(page.locator("main")).to_contain_text("ada@example.org")
        page.wait_for_timeout(1500)  # until the change stands in the log
        window.see("/erasure")
        window.enter(button.first)
        window.tab_to(page.locator("#word"))
        page.keyboard.type("x")
        window.enter(button.last)
        expect(page.get_by_role("alert")).to_be_visible()
        window.forgive(422)
        assert window.obstacles() == []
        window.tab_to(page.locator("#word"))
        page.keyboard.insert_text("删除")
        page.keyboard.press("Enter")
        page.wait_for_url("**/erasure/done")
        proof = page.locator("main a[href$='/receipt']")
        for _ in range(20):
            if proof.count():
                break
            page.wait_for_timeout(300)
            page.reload()
        expect(proof).to_be_visible()
        assert window.obstacles() == []
        window.see("/contact")
        expect(page.locator("main")).not_to_contain_text("ada@example.org")


def test_a_wrong_key_opens_no_desk_and_stands_in_the_journal(
    opened: Open, desk: Served, house: House
) -> None:
    window = opened(desk)
    answer_challenge(window, house.sandbox.pki.signer(LENDER))
    assert window.title == "That key does not open this desk"
    window.forgive(403)
    window.see("/journal")
    assert window.path == "/sign-in"
    answer_challenge(window, house.desk_key)
    assert window.path == "/"
    window.see("/journal")
    expect(window.page.get_by_role("table")).to_contain_text("That key does not open this desk")


def test_an_expired_session_shows_nothing_more(opened: Open, house: House) -> None:
    ahead = [timedelta()]
    clock = Clock(source=lambda: datetime.now(UTC) + ahead[0])
    with served(house.wallet_page(house.borrower, clock)) as site:
        window = opened(site)
        assert window.see("/consents") == 200
        ahead[0] = timedelta(minutes=15)
        window.page.get_by_role("link", name="Give a consent").click()
        window.forgive(401)
        expect(window.page.locator("nav.menu")).to_have_count(0)
        assert "harbour" not in window.page.content()
        assert window.see("/") == 401
        window.forgive(401)


def test_a_forged_token_changes_nothing(opened: Open, house: House, wallet: Served) -> None:
    window = opened(wallet)
    window.see("/switches")
    window.page.eval_on_selector_all(
        "input[name=csrf]", "all => all.forEach(each => { each.value = 'A'.repeat(43) })"
    )
    window.page.get_by_role("button", name="Freeze everything").click()
    expect(window.page.get_by_role("alert")).to_be_visible()
    window.forgive(403)
    assert is_not_frozen(window)


def test_another_page_of_this_machine_cannot_send_a_form(opened: Open, wallet: Served) -> None:
    """Cookies know no ports: the browser sends ours along, and the page refuses by where the form came from."""
    window = opened(wallet)
    forged = (
        f'<form method="post" action="{wallet.address}/switches">'
        '<input name="switch" value="freeze"><input name="placed" value="yes"><button>go</button></form>'
    )

    def answer(route: Route) -> None:
        route.fulfill(content_type="text/html", body=forged)

    window.page.route("http://127.0.0.1:9/", answer)
    window.page.goto("http://127.0.0.1:9/")
    window.page.get_by_role("button", name="go").click()
    window.page.wait_for_url(f"{wallet.address}/switches")
    expect(window.page.get_by_role("alert")).to_be_visible()
    window.forgive(403)
    window.faults = [each for each in window.faults if "http://127.0.0.1:9/" not in each]
    assert is_not_frozen(window)


def is_not_frozen(window: Window) -> bool:
    window.see("/switches")
    return window.page.get_by_role("button", name="Freeze everything").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("width", [360, 1440])
def test_no_page_has_an_obstacle_or_is_wider_than_the_window(
    opened: Open, house: House, wallet: Served, desk: Served, scheme: str, locale: str, width: int
) -> None:
    found: list[str] = []
    for site in (wallet, desk):
        viewport = {"width": width, "height": 900}
        window = opened(site, locale=locale, color_scheme=scheme, viewport=viewport)
        if site is desk:
            answer_challenge(window, house.desk_key)
        else:
            window.page.locator("main form button").first.click()
        window.walk("/", lambda path: found.extend(faults_of(window, path)))  # noqa: B023 - called within the turn
    assert found == []


def faults_of(window: Window, path: str) -> list[str]:
    window.page.eval_on_selector_all("details", "all => all.forEach(each => { each.open = true })")
    wide = window.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return window.obstacles() + ([f"{path} is {wide} px too wide"] if wide > 0 else [])


def test_what_the_wallet_signed_is_in_its_folder(
    house: House, opened: Open, wallet: Served
) -> None:
    window = opened(wallet)
    before = len(WalletFolder.open(house.borrower, None).consents())
    window.see("/consents/new")
    window.page.get_by_role("button", name="Read it before you sign").click()
    assert len(WalletFolder.open(house.borrower, None).consents()) == before
    window.page.get_by_role("button", name="I agree: sign it").click()
    expect(window.page.get_by_role("status")).to_be_visible()
    assert len(WalletFolder.open(house.borrower, None).consents()) == before + 1
    with window.page.expect_download() as download:
        window.page.get_by_role("link", name="Download what to hand to the lender").click()
    assert download.value.suggested_filename.endswith(".consent")
