"""`concordat wallet erase`: what can go goes at once; what a law keeps is named with its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from clients.cli.console import Exit, JsonOption, console, echo_json, explain, fail, failing, words
from clients.cli.moments import moment
from clients.cli.wallet_accesses import tell_broken
from clients.cli.wallet_desk import WalletDesk, wallet_desk
from clients.cli.wallet_options import DEFAULT_WALLET, Folder, PassphraseFile
from clients.language import marked, tr
from clients.sdk.own_erasure import (
    ErasurePreviewChanged,
    erase_as_read,
    forget_erased,
    is_unanswered,
    settle_late,
)
from concordat import v1
from concordat.clock import Clock
from concordat.rpc.errors import RemoteError
from concordat.v1 import ErasureCategory, ErasureRule
from concordat.verify.history import HistoryBrokenError

_WHAT = {
    ErasureCategory.ERASURE_CATEGORY_CONSENTS: marked("consents, with their events"),
    ErasureCategory.ERASURE_CATEGORY_ACCESSES: marked("who asked for your data, and what went out"),
    ErasureCategory.ERASURE_CATEGORY_LOG_RECORDS: marked(
        "what opens other entries of the log about you"
    ),
    ErasureCategory.ERASURE_CATEGORY_LISTINGS: marked(
        "listings, with their statements and evidence"
    ),
    ErasureCategory.ERASURE_CATEGORY_RECALLS: marked("which lenders were told of listings"),
    ErasureCategory.ERASURE_CATEGORY_MESSAGES: marked("messages to you"),
    ErasureCategory.ERASURE_CATEGORY_CONTACT: marked("where your notices go besides the inbox"),
    ErasureCategory.ERASURE_CATEGORY_FLAGS: marked("freeze and fraud alert"),
    ErasureCategory.ERASURE_CATEGORY_OWN_LOOKS: marked("that you looked yourself"),
    ErasureCategory.ERASURE_CATEGORY_BINDING: marked("the binding of your key"),
    ErasureCategory.ERASURE_CATEGORY_LENDER_NEWS: marked(
        "what lenders with periodic consents are told of"
    ),
}
_WHY = {
    ErasureRule.ERASURE_RULE_CONSENT_IN_FORCE: marked("in force: revoke it first"),
    ErasureRule.ERASURE_RULE_PROOF_OF_ACCESS: marked(
        "proof that the access was lawful, while you can contest it"
    ),
    ErasureRule.ERASURE_RULE_LISTING_LIVE: marked("the listing has not ended"),
    ErasureRule.ERASURE_RULE_DISPUTE_OPEN: marked("a dispute is open, or an appeal still possible"),
    ErasureRule.ERASURE_RULE_RECALL_WINDOW: marked(
        "those lenders must hear of corrections (six months)"
    ),
    ErasureRule.ERASURE_RULE_NOT_READ: marked("you have not read them: concordat wallet inbox"),
    ErasureRule.ERASURE_RULE_FLAG_PLACED: marked("it protects you until you lift it"),
    ErasureRule.ERASURE_RULE_KEY_BINDING: marked(
        "without it a key that you lost would speak for you again"
    ),
    ErasureRule.ERASURE_RULE_BEING_LOGGED: marked("on its way into the log: ask again in a minute"),
    ErasureRule.ERASURE_RULE_LIMIT_COUNTED: marked("a limit that protects you still counts it"),
    ErasureRule.ERASURE_RULE_COULD_BE_FILED_AGAIN: marked(
        "the same filing could be handed in once more until then"
    ),
    ErasureRule.ERASURE_RULE_TO_BE_HEARD: marked(
        "a lender that was away has still to hear that a consent ended"
    ),
}
_NOT_SETTLED = "it was erased, but your listings were not found to agree with that"
ASK_THEM = marked(
    "Their own copies are theirs to keep or erase, under duties of their own; the exchange cannot erase these. "
    "Ask them: {members}."
)


def erase(
    preview: Annotated[
        bool, typer.Option("--preview", help="Only show what would go and what would stay.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wallet: Folder = DEFAULT_WALLET,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Have everything about you erased at the exchange that no law keeps.

    It goes at once and for good; what stays is named, with the reason and the date on which it can go. The log
    stays whole, and its entries about what is gone say nothing to anybody any more. What you agree to is what you
    were shown: where that has changed meanwhile, it is shown again.
    """
    with (
        failing("nothing was erased", as_json=as_json),
        wallet_desk(wallet, passphrase_file) as desk,
    ):
        where = Console(stderr=True, markup=False, highlight=False) if as_json else console()
        try:
            _tell_late(desk, where)
        except HistoryBrokenError as error:
            tell_broken(desk.store.held, error, as_json=as_json)
        if preview:
            outcome = desk.client.erase(desk.store.key, preview=True)
        else:
            with _answered(desk, as_json=as_json):
                if yes:
                    outcome = erase_as_read(desk.client, desk.store, None, desk.now)
                else:
                    outcome = _erase_once_agreed(desk, where, as_json=as_json)
        if not as_json:
            _show(outcome, console())
        if not preview:
            with failing(_NOT_SETTLED, as_json=as_json):
                forget_erased(desk.client, desk.store, outcome)
    if as_json:
        echo_json(ok=True, **outcome_facts(outcome))


