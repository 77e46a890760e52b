"""`concordat wallet report-check`: whether a report's page says what was signed, and nothing else."""

from pathlib import Path
from typing import Annotated

import typer

from clients.catalogs import name_of
from clients.cli.console import JsonOption, TrustBundle, console, echo_json, failing
from clients.cli.moments import moment
from clients.wallet_report.page import check_page
from concordat.clock import Clock
from concordat.federation.anchors import load_anchors


def report_check(
    page: Annotated[Path, typer.Argument(metavar="FILE.html", help="The report's page.")],
    trust_bundle: TrustBundle,
    as_json: JsonOption = False,
) -> None:
    """Check a report's page offline: every signature, and that it says what was signed, to the letter.

    Anybody can: it takes the federation's trust bundle and no wallet. A page that was altered is refused, even
    in a single letter; so is one whose words are in another language than it is marked with.
    """
    with failing("the page does not hold", as_json=as_json):
        anchors = load_anchors(trust_bundle)
        checked = check_page(page.read_bytes(), anchors, at=Clock().now())
    verified, report = checked.report, checked.report.report
    if as_json:
        echo_json(
            ok=True,
            federation=report.federation,
            subject_ref=report.subject_ref,
            as_of=moment(report.as_of),
            signed_by=verified.exchange.member_id,
            pages=len(verified.bundle.pages),
            score=verified.own_view is not None,
            language=checked.language,
        )
        return
    console().print(
        f"The page is in {name_of(checked.language)} and says what {verified.exchange.member_id} signed as of "
        f"{moment(report.as_of)}, to the letter.",
        style="green",
    )
