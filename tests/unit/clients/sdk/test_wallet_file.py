"""A wallet's folder survives crashes, keeps its secrets, and never uses a sequence twice."""

import os
import stat
from pathlib import Path

import pytest

from clients.sdk import ConsentRecord, WalletError, WalletFolder, sign_event
from clients.sdk import wallet_file as module
from concordat import v1
from concordat.federation.anchors import save_bundle
from concordat.trust.errors import KeyFileError
from tests.builders import AT, PROVIDERS, Federation

REVOKE = v1.ConsentEventKind.CONSENT_EVENT_KIND_REVOKE


@pytest.fixture
def federation() -> Federation:
    return Federation()


@pytest.fixture
def bundle(federation: Federation, tmp_path: Path) -> Path:
    path = tmp_path / "bundle.json"
    save_bundle(federation.bundle, path)
    return path


@pytest.fixture
def wallet(bundle: Path, tmp_path: Path, federation: Federation) -> WalletFolder:
    made = WalletFolder.create(tmp_path / "wallet", bundle, None)
    made.save_binding(
        federation.subject("ada", public_key=made.signer.public_key).binding,
    )
    return made


def record_of(federation: Federation) -> ConsentRecord:
    granted = federation.consent(federation.subject("ada"))
    licences = {name: federation.member(name).licence_envelope for name in PROVIDERS}
    return ConsentRecord(granted.envelope, granted=True, licences=licences)


def test_a_wallet_opens_as_it_was_left(wallet: WalletFolder, federation: Federation) -> None:
    record = record_of(federation)
    wallet.save_consent(record)
    again = WalletFolder.open(wallet.folder, None)
    assert again.signer.public_key == wallet.signer.public_key
    assert again.key().binding == wallet.key().binding
    assert again.consents() == [record]
    assert set(record.providers(federation.anchors, AT)) == set(PROVIDERS)


def test_a_passphrase_is_needed_where_one_was_given(bundle: Path, tmp_path: Path) -> None:
    WalletFolder.create(tmp_path / "locked", bundle, b"open sesame")
    assert b"ENCRYPTED" in (tmp_path / "locked" / "key.pem").read_bytes()
    for wrong in (None, b"open says me"):
        with pytest.raises(KeyFileError):
            WalletFolder.open(tmp_path / "locked", wrong)
    WalletFolder.open(tmp_path / "locked", b"open sesame")


def test_only_the_owner_can_read_it(wallet: WalletFolder, federation: Federation) -> None:
    wallet.save_consent(record_of(federation))
    assert stat.S_IMODE(wallet.folder.stat().st_mode) == 0o700
    files = [path for path in wallet.folder.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_key_is_never_overwritten(wallet: WalletFolder, bundle: Path) -> None:
    before = (wallet.folder / "key.pem").read_bytes()
    with pytest.raises(WalletError, match="never overwritten"):
        WalletFolder.create(wallet.folder, bundle, None)
    assert (wallet.folder / "key.pem").read_bytes() == before


@pytest.mark.parametrize("crash_at", ["fsync", "replace"])
def test_a_crash_while_writing_leaves_the_old_content(
    wallet: WalletFolder,
    federation: Federation,
    monkeypatch: pytest.MonkeyPatch,
    crash_at: str,
) -> None:
    record = record_of(federation)
    wallet.save_consent(record)
    event = sign_event(wallet.key(), record.envelope, REVOKE, 1, AT)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os if crash_at == "fsync" else Path, crash_at, crash)
    with pytest.raises(KeyboardInterrupt):
        wallet.save_consent(record.after(event))
    monkeypatch.undo()
    assert WalletFolder.open(wallet.folder, None).consents() == [record]
    wallet.save_consent(record.after(event))
    assert wallet.consents()[0].last_event.sequence == 1


def test_a_file_is_flushed_before_it_is_renamed(
    wallet: WalletFolder, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor: int) -> None:
        order.append("fsync")
        fsync(descriptor)

    def note_replace(path: Path, target: Path) -> Path:
        order.append("replace")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    wallet.save_consent(record_of(federation))
    assert order == ["fsync", "replace", "fsync"]


def test_a_crash_before_the_key_is_in_place_starts_over(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(beside: Path, path: Path) -> None:
        if path.name == "key.pem":
            raise KeyboardInterrupt
        beside.replace(path)

    monkeypatch.setattr(module, "put_in_place", crash)
    with pytest.raises(KeyboardInterrupt):
        WalletFolder.create(tmp_path / "wallet", bundle, None)
    monkeypatch.undo()
    with pytest.raises(WalletError, match="no wallet"):
        WalletFolder.open(tmp_path / "wallet", None)
    WalletFolder.create(tmp_path / "wallet", bundle, None)
    WalletFolder.open(tmp_path / "wallet", None)


def test_a_consent_is_found_by_the_start_of_its_id(
    wallet: WalletFolder, federation: Federation
) -> None:
    records = [record_of(federation) for _ in range(2)]
    for record in records:
        wallet.save_consent(record)
    assert wallet.consent(records[0].consent_id.hex()) == records[0]
    with pytest.raises(WalletError, match="several"):
        wallet.consent("0")
    for missing in ("", "ffff"):
        with pytest.raises(WalletError, match="no consent"):
            wallet.consent(missing)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"version": 2}', b'{"version": 1, "consent": "%%", "granted": true}'],
)
def test_a_damaged_file_is_named(wallet: WalletFolder, content: bytes) -> None:
    path = wallet.folder / "consents" / "00.json"
    path.write_bytes(content)
    with pytest.raises(WalletError, match=r"00\.json"):
        wallet.consents()


def test_an_unbound_wallet_says_what_to_do(bundle: Path, tmp_path: Path) -> None:
    made = WalletFolder.create(tmp_path / "wallet", bundle, None)
    with pytest.raises(WalletError, match="wallet bind"):
        made.key()


def test_a_provider_whose_kept_licence_is_forged_is_left_out(federation: Federation) -> None:
    record = record_of(federation)
    record.licences[PROVIDERS[0]].signatures[0].sig = bytes(64)
    assert set(record.providers(federation.anchors, AT)) == set(PROVIDERS[1:])
