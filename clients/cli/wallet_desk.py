"""What the commands about listings share: the wallet open and locked, what waits sent first, the outcome told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from clients.cli import listing_words
from clients.cli.console import Exit, console, echo_json, explain, fail, read_passphrase
from clients.cli.moments import moment
from clients.sdk.client import WalletClient
from clients.sdk.listing_store import ListingStore
from clients.sdk.subject_outbox import Pending, Posted
from clients.sdk.wallet_file import WalletFolder
from concordat import v1
from concordat.clock import Clock

AGAIN = (
    "it waits in the wallet, and goes out with the next command about listings, or this one again"
)


@dataclass(slots=True)
class WalletDesk:
    """A wallet that is open and locked, and the exchange to talk to."""

    store: ListingStore
    client: WalletClient
    now: datetime
    earlier: list[Posted] = field(default_factory=list)  # what waited, and became of it

    @property
    def federation(self) -> str:
        """The federation's name."""
        return self.client.anchors.federation

    def send_waiting(self) -> None:
        """Send what waits from before."""
        self.earlier = self.client.post_waiting(self.store)

    def sent_before(self, kind: str, listing_id: bytes, what: tuple[int, bool]) -> Posted | None:
        """Return what was signed before for this very purpose, and was taken in just now or waits; else None.

        ``what`` is the stage of a dispute, the action of an event, or a flag and whether it is placed.
        """
        for posted in reversed(self.earlier):
            pending = posted.pending
            number, placed = _what(pending)
            if (pending.kind, pending.listing_id, number) != (kind, listing_id, what[0]):
                continue
            return posted if placed == what[1] and (posted.waits or not posted.error) else None
        return None


def _what(pending: Pending) -> tuple[int, bool]:
    match pending.said:
        case v1.Dispute() as said:
            return said.stage, True
        case v1.ListingEvent() as said:
            return said.action, True
        case v1.FlagChange() as said:
            return said.kind, said.placed
    return 0, True


@contextmanager
def wallet_desk(folder: Path, passphrase_file: Path | None) -> Iterator[WalletDesk]:
    """Open a wallet and hold its lock."""
    held = WalletFolder.open(folder, read_passphrase(passphrase_file))
    now = Clock().now()
    with held.locked(), WalletClient(held.anchors) as client:
        yield WalletDesk(ListingStore(held, now), client, now)


def tell(
    what_failed: str,
    done: str,
    posted: Posted,
    earlier: list[Posted],
    *,
    as_json: bool,
    **facts: Any,
) -> None:
    """Print what became of a request; exit with 3 where it waits, with 1 where it is refused."""
    facts = {**outcome_facts(posted), **facts, "earlier": earlier_facts(earlier, posted)}
    if not as_json:
        print_earlier(earlier, posted)
    if posted.error is not None:
        code, reason, advice = explain(posted.error)
        if posted.waits:
            code, advice = Exit.UNREACHABLE, f"{advice}; {AGAIN}"
        fail(what_failed, code, reason, advice, as_json=as_json, **facts)
    if as_json:
        echo_json(ok=True, **facts)
    else:
        console().print(done)
        if isinstance(posted.response, v1.SubmitDisputeResponse):
            console().print(f"To be decided by {moment(posted.response.decide_by)}.")


def outcome_facts(posted: Posted) -> dict[str, Any]:
    """Return the JSON of a request's outcome; its keys stay as they are."""
    facts: dict[str, Any] = {"waits": posted.waits}
    if posted.pending.listing_id:
        facts["listing_id"] = posted.pending.listing_id
        facts["state"] = listing_words.state_name(posted.state) if posted.state else None
    if isinstance(posted.response, v1.SubmitDisputeResponse):
        facts["decide_by"] = moment(posted.response.decide_by)
    if isinstance(posted.response, v1.ChangeFlagResponse):
        flags = posted.response.flags
        facts |= {"frozen": flags.frozen, "fraud_alert": flags.fraud_alert}
    return facts


def earlier_facts(earlier: list[Posted], but: Posted | None = None) -> list[dict[str, Any]]:
    """Return the JSON of what waited from before."""
    return [
        {
            "what": posted.pending.kind,
            "problem": str(posted.error) if posted.error else "",
            **outcome_facts(posted),
        }
        for posted in earlier
        if posted is not but
    ]


def print_earlier(earlier: list[Posted], but: Posted | None = None) -> None:
    """Tell people what waited from before."""
    for posted in earlier:
        if posted is but:
            continue
        what = _WHAT[posted.pending.kind]
        if posted.error is None:
            console().print(f"Sent from before: {what}.", style="green")
        elif posted.waits:
            console().print(f"Still waiting to be sent: {what}.", style="yellow")
        else:
            console().print(f"Refused, from before: {what}: {posted.error}.", style="bold red")


_WHAT = {
    "dispute": "a dispute",
    "event": "a statement about a listing",
    "flag": "a freeze or alert, placed or lifted",
    "contact": "where your notices go",
}
