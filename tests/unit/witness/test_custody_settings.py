"""A custodian is a witness of the federation whose notices it holds, or it does not start as one."""

import asyncio
from pathlib import Path

import httpx
import pytest

from concordat.federation.anchors import save_bundle
from concordat.settings import SettingsError, load_settings
from concordat.trust.keys import Ed25519Signer
from tests.builders import Federation
from tests.unit.witness.desk import Desk, Log
from tests.unit.witness.house import House
from witness.check import check
from witness.serve import custody_anchors, vkey_of
from witness.settings import WitnessSettings


@pytest.fixture
def settings(tmp_path: Path, log: Log) -> WitnessSettings:
    house = House(tmp_path, log, signing_key="signing.key", trust_bundle="bundle.json")
    Ed25519Signer.generate().save(tmp_path / "signing.key", None)
    return load_settings(WitnessSettings, house.config)


def test_a_witness_of_the_trust_bundle_holds_its_notices(
    settings: WitnessSettings, tmp_path: Path
) -> None:
    bundle = Federation().bundle
    bundle.witnesses.append(str(vkey_of(settings, settings.signer())))
    save_bundle(bundle, tmp_path / "bundle.json")
    anchors = custody_anchors(settings, settings.signer())
    assert anchors is not None
    found = {finding.what: finding for finding in check(settings)}
    assert (found["custody"].ok, found["custody"].detail) == (
        True,
        f"notices of {anchors.federation}",
    )


def test_one_that_the_bundle_does_not_name_is_no_custodian(
    settings: WitnessSettings, tmp_path: Path
) -> None:
    save_bundle(Federation().bundle, tmp_path / "bundle.json")
    with pytest.raises(SettingsError, match="no witness of"):
        custody_anchors(settings, settings.signer())
    (tmp_path / "bundle.json").unlink()
    with pytest.raises(SettingsError, match="cannot read"):
        custody_anchors(settings, settings.signer())


def test_a_witness_without_a_trust_bundle_holds_nothing(desk: Desk) -> None:
    answers = [
        asyncio.run(desk.send("POST", path, b"")) for path in ("/custody", "/custody/collect")
    ]
    assert [answer.status_code for answer in answers] == [httpx.codes.NOT_FOUND] * 2
