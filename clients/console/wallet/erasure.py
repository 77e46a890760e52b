"""Erasure: what would go and what a law keeps, read first; then done, once, on a word that I type."""

import unicodedata
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import Response

from clients.cli import wallet_erase as words
from clients.cli.wallet_desk import WalletDesk
from clients.console.base import Action, Page, PageRefused, Visit
from clients.console.base.failures import no_such_page
from clients.console.wallet.desk import Desk, keep, kept
from clients.language import marked, tr
from clients.sdk.errors import AnswerNotVerified
from clients.sdk.own_accesses import list_and_keep
from clients.sdk.own_erasure import (
    ErasurePreviewChanged,
    entry_of,
    erase_as_read,
    forget_erased,
    is_unanswered,
    settle_late,
)
from concordat import v1
from concordat.clock import from_timestamp
from concordat.rpc.errors import RemoteError
from concordat.v1 import ErasureRule

WORD = marked("erase")  # to be typed, in the language that the page is read in
CHANGED = marked(
    "What would go, or what would stay, has changed since you read it. Nothing was erased: read it again."
)
_LATE = marked("What you asked for before was carried out; its answer had been lost on the way.")
_NO_ANSWER = marked("No answer came")
_FIND_OUT = marked(
    "It is not known yet whether it was erased. Open Erasure again in a while and have it shown: the wallet then "
    "finds out by the log, and erases nothing twice."
)
_WRONG_WORD = marked("That is not the word. Nothing was erased.")
# What a person can do about what is kept by a rule that is its own to end: where, and what.
_TO_DO = {
    ErasureRule.ERASURE_RULE_CONSENT_IN_FORCE: (
        "/consents",
        marked("Revoke the consents in force; they can go once no access under them is kept."),
    ),
    ErasureRule.ERASURE_RULE_DISPUTE_OPEN: (
        "/listings",
        marked("See how your disputes stand, and until when you can appeal."),
    ),
    ErasureRule.ERASURE_RULE_LISTING_LIVE: (
        "/listings",
        marked("Dispute a listing that is wrong, or say that a debt is paid."),
    ),
    ErasureRule.ERASURE_RULE_NOT_READ: (
        "/inbox",
        marked("Read your messages; those that were read can go."),
    ),
    ErasureRule.ERASURE_RULE_FLAG_PLACED: (
        "/switches",
        marked("Lift the freeze or the alert, if you need it no more."),
    ),
}


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, by which reading of mine."""

    read: str  # which preview, in hex
    outcome: v1.ErasureOutcome
    settled: bool = False  # whether the wallet has forgotten what went
    fault: str = ""  # how the listings that are left do not agree with it


class ErasurePages:
    """Shows a preview, erases what was read in it and nothing else, and shows what became of it."""

    def __init__(self, desk: Desk) -> None:
        """Ask with ``desk``'s key."""
        self._desk = desk

    def routes(self) -> list[Page | Action]:
        """Return its pages."""
        return [
            Page("/erasure", self.show),
            Action("/erasure", self.preview),
            Action("/erasure/now", self.erase),
            Page("/erasure/done", self.done),
        ]

    def show(self, visit: Visit) -> Response:
        """Show the preview that was asked for last, and the form that acts on it."""
        return self._shown(visit)

    def preview(self, visit: Visit) -> Response:
        """Ask what would go; nothing does."""
        with self._desk.open() as desk:
            late = _late(visit, desk)
            keep(visit, desk.client.erase(desk.store.key, preview=True))
        return late or visit.go("/erasure")

    def erase(self, visit: Visit) -> Response:
        """Erase what was read, on the word typed; a form that is sent again, or meanwhile, does nothing more."""
        if not _is_the_word(visit.form.one("word")):
            return self._shown(visit, fault=tr(_WRONG_WORD), status=422)
        form = visit.form.one("read")
        with self._desk.open() as desk:
            erased, read = kept(visit, Erased), kept(visit, v1.ErasureOutcome)
            if erased is not None and erased.read == form:
                return visit.go("/erasure/done")
            if read is None or _which(read) != form:
                return visit.go("/erasure", notice=tr(CHANGED))
            if late := _late(visit, desk, form):
                return late
            try:
                outcome = erase_as_read(desk.client, desk.store, read, desk.now)
            except ErasurePreviewChanged as changed:
                keep(visit, changed.newer)
                return visit.go("/erasure", notice=tr(CHANGED))
            except RemoteError as error:
                if is_unanswered(desk.store.held):
                    raise PageRefused(503, _NO_ANSWER, _FIND_OUT) from error
                raise
            return _done(visit, desk, Erased(form, outcome))

    def done(self, visit: Visit) -> Response:
        """Show what went, the entry in the log that proves it, what stays until when, and what I can do now."""
        erased = kept(visit, Erased)
        if erased is None:
            raise no_such_page()
        outcome = erased.outcome
        with self._desk.open() as desk:
            if not erased.settled:
                erased = _settled(desk, erased)
                keep(visit, erased)
            entry = entry_of(
                list_and_keep(desk.client, desk.store.held).entries, outcome.request_digest
            )
        return visit.page(
            "erased.html",
            **_of(outcome),
            fault=erased.fault,
            entry=entry,
            next_date=min(
                (from_timestamp(item.until) for item in outcome.kept if item.HasField("until")),
                default=None,
            ),
        )

    def _shown(self, visit: Visit, *, fault: str = "", status: int = 200) -> Response:
        outcome = kept(visit, v1.ErasureOutcome)
        read = "" if outcome is None else _which(outcome)
        return visit.page(
            "erasure.html",
            status=status,
            **_of(outcome),
            read=read,
            word=tr(WORD),
            fault=fault,
            erased=kept(visit, Erased) is not None,
            unanswered=is_unanswered(self._desk.held),
        )


