"""k of n, collected by hand."""

from pathlib import Path

import pytest

from clients.pki import LicenceSpec, Pki, PkiError, add_signature, read_envelope
from clients.pki.signing import count_signatures
from concordat import v1
from concordat.federation.directory import open_licence, open_status
from concordat.refusal import Refusal
from concordat.statements import cosign, seal
from concordat.trust.keys import Ed25519Signer
from concordat.v1 import Reason, Role, Standing
from tests.unit.clients.pki.conftest import AT, at

REGULATOR = LicenceSpec(member_id="watch", roles=[Role.ROLE_REGULATOR])


@pytest.fixture
def roots(pki: Pki) -> list[Ed25519Signer]:
    return list(pki.roots.signers())


@pytest.fixture
def draft(pki: Pki, roots: list[Ed25519Signer]) -> Path:
    pki.add_member("watch")
    return pki.draft_licence(REGULATOR, roots[0]).path


def test_one_signature_less_than_the_threshold_is_refused(pki: Pki, draft: Path) -> None:
    with pytest.raises(Refusal) as refused:
        open_licence(read_envelope(draft), pki.anchors, AT)
    assert refused.value.reason == Reason.REASON_SIGNATURE_INVALID


def test_the_draft_becomes_the_licence_when_enough_roots_signed(
    pki: Pki, roots: list[Ed25519Signer], draft: Path
) -> None:
    progress = add_signature(draft, roots[2], pki.anchors, AT)
    assert progress.complete
    assert progress.path == pki.member("watch").licence
    assert not draft.exists()
    assert open_licence(read_envelope(progress.path), pki.anchors, AT).licence.version == 1


def test_the_same_root_cannot_sign_twice(pki: Pki, roots: list[Ed25519Signer], draft: Path) -> None:
    before = draft.read_bytes()
    with pytest.raises(PkiError, match="has signed"):
        add_signature(draft, roots[0], pki.anchors, AT)
    assert draft.read_bytes() == before


def test_the_same_root_twice_in_the_file_does_not_count(
    pki: Pki, roots: list[Ed25519Signer], draft: Path
) -> None:
    envelope = read_envelope(draft)
    cosign(envelope, roots[0])
    assert count_signatures(envelope, pki.anchors, AT) == 1
    with pytest.raises(Refusal):
        open_licence(envelope, pki.anchors, AT)


def test_a_broken_signature_of_another_root_does_not_count(
    pki: Pki, roots: list[Ed25519Signer], draft: Path
) -> None:
    envelope = read_envelope(draft)
    cosign(envelope, roots[1])
    envelope.signatures[1].sig = bytes(64)
    draft.write_bytes(envelope.SerializeToString())
    progress = add_signature(draft, roots[2], pki.anchors, AT)
    assert (progress.signed, progress.complete) == (2, True)


def test_a_key_that_is_no_root_cannot_sign(pki: Pki, draft: Path) -> None:
    with pytest.raises(PkiError, match="is no root"):
        add_signature(draft, Ed25519Signer.generate(), pki.anchors, AT)


def test_a_key_that_is_no_root_cannot_begin_a_draft(pki: Pki) -> None:
    pki.add_member("watch")
    with pytest.raises(PkiError, match="no root"):
        pki.draft_licence(REGULATOR, Ed25519Signer.generate())


def test_a_statement_of_another_federation_is_not_signed(
    pki: Pki, roots: list[Ed25519Signer], tmp_path: Path
) -> None:
    other = Pki.create(tmp_path / "other", federation="other.concordat", clock=at)
    other.add_member("watch")
    path = other.draft_licence(REGULATOR, next(other.roots.signers())).path
    with pytest.raises(PkiError, match=r"of federation 'other\.concordat'"):
        add_signature(path, roots[0], pki.anchors, AT)


def test_roots_sign_nothing_but_licences_and_statuses(
    pki: Pki, roots: list[Ed25519Signer], tmp_path: Path
) -> None:
    binding = v1.SubjectBinding(
        federation="test.concordat",
        subject_ref=bytes(32),
        public_key=bytes(32),
        version=1,
    )
    binding.not_before.FromDatetime(AT)
    binding.not_after.FromDatetime(AT)
    path = tmp_path / "binding.env"
    path.write_bytes(seal(binding, roots[0]).SerializeToString())
    with pytest.raises(PkiError, match="licences and licence statuses only"):
        add_signature(path, roots[1], pki.anchors, AT)


def test_an_overtaken_draft_does_not_replace_what_came_after(
    pki: Pki, roots: list[Ed25519Signer], draft: Path
) -> None:
    assert open_licence(pki.issue_licence(REGULATOR), pki.anchors, AT).licence.version == 2
    with pytest.raises(PkiError, match="newer than this draft"):
        add_signature(draft, roots[1], pki.anchors, AT)
    assert v1.Licence.FromString(pki.licence("watch").payload).version == 2


def test_a_status_is_collected_the_same_way(pki: Pki, roots: list[Ed25519Signer]) -> None:
    draft = pki.draft_status("watch", Standing.STANDING_REVOKED, "art. 9", roots[1]).path
    assert draft.name == "watch-1.draft.env"
    progress = add_signature(draft, roots[0], pki.anchors, AT)
    assert progress.path == pki.status_path("watch", 1)
    status = open_status(read_envelope(progress.path), pki.anchors, AT).message
    assert status.standing == Standing.STANDING_REVOKED
