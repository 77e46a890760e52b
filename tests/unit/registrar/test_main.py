"""`concordat-registrar`, as typed."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clients.pki import CertificateAuthority
from registrar.main import app
from tests.unit.registrar.house import House, settings_text


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def run(house: House, *arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(house.config)], input=typed)


def failed(house: House) -> set[str]:
    found = run(house, "check", "--json")
    assert found.exit_code == 1
    return {finding["what"] for finding in json.loads(found.stdout) if not finding["ok"]}


def test_init_makes_a_key_once_and_check_is_content(house: House) -> None:
    assert failed(house) == {"derivation key", "database"}
    assert run(house, "init").exit_code == 0
    key = house.folder / "derivation.key"
    before = key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    assert run(house, "init").exit_code == 0
    assert key.read_bytes() == before
    assert run(house, "check").exit_code == 0


def test_init_in_json_says_whether_a_key_was_made(house: House) -> None:
    key = str(house.folder / "derivation.key")
    for made in (True, False):
        told = json.loads(run(house, "init", "--json").stdout)
        assert told == {"ok": True, "derivation_key": key, "made": made}
    (house.folder / "derivation.key").write_bytes(b"short")
    refused = run(house, "init", "--json")
    assert refused.exit_code == 1
    told = json.loads(refused.stdout)
    assert told["ok"] is False
    assert "derivation.key" in told["error"]


def test_check_finds_a_certificate_of_another_authority_or_out_of_date(house: House) -> None:
    run(house, "init")
    pki, anchors, now = house.folder / "pki", house.pki.anchors, datetime.now(UTC)
    names = (anchors.tls_identity("registrar"), anchors.server_name("registrar"))
    ca = pki / "ca"
    own = CertificateAuthority.load(
        (ca / "ca.crt").read_bytes(), (ca / "ca.key").read_bytes(), None
    )
    another = CertificateAuthority.create(anchors.federation, now, days=30)
    hour = timedelta(hours=1)
    for identity, well in (
        (own.issue(*names, now - hour, now + hour), True),
        (own.issue(*names, now - 2 * hour, now - hour), False),
        (another.issue(*names, now, now + hour), False),
    ):
        (pki / "members/registrar/tls.crt").write_bytes(identity.certificate)
        (pki / "members/registrar/tls.key").write_bytes(identity.private_key)
        assert run(house, "check").exit_code == (0 if well else 1)
        assert well or failed(house) == {"TLS certificate"}


def test_check_names_what_does_not_fit(house: House) -> None:
    run(house, "init")
    (house.folder / "derivation.key").chmod(0o644)
    text = house.config.read_text().replace("members/registrar/", "members/exchange/")
    house.config.write_text(text)
    assert failed(house) == {"derivation key", "signing key", "TLS certificate"}


def test_a_registrar_with_another_key_than_the_bundles_does_not_start(house: House) -> None:
    run(house, "init")
    text = house.config.read_text().replace("registrar/signing", "exchange/signing")
    house.config.write_text(text)
    served = run(house, "serve")
    assert served.exit_code == 1
    assert "nobody would accept its bindings" in served.stderr


def test_a_code_is_asked_for_without_showing_the_number(house: House) -> None:
    run(house, "init")
    issued = run(house, "issue-code", "--json", typed="AB12345678\n")
    assert issued.exit_code == 0, issued.stderr
    assert "AB12345678" not in issued.output
    code = json.loads(issued.stdout.splitlines()[-1])["enrolment_code"]
    assert len(code) == 39


def test_codes_for_many_go_to_a_file_for_its_owner(house: House, tmp_path: Path) -> None:
    run(house, "init")
    numbers = [f"SBA-{number}" for number in range(10_000, 10_250)]
    (tmp_path / "numbers").write_text("\n".join(numbers) + "\n\n")
    out = tmp_path / "codes.csv"
    many = ("issue-code", "--from", str(tmp_path / "numbers"), "--out", str(out))
    issued = run(house, *many)
    assert issued.exit_code == 0, issued.output
    assert out.stat().st_mode & 0o777 == 0o600
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["identity_number"] for row in rows] == numbers
    assert len({row["enrolment_code"] for row in rows}) == 250
    again = run(house, *many)
    assert again.exit_code == 1
    assert "exists" in again.stderr


def test_a_bad_line_is_named_and_leaves_no_half_file(house: House, tmp_path: Path) -> None:
    run(house, "init")
    (tmp_path / "numbers").write_text("AB12345678\nnot one!\n")
    out = tmp_path / "codes.csv"
    issued = run(house, "issue-code", "--from", str(tmp_path / "numbers"), "--out", str(out))
    assert issued.exit_code == 1
    assert "line 2" in issued.stderr
    assert "not one" not in issued.output
    assert not out.exists()


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"pattern": "(unclosed"}, "pattern"),
        ({"daily_quota": 0}, "daily_quota"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_setting_is_named(house: House, setting: dict[str, object], told: str) -> None:
    house.config.write_text(settings_text(**setting))
    done = run(house, "check")
    assert done.exit_code == 1
    assert told in done.stderr


@pytest.mark.parametrize(
    "arguments", [("issue-code", "--from", "x"), ("issue-code", "--out", "x"), ("enrol",)]
)
def test_a_wrong_command_line_is_exit_code_2(house: House, arguments: tuple[str, ...]) -> None:
    assert run(house, *arguments).exit_code == 2
