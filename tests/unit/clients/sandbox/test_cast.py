"""The cast of a sandbox: who is licensed to do what, by whose time limits, with which keys."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.pki import Pki
from clients.sandbox import cast
from clients.sandbox.layout import Ports
from clients.sandbox.wallets import save_wallet
from clients.sdk import WalletFolder, WalletKey
from concordat import v1
from concordat.federation.directory import open_licence
from concordat.trust.keys import Ed25519Signer
from concordat.trust.sealed import SealingKey
from concordat.v1 import Profile, Role
from exchange.listings.profile import Profiles


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki.create(
        tmp_path / "pki",
        federation=cast.FEDERATION,
        exchange_id=cast.EXCHANGE,
        registrar_id=cast.REGISTRAR,
    )


def licensed(pki: Pki, listing_profile: str) -> dict[str, v1.Licence]:
    """License the cast with two providers; return the licences by member id."""
    providers = cast.read_providers(2)
    names = [cast.EXCHANGE, cast.REGISTRAR, *(provider.member_id for provider in providers)]
    ports = {name: Ports(10_000 + 2 * n, 10_001 + 2 * n) for n, name in enumerate(names)}
    cast.licence_everyone(pki, providers, ports, listing_profile)
    now = datetime.now(UTC)
    return {
        name: open_licence(pki.licence(name), pki.anchors, now).licence
        for name in (*names, *cast.OTHERS)
    }


def test_providers_file_debts_by_the_sandboxs_own_limits(pki: Pki) -> None:
    licences = licensed(pki, cast.LISTING_PROFILE)
    sources = [licence for licence in licences.values() if licence.own_profile]
    assert {licence.own_profile for licence in sources} == {"sandbox"}
    roles = {licence.member_id: set(licence.roles) for licence in sources}
    assert roles.pop(cast.COURT) == {Role.ROLE_COURT}
    assert list(roles.values()) == [{Role.ROLE_PROVIDER, Role.ROLE_FURNISHER}] * 2
    known = Profiles.load(cast.PROFILES)
    assert {known.name_of(licence) for licence in sources} == {"sandbox"}


def test_a_jurisdictions_limits_can_be_had_instead(pki: Pki) -> None:
    licences = licensed(pki, "us")
    (court,) = [licence for licence in licences.values() if Role.ROLE_COURT in licence.roles]
    assert (court.profile, court.own_profile) == (Profile.PROFILE_US, "")


@pytest.mark.parametrize("member_id", [cast.REVIEWER, cast.APPEALS])
def test_evidence_can_be_sealed_to_who_decides(pki: Pki, member_id: str) -> None:
    licence = licensed(pki, cast.LISTING_PROFILE)[member_id]
    key = SealingKey.load(pki.member(member_id).sealing_key, None)
    assert licence.sealing_key == key.public_key


def test_a_wallet_is_made_once(pki: Pki, tmp_path: Path) -> None:
    key = WalletKey(Ed25519Signer.generate(), v1.Envelope(payload=b"a binding"))
    bundle, folder = pki.folder / "trust-bundle.json", tmp_path / "wallets" / "one"
    assert save_wallet(key, bundle, folder) == folder
    (folder / "listings.json").write_text("what it remembers", "utf-8")
    save_wallet(key, bundle, folder)
    held = WalletFolder.open(folder, None)
    assert held.signer.public_key == key.signer.public_key
    assert held.key().binding == key.binding
    assert (folder / "listings.json").read_text("utf-8") == "what it remembers"
