"""The folder: keys that stay secret, licences that only enough roots can make."""

from datetime import timedelta
from pathlib import Path

import pytest

from clients.pki import Endpoints, LicenceSpec, Pki, PkiError
from clients.pki.files import read_public_key
from concordat import v1
from concordat.federation.anchors import load_anchors
from concordat.federation.directory import MemberDirectory, open_licence, open_status
from concordat.refusal import Refusal
from concordat.trust.errors import KeyFileError
from concordat.trust.keys import Ed25519Signer
from concordat.trust.sealed import SealingKey
from concordat.v1 import Reason, Role, Standing
from tests.unit.clients.pki.conftest import AT, at

LENDER = LicenceSpec(
    member_id="bank",
    roles=[Role.ROLE_LENDER],
    purposes=[v1.Purpose.PURPOSE_CREDIT_APPLICATION],
)


def secrets(pki: Pki) -> list[Path]:
    return sorted(pki.folder.rglob("*.key"))


def test_only_the_owner_can_read_a_key(pki: Pki) -> None:
    pki.add_member("bank")
    assert len(secrets(pki)) == 3 + 2 + 3 * 2
    assert {path.stat().st_mode & 0o777 for path in secrets(pki)} == {0o600}


def test_an_encrypted_root_does_not_open_without_its_passphrase(tmp_path: Path) -> None:
    Pki.create(tmp_path / "pki", federation="test.concordat", passphrase=b"open sesame", clock=at)
    root = tmp_path / "pki" / "roots" / "root-1.key"
    assert b"ENCRYPTED" in root.read_bytes()
    for wrong in (None, b"open, barley"):
        with pytest.raises(KeyFileError):
            Ed25519Signer.load(root, wrong)
        with pytest.raises(PkiError, match="passphrase"):
            Pki.open(tmp_path / "pki", wrong, at).add_member("bank")
    Pki.open(tmp_path / "pki", b"open sesame", at).add_member("bank")


def test_no_key_is_ever_overwritten(pki: Pki) -> None:
    before = {path: path.read_bytes() for path in secrets(pki)}
    with pytest.raises(PkiError, match="has keys already"):
        pki.add_member("exchange")
    with pytest.raises(PkiError, match="not empty"):
        Pki.create(pki.folder, federation="other.concordat", clock=at)
    assert {path: path.read_bytes() for path in secrets(pki)} == before


@pytest.mark.parametrize("member_id", ["../roots", "Bank", "b", "", "a/b", "bank\n", "x" * 64])
def test_a_name_that_is_no_member_id_reaches_no_file(pki: Pki, member_id: str) -> None:
    with pytest.raises(PkiError, match="no member id"):
        pki.add_member(member_id)


def test_the_bundle_on_disk_is_the_one_in_use(tmp_path: Path) -> None:
    pki = Pki.create(
        tmp_path / "pki",
        federation="test.concordat",
        exchange_id="hub",
        registrar_id="names",
        endpoints=Endpoints(exchange="127.0.0.1:1", registrar_public="127.0.0.1:4"),
        clock=at,
    )
    bundle = load_anchors(pki.folder / "trust-bundle.json").bundle
    assert bundle == pki.anchors.bundle
    assert bundle.exchange_endpoint == "127.0.0.1:1"
    assert bundle.registrar_key == pki.signer("names").public_key
    assert read_public_key(pki.member("hub").public_key) == pki.signer("hub").public_key


@pytest.mark.parametrize(("roots", "threshold"), [(2, 3), (1, 0)])
def test_an_impossible_threshold_is_refused_before_anything_is_written(
    tmp_path: Path, roots: int, threshold: int
) -> None:
    with pytest.raises(PkiError, match="threshold"):
        Pki.create(tmp_path / "pki", federation="test.concordat", roots=roots, threshold=threshold)
    assert not (tmp_path / "pki").exists()


def test_a_licence_names_the_members_key_and_grows_in_version(pki: Pki) -> None:
    pki.add_member("bank")
    first = open_licence(pki.issue_licence(LENDER), pki.anchors, AT)
    second = open_licence(pki.issue_licence(LENDER), pki.anchors, AT)
    assert (first.licence.version, second.licence.version) == (1, 2)
    assert second.licence.keys[0].public_key == pki.signer("bank").public_key
    directory = MemberDirectory(pki.anchors)
    directory.add_licence(pki.licence("bank"), AT)
    directory.require("bank", AT, Role.ROLE_LENDER)


