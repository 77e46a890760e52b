"""How a sandbox's exchange pools: the fitted model where it fits the providers, else as they declare."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.pki import Pki, read_envelope
from clients.sandbox import calibration, cast
from clients.sandbox.layout import Ports
from concordat import v1
from concordat.federation.calibrations import OpenedCalibration
from concordat.federation.directory import MemberDirectory
from concordat.pooling.declared import METHOD


def signed(folder: Path, providers: list[cast.Provider]) -> OpenedCalibration:
    """Make the keys and licences of a sandbox; return the calibration as its directory takes it in."""
    pki = Pki.create(
        folder / "pki",
        federation=cast.FEDERATION,
        exchange_id=cast.EXCHANGE,
        registrar_id=cast.REGISTRAR,
    )
    members = [cast.EXCHANGE, cast.REGISTRAR, *(provider.member_id for provider in providers)]
    ports = {name: Ports(10_000 + 2 * n, 10_001 + 2 * n) for n, name in enumerate(members)}
    cast.licence_everyone(pki, providers, ports)
    directory, now = MemberDirectory(pki.anchors), datetime.now(UTC)
    directory.add_licence(pki.licence(cast.EXCHANGE), now)
    directory.add_calibration(read_envelope(calibration.sign_calibration(pki)), now)
    return directory.calibration(datetime.now(UTC))


def reads_all(opened: OpenedCalibration, providers: list[cast.Provider]) -> bool:
    ports = Ports(1, 2)
    licences = [(p.member_id, p.licence(ports, "eu").score_scale) for p in providers]
    return all(scale is not None and opened.compiled.reads(name, scale) for name, scale in licences)


def test_without_a_model_it_is_as_the_licences_declare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "MODEL", tmp_path / "none.binpb")
    providers = cast.read_providers(3)
    opened = signed(tmp_path, providers)
    assert opened.message.report.method == METHOD
    assert reads_all(opened, providers)


def test_a_model_that_fits_is_used_and_one_that_does_not_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "MODEL", tmp_path / "none.binpb")
    model = v1.Calibration()
    model.CopyFrom(signed(tmp_path / "first", cast.read_providers(3)).message)
    model.report.method = "fitted"
    (tmp_path / "model.binpb").write_bytes(model.SerializeToString())
    monkeypatch.setattr(calibration, "MODEL", tmp_path / "model.binpb")
    few, more = cast.read_providers(2), cast.read_providers(4)
    assert signed(tmp_path / "few", few).message.report.method == "fitted"
    opened = signed(tmp_path / "more", more)
    assert opened.message.report.method == METHOD
    assert reads_all(opened, more)
