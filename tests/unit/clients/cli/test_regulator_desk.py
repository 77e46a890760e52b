"""`concordat regulator desk` and `sign-in`: what they take, and what they tell."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clients.cli.main import app
from clients.cli.regulator_desk import port_of
from clients.console.base import PageRefused
from clients.console.desk.challenge import Challenge, Challenges
from clients.console.desk.files import held_alone
from clients.sdk.errors import ClientError
from concordat.trust.keys import KeyRing, key_id
from tests.builders import signer
from tests.case_builders import OFFICERS

ORIGIN = "http://127.0.0.1:8123"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    signer(OFFICERS[0]).save(tmp_path / "approver-1.key", None)
    return tmp_path / "approver-1.key"


@pytest.fixture
def challenge() -> Challenge:
    return Challenges("regulator@test.example", now).issue(ORIGIN)


@pytest.mark.parametrize("as_file", [True, False])
def test_the_command_signs_what_the_desk_shows(
    tmp_path: Path, key: Path, challenge: Challenge, as_file: bool
) -> None:
    (tmp_path / "challenge.txt").write_text(challenge.text + "\n")
    given = str(tmp_path / "challenge.txt") if as_file else challenge.text
    done = CliRunner().invoke(app, ["regulator", "sign-in", given, "--key", str(key), "--json"])
    said = json.loads(done.stdout)
    assert said["origin"] == ORIGIN
    ring = KeyRing(signer(OFFICERS[0]).public_key)
    desk = Challenges("regulator@test.example", now)
    assert desk.check(challenge, said["answer"], [ring]) == key_id(signer(OFFICERS[0]).public_key)
    with pytest.raises(PageRefused):
        desk.check(challenge, said["answer"], [KeyRing(signer("other").public_key)])


def test_the_answer_alone_is_printed_to_be_pasted(key: Path, challenge: Challenge) -> None:
    done = CliRunner().invoke(app, ["regulator", "sign-in", challenge.text, "--key", str(key)])
    assert done.stdout.startswith("concordat-signed-in/1 key=")
    assert done.stdout.count("\n") == 1
    assert ORIGIN in done.stderr


@pytest.mark.parametrize("bent", ["", "x", " nonce", "expires=2026-13-45T00:00:00Z"])
def test_what_is_no_challenge_is_not_signed(key: Path, challenge: Challenge, bent: str) -> None:
    text = challenge.text.partition(" expires=")[0] + bent
    done = CliRunner().invoke(app, ["regulator", "sign-in", text, "--key", str(key)])
    assert done.exit_code == 2
    assert not done.stdout


def test_an_expired_challenge_is_not_signed(key: Path) -> None:
    old = Challenge(ORIGIN, "regulator@test.example", "ab" * 32, now() - timedelta(seconds=1))
    done = CliRunner().invoke(app, ["regulator", "sign-in", old.text, "--key", str(key)])
    assert done.exit_code == 2
    assert "expired" in done.stderr


def test_the_desk_listens_on_this_machine_alone() -> None:
    assert port_of("127.0.0.1:0") == 0
    assert port_of("localhost:8080") == 8080
    for address in ("0.0.0.0:80", "127.0.0.1", "example.com:80", "127.0.0.1:99999", "[::]:80"):
        with pytest.raises(ClientError, match="this machine alone"):
            port_of(address)


def test_two_desks_do_not_write_one_journal(tmp_path: Path) -> None:
    with held_alone(tmp_path / "desk"):
        typed = ["--member", "m", "-t", "bundle", "--state", str(tmp_path / "desk"), "--json"]
        done = CliRunner().invoke(app, ["regulator", "desk", *typed])
        assert done.exit_code == 2
        assert "another desk runs" in json.loads(done.stdout)["advice"]
    with held_alone(tmp_path / "desk"):
        pass
