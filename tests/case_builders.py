"""Case look-ups in one process: a regulator with three approvers, an exchange, and witnesses as custodians.

house = CaseHouse()                         # three custodians, nobody looked up yet
case = house.case(house.ada)                # approved by two; keywords bend it
answer = house.look_up(case)                # verified as a regulator does
house.later(days=31)                        # all clocks, the custodians' too
house.deliver()                             # the exchange's timer
house.collect(house.ada)                    # the subject, with the custodians alone
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from clients.sdk.cases_custody import Collected, collect_notices
from clients.sdk.wallet import WalletKey
from concordat import v1
from concordat.clock import Clock, to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.statements import digest_of, seal
from concordat.store.engine import open_engine
from concordat.store.group_commit import GroupCommit
from concordat.trust.note import COSIGNATURE_V1, VerifierKey
from concordat.v1 import CaseScope, LogEntryKind, Role
from concordat.verify.case import CaseAnswered, open_case, open_case_look_up, verify_case_answer
from concordat.verify.consent import open_binding, open_subject_request
from concordat.verify.history import HistoryEntry
from exchange.log import table as log_table
from exchange.subjects import inbox
from exchange.supervision.cases.custodians import Custodians
from exchange.supervision.cases.look_up import CaseDesk, CaseTerms
from exchange.supervision.cases.notices import NoticeOffice
from tests.builders import DAY, EXCHANGE, REGULATOR, Federation, Subject, signer
from tests.history_builders import HistoryHouse, Told, follow, own_request
from witness.app import build_app
from witness.cosigner import Cosigner
from witness.custody import Custody
from witness.schema import metadata

OFFICERS = ("officer-1", "officer-2", "officer-3")
SECONDS = 5.0
LOOK_UP, REFUSED = (
    LogEntryKind.LOG_ENTRY_KIND_CASE_LOOK_UP,
    LogEntryKind.LOG_ENTRY_KIND_CASE_REFUSAL,
)


class Custodian:
    """A witness without a port; ``away`` makes it unreachable."""

    def __init__(self, number: int) -> None:
        self.name = f"witness-{number}.example"
        self.host = f"witness-{number}"
        self.url = f"http://{self.host}"
        self.vkey = VerifierKey(self.name, COSIGNATURE_V1, signer(self.name).public_key)
        self.away = False

    def open(self, federation: Federation) -> None:
        """Begin to hold notices of a federation, on its clock."""
        engine = open_engine("sqlite://")
        metadata.create_all(engine)
        self.store = GroupCommit(engine)
        clock = Clock(source=lambda: federation.at)
        key = signer(self.name)
        self.custody = Custody(self.name, key, federation.anchors, self.store, clock)
        cosigner = Cosigner(self.name, key, [federation.anchors.log], self.store, clock)
        self.app = build_app(cosigner, max_body_bytes=131_072, custody=self.custody)

    @property
    def transport(self) -> httpx.AsyncBaseTransport:
        """What reaches it."""
        if self.away:
            return httpx.MockTransport(_nobody)
        return httpx.ASGITransport(app=self.app)


def _nobody(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody listens", request=request)


@dataclass
class CaseOffice:
    """The regulator of a federation, as it makes its statements."""

    federation: Federation

    def case(
        self, person: Subject, approvers: tuple[str, ...] = OFFICERS[:2], **fields: Any
    ) -> v1.Envelope:
        """Return a case about a person: told after 30 days, ended after 90."""
        at = self.federation.at
        given: dict[str, Any] = {
            "case_id": new_id(),
            "federation": self.federation.name,
            "regulator": REGULATOR,
            "subject_ref": person.ref,
            "legal_article": "Banking Act Art. 12(3)",
            "case_reference": f"FR/{new_id().hex()[-8:].upper()}",
            "scopes": [*CaseScope.values()[1:]],
            "issued_at": to_timestamp(at),
            "ends_at": to_timestamp(at + 90 * DAY),
            "notice_at": to_timestamp(at + 30 * DAY),
        }
        return seal(v1.CaseRequest(**(given | fields)), *(signer(name) for name in approvers))

    def request(
        self, case: v1.Envelope, *, signed_by: str = REGULATOR, **fields: Any
    ) -> v1.LookUpCaseRequest:
        """Return the regulator's signed look-up of the accesses; ``fields`` bend it."""
        at = self.federation.at
        given: dict[str, Any] = {
            "look_up_id": new_id(),
            "federation": self.federation.name,
            "regulator": REGULATOR,
            "case_digest": digest_of(case),
            "scope": CaseScope.CASE_SCOPE_ACCESSES,
            "issued_at": to_timestamp(at),
            "expires_at": to_timestamp(at + timedelta(minutes=2)),
        }
        request = v1.CaseLookUpRequest(**(given | fields))
        return v1.LookUpCaseRequest(case=case, request=seal(request, signer(signed_by)))


