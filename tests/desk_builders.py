"""The regulator's desk over a federation in memory: a reader that answers from what a test put there.

house = DeskHouse(tmp_path)
browser = house.browser()                      # has opened the link, nobody signed in
house.sign_in(browser, OFFICERS[0])            # by its key, as the page asks
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from clients.auditor.source import LogSource, open_source
from clients.console.desk.challenge import parse_challenge, sign_challenge
from clients.console.desk.office import Office
from clients.console.desk.site import build_desk
from clients.sdk.flow import Port
from clients.sdk.identity import MemberIdentity
from clients.sdk.members import MemberBook
from clients.sdk.orders import SignedOrder
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.directory import Member
from concordat.ids import new_id
from concordat.rpc.tls import TlsIdentity
from concordat.statements import cosign
from concordat.trust.keys import key_id
from concordat.v1 import Role
from concordat.verify.case import CaseAnswered
from tests.builders import REGULATOR, Federation, signer
from tests.case_builders import OFFICERS, approver_keys
from tests.listing_builders import FURNISHER
from tests.log_builders import DirLog, log_entries
from tests.page_client import PageClient

_CHALLENGE = re.compile(r"concordat-sign-in/1 [^<\n]*")


class FakeReader:
    """Answers a regulator from ``told`` (statistics by period) and notes what it was asked."""

    def __init__(self, federation: Federation) -> None:
        self.federation = federation
        self.book = MemberBook(federation.anchors, Port.MEMBER)
        self.book.directory = federation.directory
        self.told: dict[str, list[v1.Statistics]] = {}
        self.asked: list[str] = []
        self.orders: dict[bytes, v1.OrderStanding] = {}
        self.submitted: list[v1.Envelope] = []

    def members(self) -> list[tuple[Member, v1.Standing.ValueType]]:
        directory = self.federation.directory
        return [(each, directory.standing(each.member_id)) for each in directory.members()]

    def read_statistics(self, *, day: str = "", month: str = "") -> v1.ReadStatisticsResponse:
        self.asked.append(day or month)
        return v1.ReadStatisticsResponse(tables=self.told.get(day or month, []))

    def read_oversight(self) -> v1.ReadOversightResponse:
        none = v1.Shortfall(extent=v1.Extent.EXTENT_NONE)
        few = v1.Shortfall(extent=v1.Extent.EXTENT_FEW)
        one = v1.FurnisherOversight(
            furnisher=FURNISHER,
            open_over_10_days=40,
            open_overdue=few,
            ran_out=none,
            orders_overdue=none,
        )
        now = to_timestamp(self.federation.at)
        return v1.ReadOversightResponse(
            as_of=now, month_from=now, month_until=now, smallest_cell=10, furnishers=[one]
        )

    def read_drift(self, provider: str = "") -> v1.ReadDriftResponse:
        return v1.ReadDriftResponse(
            providers=[
                v1.ProviderDrift(provider=name, level=v1.DriftLevel.DRIFT_LEVEL_STALE)
                for name in self.federation.providers
            ]
        )

    def look_up(
        self, case: v1.Envelope, scope: v1.CaseScope.ValueType, after: bytes = b""
    ) -> CaseAnswered:
        said = v1.CaseRequest.FromString(case.payload)
        self.asked.append(said.case_id.hex())
        access = v1.CaseAccess(
            access_id=new_id(),
            lender="some-lender",
            purpose=v1.Purpose.PURPOSE_CREDIT_APPLICATION,
            recorded_at=to_timestamp(self.federation.at),
        )
        answer = v1.CaseAnswer(scope=scope, issued_at=to_timestamp(self.federation.at))
        page = v1.CasePage(subject_ref=said.subject_ref, accesses=[access])
        return CaseAnswered(answer, page, 4711)

    def submit_order(self, order: SignedOrder) -> v1.OrderStanding:
        said = v1.CorrectionOrder.FromString(order.order.payload)
        standing = v1.OrderStanding(
            order_id=said.order_id,
            furnisher=said.furnisher,
            stage=v1.OrderStage.ORDER_STAGE_GIVEN,
            due_at=said.due_at,
            order=order.order,
        )
        self.orders[said.order_id] = standing
        return standing

    def read_orders(self, order_ids: Sequence[bytes]) -> list[v1.OrderStanding]:
        return [self.orders[each] for each in order_ids if each in self.orders]

    def submit_licence(self, licence: v1.Envelope) -> None:
        self.submitted.append(licence)

    def submit_status(self, status: v1.Envelope) -> None:
        self.submitted.append(status)


class DeskHouse:
    """A desk, whoever signs in to it, and the log that it looks at."""

    def __init__(self, folder: Path) -> None:
        self.federation = federation = Federation()
        keys = approver_keys(federation)
        federation.enrol(REGULATOR, Role.ROLE_REGULATOR, version=2, approvers=keys)
        federation.enrol(FURNISHER, Role.ROLE_PROVIDER, Role.ROLE_FURNISHER, version=2)
        self.folder = folder
        self.reader = FakeReader(federation)
        self.log = DirLog(folder / "log", origin=federation.bundle.log_origin)
        self.log.signer = signer("log")
        self.log.append(log_entries(0, 300))
        identity = MemberIdentity(REGULATOR, signer(REGULATOR), TlsIdentity(b"", b""))
        self.office = Office(
            federation.anchors,
            identity,
            self.reader,
            self.reader,
            self.open_log,
            folder / "desk",
            self.now,
        )
        self.site = build_desk(self.office)

    def now(self) -> datetime:
        return self.federation.at

    def later(self, **span: float) -> None:
        self.federation.at += timedelta(**span)

    def open_log(self) -> LogSource:
        return open_source(str(self.log.folder))

    def browser(self) -> PageClient:
        return PageClient(self.site).enter()

    def officer(self, name: str) -> PageClient:
        """Return a browser in which an officer, or REGULATOR for the desk's own key, has signed in."""
        browser = self.browser()
        answer = self.sign_in(browser, name)
        assert answer.status_code == 303, answer.text
        browser.see("/sign-in")
        return browser

    def sign_in(self, browser: PageClient, name: str) -> httpx.Response:
        return browser.submit("/sign-in", answer=self.answer(browser, name))

    def answer(self, browser: PageClient, name: str) -> str:
        challenge = challenge_on(browser.see("/sign-in"))
        return sign_challenge(parse_challenge(challenge), signer(name), self.now())

    # Cases --------------------------------------------------------------------------------------

    def propose(self, browser: PageClient, **fields: Any) -> str:
        """Propose a case about somebody; return its id."""
        given = {
            "subject": self.federation.subject().ref.hex(),
            "article": "Banking Act Art. 12(3)",
            "reference": "FR/2026-0117",
            "scope": "2",
        }
        answer = browser.submit("/cases/propose", **(given | fields))
        assert answer.status_code == 303, answer.text
        return answer.headers["location"].rpartition("/")[2]

    def case(self, browser: PageClient, case_id: str) -> v1.Envelope:
        return v1.Envelope.FromString(browser.get(f"/cases/{case_id}/file").content)

    def approve(self, browser: PageClient, case_id: str, *signers: str) -> httpx.Response:
        """Sign a case offline with the keys of ``signers``, and upload it."""
        case = self.case(browser, case_id)
        for name in signers:
            sign(case, name)
        return self.upload(browser, case_id, case)

    def upload(self, browser: PageClient, case_id: str, case: v1.Envelope) -> httpx.Response:
        files = {"case": ("case.env", case.SerializeToString())}
        return browser.submit(f"/cases/{case_id}/approve", files=files)

    def acts(self) -> list[tuple[str, str, str]]:
        return [(each.act, each.role, each.outcome) for each in self.office.journal.read()]


def sign(case: v1.Envelope, name: str) -> None:
    """Add a signature, whoever's."""
    cosign(case, signer(name))


def challenge_on(page: httpx.Response) -> str:
    found = _CHALLENGE.search(page.text)
    assert found is not None, page.text
    return found[0].strip()


__all__ = ["OFFICERS", "DeskHouse", "FakeReader", "challenge_on", "key_id", "sign"]
