"""`concordat-witness`, as typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from concordat.trust.keys import Ed25519Signer
from concordat.trust.note import COSIGNATURE_V1, VerifierKey
from tests.builders import signer
from tests.unit.witness.desk import WITNESS, WITNESS_KEY, Log
from tests.unit.witness.house import House
from witness.main import app


def run(house: House, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(house.config)])


def failed(house: House) -> set[str]:
    found = run(house, "check", "--json")
    assert found.exit_code == 1
    return {finding["what"] for finding in json.loads(found.stdout) if not finding["ok"]}


def test_init_makes_a_key_once_and_prints_the_verifier_key_alone(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert failed(house) == {"signing key", "logs", "database"}
    made = run(house, "init")
    assert made.exit_code == 0, made.output
    path = tmp_path / "keys/signing.key"
    assert path.stat().st_mode & 0o777 == 0o600
    public_key = Ed25519Signer.load(path, None).public_key
    assert made.stdout == f"{VerifierKey(WITNESS, COSIGNATURE_V1, public_key)}\n"
    assert run(house, "init").stdout == made.stdout
    assert failed(house) == {"logs"}  # which need the witness's key before it can have theirs


def test_a_key_that_is_there_is_used_and_may_have_a_passphrase(tmp_path: Path, log: Log) -> None:
    house = House(tmp_path, log, signing_key_passphrase_file="passphrase")
    (tmp_path / "passphrase").write_text("open sesame\n")
    (tmp_path / "keys").mkdir()
    signer("witness").save(tmp_path / "keys/signing.key", b"open sesame")
    assert run(house, "init").stdout == f"{WITNESS_KEY}\n"
    found = run(house, "check")
    assert found.exit_code == 0, found.output
    assert str(WITNESS_KEY) in found.stdout
    assert log.origin in found.stdout


def test_a_key_that_init_makes_is_under_the_passphrase(tmp_path: Path, log: Log) -> None:
    house = House(tmp_path, log, signing_key_passphrase_file="passphrase")
    assert run(house, "init").exit_code == 1
    (tmp_path / "passphrase").write_text("open sesame\n")
    assert run(house, "init").exit_code == 0
    Ed25519Signer.load(tmp_path / "keys/signing.key", b"open sesame")


def test_a_key_that_others_can_read_is_named(tmp_path: Path, log: Log) -> None:
    house = House(tmp_path, log)
    run(house, "init")
    (tmp_path / "keys/signing.key").chmod(0o644)
    assert failed(house) == {"signing key"}


def test_a_log_does_not_witness_itself(tmp_path: Path, log: Log) -> None:
    house = House(tmp_path, log)
    (tmp_path / "keys").mkdir()
    log.signer.save(tmp_path / "keys/signing.key", None)
    for command in ("init", "serve"):
        done = run(house, command)
        assert done.exit_code == 1
        assert "a witness needs its own" in done.stderr


def test_a_witness_of_nothing_does_not_serve(tmp_path: Path) -> None:
    house = House(tmp_path)
    run(house, "init")
    done = run(house, "serve")
    assert done.exit_code == 1
    assert "[[logs]]" in done.stderr


def test_a_witness_that_was_not_set_up_says_so(tmp_path: Path, log: Log) -> None:
    house = House(tmp_path, log)
    (tmp_path / "keys").mkdir()
    signer("witness").save(tmp_path / "keys/signing.key", None)
    done = run(house, "serve")
    assert done.exit_code == 1
    assert "run init first" in done.stderr


@pytest.mark.parametrize("listen", ["127.0.0.1:99999", "192.0.2.1:0", "no.such.host.invalid:1"])
def test_a_port_that_cannot_be_had_is_named(tmp_path: Path, log: Log, listen: str) -> None:
    house = House(tmp_path, log, listen=listen)
    run(house, "init")
    done = run(house, "serve")
    assert done.exit_code == 1
    assert f"cannot listen on {listen}" in done.stderr


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"name": "two words"}, "name"),
        ({"name": "a+b"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a" * 256}, "name"),
        ({"prefix": "w1"}, "prefix"),
        ({"prefix": "/w1/"}, "prefix"),
        ({"max_body_bytes": 10}, "max_body_bytes"),
        ({"listen": "here"}, "listen"),
        ({"surprise": 1}, "surprise"),
        ({"member_id": "witness"}, "member_id"),
        ({"logs": [{"vkey": "log.example/a"}]}, "logs.0.vkey"),
        ({"logs": [{"vkey": str(WITNESS_KEY)}]}, "logs.0.vkey"),
        ({"logs": [{"vkey": str(Log().vkey).replace("a+", "b+")}]}, "logs.0.vkey"),
        ({"logs": [{"vkey": str(Log().vkey)}] * 2}, "given twice"),
    ],
)
def test_a_wrong_setting_is_named(
    tmp_path: Path, setting: dict[str, object], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path, **{name: what for name, what in setting.items() if name != "logs"})
    if "logs" in setting:
        monkeypatch.setenv("CONCORDAT_LOGS", json.dumps(setting["logs"]))
    done = run(house, "check")
    assert done.exit_code == 1
    assert told in done.stderr


def test_a_wrong_command_line_is_exit_code_2(tmp_path: Path) -> None:
    assert run(House(tmp_path), "add-log").exit_code == 2
