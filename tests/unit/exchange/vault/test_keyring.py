"""The keyring's file: for its owner alone, whole or not at all, and never another database's."""

import json
import stat
from pathlib import Path

import pytest

from exchange.vault import keyring as files
from exchange.vault.keyring import Keyring, KeyringError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "storage_keys.json"


def test_what_was_saved_is_loaded_and_only_its_owner_may_read_it(path: Path) -> None:
    keyring = Keyring.generate().with_wrapping_key()
    files.save(path, keyring)
    assert files.load(path) == keyring
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_keyring_that_others_may_read_is_not_used(path: Path, mode: int) -> None:
    files.save(path, Keyring.generate())
    path.chmod(mode)
    with pytest.raises(KeyringError, match="chmod 600"):
        files.load(path)


def test_a_missing_keyring_is_named_with_what_to_do(path: Path) -> None:
    with pytest.raises(KeyringError, match="restore its own"):
        files.load(path)
    path.mkdir()
    with pytest.raises(KeyringError, match="can't be read"):
        files.load(path)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "[]",
        "{}",
        '{"reference_key": 1, "wrapping_keys": {}}',
        '{"reference_key": "AAAA", "wrapping_keys": {}}',
        '{"reference_key": "%s", "wrapping_keys": {}}',
        '{"reference_key": "%s", "wrapping_keys": {"1": "AAAA"}}',
        '{"reference_key": "%s", "wrapping_keys": {"01": "%s"}}',
        '{"reference_key": "%s", "wrapping_keys": {"one": "%s"}}',
        '{"reference_key": "%s", "wrapping_keys": []}',
        '{"reference_key": "%s!", "wrapping_keys": {"1": "%s"}}',
    ],
)
def test_what_is_no_keyring_is_not_taken_for_one(path: Path, raw: str) -> None:
    keyring = Keyring.generate()
    files.save(path, keyring)
    good = json.loads(path.read_text())
    parts = (good["reference_key"], good["wrapping_keys"]["1"])
    path.write_text(raw % parts[: raw.count("%s")])
    with pytest.raises(KeyringError, match="restore it from its copy"):
        files.load(path)


def test_a_newer_wrapping_key_wraps_and_the_older_ones_may_go() -> None:
    first = Keyring.generate()
    second = first.with_wrapping_key()
    assert (first.newest, second.newest) == (1, 2)
    assert second.wrapping_keys[1] == first.wrapping_keys[1]
    assert second.with_newest_alone().wrapping_keys == {2: second.wrapping_keys[2]}


def test_a_reference_key_is_replaced_by_the_one_that_was_announced() -> None:
    keyring = Keyring.generate()
    under_way = keyring.replacing_references()
    assert under_way.replacing_references() == under_way
    assert under_way.reference_key == keyring.reference_key
    assert under_way.without_next_reference() == keyring
    replaced = under_way.with_references_replaced()
    assert replaced.reference_key == under_way.next_reference_key
    assert replaced.next_reference_key is None


def test_keys_are_never_shown() -> None:
    keyring = Keyring.generate()
    assert repr(keyring.reference_key) not in repr(keyring)
    assert repr(keyring.wrapping_keys[1]) not in repr(keyring)
