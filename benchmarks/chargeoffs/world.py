"""The federation of the run: its members' keys, licences, settings files and databases, in one folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from benchmarks.chargeoffs.limits import OWN
from benchmarks.chargeoffs.source import HOUSES
from clients.pki import Endpoints, LicenceSpec, Pki
from clients.pki.files import TRUST_BUNDLE
from clients.sandbox.layout import Layout, Ports, free_ports, write_settings
from clients.sdk import MemberIdentity
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.directory import MemberDirectory
from concordat.store.engine import migrate, open_engine
from concordat.v1 import Profile, Purpose, Role
from exchange.members.keeper import keep_licence
from exchange.migrations import SCRIPTS as EXCHANGE_SCRIPTS
from exchange.vault.cipher import attach
from exchange.vault.fitting import adopt
from exchange.vault.keyring import Keyring, load, save
from provider.listings.debts import load_or_make_debt_key
from provider.migrations import SCRIPTS as PROVIDER_SCRIPTS
from registrar import MIGRATIONS as REGISTRAR_SCRIPTS
from registrar.derivation import make_key

FEDERATION = "chargeoffs.concordat"
EXCHANGE, REGISTRAR = "concordat-exchange", "civil-registrar"
LENDERS = ("harbour-credit", "northgate-lending", "quay-finance", "stonebridge-bank")
REVIEWERS, APPEALS = ("first-review", "second-review"), "appeals-board"
FURNISHERS = tuple(f"house-{number:02}" for number in range(1, HOUSES + 1))
PROFILES = {3: "eu-usd", 7: "uk-usd", 9: "in-usd", 11: "cn-usd"}
"""By the furnisher's number; the others have the profile us."""

_LOG = "log"
_LICENSED = datetime(1985, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)
_KEEP_DAYS = 36_500  # nothing is erased, so that all can be counted at the end
_PURPOSES = (Purpose.PURPOSE_CREDIT_APPLICATION,)


def profile_of(house: int) -> str:
    """Return the name of a furnisher's profile."""
    return PROFILES.get(house, "us")


@dataclass(frozen=True, slots=True)
class World:
    """The federation, ready to start."""

    layout: Layout
    pki: Pki

    @classmethod
    def create(cls, folder: Path, start: datetime) -> "World":
        """Make everything; licences are in force for decades, and known to the exchange from ``start``."""
        layout = Layout(folder.resolve())
        members = (EXCHANGE, REGISTRAR, *FURNISHERS)
        ports = dict(zip((*members, _LOG), free_ports(len(members) + 1), strict=True))
        pki = Pki.create(
            layout.pki,
            federation=FEDERATION,
            exchange_id=EXCHANGE,
            registrar_id=REGISTRAR,
            endpoints=Endpoints(
                exchange=ports[EXCHANGE].member_address,
                exchange_public=ports[EXCHANGE].public_address,
                registrar=ports[REGISTRAR].member_address,
                registrar_public=ports[REGISTRAR].public_address,
                log=f"http://{ports[_LOG].member_address}",
            ),
        )
        world = cls(layout, pki)
        licences = world._license(ports)
        for member in members:
            write_settings(layout.config(member), world._settings(member, ports))
        world._make_databases(licences, start)
        return world

    @property
    def anchors(self) -> Anchors:
        """The trust bundle."""
        return self.pki.anchors

    def identity(self, member_id: str) -> MemberIdentity:
        """Return a member's keys."""
        return MemberIdentity(member_id, self.pki.signer(member_id), self.pki.identity(member_id))

    def database(self, member_id: str) -> str:
        """Return the URL of a process's database."""
        return f"sqlite:///{self.layout.database(member_id)}"

    def _license(self, ports: dict[str, Ports]) -> list[v1.Envelope]:
        roles = {
            EXCHANGE: Role.ROLE_EXCHANGE,
            REGISTRAR: Role.ROLE_REGISTRAR,
            "financial-regulator": Role.ROLE_REGULATOR,
            APPEALS: Role.ROLE_APPEAL,
            **dict.fromkeys(FURNISHERS, Role.ROLE_FURNISHER),
            **dict.fromkeys(LENDERS, Role.ROLE_LENDER),
            **dict.fromkeys(REVIEWERS, Role.ROLE_REVIEWER),
        }
        licences = []
        for member, role in roles.items():
            if member not in (EXCHANGE, REGISTRAR):  # their keys came with the trust bundle
                self.pki.add_member(member)
            licences.append(self.pki.issue_licence(self._terms(member, role, ports.get(member))))
        return licences

    def _terms(self, member: str, role: Role.ValueType, ports: Ports | None) -> LicenceSpec:
        own = profile_of(FURNISHERS.index(member)) if member in FURNISHERS else "us"
        deciding = role in (Role.ROLE_REVIEWER, Role.ROLE_APPEAL)
        return LicenceSpec(
            member_id=member,
            roles=[role],
            legal_name=member.replace("-", " ").title(),
            endpoint=ports.member_address if ports else "",
            public_endpoint=ports.public_address if ports else "",
            purposes=_PURPOSES if role == Role.ROLE_LENDER else (),
            profile=Profile.PROFILE_US if own == "us" else Profile.PROFILE_OWN,
            own_profile="" if own == "us" else own,
            sealing_key=self.pki.add_sealing_key(member) if deciding else b"",
            not_before=_LICENSED[0],
            not_after=_LICENSED[1],
        )

    @property
    def keyring(self) -> Path:
        """The keyring of the exchange's database."""
        return self.layout.member(EXCHANGE) / "storage_keys.json"

    def _settings(self, member: str, ports: dict[str, Ports]) -> dict[str, object]:
        keys, own = self.pki.member(member), ports[member]
        settings: dict[str, object] = {
            "member_id": member,
            "trust_bundle": self.layout.pki / TRUST_BUNDLE,
            "signing_key": keys.signing_key,
            "tls_certificate": keys.tls_certificate,
            "tls_key": keys.tls_key,
            "member_listen": own.member_address,
            "public_listen": own.public_address,
            "database": f"sqlite:///{self.layout.database(member).name}",
            "log_level": "warning",
        }
        if member == REGISTRAR:
            settings["identity"] = {"derivation_key": Path("derivation.key"), "binding_days": 3650}
        if member == EXCHANGE:
            settings["listings"] = {"profiles": OWN}
            settings["log"] = {
                "signing_key": self.pki.folder / "log.key",
                "listen": ports[_LOG].member_address,
                "keep_days": _KEEP_DAYS,
            }
        return settings

    def _make_databases(self, licences: list[v1.Envelope], start: datetime) -> None:
        save(self.keyring, Keyring.generate())
        with self._opened(EXCHANGE) as engine:
            attach(engine, load(self.keyring))
            migrate(engine, EXCHANGE_SCRIPTS)
            directory = MemberDirectory(self.anchors)
            with engine.begin() as connection:
                adopt(connection)
                for envelope in licences:
                    directory.add_licence(envelope, start)
                    licence = v1.Licence.FromString(envelope.payload)
                    keep_licence(connection, licence, envelope, start)
        with self._opened(REGISTRAR) as engine:
            migrate(engine, REGISTRAR_SCRIPTS)
        make_key(self.layout.member(REGISTRAR) / "derivation.key")
        for member in FURNISHERS:
            with self._opened(member) as engine:
                migrate(engine, PROVIDER_SCRIPTS)
            load_or_make_debt_key(self.layout.member(member) / "debt.key", member, None)

    @contextmanager
    def _opened(self, member: str) -> Iterator[Engine]:
        engine = open_engine(self.database(member))
        try:
            yield engine
        finally:
            engine.dispose()