@contextmanager
def _answered(desk: WalletDesk, *, as_json: bool) -> Iterator[None]:
    """Do not say that nothing was erased where no answer came."""
    try:
        yield
    except RemoteError as error:
        if not is_unanswered(desk.store.held):
            raise
        code, reason, advice = explain(error)
        advice += "; run the command again: it finds out, and erases nothing twice"
        what = "it is not known yet whether it was erased"
        fail(what, code, reason, advice, as_json=as_json)


def _tell_late(desk: WalletDesk, where: Console) -> None:
    """Tell what became of an erasure whose answer was lost, and have the wallet forget what went."""
    late = settle_late(desk.client, desk.store, desk.now)
    if late is None:
        return
    where.print(
        "What you asked for before was carried out; its answer had been lost.", style="yellow"
    )
    if late.outcome is not None:
        _show(late.outcome, where)
        forget_erased(desk.client, desk.store, late.outcome)


def _erase_once_agreed(desk: WalletDesk, where: Console, *, as_json: bool) -> v1.ErasureOutcome:
    """Show what would go, ask, and erase that alone: where it has changed meanwhile, show it and ask again."""
    read = desk.client.erase(desk.store.key, preview=True)
    while True:
        _show(read, where)
        _agree(as_json=as_json)
        try:
            return erase_as_read(desk.client, desk.store, read, Clock().now())  # reading takes long
        except ErasurePreviewChanged as changed:
            where.print(f"{changed}.", style="yellow")
            read = changed.newer


def _agree(*, as_json: bool) -> None:
    if not typer.confirm("Erase it, for good?", err=as_json):
        advice = "nothing was erased; run the command again if you change your mind"
        fail("you did not agree", Exit.REFUSED, "NOT_AGREED", advice, as_json=as_json)


def _show(outcome: v1.ErasureOutcome, where: Console) -> None:
    would = "would go" if outcome.preview else "went"
    if outcome.gone:
        gone = Table("how many", f"what {would}")
        gone.columns[0].justify = "right"
        for item in outcome.gone:
            gone.add_row(str(item.count), what(item))
        where.print(gone)
    else:
        where.print(f"Nothing {would}: there is nothing that could.")
    if outcome.kept:
        kept = Table("how many", "what is kept", "why", "until, at the latest")
        kept.columns[0].justify = "right"
        for item in outcome.kept:
            kept.add_row(str(item.count), what(item), why(item), until(item))
        where.print(kept)
    if not outcome.preview:
        where.print("It is an entry of the log, with its proof: concordat wallet accesses")
    if outcome.ask_too:
        where.print(tr(ASK_THEM, members=", ".join(outcome.ask_too)))


def what(item: v1.ErasureItem) -> str:
    """Return what kind of thing it is."""
    return tr(
        _WHAT.get(item.category, words(ErasureCategory.Name(item.category), "ERASURE_CATEGORY_"))
    )


def why(item: v1.ErasureItem) -> str:
    """Return why it is kept."""
    return tr(_WHY.get(item.rule, words(ErasureRule.Name(item.rule), "ERASURE_RULE_")))


def until(item: v1.ErasureItem) -> str:
    """Return when it can go, at the latest."""
    return moment(item.until) if item.HasField("until") else tr("yours to say")


def outcome_facts(outcome: v1.ErasureOutcome) -> dict[str, Any]:
    """Return the JSON; its keys stay as they are."""
    return {
        "preview": outcome.preview,
        "at": moment(outcome.at),
        "gone": [{"category": _name(item), "count": item.count} for item in outcome.gone],
        "kept": [
            {
                "category": _name(item),
                "count": item.count,
                "rule": words(ErasureRule.Name(item.rule), "ERASURE_RULE_"),
                "why": why(item),
                "until": moment(item.until) if item.HasField("until") else None,
            }
            for item in outcome.kept
        ],
        "ask_too": list(outcome.ask_too),
    }


def _name(item: v1.ErasureItem) -> str:
    return words(ErasureCategory.Name(item.category), "ERASURE_CATEGORY_")
