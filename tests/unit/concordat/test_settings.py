"""Settings come from the file and the environment, and every mistake in them is named."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from concordat.settings import ServerSettings, SettingsError, load_settings
from concordat.trust.errors import KeyFileError
from tests.builders import signer

LAWFUL = {
    "member_id": "alder-bank",
    "trust_bundle": "trust.json",
    "signing_key": "keys/signing.pem",
    "tls_certificate": "/etc/concordat/tls.pem",
    "tls_key": "tls.key",
    "member_listen": "127.0.0.1:7001",
    "public_listen": "[::1]:7002",
    "database": "sqlite:///data/node.db",
}


class Scores(BaseModel):
    """A nested part of a process's settings."""

    url: str = "unset"


class Settings(ServerSettings):
    """A process's settings."""

    scores: Scores = Scores()


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"CONCORDAT_{name.upper()}", raising=False)


def written(folder: Path, *more: str, **fields: str | None) -> Path:
    """Write a settings file; ``None`` leaves a setting out, ``more`` are lines to add."""
    path = folder / "node.toml"
    lines = [f'{k} = "{v}"' for k, v in (LAWFUL | fields).items() if v is not None]
    path.write_text("\n".join([*lines, *more]), "utf-8")
    return path


def test_paths_are_relative_to_the_file_and_not_to_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path)
    monkeypatch.chdir("/")
    found = load_settings(Settings, path)
    assert found.trust_bundle == tmp_path / "trust.json"
    assert found.signing_key == tmp_path / "keys" / "signing.pem"
    assert found.tls_certificate == Path("/etc/concordat/tls.pem")
    assert found.database == f"sqlite:///{tmp_path}/data/node.db"
    assert found.signing_key_passphrase_file is None


@pytest.mark.parametrize("url", ["sqlite:////srv/node.db", "postgresql+psycopg://host/db"])
def test_a_database_that_is_not_a_relative_file_stays_as_it_is(tmp_path: Path, url: str) -> None:
    assert load_settings(Settings, written(tmp_path, database=url)).database == url


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONCORDAT_MEMBER_ID", "birch-payments")
    monkeypatch.setenv("CONCORDAT_SCORES__URL", "sqlite:///scores.db")
    found = load_settings(Settings, written(tmp_path, "[scores]", 'url = "in the file"'))
    assert found.member_id == "birch-payments"
    assert found.scores.url == "sqlite:///scores.db"


def test_the_environment_gives_what_the_file_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONCORDAT_TLS_KEY", "from-environment.key")
    found = load_settings(Settings, written(tmp_path, tls_key=None))
    assert found.tls_key == tmp_path / "from-environment.key"


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'colour = "blue"',
        member_id="Alder Bank",
        tls_key=None,
        member_listen="nowhere",
        log_level="loud",
    )
    with pytest.raises(SettingsError) as refused:
        load_settings(Settings, path)
    for name in ("node.toml", "colour", "member_id", "tls_key", "member_listen", "log_level"):
        assert name in str(refused.value)


def test_a_mistake_in_a_nested_part_is_named_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"scores\.url"):
        load_settings(Settings, written(tmp_path, "[scores]", "url = 5"))


@pytest.mark.parametrize(
    "listen", ["", "7001", "host", "host:", ":7001 ", "host:port", "host:123456", "a b:1"]
)
def test_an_address_without_host_and_port_is_refused(tmp_path: Path, listen: str) -> None:
    with pytest.raises(SettingsError, match="member_listen"):
        load_settings(Settings, written(tmp_path, member_listen=listen))


@pytest.mark.parametrize("content", [b"member_id = ", b"\xff\xfe", b"[scores\n"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"node\.toml"):
        load_settings(Settings, path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "node.toml", tmp_path):
        with pytest.raises(SettingsError, match="no settings file"):
            load_settings(Settings, path)


def test_the_signing_key_opens_with_the_first_line_of_the_passphrase_file(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    signer("node").save(tmp_path / "keys" / "signing.pem", b"correct horse")
    secret = tmp_path / "passphrase"
    path = written(tmp_path, signing_key_passphrase_file="passphrase")
    found = load_settings(Settings, path)
    with pytest.raises(KeyFileError, match="no passphrase in"):
        found.signer()
    for content in (b"correct horse", b"correct horse\n", b"correct horse\r\nsecond line\n"):
        secret.write_bytes(content)
        assert found.signer().public_key == signer("node").public_key
    for content in (b"", b"\n", b"wrong\n"):
        secret.write_bytes(content)
        with pytest.raises(KeyFileError):
            found.signer()
    with pytest.raises(KeyFileError, match="passphrase"):
        load_settings(Settings, written(tmp_path)).signer()


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in ServerSettings.model_fields.values())