def _of(outcome: v1.ErasureOutcome | None) -> dict[str, Any]:
    """Return what templates say of an outcome with."""
    rules = [item.rule for item in outcome.kept] if outcome is not None else []
    ask_them = ""
    if outcome is not None and outcome.ask_too:
        ask_them = tr(words.ASK_THEM, members=", ".join(outcome.ask_too))
    return {
        "outcome": outcome,
        "what": words.what,
        "why": words.why,
        "ask_them": ask_them,
        "to_do": [(where, tr(what)) for rule, (where, what) in _TO_DO.items() if rule in rules],
    }


def _done(visit: Visit, desk: WalletDesk, erased: Erased) -> Response:
    """Keep what became of it; no form acts on its preview again."""
    visit.session.kept.pop(v1.ErasureOutcome.__name__, None)
    keep(visit, erased)
    with suppress(RemoteError):  # it is done; the next page settles what is left
        keep(visit, _settled(desk, erased))
    return visit.go("/erasure/done")


def _late(visit: Visit, desk: WalletDesk, read: str = "") -> Response | None:
    """Tell what became of an erasure whose answer was lost; return None where there is none."""
    late = settle_late(desk.client, desk.store, desk.now)
    if late is None:
        return None
    visit.session.notices.append(tr(_LATE))
    if late.outcome is not None:
        return _done(visit, desk, Erased(read, late.outcome))
    visit.session.kept.pop(v1.ErasureOutcome.__name__, None)
    return visit.go("/accesses")


def _settled(desk: WalletDesk, erased: Erased) -> Erased:
    """Have the wallet forget what went; what does not agree with it is to be shown."""
    try:
        forget_erased(desk.client, desk.store, erased.outcome)
    except AnswerNotVerified as error:
        return replace(erased, settled=True, fault=str(error))
    return replace(erased, settled=True)


def _which(preview: v1.ErasureOutcome) -> str:
    """Return what tells a preview from every other."""
    return preview.request_digest.hex()


def _is_the_word(typed: str) -> bool:
    plain = unicodedata.normalize("NFKC", typed).strip().casefold()
    return plain == tr(WORD).casefold()
