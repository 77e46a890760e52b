"""`concordat wallet freeze`, `unfreeze`, `alert` and `unalert`: switches that are yours alone."""

from contextlib import suppress
from pathlib import Path

from clients.cli.console import JsonOption, console, echo_json, failing
from clients.cli.wallet_desk import WalletDesk, earlier_facts, print_earlier, tell, wallet_desk
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, PassphraseFile
from clients.sdk.errors import AnswerNotVerified
from clients.sdk.own_listings import OwnListings
from clients.sdk.subject_outbox import Posted
from clients.sdk.subject_requests import make_flag_change
from concordat.rpc.errors import RemoteError
from concordat.v1 import FlagKind

_FREEZE, _ALERT = FlagKind.FLAG_KIND_FREEZE, FlagKind.FLAG_KIND_FRAUD_ALERT
_DONE = {
    (
        _FREEZE,
        True,
    ): "Frozen: nothing is released to anyone. Lift it with: concordat wallet unfreeze",
    (_FREEZE, False): "Not frozen: your consents work again.",
    (_ALERT, True): "Fraud alert placed: lenders with your consent to flags are warned.",
    (_ALERT, False): "Fraud alert lifted.",
}


def freeze(
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Have nothing released to anyone until you lift it, at once. Your consents stay as they are."""
    _switch(_FREEZE, wallet, passphrase_file, placed=True, as_json=as_json)


def unfreeze(
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Lift the freeze, at once."""
    _switch(_FREEZE, wallet, passphrase_file, placed=False, as_json=as_json)


def alert(
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Warn lenders that others may act in your name: they should check with you first."""
    _switch(_ALERT, wallet, passphrase_file, placed=True, as_json=as_json)


def unalert(
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Lift the fraud alert."""
    _switch(_ALERT, wallet, passphrase_file, placed=False, as_json=as_json)


def _switch(
    kind: FlagKind.ValueType,
    folder: Path,
    passphrase_file: Path | None,
    *,
    placed: bool,
    as_json: bool,
) -> None:
    """Sign the change, keep it, send it; it is signed even where the exchange cannot be reached."""
    failed = "the change is not in force"
    done = _DONE[kind, placed]
    with failing(failed, as_json=as_json), wallet_desk(folder, passphrase_file) as desk:
        told = look(desk)
        posted = change_flag(desk, told, kind, placed=placed)
        if told is not None and posted is None:
            return _tell_standing(desk, told, done, as_json=as_json)
    assert posted is not None  # noqa: S101 - it stands so by the exchange's word alone
    tell(failed, done, posted, desk.earlier, as_json=as_json)
    return None


def change_flag(
    desk: WalletDesk, told: OwnListings | None, kind: FlagKind.ValueType, *, placed: bool
) -> Posted | None:
    """Sign a change and send it, unless it was sent just now; return None where it stands so already.

    ``told`` is how things stand; None where the exchange cannot be asked.
    """
    if told is not None and _stands(desk, told, kind, placed=placed):
        return None
    return desk.sent_before("flag", b"", (kind, placed)) or _post(desk, told, kind, placed=placed)


def _post(
    desk: WalletDesk, told: OwnListings | None, kind: FlagKind.ValueType, *, placed: bool
) -> Posted:
    """Sign a change with the next sequence and send it."""
    sequence = desk.store.memory().flag_sequence
    if told is not None:
        sequence = max(sequence, told.flag_sequence)
    request = make_flag_change(
        desk.store.key, desk.federation, kind, sequence + 1, desk.now, placed=placed
    )
    return desk.client.post(desk.store, request)


def look(desk: WalletDesk) -> OwnListings | None:
    """Send what waits, and return how things stand; None where the exchange cannot be asked."""
    with suppress(RemoteError, AnswerNotVerified):
        desk.send_waiting()
        return desk.client.own_listings(desk.store)
    return None


def _stands(desk: WalletDesk, told: OwnListings, kind: FlagKind.ValueType, *, placed: bool) -> bool:
    """Tell whether a flag is as wanted: the exchange says so, and this wallet signed it.

    The exchange's word alone, which it does not sign, is not taken for it.
    """
    now = told.flags.frozen if kind == _FREEZE else told.flags.fraud_alert
    return now == placed and desk.store.memory().flags.get(kind) == placed


def _tell_standing(desk: WalletDesk, told: OwnListings, done: str, *, as_json: bool) -> None:
    """Say that it is so already: what waited from before did it, or nothing had to."""
    if as_json:
        echo_json(
            ok=True,
            waits=False,
            frozen=told.flags.frozen,
            fraud_alert=told.flags.fraud_alert,
            earlier=earlier_facts(desk.earlier),
        )
        return
    print_earlier(desk.earlier)
    console().print(done)