def test_a_licence_can_be_issued_that_has_expired(pki: Pki) -> None:
    pki.add_member("bank")
    spec = LicenceSpec(
        member_id="bank",
        roles=[Role.ROLE_REGULATOR],
        not_before=AT - timedelta(days=9),
        not_after=AT - timedelta(days=1),
    )
    directory = MemberDirectory(pki.anchors)
    directory.add_licence(pki.issue_licence(spec), AT)
    with pytest.raises(Refusal) as refused:
        directory.require("bank", AT)
    assert refused.value.reason == Reason.REASON_LICENCE_NOT_IN_FORCE


def test_a_reviewers_licence_names_the_key_that_evidence_is_sealed_to(pki: Pki) -> None:
    pki.add_member("ombudsman")
    spec = LicenceSpec(
        member_id="ombudsman",
        roles=[Role.ROLE_REVIEWER],
        profile=v1.Profile.PROFILE_OWN,
        own_profile="sandbox",
        sealing_key=pki.add_sealing_key("ombudsman"),
    )
    licence = open_licence(pki.issue_licence(spec), pki.anchors, AT).licence
    key = SealingKey.load(pki.member("ombudsman").sealing_key, None)
    assert licence.sealing_key == key.public_key
    assert licence.own_profile == "sandbox"
    with pytest.raises(PkiError, match="never overwritten"):
        pki.add_sealing_key("ombudsman")


def test_no_sealing_key_is_made_for_a_member_without_keys(pki: Pki) -> None:
    with pytest.raises(PkiError, match="concordat pki member nobody"):
        pki.add_sealing_key("nobody")


def test_terms_that_the_protos_forbid_write_nothing(pki: Pki) -> None:
    pki.add_member("bank")
    with pytest.raises(PkiError, match="purposes are set exactly for a ROLE_LENDER"):
        pki.issue_licence(LicenceSpec(member_id="bank", roles=[Role.ROLE_LENDER]))
    assert not pki.member("bank").licence.exists()


def test_a_member_without_keys_gets_no_licence(pki: Pki) -> None:
    with pytest.raises(PkiError, match="concordat pki member bank"):
        pki.issue_licence(LENDER)


def test_too_few_roots_at_hand_issue_nothing(pki: Pki) -> None:
    pki.add_member("bank")
    for number in (2, 3):
        (pki.folder / "roots" / f"root-{number}.key").unlink()
    with pytest.raises(PkiError, match="1 root keys are here and 2 must sign"):
        pki.issue_licence(LENDER)


def test_strange_root_keys_issue_nothing(pki: Pki) -> None:
    pki.add_member("bank")
    stolen = pki.folder / "roots" / "root-1.key"
    stolen.unlink()
    Ed25519Signer.generate().save(stolen, None)
    with pytest.raises(PkiError, match="would not be accepted"):
        pki.issue_licence(LENDER)
    assert not pki.member("bank").licence.exists()


def test_a_licence_of_another_federation_is_refused_with_the_same_roots(pki: Pki) -> None:
    pki.add_member("bank")
    envelope = pki.issue_licence(LENDER)
    elsewhere = v1.TrustBundle()
    elsewhere.CopyFrom(pki.anchors.bundle)
    elsewhere.federation = "other.concordat"
    anchors = type(pki.anchors).of(elsewhere)
    with pytest.raises(Refusal) as refused:
        open_licence(envelope, anchors, AT)
    assert refused.value.reason == Reason.REASON_WRONG_FEDERATION


def test_a_statuss_sequence_grows(pki: Pki) -> None:
    for sequence, standing in enumerate(
        (Standing.STANDING_SUSPENDED, Standing.STANDING_ACTIVE, Standing.STANDING_REVOKED), 1
    ):
        envelope = pki.status("bank", standing, "Order 631 art. 41")
        status = open_status(envelope, pki.anchors, AT).message
        assert (status.sequence, status.standing) == (sequence, standing)
        assert pki.status_path("bank", sequence).read_bytes() == envelope.SerializeToString()
