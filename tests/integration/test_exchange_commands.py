"""`concordat-exchange init` and `check`, as an operator types them before the first start."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from typer.testing import CliRunner, Result

from concordat import v1
from concordat.federation.anchors import save_bundle
from concordat.store.exclusive import only_process
from concordat.trust.checkpoint import Checkpoint, sign_checkpoint
from exchange.main import app
from exchange.vault.keyring import Keyring, load, save
from tests.builders import EXCHANGE, LENDER, Federation, Pki, signer

FILES = {"trust_bundle": "bundle.json", "tls_certificate": "tls.crt", "tls_key": "tls.key"}
ALL = {
    "trust bundle",
    "certificate",
    "database",
    "own licence",
    "calibration",
    "log",
    "storage keys",
}
NOT_YET = {"database", "own licence", "calibration", "log", "storage keys"}  # before init


class House:
    """An exchange's folder: trust bundle, keys, settings, the licences of all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pki = Pki()
        self.federation = Federation(datetime.now(UTC), tls_ca_pem=self.pki.ca_pem)
        save_bundle(self.federation.bundle, folder / "bundle.json")
        signer(EXCHANGE).save(folder / "signing.key", None)
        signer("log").save(folder / "log.key", None)
        self.install(*self.pki.issue(EXCHANGE))
        self.licences = [
            self.write(f"{member.member_id}.env", member.licence_envelope)
            for member in self.federation.directory.members()
        ]
        used = self.federation.directory.calibration(self.federation.at)
        self.calibration = self.write("calibration.env", used.envelope)
        self.configure()

    def install(self, certificate: bytes, key: bytes) -> None:
        (self.folder / "tls.crt").write_bytes(certificate)
        (self.folder / "tls.key").write_bytes(key)

    def write(self, name: str, envelope: v1.Envelope) -> Path:
        path = self.folder / name
        path.write_bytes(envelope.SerializeToString())
        return path

    def configure(self, **settings: str) -> None:
        given = {
            "member_id": EXCHANGE,
            **FILES,
            "signing_key": "signing.key",
            "member_listen": "127.0.0.1:0",
            "public_listen": "127.0.0.1:0",
            "database": "sqlite:///exchange.db",
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in (given | settings).items()]
        lines += ["[log]", 'signing_key = "log.key"', 'listen = "127.0.0.1:0"']
        (self.folder / "exchange.toml").write_text("\n".join(lines), "utf-8")

    def run(self, *arguments: object) -> Result:
        words = [*map(str, arguments), "--config", str(self.folder / "exchange.toml")]
        # Logs would go to the runner's standard error, and later tests' to it too, closed by then.
        with patch("exchange.commands.shared.configure_logs"):
            result = CliRunner().invoke(app, words)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    def init(
        self, *licences: Path, calibrations: tuple[Path, ...] | None = None, code: int = 0
    ) -> Any:
        """Run `init` with these licences, once in words and once in JSON, which is returned.

        With licences the calibration goes along, unless others are given.
        """
        if calibrations is None:
            calibrations = (self.calibration,) if licences else ()
        options = [part for path in licences for part in ("--licence", path)]
        options += [part for path in calibrations for part in ("--calibration", path)]
        plain, machine = self.run("init", *options), self.run("init", *options, "--json")
        assert (plain.exit_code, machine.exit_code) == (code, code), plain.output
        facts = json.loads(machine.stdout)
        assert facts["ok"] is (code == 0)
        if code:
            assert facts["error"] in plain.stderr.replace("\n", " ")
        return facts

    def failed(self) -> dict[str, str]:
        """Run `check`; return what is wrong, by the check that found it."""
        result = self.run("check", "--json")
        rows = json.loads(result.stdout)
        wrong = {row["check"]: row["detail"] for row in rows if not row["ok"]}
        assert {row["check"] for row in rows} == ALL
        assert result.exit_code == (1 if wrong else 0)
        assert self.run("check").exit_code == result.exit_code
        return wrong


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_init_takes_the_licences_in_and_check_is_content(house: House) -> None:
    assert set(house.failed()) == NOT_YET
    assert not (house.folder / "exchange.db").exists()  # to check changes nothing
    count = len(house.licences)
    assert house.init(*house.licences) == {"ok": True, "member_id": EXCHANGE, "members": count}
    assert house.failed() == {}
    assert house.init() == {"ok": True, "member_id": EXCHANGE, "members": count}


