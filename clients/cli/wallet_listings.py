"""`concordat wallet listings`: every listing about you, each step checked; or all there is about one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from clients.cli import listing_words
from clients.cli.console import Exit, JsonOption, console, echo_json, failing
from clients.cli.listing_json import listing_facts
from clients.cli.listing_render import next_step, print_listing, until
from clients.cli.wallet_accesses import tell_broken
from clients.cli.wallet_desk import WalletDesk, earlier_facts, print_earlier, wallet_desk
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, PassphraseFile
from clients.formats import day, money
from clients.sdk.own_accesses import list_and_keep
from clients.sdk.own_listings import OwnListings
from concordat.verify.history import HistoryBrokenError, HistoryEntry
from concordat.verify.listing_history import CheckedListing
from concordat.verify.listing_log import left_out


def listings(
    listing: Annotated[
        str, typer.Argument(metavar="[LISTING]", help="Its id, or its first digits: show it all.")
    ] = "",
    against_log: Annotated[
        bool,
        typer.Option(
            "--against-log", help="Hold them against all your entries in the public log, too."
        ),
    ] = False,
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Show every listing about you, whatever its state; with LISTING, everything about that one.

    Each step is checked against the keys of whoever is said to have taken it, and against what this wallet
    saw and sent before. What does not hold is shown in red, kept as evidence, and exits with 1. Looking is
    free, and changes no score.
    """
    with (
        failing("the listings were not obtained", as_json=as_json),
        wallet_desk(wallet, passphrase_file) as desk,
    ):
        desk.send_waiting()
        entries = _logged(desk, as_json=as_json) if against_log else []
        told = desk.client.own_listings(desk.store)
        told = replace(told, faults=(*told.faults, *left_out(told.listings, entries)))
        shown = [told.find(listing)] if listing else list(told.listings)
        evidence = _keep_evidence(desk, told)
    if as_json:
        _print_json(told, shown, evidence, desk)
    else:
        _print(told, shown, evidence, desk, one=bool(listing))
    if not told.sound:
        raise typer.Exit(Exit.REFUSED)


def _logged(desk: WalletDesk, *, as_json: bool) -> Sequence[HistoryEntry]:
    """Return the subject's entries in the log, none missing; exit where the exchange's account does not hold."""
    held = desk.store.held
    try:
        return list_and_keep(desk.client, held).entries
    except HistoryBrokenError as error:
        tell_broken(held, error, as_json=as_json)


def _keep_evidence(desk: WalletDesk, told: OwnListings) -> list[str]:
    return [desk.store.keep_evidence(checked) for checked in told.listings if checked.problems]


def _print_json(
    told: OwnListings, shown: list[CheckedListing], evidence: list[str], desk: WalletDesk
) -> None:
    echo_json(
        ok=told.sound,
        listings=[listing_facts(checked) for checked in shown],
        frozen=told.flags.frozen,
        fraud_alert=told.flags.fraud_alert,
        problems=list(told.faults),
        evidence=evidence,
        earlier=earlier_facts(desk.earlier),
    )


def _print(
    told: OwnListings,
    shown: list[CheckedListing],
    evidence: list[str],
    desk: WalletDesk,
    *,
    one: bool,
) -> None:
    print_earlier(desk.earlier)
    if one:
        print_listing(console(), shown[0], desk.now)
    elif shown:
        console().print(listings_table(shown))
    else:
        console().print("Nobody has filed anything about you.")
    if told.flags.frozen:
        console().print("Frozen: nothing is released to anyone.", style="bold")
    if told.flags.fraud_alert:
        console().print("Fraud alert: lenders with your consent are warned.", style="bold")
    _accuse(told, evidence)


def listings_table(shown: list[CheckedListing]) -> Table:
    """Return a line a listing."""
    ids = listing_words.short_forms(checked.listing.listing_id for checked in shown)
    table = Table(
        "listing", "what", "from", "amount", "owed since", "where it stands", "ends", "next"
    )
    for checked in shown:
        own = checked.listing
        stands = Text(listing_words.state(own.state))
        if checked.problems:
            stands.append("  DOES NOT HOLD", style="bold red")
        table.add_row(
            ids[own.listing_id],
            listing_words.kind(own.kind),
            ", ".join(own.sources),
            money(own.facts.amount),
            day(own.facts.delinquent_since),
            stands,
            until(own),
            next_step(own),
        )
    return table


def _accuse(told: OwnListings, evidence: list[str]) -> None:
    """Say what does not hold, so that nobody overlooks it."""
    if told.sound:
        return
    console().print("WHAT THE EXCHANGE SHOWS DOES NOT HOLD", style="bold white on red")
    for fault in told.faults:
        console().print(f"  {fault}", style="red")
    ids = listing_words.short_forms(checked.listing.listing_id for checked in told.listings)
    for checked in told.listings:
        for problem in checked.problems:
            name = ids[checked.listing.listing_id]
            console().print(f"  listing {name}: {problem}", style="red")
    if evidence:
        console().print(f"Kept as evidence: {', '.join(evidence)}. Show it to the regulator.")
