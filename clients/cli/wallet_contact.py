"""`concordat wallet contact`: where notices go besides the inbox, shown, said, and taken away."""

from typing import Annotated, Any

import typer

from clients.cli.console import Exit, JsonOption, console, echo_json, fail, failing
from clients.cli.moments import moment
from clients.cli.wallet_desk import WalletDesk, earlier_facts, print_earlier, tell, wallet_desk
from clients.cli.wallet_flags import look
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, PassphraseFile
from clients.language import marked, tr
from clients.sdk.own_listings import OwnListings
from clients.sdk.subject_outbox import Posted
from clients.sdk.subject_requests import make_contact_change
from concordat import v1

_FAILED = "the contact was not changed"
INBOX_ALONE = marked("Notices go to your inbox alone.")
GO_TO = marked("Notices go to {address} too.")


def contact(
    email: Annotated[str, typer.Option(help="Where notices go, besides your inbox.")] = "",
    none: Annotated[bool, typer.Option("--none", help="To the inbox alone.")] = False,
    language: Annotated[str, typer.Option(help="Of your notices, such as en or zh-Hans.")] = "en",
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Show where notices go besides your inbox, or say so. Used for notices alone, and shown to nobody.

    What is shown is what you signed last, checked here; without --email and --none nothing is changed.
    """
    if email and none:
        raise typer.BadParameter("give either --email or --none")
    with failing(_FAILED, as_json=as_json), wallet_desk(wallet, passphrase_file) as desk:
        if not email and not none:
            _show(desk, as_json=as_json)
            return
        told = look(desk)
        posted = change_contact(desk, told, email, language)
        if posted is None and told is not None:
            _tell_standing(desk, told, as_json=as_json)
            return
    assert posted is not None  # noqa: S101 - it stands so by what the exchange shows alone
    tell(_FAILED, contact_in_words(email), posted, desk.earlier, as_json=as_json)


def change_contact(
    desk: WalletDesk, told: OwnListings | None, email: str, language: str
) -> Posted | None:
    """Sign where notices shall go and send it; return None where it stands so already, by one's own signature.

    ``told`` is how things stand; None where the exchange cannot be asked. An empty ``email`` is the inbox alone.
    Raises ``StatementMalformedError`` for what is no address.
    """
    if told is not None and _stands(told, email, language):
        return None
    sequence = desk.store.memory().contact_sequence
    if told is not None:
        sequence = max(sequence, told.contact_sequence)
    request = make_contact_change(
        desk.store.key, desk.federation, email, language, sequence + 1, desk.now
    )
    return desk.client.post(desk.store, request)


def _stands(told: OwnListings, email: str, language: str) -> bool:
    if not told.sound:
        return False
    if told.contact is None:
        return not email and not told.contact_sequence
    if not email:
        return not told.contact.email
    return (told.contact.email, told.contact.language) == (email, language)


def contact_in_words(email: str) -> str:
    """Return where notices go."""
    return tr(GO_TO, address=email) if email else tr(INBOX_ALONE)


def contact_facts(contact: v1.ContactChange | None) -> dict[str, Any]:
    """Return the JSON; its keys stay as they are."""
    if contact is None or not contact.email:
        return {"email": None, "language": None, "since": contact and moment(contact.decided_at)}
    since = moment(contact.decided_at)
    return {"email": contact.email, "language": contact.language, "since": since}


def _show(desk: WalletDesk, *, as_json: bool) -> None:
    desk.send_waiting()
    told = desk.client.own_listings(desk.store)
    if told.faults:
        what, advice = "what the exchange shows does not hold", "; ".join(told.faults)
        fail(what, Exit.REFUSED, "ANSWER_NOT_VERIFIED", advice, as_json=as_json)
    _tell_standing(desk, told, as_json=as_json)


def _tell_standing(desk: WalletDesk, told: OwnListings, *, as_json: bool) -> None:
    if as_json:
        earlier = earlier_facts(desk.earlier)
        echo_json(ok=True, waits=False, **contact_facts(told.contact), earlier=earlier)
        return
    print_earlier(desk.earlier)
    said = told.contact
    console().print(contact_in_words(said.email if said is not None else ""), markup=False)
    if said is not None and said.email:
        console().print(
            f"Written in {said.language}; you said so on {moment(said.decided_at)}.", markup=False
        )