class CaseHouse(HistoryHouse):
    """An exchange that answers case look-ups; ``custodians`` witnesses hold its notices."""

    def __init__(self, custodians: int = 3, per_month: int = 200) -> None:
        self.custodians = [Custodian(number) for number in range(1, custodians + 1)]
        federation = Federation(
            endpoints={
                "witnesses": [str(each.vkey) for each in self.custodians],
                "witness_urls": [each.url for each in self.custodians],
            }
        )
        self.started = federation.at
        federation.enrol(
            REGULATOR, Role.ROLE_REGULATOR, version=2, approvers=approver_keys(federation)
        )
        super().__init__(federation)
        self.regulator = CaseOffice(federation)
        for each in self.custodians:
            each.open(federation)
        desk, key = self.desk, signer(EXCHANGE)
        anchors = federation.anchors
        self.cases = CaseDesk(
            federation.directory,
            desk.store,
            desk.book,
            Custodians(
                anchors,
                [(each.vkey, each.url) for each in self.custodians],
                client=self.client,
            ),
            desk.listings.profiles,
            key,
            desk.clock,
            CaseTerms(per_month=per_month),
        )
        self.office = NoticeOffice(anchors, desk.store, desk.book, key, desk.clock)
        self._fetch = inbox.fetching(desk.listings.office)

    def client(self) -> httpx.AsyncClient:
        """Return a client that reaches the custodians that are there."""
        mounts = {f"http://{each.host}": each.transport for each in self.custodians}
        return httpx.AsyncClient(mounts=mounts)

    def post(self, url: str, body: bytes) -> bytes:
        """Post as a wallet does."""

        async def send() -> bytes:
            async with self.client() as client:
                answer = await client.post(url, content=body)
                answer.raise_for_status()
                return answer.content

        return asyncio.run(send())

    # The regulator's side -----------------------------------------------------------------------

    def case(
        self, person: Subject, approvers: tuple[str, ...] = OFFICERS[:2], **fields: Any
    ) -> v1.Envelope:
        """Return a case about a person."""
        return self.regulator.case(person, approvers, **fields)

    def request(
        self, case: v1.Envelope, *, signed_by: str = REGULATOR, **fields: Any
    ) -> v1.LookUpCaseRequest:
        """Return the regulator's signed look-up."""
        return self.regulator.request(case, signed_by=signed_by, **fields)

    def ask_case(self, request: v1.LookUpCaseRequest) -> v1.LookUpCaseResponse:
        """Ask as the regulator; raises ``Refusal``."""
        at, regulator = self.federation.at, self.federation.member(REGULATOR)
        return asyncio.run(self.cases.answer(request, regulator, at, SECONDS))

    def look_up(self, case: v1.Envelope, **fields: Any) -> CaseAnswered:
        """Look up and verify the answer in full."""
        request = self.request(case, **fields)
        return self.check(request, self.ask_case(request))

    def check(self, request: v1.LookUpCaseRequest, response: v1.LookUpCaseResponse) -> CaseAnswered:
        """Verify an answer as the regulator's client does."""
        fed, regulator = self.federation, self.federation.member(REGULATOR)
        opened = open_case(request.case, regulator, fed.anchors)
        look_up = open_case_look_up(request.request, opened, regulator, fed.anchors, fed.at)
        return verify_case_answer(response, look_up, fed.member(EXCHANGE), fed.anchors)

    def refused(self, request: v1.LookUpCaseRequest | v1.Envelope) -> v1.Reason.ValueType:
        """Return the reason for which a look-up is refused; raise if it is answered."""
        if isinstance(request, v1.Envelope):
            request = self.request(request)
        try:
            self.ask_case(request)
        except Refusal as refusal:
            return refusal.reason
        raise AssertionError("it was answered")

    # Time, the exchange's timer, and the log ------------------------------------------------------

    def later(self, **spans: float) -> None:
        """Let time pass for everybody."""
        self.federation.at += timedelta(**spans)

    def deliver(self) -> int:
        """Run the exchange's timer once; return how many notices it delivered."""
        self.settle()
        delivered = asyncio.run(self.office.deliver(self.federation.at))
        self.settle()
        return delivered

    def sealed(self) -> list[v1.LogRecord]:
        """Return the records of all sealed entries, in order."""
        self.settle()
        rows = self.desk.store.run(lambda connection: log_table.openings_from(connection, 0))
        found = []
        for row in rows:
            if v1.LogEntry.FromString(row.entry).kind in (LOOK_UP, REFUSED):
                assert row.record is not None
                assert row.subject_ref == b""  # in nobody's chain
                found.append(v1.LogRecord.FromString(row.record))
        return found

    # The subject's side ---------------------------------------------------------------------------

    def chain(self, person: Subject) -> list[HistoryEntry]:
        """Return every entry about a person, verified as a wallet does."""
        self.settle()
        return list(follow(self.federation, person, [self.ask(person)]).entries)

    def inbox(self, person: Subject) -> list[v1.InboxMessage]:
        """Read a person's inbox."""
        fed, query = self.federation, v1.SubjectQuery.SUBJECT_QUERY_INBOX
        binding = open_binding(person.binding, fed.anchors, fed.at)
        request = own_request(fed, person, query=query)
        asked = open_subject_request(request, query, binding, fed.anchors, fed.at)
        ask = inbox.Ask(asked, binding, person.binding, b"", fed.at)
        (page,) = self.desk.store.run(lambda connection: self._fetch(connection, [ask]))
        assert not isinstance(page, Refusal)
        return page[0]

    def collect(
        self, person: Subject, post: Callable[[str, bytes], bytes] | None = None
    ) -> Collected:
        """Collect from the custodians alone, as a wallet does."""
        key = WalletKey(person.signer, person.binding)
        return collect_notices(key, self.federation.anchors, self.federation.at, post or self.post)

    def close(self) -> None:
        """Stop every thread."""
        super().close()
        for each in self.custodians:
            each.store.close()


def approver_keys(federation: Federation) -> list[v1.SigningKey]:
    """Return the regulator's approvers as its licence names them."""
    start, end = to_timestamp(federation.at - 30 * DAY), to_timestamp(federation.at + 300 * DAY)
    return [
        v1.SigningKey(public_key=signer(name).public_key, not_before=start, not_after=end)
        for name in OFFICERS
    ]


__all__ = [
    "LOOK_UP",
    "OFFICERS",
    "REFUSED",
    "CaseHouse",
    "CaseOffice",
    "Custodian",
    "Told",
    "approver_keys",
]
