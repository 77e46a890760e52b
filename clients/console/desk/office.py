"""What the desk's pages stand on: who calls the exchange, what this desk keeps, and who has signed in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from starlette.responses import Response

from clients.auditor.source import LogSource
from clients.console.base import Visit
from clients.console.desk.certificates import (
    CertificateRefused,
    ShownCertificate,
    require_certificate,
)
from clients.console.desk.challenge import Challenges
from clients.console.desk.files import CaseFiles, OrderFile
from clients.console.desk.journal import Journal
from clients.console.desk.officers import Officer, officer_of
from clients.console.desk.reading import Reading
from clients.language import marked
from clients.sdk.identity import MemberIdentity
from clients.sdk.members import MemberBook
from clients.sdk.orders import SignedOrder
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member
from concordat.verify.case import CaseAnswered

OFFICER = "officer"
_MEMBERS_FOR = timedelta(seconds=30)
_KEY_GONE = marked("The licence does not name that key now")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a session keeps of who signed in, as one value: by which key, and bound to which certificate."""

    key_id: str
    certificate: str = ""  # its fingerprint; empty after a challenge


class Reader(Protocol):
    """What a regulator reads and looks up: ``RegulatorClient``."""

    book: MemberBook

    def members(self) -> list[tuple[Member, v1.Standing.ValueType]]:
        """Return every member with its standing, verified."""

    def read_statistics(self, *, day: str = "", month: str = "") -> v1.ReadStatisticsResponse:
        """Return the tables of a day or a month."""

    def read_oversight(self) -> v1.ReadOversightResponse:
        """Return disputes and orders by furnisher."""

    def read_drift(self, provider: str = "") -> v1.ReadDriftResponse:
        """Return drift of all providers."""

    def look_up(
        self, case: v1.Envelope, scope: v1.CaseScope.ValueType, after: bytes = b""
    ) -> CaseAnswered:
        """Return one page of one scope of a case."""

    def submit_order(self, order: SignedOrder) -> v1.OrderStanding:
        """Hand an order in."""

    def read_orders(self, order_ids: Sequence[bytes]) -> list[v1.OrderStanding]:
        """Return how own orders stand."""


class Registry(Protocol):
    """What a regulator submits of what roots signed: ``MemberClient``."""

    def submit_licence(self, licence: v1.Envelope) -> None:
        """Put a licence in force."""

    def submit_status(self, status: v1.Envelope) -> None:
        """Put a status in force."""


@dataclass(slots=True)
class Office:
    """One desk: whose it is, how it reaches the exchange and the log, and its folder."""

    anchors: Anchors
    identity: MemberIdentity
    reader: Reader
    registry: Registry
    open_log: Callable[[], LogSource]
    folder: Path
    now: Callable[[], datetime]
    issue_link: Callable[[str], str] = field(default=lambda address: address)  # set by the site
    on_licence: Callable[[Member], object] = field(default=lambda regulator: regulator)  # for TLS
    journal: Journal = field(init=False)
    challenges: Challenges = field(init=False)
    reading: Reading = field(init=False)
    cases: CaseFiles = field(init=False)
    orders: OrderFile = field(init=False)
    _members: list[tuple[Member, v1.Standing.ValueType]] = field(init=False, default_factory=list)
    _members_at: datetime | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Open what the desk keeps in its folder; raise ``ClientError`` where that was tampered with."""
        self.journal = Journal(self.folder / "journal.jsonl", self.now)
        self.challenges = Challenges(self.desk, self.now)
        self.reading = Reading(self.reader.read_statistics, self.now)
        self.cases = CaseFiles(self.folder / "cases")
        self.orders = OrderFile(self.folder / "orders.txt")

    @property
    def desk(self) -> str:
        """The desk's name in a challenge."""
        return f"{self.identity.member_id}@{self.anchors.federation}"

    def members(self) -> list[tuple[Member, v1.Standing.ValueType]]:
        """Return every member with its standing, no older than half a minute."""
        at = self.now()
        if self._members_at is None or at - self._members_at >= _MEMBERS_FOR:
            self._members, self._members_at = self.reader.members(), at
        return self._members

    def forget_members(self) -> None:
        """Have the members fetched anew: some have just changed."""
        self._members_at = None

    def regulator(self) -> Member:
        """Return the regulator as its licence has it; raise ``Refusal`` where it may not take part."""
        self.members()
        role = v1.Role.ROLE_REGULATOR
        directory = self.reader.book.directory
        regulator = directory.require(self.identity.member_id, self.now(), role)
        self.on_licence(regulator)
        return regulator

    def shown(self, visit: Visit) -> ShownCertificate | None:
        """Return the certificate that the browser shows, None for none; raise ``CertificateRefused``."""
        if visit.certificate is None:
            return None
        return require_certificate(visit.certificate, self.regulator(), self.desk, self.now())

    def officer(self, visit: Visit) -> Officer | None:
        """Return who has signed in here and may still; None for nobody.

        Whoever signed in with a certificate shows it with every request: ``CertificateRefused`` is raised where
        it is missing, is another, or counts no more; then nobody is signed in any more.
        """
        signed_in = visit.session.kept.get(OFFICER)
        if not isinstance(signed_in, SignedIn):
            return None
        if signed_in.certificate:
            return self._by_certificate(visit, signed_in)
        officer = officer_of(self.regulator(), signed_in.key_id, self.now())
        if officer is None:
            self.journal.note(None, "signed-out", signed_in.key_id, f"refused: {_KEY_GONE}")
            visit.session.change_hands()
        return officer

    def _by_certificate(self, visit: Visit, signed_in: SignedIn) -> Officer:
        try:
            shown = self.shown(visit)
            if shown is None or shown.fingerprint != signed_in.certificate:
                raise _not_shown()
        except CertificateRefused as refusal:
            outcome = f"refused: {refusal.title}"
            self.journal.note(None, "signed-out", signed_in.key_id, outcome)
            visit.session.change_hands()
            raise
        return shown.officer


def _not_shown() -> CertificateRefused:
    return CertificateRefused(
        marked("That request came without the certificate that you signed in with"),
        marked(
            "Nothing was done, and you are signed out: whoever has only this page's cookie is kept out so. Sign "
            "in again."
        ),
    )


DeskView = Callable[["Office", Visit, Officer], Response]


def for_officers(office: Office, view: DeskView) -> Callable[[Visit], Response]:
    """Return a view for whoever has signed in; others are sent to do so."""

    def seen(visit: Visit) -> Response:
        officer = office.officer(visit)
        if officer is None:
            return visit.go("/sign-in")
        return view(office, visit, officer)

    return seen
