"""The demo's story of one listing: filed, contested, in force, paid, forgotten, each step by who may take it."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.panel import Panel

from clients.cli import render
from clients.cli.lender_render import listings_facts
from clients.cli.listing_render import print_listing
from clients.cli.view_json import view_facts
from clients.cli.wallet_accesses import accesses_table
from clients.sandbox import demo_listing_tables as tables
from clients.sandbox.demo_listing_tables import Standing, as_told
from clients.sandbox.federation import Sandbox
from clients.sandbox.furnishing import Debt
from clients.sandbox.people import Person
from clients.sandbox.processes import SandboxError
from clients.sdk import Permission, RemoteError
from clients.sdk.review_statements import make_ruling
from clients.sdk.reviews import Review, open_attachments
from concordat import v1
from concordat.federation.evidence import Evidence
from concordat.v1 import (
    DataCategory,
    DisputeGround,
    DisputeStage,
    FlagKind,
    InboxKind,
    ListingState,
    Reason,
    RulingOutcome,
)

DEBT = Debt(reference="CARD-2291", amount="750.00", delinquent_since="2012-03-01")
EVIDENCE = b"Statement of account: 750.00 paid on 2 March 2012, reference CARD-1192"
REASONS = "The payment shown is for another card, CARD-1192."
WORDS = "The firm had closed by then. I pay what is left in instalments."
RECEIPT = b"Received with thanks: 750.00"
EVERYTHING = (
    DataCategory.DATA_CATEGORY_SCORE,
    DataCategory.DATA_CATEGORY_LISTINGS,
    DataCategory.DATA_CATEGORY_FLAGS,
)
_OFTEN = v1.Frequency(uses=20, period=v1.Period.PERIOD_DAY)
_LONGEST_WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.2

Chapter = tuple[str, Callable[[], None]]


class ListingStory:
    """Tells it, on real processes; ``facts`` has what was shown, for programs."""

    def __init__(
        self, console: Console, sandbox: Sandbox, person: Person, say: Callable[[str], None]
    ) -> None:
        """Tell of a debt of ``person``, who really failed to pay.

        ``say`` gets a line while something is awaited.
        """
        self.facts: dict[str, Any] = {"states": [], "recalled": []}
        self._noted: list[Standing] = []
        self._console = console
        self._say = say
        self._sandbox = sandbox
        self._person = person
        self._wallet = sandbox.wallet_of(person)
        self._lender = sandbox.lender()
        self._furnisher = sandbox.furnisher(sandbox.provider_ids[1])
        self._permission: Permission = person.consent(
            sandbox.provider_ids, categories=EVERYTHING, frequency=_OFTEN, max_uses=20
        )
        self._never = b""  # what the lender is told before anybody has filed
        self._listing_id = b""

    def chapters(self) -> Iterator[Chapter]:
        """Yield each step of the demo: its title and what it does."""
        yield f"{self._furnisher.member_id} files a debt; only the borrower is told", self.filed
        yield "The borrower contests it; the reviewer decides, with reasons", self.contested
        yield (
            "In force: a lender with consent sees it, with the borrower's own words",
            self.in_force,
        )
        yield "The borrower freezes everything, and lifts it again", self.frozen
        yield "Paid: whoever was told hears of it, and a small debt is forgotten", self.forgotten
        yield "All of it is in the log, step by step", self.logged

    def filed(self) -> None:
        """File the debt, and fetch the notice."""
        self._never = as_told(self._check())
        self._typed(f"file --identity-number {self._person.identity_number} {DEBT.typed}")
        filed = self._furnisher.file(self._person.identity_number, DEBT)
        if filed["sent"] != 1:
            raise SandboxError(f"the debt was not filed: {filed}")
        (checked,) = self._wallet.listings().listings
        self._listing_id = checked.listing.listing_id
        self._stands("filed; its notice waits", ListingState.LISTING_STATE_DRAFT)
        (notice,) = self._wallet.inbox()
        self._stands("the notice is fetched", ListingState.LISTING_STATE_NOTICED)
        self.facts["notice"] = notice.text
        self._console.print(Panel(notice.text.rstrip(), title="The notice in the borrower's inbox"))
        self._show_standings()

    def contested(self) -> None:
        """Contest it with evidence, have the reviewer reject that, and wait for the effect."""
        stage, ground = DisputeStage.DISPUTE_STAGE_CONTEST, DisputeGround.DISPUTE_GROUND_PAID
        decides = self._wallet.dispute(self._listing_id, stage, ground, [EVIDENCE]).reviewer
        self._stands("contested: the clock stands", ListingState.LISTING_STATE_CONTESTED)
        self._typed("duties")
        (duty,) = self._furnisher.listings("duties")["duties"]
        self._print(
            f"told at once: {duty['what']} about {duty['reference']}, ground: {duty['ground']}"
        )
        review, evidence = self._reject(decides)
        told = [m for m in self._wallet.inbox() if m.kind == InboxKind.INBOX_KIND_RULING]
        self._console.print(tables.review(review, evidence, told[-1].text))
        self.facts["reviewer"] = decides
        self._typed(f"reconfirm {DEBT.reference}")
        self._furnisher.listings("reconfirm", DEBT.reference)
        self._wait("the notice period runs", ListingState.LISTING_STATE_EFFECTIVE)
        self._stands(
            "rejected, and the notice period is over", ListingState.LISTING_STATE_EFFECTIVE
        )
        self._show_standings()

    def _reject(self, decides: str) -> tuple[Review, Evidence]:
        """Open the sealed evidence as the reviewer, and reject the contest; return what it read."""
        identity, reviewer = self._sandbox.identity(decides), self._sandbox.reviewer(decides)
        (summary,) = reviewer.list_reviews()
        review = reviewer.get_review(summary.dispute_id)
        (opened,) = open_attachments(review, self._sandbox.sealing_key(decides))
        if opened.evidence is None or opened.evidence.content != EVIDENCE:
            raise SandboxError(f"the reviewer cannot read the evidence: {opened.fault}")
        federation, rejected = (
            self._sandbox.anchors.federation,
            RulingOutcome.RULING_OUTCOME_REJECTED,
        )
        now = datetime.now(UTC)
        reviewer.submit_ruling(make_ruling(identity, federation, summary, rejected, REASONS, now))
        return review, opened.evidence

    def in_force(self) -> None:
        """Attach the borrower's words, and show what a lender's view says."""
        self._wallet.say(self._listing_id, WORDS)
        view = self._lender.request_view(self._permission)
        (shown,) = view.view.listings.listings
        if shown.words.text != WORDS:
            raise SandboxError("the listing is shown without its subject's own words")
        render.print_view(self._console, view.verified)
        self.facts["view"] = view_facts(view.verified)

    def frozen(self) -> None:
        """Freeze: the same lender with the same consent is refused. Lift it: it is answered."""
        self._wallet.flag(FlagKind.FLAG_KIND_FREEZE, placed=True)
        try:
            self._lender.request_view(self._permission)
        except RemoteError as refusal:
            if refusal.reason != Reason.REASON_SUBJECT_FROZEN:
                raise
            self._console.print(tables.refused("a view while all is frozen", refusal))
            self.facts["frozen"] = Reason.Name(refusal.reason).removeprefix("REASON_")
        else:
            raise SandboxError("a view was released of a subject that is frozen")
        self._wallet.flag(FlagKind.FLAG_KIND_FREEZE, placed=False)
        told = self._check()
        self._print(f"lifted: the lender is told of {len(told.listings.listings)} listing again")

    def forgotten(self) -> None:
        """Settle it; recall what the lender was told; wait until the profile's rule ends it."""
        now = datetime.now(UTC)
        self._typed(f"settle {DEBT.reference} --paid-on {now:%FT%TZ} --receipt-file receipt.pdf")
        self._furnisher.settle(DEBT.reference, now.isoformat(), RECEIPT)
        self._stands("the furnisher says that it is paid", ListingState.LISTING_STATE_SETTLED)
        recalled = self._heed_recalls()
        self._wait("a small debt that was paid ends", ListingState.LISTING_STATE_REPAIRED)
        self._stands("ended by the profile's rule", ListingState.LISTING_STATE_REPAIRED)
        recalled += self._heed_recalls()
        self._console.print(tables.retractions(recalled))
        self._show_standings()
        gone = self._check()
        self.facts["gone"] = listings_facts(gone)
        self.facts["as_never_listed"] = as_told(gone) == self._never
        if not self.facts["as_never_listed"]:
            raise SandboxError("the answer tells that there was a listing once")
        self._print(
            f"the lender asks again: {len(self._never)} bytes that say nothing, the same as before "
            "anybody had filed"
        )

    def logged(self) -> None:
        """Show the listing's own steps, and the borrower's entries about it in the log."""
        print_listing(self._console, self._wallet.checked(self._listing_id), datetime.now(UTC))
        listed = self._person.client.list_accesses(self._person.key)
        about = [
            entry
            for entry in listed.entries
            if entry.record is not None and entry.record.WhichOneof("act") in ("listing", "subject")
        ]
        self._console.print(accesses_table(about))
        self.facts["log_indexes"] = [entry.index for entry in about]
        self._print(
            f"{len(about)} of the {len(listed.entries)} entries about this borrower are of the listing and "
            "the freeze; none is missing"
        )

    # What the steps share ----------------------------------------------------------------------

    def _check(self) -> v1.ListingAnswer:
        return self._lender.check_listings(self._permission).answer

    def _heed_recalls(self) -> list[v1.Retraction]:
        """Have the lender verify and acknowledge what is recalled; return it."""
        recalled = self._lender.list_retractions()
        if not recalled:
            raise SandboxError("the lender was told of the listing, and hears of no change")
        for retraction in recalled:
            self._lender.acknowledge_retraction(retraction)
        found = [retraction.message for retraction in recalled]
        causes = [v1.RetractionCause.Name(said.cause) for said in found]
        self.facts["recalled"] += [cause.removeprefix("RETRACTION_CAUSE_") for cause in causes]
        return found

    def _stands(self, what: str, state: ListingState.ValueType) -> None:
        """Note where the listing stands now, for its subject and for a lender; raise where it is not ``state``."""
        own = self._wallet.listing(self._listing_id)
        if own.state != state:
            raise SandboxError(f"{what}: it is {ListingState.Name(own.state)}")
        shown = own.HasField(
            "shown"
        )  # then each answer is recalled later, so the lender asks no more than it must
        if not shown and as_told(self._check()) != self._never:
            raise SandboxError(f"{what}: the lender is told more than before anybody had filed")
        self.facts["states"].append(ListingState.Name(state).removeprefix("LISTING_STATE_"))
        self._noted.append(Standing(what, own.state, shown))

    def _show_standings(self) -> None:
        self._console.print(tables.standings(self._noted))
        self._noted.clear()

    def _typed(self, line: str) -> None:
        """Show what the furnisher's operator types."""
        self._print(f"{self._furnisher.member_id}$ concordat-provider listings {line}")

    def _wait(self, what: str, state: ListingState.ValueType) -> None:
        begun = time.monotonic()
        while self._wallet.listing(self._listing_id).state != state:
            waited = time.monotonic() - begun
            if waited > _LONGEST_WAIT_SECONDS:
                raise SandboxError(f"{what}: not within {_LONGEST_WAIT_SECONDS:.0f} s")
            self._say(f"{what}: {waited:.0f} s")
            time.sleep(_LOOK_SECONDS)

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)
