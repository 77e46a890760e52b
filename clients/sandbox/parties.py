"""The parties of a sandbox, each to be called or to act as: lenders, reviewers, furnishers, people."""

from pathlib import Path

from clients.pki import Pki, read_envelope
from clients.pki.files import TRUST_BUNDLE
from clients.sandbox import cast, people
from clients.sandbox.calibration import calibration_path
from clients.sandbox.furnishing import Furnisher
from clients.sandbox.layout import Layout
from clients.sandbox.processes import SandboxError
from clients.sandbox.wallets import Wallet, save_wallet
from clients.sdk import LenderClient, MemberClient, MemberIdentity, WalletClient
from clients.sdk.client import RegulatorClient, ReviewerClient
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.trust.keys import Ed25519Signer
from concordat.trust.sealed import SealingKey

WALLETS = "wallets"


class Parties:
    """Who takes part, over the keys and files in one folder."""

    def __init__(self, layout: Layout) -> None:
        """Find everything by ``layout``; the keys are there once they are made."""
        self.layout = layout
        self._pki: Pki | None = None
        self._clients: list[
            LenderClient | MemberClient | RegulatorClient | ReviewerClient | WalletClient
        ] = []

    @property
    def folder(self) -> Path:
        """Where everything lies."""
        return self.layout.folder

    @property
    def pki(self) -> Pki:
        """The federation's keys, all of them; raise ``SandboxError`` before they are made."""
        if self._pki is None:
            raise SandboxError("the sandbox has not been prepared")
        return self._pki

    @property
    def anchors(self) -> Anchors:
        """The trust bundle."""
        return self.pki.anchors

    @property
    def trust_bundle(self) -> Path:
        """The trust bundle's file."""
        return self.layout.pki / TRUST_BUNDLE

    @property
    def log_folder(self) -> Path:
        """The log's tiles and checkpoint, as files."""
        return self.layout.member(cast.EXCHANGE) / "log"

    def config(self, member_id: str) -> Path:
        """Return a process's settings file."""
        return self.layout.config(member_id)

    # Members -----------------------------------------------------------------------------------

    def identity(self, member_id: str) -> MemberIdentity:
        """Return a member's keys, to call as it."""
        return MemberIdentity(member_id, self.pki.signer(member_id), self.pki.identity(member_id))

    def lender(self, member_id: str = cast.LENDER) -> LenderClient:
        """Return a lender's client, closed with the sandbox."""
        client = LenderClient(self.anchors, self.identity(member_id))
        self._clients.append(client)
        return client

    def regulator(self) -> MemberClient:
        """Return the regulator's client, closed with the sandbox."""
        client = MemberClient(self.anchors, self.identity(cast.REGULATOR))
        self._clients.append(client)
        return client

    def supervisor(self) -> RegulatorClient:
        """Return the regulator's client for what it reads and looks up; closed with the sandbox."""
        client = RegulatorClient(self.anchors, self.identity(cast.REGULATOR))
        self._clients.append(client)
        return client

    def approvers(self) -> list[Ed25519Signer]:
        """Return the keys of the regulator's officers: any two of them approve a case look-up."""
        files = self.pki.member(cast.REGULATOR)
        return [
            Ed25519Signer.load(files.approver_key(number), None)
            for number in range(1, cast.APPROVERS + 1)
        ]

    def reviewer(self, member_id: str = cast.REVIEWER) -> ReviewerClient:
        """Return the client of who decides disputes, or (``cast.APPEALS``) appeals; closed with the sandbox."""
        client = ReviewerClient(self.anchors, self.identity(member_id))
        self._clients.append(client)
        return client

    def sealing_key(self, member_id: str = cast.REVIEWER) -> SealingKey:
        """Return the key that opens evidence sealed to who decides disputes or appeals."""
        return SealingKey.load(self.pki.member(member_id).sealing_key, None)

    def furnisher(self, member_id: str) -> Furnisher:
        """Return a provider's, or the court's, command line for its listings."""
        return Furnisher(member_id, self.config(member_id))

    @property
    def calibration(self) -> v1.Envelope:
        """The calibration that the exchange began with."""
        return read_envelope(calibration_path(self.pki))

    def suspend(self, member_id: str) -> None:
        """Suspend a member, as the regulator; in force everywhere within a second."""
        self._set_standing(member_id, v1.Standing.STANDING_SUSPENDED)

    def reinstate(self, member_id: str) -> None:
        """Undo a suspension, as the regulator."""
        self._set_standing(member_id, v1.Standing.STANDING_ACTIVE)

    def _set_standing(self, member_id: str, standing: v1.Standing.ValueType) -> None:
        status = self.pki.status(member_id, standing, "Sandbox order 1")
        with MemberClient(self.anchors, self.identity(cast.REGULATOR)) as regulator:
            regulator.submit_status(status)

    # People ------------------------------------------------------------------------------------

    def wallet(self) -> WalletClient:
        """Return a client for subjects, closed with the sandbox."""
        client = WalletClient(self.anchors)
        self._clients.append(client)
        return client

    def enrol(self, identity_numbers: list[str]) -> list[people.Person]:
        """Have people bind a fresh key each, with codes that the registrar issues."""
        return people.enrol(self.layout, self.wallet(), identity_numbers)

    def wallet_of(self, person: people.Person) -> Wallet:
        """Return a person's wallet, its folder one that ``concordat wallet --wallet`` takes too."""
        folder = self.folder / WALLETS / person.subject_ref.hex()[:16]
        save_wallet(person.key, self.trust_bundle, folder)
        return Wallet(folder, person.client)

    def close_clients(self) -> None:
        """Close every client that was handed out."""
        for client in self._clients:
            client.close()
        self._clients.clear()