def test_a_forged_licence_is_refused_and_none_beside_it_is_taken_in(house: House) -> None:
    forged = house.write(
        "forged.env", house.federation.licence("new-bank", v1.Role.ROLE_LENDER, roots=1)
    )
    told = house.init(*house.licences, forged, code=1)
    assert "SIGNATURE_INVALID" in told["error"]
    assert house.init()["members"] == 0
    assert set(house.failed()) == {"own licence"}


@pytest.mark.parametrize("content", [None, b"\xff\xff no envelope"], ids=["missing", "no-envelope"])
def test_a_file_that_is_no_licence_is_refused(house: House, content: bytes | None) -> None:
    path = house.folder / "other.env"
    if content is not None:
        path.write_bytes(content)
    assert "other.env" in house.init(path, code=1)["error"]


def test_a_licence_of_another_federation_is_refused(house: House) -> None:
    other = Federation(house.federation.at, name="other.concordat").member(LENDER)
    path = house.write("other.env", other.licence_envelope)
    assert "WRONG_FEDERATION" in house.init(path, code=1)["error"]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("no url at all", "does not parse"),
        ("nosuch://host/name", "postgresql+psycopg"),
        ("mysql://127.0.0.1:1/name", "postgresql+psycopg"),
        ("postgresql+psycopg://127.0.0.1:1/name", "OperationalError"),
        ("sqlite:////proc/nowhere/exchange.db", "nowhere"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named(house: House, url: str, told: str) -> None:
    house.configure(database=url)
    assert told in house.init(code=1)["error"]
    assert set(house.failed()) == NOT_YET


def test_a_database_of_another_kind_is_refused(house: House) -> None:
    (house.folder / "exchange.db").write_bytes(b"this is no database" * 100)
    house.init(code=1)
    assert set(house.failed()) == NOT_YET


def test_a_database_that_a_process_holds_is_not_initialised_beneath_it(house: House) -> None:
    house.init(*house.licences)
    with only_process(f"sqlite:///{house.folder}/exchange.db"):
        assert "stop it first" in house.init(code=1)["error"]
        assert house.failed() == {}


def expired(house: House) -> tuple[bytes, bytes]:
    return house.pki.issue(EXCHANGE, not_after=datetime.now(UTC) - timedelta(hours=1))


@pytest.mark.parametrize(
    ("issue", "told"),
    [
        pytest.param(lambda h: h.pki.issue(LENDER), "URI name", id="another-member"),
        pytest.param(expired, "not valid now", id="expired"),
        pytest.param(lambda h: Pki().issue(EXCHANGE), "did not issue", id="another-authority"),
        pytest.param(
            lambda h: (h.pki.issue(EXCHANGE)[0], h.pki.issue(EXCHANGE)[1]), "not the key", id="key"
        ),
        pytest.param(lambda h: (b"nothing", b"nothing"), "not PEM", id="nothing"),
    ],
)
def test_check_finds_a_certificate_that_will_not_do(
    house: House, issue: Callable[[House], tuple[bytes, bytes]], told: str
) -> None:
    house.init(*house.licences)
    house.install(*issue(house))
    wrong = house.failed()
    assert set(wrong) == {"certificate"}
    assert told in wrong["certificate"]


def test_check_warns_of_a_certificate_that_expires_soon(house: House) -> None:
    house.install(*house.pki.issue(EXCHANGE, not_after=datetime.now(UTC) + timedelta(days=3)))
    assert "certificate" not in house.failed()
    assert "renew it soon" in house.run("check", "--json").stdout


def test_check_finds_a_signing_key_that_is_not_licensed(house: House) -> None:
    house.init(*house.licences)
    (house.folder / "signing.key").unlink()
    signer("another").save(house.folder / "signing.key", None)
    assert set(house.failed()) == {"own licence"}


def test_check_finds_that_no_calibration_is_in_use(house: House) -> None:
    house.init(*house.licences, calibrations=())
    assert "NO_CALIBRATION" in house.failed()["calibration"]
    house.init(calibrations=(house.calibration, house.calibration))  # repeating changes nothing
    assert house.failed() == {}
    assert "version 1, declared" in house.run("check", "--json").stdout


def test_check_names_whom_the_calibration_does_not_read(house: House) -> None:
    federation = house.federation
    dogwood = federation.licence("dogwood-bank", v1.Role.ROLE_PROVIDER)
    house.init(*house.licences, house.write("dogwood-bank.env", dogwood))
    assert house.failed() == {}
    assert "3 of 4 providers are read, not dogwood-bank" in house.run("check", "--json").stdout


def test_a_calibration_that_is_not_enough_roots_is_not_taken_in(house: House) -> None:
    weak = house.write("weak.env", house.federation.calibration(roots=1))
    told = house.init(*house.licences, calibrations=(weak,), code=1)
    assert "SIGNATURE_INVALID" in told["error"]
    assert house.init()["members"] == 0


def test_check_finds_a_trust_bundle_of_another_exchange(house: House) -> None:
    house.init(*house.licences)
    house.configure(member_id=LENDER)
    assert {"trust bundle", "certificate"} <= set(house.failed())


def test_an_unreadable_trust_bundle_is_named(house: House) -> None:
    (house.folder / "bundle.json").write_text("{}")
    assert "TrustBundle" in house.init(code=1)["error"]
    assert {"trust bundle", "certificate", "own licence"} <= set(house.failed())


def test_wrong_settings_exit_with_2(house: House) -> None:
    house.configure(surprise="1")
    assert "surprise" in house.init(code=2)["error"]
    assert house.run("check").exit_code == 2
    assert house.run("serve").exit_code == 2
    assert house.run("nonsense").exit_code == 2


def test_serve_without_a_database_says_what_to_do(house: House) -> None:
    result = house.run("serve")
    assert result.exit_code == 1
    assert "run init first" in result.stderr.replace("\n", " ")


def test_check_finds_a_log_key_that_is_not_the_trust_bundles(house: House) -> None:
    house.init(*house.licences)
    (house.folder / "log.key").unlink()
    signer("another").save(house.folder / "log.key", None)
    assert "log key" in house.failed()["log"]


def test_check_finds_a_database_that_is_older_than_the_published_log(house: House) -> None:
    house.init(*house.licences)
    assert not house.failed()
    (house.folder / "log").mkdir()
    origin = house.federation.anchors.log.name
    note = sign_checkpoint(Checkpoint(origin, 7, bytes(32)), signer("log"))
    (house.folder / "log" / "checkpoint").write_bytes(note)
    assert "old copy" in house.failed()["log"]


def test_an_exchange_does_not_start_on_a_log_older_than_what_is_published(house: House) -> None:
    house.init(*house.licences)
    (house.folder / "log").mkdir()
    origin = house.federation.anchors.log.name
    note = sign_checkpoint(Checkpoint(origin, 7, bytes(32)), signer("log"))
    (house.folder / "log" / "checkpoint").write_bytes(note)
    told = house.run("serve")
    assert told.exit_code == 1
    said = " ".join(told.stderr.split())
    assert "does not lead to the newest checkpoint that is known: it ends before it" in said
    assert "newest known: 7 entries" in said


# The keyring ------------------------------------------------------------------------------------


def test_init_makes_a_keyring_once_and_none_for_a_database_that_has_its_own(house: House) -> None:
    house.init(*house.licences)
    keys = house.folder / "storage_keys.json"
    kept = keys.read_bytes()
    house.init()
    assert keys.read_bytes() == kept
    keys.unlink()
    assert "restore its own" in house.init(code=1)["error"]
    assert not keys.exists()
    assert set(house.failed()) == {"storage keys"}


def test_check_finds_a_keyring_that_others_may_read_or_another_databases(house: House) -> None:
    house.init(*house.licences)
    keys = house.folder / "storage_keys.json"
    keys.chmod(0o644)
    assert "chmod 600" in house.failed()["storage keys"]
    keys.unlink()
    save(keys, Keyring.generate())
    assert "another database's" in house.failed()["storage keys"]
    assert "another database's" in house.init(code=1)["error"]


def test_keys_are_rotated_and_the_old_ones_discarded(house: House) -> None:
    house.init(*house.licences)
    keys = house.folder / "storage_keys.json"
    result = house.run("rotate-keys", "--json")
    assert json.loads(result.stdout) == {
        "ok": True,
        "wrapping_key": 2,
        "subjects": 0,
        "discarded": 0,
    }
    assert set(load(keys).wrapping_keys) == {1, 2}
    assert "wrapping key 3; 2 older discarded" in house.run("rotate-keys", "--discard-old").stdout
    assert set(load(keys).wrapping_keys) == {3}
    before = load(keys).reference_key
    assert house.run("rotate-keys", "--references").exit_code == 0
    assert load(keys).reference_key != before
    assert house.failed() == {}


def test_keys_of_no_database_are_not_rotated(house: House) -> None:
    result = house.run("rotate-keys", "--json")
    assert result.exit_code == 1
    assert "run init first" in json.loads(result.stdout)["error"]
