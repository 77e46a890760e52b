"""An officer signs in with a certificate in a real browser: the desk's page asks, a button answers.

The file is opened, and the connection made, by Playwright itself, which stands between the browser and the desk.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from clients.pki.officer_certificates import issue_officer_certificate
from tests.browser_builders import Window
from tests.builders import signer
from tests.desk_builders import OFFICERS
from tests.desk_tls_builders import TlsHouse

pytestmark = pytest.mark.timeout(60)
PASSPHRASE = "a passphrase of some length"


def test_an_officer_signs_in_with_the_file_that_the_command_made(
    browser: Browser, tmp_path: Path
) -> None:
    with TlsHouse(tmp_path) as house:
        made = issue_officer_certificate(signer(OFFICERS[0]), house.office.desk, house.now(), 90)
        file = made.pkcs12(PASSPHRASE.encode())
        context = browser.new_context(
            client_certificates=[{"origin": house.home, "pfx": file, "passphrase": PASSPHRASE}],
            ignore_https_errors=True,
        )
        page = context.new_page()
        page.goto(house.site.issue_link(house.home))
        page.wait_for_url(lambda url: "/open/" not in url)
        assert Window(page, house.home).obstacles() == []
        page.get_by_role("button", name="Sign in with this certificate").click()
        page.wait_for_url(house.home + "/")
        assert "signed in as approver 1" in page.locator("main").inner_text()
        page.goto(house.home + "/sign-in")
        assert f"{made.certificate.serial_number:x}" in page.locator("main").inner_text()
        context.close()
        assert [each[:2] for each in house.acts()] == [("sign-in", "approver-1")]
