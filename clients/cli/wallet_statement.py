"""`concordat wallet statement` and `settle`: your own words about a listing, and your word that it is paid."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from clients.cli.console import JsonOption, failing
from clients.cli.wallet_desk import tell, wallet_desk
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, ListingId, PassphraseFile
from clients.sdk.errors import WalletError
from clients.sdk.subject_requests import make_settlement, make_words
from concordat import v1

_SETTLE = v1.ListingAction.LISTING_ACTION_SETTLE


def statement(
    listing: ListingId,
    text: Annotated[str, typer.Argument(help="At most 200 words; every lender reads them.")] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Say nothing any more.")] = False,
    language: Annotated[str, typer.Option(help="Of your words, such as en or zh-Hans.")] = "en",
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Attach your own words to a listing, replace them, or take them away.

    Whoever is told of the listing is told your words with it.
    """
    if bool(text.strip()) == remove:
        raise typer.BadParameter("give either a text or --remove")
    failed = "your words were not attached"
    words = v1.SubjectWords(text=text.strip(), language="" if remove else language)
    with failing(failed, as_json=as_json), wallet_desk(wallet, passphrase_file) as desk:
        desk.send_waiting()
        found = desk.client.own_listings(desk.store).find(listing).listing
        request = make_words(desk.store.key, desk.federation, found.listing_id, words, desk.now)
        posted = desk.client.post(desk.store, request)
    done = "Your words are taken away." if remove else "Your words go with the listing from now on."
    tell(failed, done, posted, desk.earlier, as_json=as_json)


def settle(
    listing: ListingId,
    receipt: Annotated[Path, typer.Option(help="The receipt; its SHA-256 is sent, not the file.")],
    paid_on: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="The day of the payment (UTC).")
    ],
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Say that a debt in force is paid. Keep the receipt: its source is asked, and may ask to see it."""
    failed = "the settlement was not reported"
    with failing(failed, as_json=as_json):
        content = receipt.read_bytes()
        with wallet_desk(wallet, passphrase_file) as desk:
            paid_at = paid_on.replace(tzinfo=UTC)
            if paid_at > desk.now:
                raise WalletError(f"{paid_on:%Y-%m-%d} lies in the future")
            desk.send_waiting()
            found = desk.client.own_listings(desk.store).find(listing).listing
            posted = desk.sent_before("event", found.listing_id, (_SETTLE, True))
            if posted is None:
                request = make_settlement(
                    desk.store.key,
                    desk.federation,
                    found.listing_id,
                    content,
                    paid_at,
                    desk.now,
                )
                posted = desk.client.post(desk.store, request)
    tell(failed, "Reported: the debt is paid.", posted, desk.earlier, as_json=as_json)
