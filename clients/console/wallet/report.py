"""My whole report to print, signed; and of it what lenders decided. Asked for when I say so: it is logged."""

import base64
import hashlib
import re

from starlette.responses import Response

from clients.cli.wallet_report import whole_report
from clients.cli.wallet_report_copy import Copy, facts_of, machine_readable
from clients.console.base import Action, Page, Visit
from clients.console.base.catalogs import language_of
from clients.console.base.downloads import attachment
from clients.console.base.failures import no_such_page
from clients.console.wallet.desk import Desk, keep, kept
from clients.sdk import outcome_events_words as words
from clients.wallet_report.page import render_page
from concordat import v1
from concordat.clock import from_timestamp
from concordat.verify.subject_report import VerifiedReport

SECONDS = 10.0
_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)


class ReportPages:
    """Asks for the report, and shows it until the session ends."""

    def __init__(self, desk: Desk) -> None:
        """Ask with ``desk``'s key."""
        self._desk = desk

    def routes(self) -> list[Page | Action]:
        """Return its pages."""
        return [
            Page("/report", self.show),
            Action("/report", self.ask),
            Page("/report/print", self.to_print),
            Page("/report/file", self.file),
            Page("/report/json", self.for_programs),
            Page("/outcomes", self.outcomes),
            Action("/outcomes", self.ask_for_outcomes),
        ]

    def show(self, visit: Visit) -> Response:
        """Show what to do with the report that was asked for last."""
        return visit.page("report.html", copy=kept(visit, Copy))

    def ask(self, visit: Visit) -> Response:
        """Ask for all there is, the score too, and hold it against the log."""
        self._ask(visit)
        return visit.go("/report")

    def to_print(self, visit: Visit) -> Response:
        """Show the signed page in the visitor's language; nothing but its style is allowed, by its hash."""
        page = render_page(self._report(visit), language_of(visit.request))
        styles = " ".join(_hash_of(style) for style in _STYLE.findall(page))
        policy = f"default-src 'none'; style-src {styles}; frame-ancestors 'none'; base-uri 'none'"
        return Response(
            page,
            media_type="text/html; charset=utf-8",
            headers={"content-security-policy": policy},
        )

    def file(self, visit: Visit) -> Response:
        """Hand out the same page as a file, which anybody with the trust bundle can check."""
        page = render_page(self._report(visit), language_of(visit.request))
        return attachment(page, "credit-report.html", "text/html; charset=utf-8")

    def for_programs(self, visit: Visit) -> Response:
        """Hand out the machine-readable copy, the same in any language."""
        copy = kept(visit, Copy)
        if copy is None:
            raise no_such_page()
        return attachment(
            machine_readable(facts_of(copy)), "credit-report.json", "application/json"
        )

    def outcomes(self, visit: Visit) -> Response:
        """Show what lenders decided, by the report that was asked for last."""
        copy = kept(visit, Copy)
        report = copy.report if copy is not None else None
        rows = []
        if report is not None:
            at = from_timestamp(report.report.as_of)
            rows = [
                (each, words.standing(each, at), *_said(each)) for each in report.report.outcomes
            ]
        return visit.page("outcomes.html", report=report, rows=rows)

    def ask_for_outcomes(self, visit: Visit) -> Response:
        """Ask for the report, which tells of them."""
        self._ask(visit)
        return visit.go("/outcomes")

    def _ask(self, visit: Visit) -> None:
        with self._desk.open() as desk:
            keep(visit, whole_report(self._desk.held, desk.client, (), SECONDS, score=True))

    def _report(self, visit: Visit) -> VerifiedReport:
        copy = kept(visit, Copy)
        if copy is None or copy.report is None:
            raise no_such_page()
        return copy.report


def _said(outcome: v1.ReportedOutcome) -> tuple[str, str]:
    """Return why, and who reviewed it."""
    event = words.event_in(outcome)
    return ("", "") if event is None else (words.why(event), words.review(event))


def _hash_of(style: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(style).digest()).decode()}'"
