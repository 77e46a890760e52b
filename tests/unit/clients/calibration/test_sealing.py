"""Who may sign a calibration, and what is told of who did."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clients.calibration.errors import CalibrationError
from clients.calibration.licensed import Licensed, read_licensed
from clients.calibration.sealing import (
    Terms,
    countersign,
    make_calibration,
    read_calibration,
    seal_to,
    signatures_of,
)
from clients.pki import LicenceSpec, Pki
from concordat import v1
from concordat.federation.calibrations import open_calibration
from concordat.pooling import declare
from concordat.refusal import Refusal
from concordat.statements import cosign, digest_of, seal
from concordat.trust.keys import Ed25519Signer, KeyRing, TrustedKey
from tests.calibration_builders import PROVIDERS, SCALES

NOW = datetime.now(UTC) + timedelta(
    hours=1
)  # of a long run, later than when its licences were made


def declared(version: int = 1, federation: str = "test.concordat") -> v1.Calibration:
    terms = Terms(version, NOW, NOW + timedelta(days=365))
    return make_calibration(
        federation, terms, declare(SCALES), v1.FitReport(method="declared"), NOW
    )


def root(pki: Pki, number: int) -> Ed25519Signer:
    return Ed25519Signer.load(pki.folder / "roots" / f"root-{number}.key", None)


def exchange_keys(pki: Pki) -> KeyRing:
    return read_licensed([pki.folder], pki.anchors, NOW).exchange_keys(pki.anchors)


@pytest.fixture
def sealed(licensed_pki: Pki, tmp_path: Path) -> Path:
    path = tmp_path / "v1.calibration"
    keys = exchange_keys(licensed_pki)
    seal_to(path, declared(), licensed_pki.signer("exchange"), keys)
    return path


def test_the_exchange_and_two_roots_make_a_calibration_that_members_accept(
    licensed_pki: Pki, sealed: Path
) -> None:
    anchors, keys = licensed_pki.anchors, exchange_keys(licensed_pki)
    one = countersign(sealed, [root(licensed_pki, 1)], anchors, keys, NOW)
    assert (one.exchange, one.roots, one.complete) == (True, 1, False)
    with pytest.raises(Refusal):
        open_calibration(read_calibration(sealed)[0], anchors, keys, NOW)
    two = countersign(sealed, [root(licensed_pki, 3)], anchors, keys, NOW)
    assert two.complete
    assert open_calibration(read_calibration(sealed)[0], anchors, keys, NOW).version == 1


def test_only_a_key_of_the_exchanges_licence_seals(licensed_pki: Pki, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="none that the exchange's licence names"):
        seal_to(
            tmp_path / "a",
            declared(),
            licensed_pki.signer(PROVIDERS[0]),
            exchange_keys(licensed_pki),
        )
    assert not (tmp_path / "a").exists()


def test_a_root_signs_nothing_that_the_exchange_did_not_sign(
    licensed_pki: Pki, tmp_path: Path
) -> None:
    path = tmp_path / "forged"
    path.write_bytes(seal(declared(), licensed_pki.signer(PROVIDERS[0])).SerializeToString())
    keys = exchange_keys(licensed_pki)
    with pytest.raises(CalibrationError, match="not signed by the exchange"):
        countersign(path, [root(licensed_pki, 1)], licensed_pki.anchors, keys, NOW)
    unchecked = signatures_of(read_calibration(path)[0], licensed_pki.anchors, None, NOW)
    assert (unchecked.exchange, unchecked.roots) == (None, 0)


def test_a_key_that_is_no_root_or_has_signed_already_is_refused(
    licensed_pki: Pki, sealed: Path
) -> None:
    anchors, before = licensed_pki.anchors, sealed.read_bytes()
    with pytest.raises(CalibrationError, match="no root of"):
        countersign(sealed, [Ed25519Signer.generate()], anchors, None, NOW)
    with pytest.raises(CalibrationError, match="another root must"):
        countersign(sealed, [root(licensed_pki, 1)] * 2, anchors, None, NOW)
    assert sealed.read_bytes() == before


def test_a_root_signs_what_it_read_and_not_what_was_put_in_its_place(
    licensed_pki: Pki, sealed: Path
) -> None:
    read = digest_of(read_calibration(sealed)[0])
    seal_to(sealed, declared(2), licensed_pki.signer("exchange"), exchange_keys(licensed_pki))
    before = sealed.read_bytes()
    with pytest.raises(CalibrationError, match="changed since it was shown"):
        countersign(sealed, [root(licensed_pki, 1)], licensed_pki.anchors, None, NOW, read=read)
    assert sealed.read_bytes() == before


def test_the_exchanges_key_counts_by_its_dates_now_as_for_whoever_takes_it_in(
    licensed_pki: Pki, sealed: Path
) -> None:
    envelope, _ = read_calibration(sealed)
    key = licensed_pki.signer("exchange").public_key
    later = NOW + timedelta(days=9)
    renewed = KeyRing(TrustedKey(key, not_before=NOW + timedelta(days=1)))
    withdrawn = KeyRing(TrustedKey(key, not_after=NOW + timedelta(days=1)))
    told = [signatures_of(envelope, licensed_pki.anchors, k, later) for k in (renewed, withdrawn)]
    assert [each.exchange for each in told] == [True, False]


def test_a_signature_of_another_statement_does_not_count(licensed_pki: Pki, sealed: Path) -> None:
    envelope, _ = read_calibration(sealed)
    other = seal(declared(2), licensed_pki.signer("exchange"))
    cosign(other, root(licensed_pki, 1))
    envelope.signatures.append(other.signatures[1])
    assert signatures_of(envelope, licensed_pki.anchors, None, NOW).roots == 0


def test_another_federations_calibration_is_not_signed(licensed_pki: Pki, tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(
        seal(
            declared(federation="other.concordat"), licensed_pki.signer("exchange")
        ).SerializeToString()
    )
    with pytest.raises(CalibrationError, match="of federation 'other"):
        countersign(path, [root(licensed_pki, 1)], licensed_pki.anchors, None, NOW)


def test_what_contradicts_itself_or_is_none_is_not_read(licensed_pki: Pki, tmp_path: Path) -> None:
    bent = declared()
    bent.model.providers[1].provider = bent.model.providers[0].provider
    path = tmp_path / "bent"
    path.write_bytes(seal(bent, licensed_pki.signer("exchange")).SerializeToString())
    with pytest.raises(CalibrationError, match="contradicts itself"):
        read_calibration(path)
    with pytest.raises(CalibrationError, match="no calibration"):
        read_calibration(licensed_pki.member("exchange").licence)
    (tmp_path / "junk").write_bytes(b"junk")
    with pytest.raises(CalibrationError, match="holds no"):
        read_calibration(tmp_path / "junk")


@pytest.mark.parametrize("word", ["gone\x1b[2J", "two\nlines", "\N{RIGHT-TO-LEFT OVERRIDE}north"])
def test_no_word_of_a_report_moves_a_regulators_terminal(
    licensed_pki: Pki, tmp_path: Path, word: str
) -> None:
    path, exchange = tmp_path / "bent", licensed_pki.signer("exchange")
    for report in (
        v1.FitReport(method=word),
        v1.FitReport(method="declared", groups=[v1.GroupFit(attribute="region", group=word)]),
        v1.FitReport(method="declared", groups=[v1.GroupFit(attribute=word, group="north")]),
    ):
        terms = Terms(1, NOW, NOW + timedelta(days=365))
        calibration = make_calibration("test.concordat", terms, declare(SCALES), report, NOW)
        with pytest.raises(CalibrationError, match="breaks a bound"):
            seal_to(path, calibration, exchange, exchange_keys(licensed_pki))
        forged = v1.Envelope()
        forged.CopyFrom(seal(declared(), exchange))
        forged.payload = calibration.SerializeToString()
        path.write_bytes(forged.SerializeToString())
        with pytest.raises(CalibrationError, match="holds no calibration"):
            read_calibration(path)


def test_licences_are_read_from_folders_and_files_and_only_those_in_force(
    licensed_pki: Pki, tmp_path: Path
) -> None:
    anchors = licensed_pki.anchors
    assert read_licensed([licensed_pki.folder], anchors, NOW).scales == SCALES
    one = licensed_pki.member(PROVIDERS[0]).licence
    assert list(read_licensed([one], anchors, NOW).scales) == [PROVIDERS[0]]
    assert read_licensed([one], anchors, NOW + timedelta(days=400)) == Licensed({})
    with pytest.raises(CalibrationError, match="no licence in force of the exchange"):
        read_licensed([one], anchors, NOW).exchange_keys(anchors)
    with pytest.raises(CalibrationError, match="no licence in"):
        read_licensed([tmp_path], anchors, NOW)


def test_a_licence_of_another_federations_roots_is_refused(
    licensed_pki: Pki, tmp_path: Path
) -> None:
    other = Pki.create(tmp_path / "other", federation="test.concordat")
    other.issue_licence(LicenceSpec(member_id="exchange", roles=[v1.Role.ROLE_EXCHANGE]))
    with pytest.raises(Refusal):
        read_licensed([other.folder], licensed_pki.anchors, NOW)
