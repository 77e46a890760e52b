"""`concordat regulator officer-certificate`: what it writes and tells; and the desk's options for HTTPS."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12
from typer.testing import CliRunner

from clients.cli.main import app
from concordat.federation.anchors import save_bundle
from concordat.trust.keys import key_id
from tests.builders import Federation, Pki, signer
from tests.case_builders import OFFICERS
from tests.desk_builders import DeskHouse

PASSPHRASE = "a passphrase of some length"


@pytest.fixture
def typed(tmp_path: Path) -> list[str]:
    save_bundle(Federation().bundle, tmp_path / "bundle.json")
    signer(OFFICERS[0]).save(tmp_path / "approver-1.key", None)
    (tmp_path / "words").write_text(PASSPHRASE + "\n")
    given = {"key": "approver-1.key", "trust-bundle": "bundle.json", "out": "officer.p12"}
    return [
        "regulator",
        "officer-certificate",
        *(part for name, path in given.items() for part in (f"--{name}", str(tmp_path / path))),
    ]


def test_the_command_writes_a_file_that_its_passphrase_opens(
    tmp_path: Path, typed: list[str]
) -> None:
    passphrase = ["--out-passphrase-file", str(tmp_path / "words")]
    done = CliRunner().invoke(app, [*typed, *passphrase, "--days", "7", "--json"])
    said, out = json.loads(done.stdout), tmp_path / "officer.p12"
    assert said["desk"] == f"regulator@{Federation().name}"
    assert said["key_id"] == key_id(signer(OFFICERS[0]).public_key)
    assert out.stat().st_mode & 0o777 == 0o600
    _, certificate, _ = pkcs12.load_key_and_certificates(out.read_bytes(), PASSPHRASE.encode())
    assert certificate is not None
    assert f"{certificate.serial_number:x}" == said["serial"]
    before = out.read_bytes()
    again = CliRunner().invoke(app, [*typed, *passphrase])
    assert again.exit_code == 2
    assert "exists" in again.stderr
    assert out.read_bytes() == before


def test_the_passphrase_is_asked_for_twice(tmp_path: Path, typed: list[str]) -> None:
    done = CliRunner().invoke(app, typed, input=f"{PASSPHRASE}\n{PASSPHRASE}\n")
    assert done.exit_code == 0, done.output
    assert PASSPHRASE not in done.output
    assert "issued by your key" in done.stdout


@pytest.mark.parametrize(
    ("more", "answer"),
    [
        ([], "short\nshort\n"),
        (["--regulator", "../etc"], ""),
        (["--days", "366"], ""),
        (["--passphrase-file", "no such file"], ""),
    ],
)
def test_nothing_is_written_where_something_is_wrong(
    tmp_path: Path, typed: list[str], more: list[str], answer: str
) -> None:
    done = CliRunner().invoke(app, [*typed, *more], input=answer)
    assert done.exit_code == 2
    assert not (tmp_path / "officer.p12").exists()


@pytest.mark.parametrize("given", [["--tls-certificate"], ["--tls-certificate", "--tls-key"]])
def test_the_desk_does_not_fall_back_to_plain_http(
    tmp_path: Path, given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, _ = Pki().issue("desk")
    (tmp_path / "server").write_bytes(certificate)  # and no key
    office = DeskHouse(tmp_path).office
    monkeypatch.setattr("clients.cli.regulator_desk.load_anchors", lambda _: office.anchors)
    monkeypatch.setattr("clients.cli.regulator_desk.load_identity", lambda *_: office.identity)
    monkeypatch.setattr("clients.cli.regulator_desk.open_office", lambda *_: office)
    served: list[object] = []
    monkeypatch.setattr("clients.cli.regulator_desk.serve", lambda *given: served.append(given))
    named = [part for name in given for part in (name, str(tmp_path / "server"))]
    plain = ["regulator", "desk", "--member", "m", "-t", "b", "--log", str(tmp_path), "--json"]
    done = CliRunner().invoke(app, [*plain, "--state", str(tmp_path / "state"), *named])
    assert done.exit_code == 2, done.output
    assert "--tls-key" in done.output or "no certificate and its key" in done.output
    assert served == []
