"""Who takes part in a sandbox: providers with real scores that file debts too, and who asks and judges them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clients.pki import LicenceSpec, Pki, scale_of
from clients.sandbox.layout import Ports
from concordat.v1 import Profile, Purpose, Role

SCORES = Path(__file__).parent / "scores"
PROFILES = Path(__file__).parent / "profiles"
LISTING_PROFILE = "sandbox"  # time limits of listings that a rehearsal can wait for
FEDERATION = "sandbox.concordat"
EXCHANGE, REGISTRAR, REGULATOR = "concordat-exchange", "civil-registrar", "financial-regulator"
LOG, WITNESS = (
    "log",
    "witness",
)  # no members: the log's HTTP port, and what witnesses' names begin with
LENDER, OTHER_LENDER = "harbour-credit", "northgate-lending"
REVIEWER, APPEALS, COURT = "credit-ombudsman", "appeals-board", "commercial-court"
UNLICENSED = "unlisted-scores"
APPROVERS = 3  # officers of the regulator; any two approve a case look-up

OTHERS = {
    EXCHANGE: "exchange",
    REGISTRAR: "registrar",
    REGULATOR: "regulator",
    LENDER: "lender, all purposes",
    OTHER_LENDER: "lender, credit applications",
    REVIEWER: "reviewer of disputes",
    APPEALS: "appeal body",
    COURT: "court",
}
"""Who is licensed beside the providers, and as what."""

_LEGAL_NAMES = {
    EXCHANGE: "Concordat Exchange",
    REGISTRAR: "Civil Registrar",
    REGULATOR: "Financial Regulator",
    LENDER: "Harbour Credit",
    OTHER_LENDER: "Northgate Lending",
    REVIEWER: "Credit Ombudsman",
    APPEALS: "Appeals Board",
    COURT: "Commercial Court",
}
_BUILT_IN = {
    name.removeprefix("PROFILE_").lower(): number
    for name, number in Profile.items()
    if number not in (Profile.PROFILE_UNSPECIFIED, Profile.PROFILE_OWN)
}
_PURPOSES = (
    Purpose.PURPOSE_CREDIT_APPLICATION,
    Purpose.PURPOSE_GUARANTOR_CHECK,
    Purpose.PURPOSE_ACCOUNT_REVIEW,
    Purpose.PURPOSE_DEPOSIT_WAIVER,
    Purpose.PURPOSE_FRAUD_FLAGS,
)


def witness_key_name(name: str) -> str:
    """Return the name in a witness's cosignatures: a URL without a scheme."""
    return f"{name}.{FEDERATION}"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider of ``scores/providers.json``."""

    entry: Mapping[str, Any]

    @property
    def member_id(self) -> str:
        """Its member id."""
        return str(self.entry["member_id"])

    @property
    def kind(self) -> str:
        """What it is, such as "bank"."""
        return str(self.entry["kind"])

    @property
    def legal_name(self) -> str:
        """Its name."""
        return str(self.entry["legal_name"])

    @property
    def scale(self) -> str:
        """Its scale, as a person reads it."""
        low, high = self.entry["score_min"], self.entry["score_max"]
        safer = self.entry["direction"] == "HIGHER_IS_SAFER"
        return f"{low} to {high}, higher is {'safer' if safer else 'riskier'}"

    @property
    def scores(self) -> Path:
        """Its real scores, by identity number (gzip CSV)."""
        return SCORES / f"{self.member_id}.csv.gz"

    def licence(self, ports: Ports, listing_profile: str) -> LicenceSpec:
        """Return the terms of its licence, with its own scale and reasons; it may file debts too."""
        profile, own_profile = profile_terms(listing_profile)
        return LicenceSpec(
            member_id=self.member_id,
            roles=[Role.ROLE_PROVIDER, Role.ROLE_FURNISHER],
            legal_name=self.legal_name,
            endpoint=ports.member_address,
            public_endpoint=ports.public_address,
            score_scale=scale_of(dict(self.entry)),
            profile=profile,
            own_profile=own_profile,
        )


def read_providers(
    count: int, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Provider]:
    """Return the first ``count`` providers, each entry with what ``overrides`` changes by member id."""
    entries = _document()["providers"]
    if not 1 <= count <= len(entries):
        raise ValueError(f"there are 1 to {len(entries)} providers, not {count}")
    changes = overrides or {}
    return [Provider({**e, **changes.get(e["member_id"], {})}) for e in entries[:count]]


def base_default_ppm() -> int:
    """Return how many of the borrowers that the scores are of defaulted, parts per million."""
    return int(_document()["population"]["default_ppm"])


def profile_terms(name: str) -> tuple[Profile.ValueType, str]:
    """Return how a licence names a profile: a built-in one ("us"), or the sandbox's own by its name."""
    if name in _BUILT_IN:
        return _BUILT_IN[name], ""
    return Profile.PROFILE_OWN, name


def licence_everyone(
    pki: Pki,
    providers: Iterable[Provider],
    ports: Mapping[str, Ports],
    listing_profile: str = LISTING_PROFILE,
) -> None:
    """Make every member's keys and licence; ``UNLICENSED`` gets keys and no licence.

    ``listing_profile`` has the time limits of what providers and the court file.
    """
    specs = [provider.licence(ports[provider.member_id], listing_profile) for provider in providers]
    specs += [
        _plain(EXCHANGE, Role.ROLE_EXCHANGE, ports[EXCHANGE]),
        _plain(REGISTRAR, Role.ROLE_REGISTRAR, ports[REGISTRAR]),
        _plain(REGULATOR, Role.ROLE_REGULATOR),
        _plain(LENDER, Role.ROLE_LENDER, purposes=_PURPOSES),
        _plain(OTHER_LENDER, Role.ROLE_LENDER, purposes=_PURPOSES[:1]),
        _plain(REVIEWER, Role.ROLE_REVIEWER),
        _plain(APPEALS, Role.ROLE_APPEAL),
        _plain(COURT, Role.ROLE_COURT, listing_profile=listing_profile),
    ]
    for spec in specs:
        if spec.member_id not in (EXCHANGE, REGISTRAR):  # their keys came with the trust bundle
            pki.add_member(spec.member_id)
        pki.issue_licence(_approving(pki, _sealing(pki, spec)))
    pki.add_member(UNLICENSED)


def _sealing(pki: Pki, spec: LicenceSpec) -> LicenceSpec:
    """Return the terms with a fresh key that evidence is sealed to, of who decides disputes."""
    if spec.member_id not in (REVIEWER, APPEALS):
        return spec
    return replace(spec, sealing_key=pki.add_sealing_key(spec.member_id))


def _approving(pki: Pki, spec: LicenceSpec) -> LicenceSpec:
    """Return the terms with fresh keys of the officers who approve case look-ups, of the regulator."""
    if spec.member_id != REGULATOR:
        return spec
    return replace(spec, approvers=pki.add_approvers(spec.member_id, APPROVERS))


def _plain(
    member_id: str,
    role: Role.ValueType,
    ports: Ports | None = None,
    *,
    purposes: Iterable[Purpose.ValueType] = (),
    listing_profile: str = "eu",
) -> LicenceSpec:
    profile, own_profile = profile_terms(listing_profile)
    return LicenceSpec(
        member_id=member_id,
        roles=[role],
        legal_name=_LEGAL_NAMES[member_id],
        endpoint=ports.member_address if ports else "",
        public_endpoint=ports.public_address if ports else "",
        purposes=tuple(purposes),
        profile=profile,
        own_profile=own_profile,
    )


def _document() -> Any:
    return json.loads((SCORES / "providers.json").read_text("utf-8"))
