"""What a wallet remembers of its accesses comes back as it was, or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest

from clients.sdk import WalletError, WalletFolder
from concordat.federation.anchors import save_bundle
from concordat.verify.history import Kept
from tests.builders import Federation
from tests.history_builders import SmallLog, drafts, follow


@pytest.fixture(scope="module")
def federation() -> Federation:
    return Federation()


@pytest.fixture
def wallet(federation: Federation, tmp_path: Path) -> WalletFolder:
    save_bundle(federation.bundle, tmp_path / "bundle.json")
    return WalletFolder.create(tmp_path / "wallet", tmp_path / "bundle.json", None)


@pytest.fixture(scope="module")
def kept(federation: Federation) -> Kept:
    log, ada = SmallLog(federation), federation.subject("ada")
    log.add(*drafts(federation, ada, 3))
    return follow(federation, ada, [log.tell(ada)]).pages[-1].kept


def test_a_wallet_that_never_looked_remembers_nothing(wallet: WalletFolder) -> None:
    assert wallet.kept_history() == Kept()


def test_what_was_verified_comes_back_with_the_signatures(wallet: WalletFolder, kept: Kept) -> None:
    wallet.keep_history(kept)
    again = wallet.kept_history()
    assert again == kept
    assert again.length == 3
    assert again.history.signatures
    assert again.checkpoint.startswith(b"test.concordat/log\n3\n")


DAMAGE: dict[str, Any] = {
    "nothing": b"",
    "no JSON": b"{",
    "not UTF-8": b"\xff\xfe",
    "another JSON": b"[]",
    "too deep": b"[" * 100_000,
    "a key less": lambda kept: kept.pop("head"),
    "a key more": lambda kept: kept.update(more=1),
    "a length below nothing": lambda kept: kept.update(length=-1),
    "a length that is no number": lambda kept: kept.update(length="4"),
    "a length that is a truth": lambda kept: kept.update(length=True),
    "a length that is no whole number": lambda kept: kept.update(length=4.0),
    "a size without an end": lambda kept: kept.update(log_size=float("inf")),
    "a head too short": lambda kept: kept.update(head="00"),
    "a head with spaces": lambda kept: kept.update(head=" " + kept["head"]),
    "a head that is no text": lambda kept: kept.update(head=7),
    "a root that is no hex": lambda kept: kept.update(log_root="zz" * 32),
    "a history that is no base64": lambda kept: kept.update(history="*"),
    "a history with a character beyond ASCII": lambda kept: kept.update(history="\u00e9"),
    "a history that is no envelope": lambda kept: kept.update(history="////"),
    "a checkpoint that is no text": lambda kept: kept.update(checkpoint=None),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_file_that_was_damaged_is_refused_and_left_as_it_is(
    wallet: WalletFolder, kept: Kept, damage: Any
) -> None:
    wallet.keep_history(kept)
    path = wallet.folder / "accesses.json"
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        content = json.loads(path.read_bytes())
        damage(content)
        path.write_text(json.dumps(content))
    before = path.read_bytes()
    with pytest.raises(WalletError, match=r"accesses\.json"):
        wallet.kept_history()
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_read_is_refused(wallet: WalletFolder) -> None:
    (wallet.folder / "accesses.json").mkdir()
    with pytest.raises(WalletError, match=r"accesses\.json"):
        wallet.kept_history()
