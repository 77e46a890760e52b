"""How ``reconfirm``, ``settle``, ``withdraw`` and ``correct`` say what they say, and tell what became of it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from provider.commands.listings.wording import reason_name
from provider.commands.shared import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_SOME_REJECTED,
    OUT,
    advising,
    read_settings,
)
from provider.listings.counter import Counter
from provider.listings.events import Speaker
from provider.listings.orders import EventOrder
from provider.listings.verdict import ADVICE, Outcome
from provider.settings import ProviderSettings
from provider.store.outbox import Delivery, Posted


@dataclass(frozen=True, slots=True)
class Said:
    """What became of one event."""

    reference: str
    outcome: str  # sent, queued, unchanged, or why it was refused
    advice: str

    @property
    def good(self) -> bool:
        """Whether what was said holds, or is on its way."""
        return self.outcome in {"sent", "queued", "unchanged"}


Make = Callable[[Counter, Speaker], Sequence[tuple[str, EventOrder]]]


def say(
    config: Path, make: Callable[[ProviderSettings], Make], wait: float, *, as_json: bool
) -> None:
    """Hand in what ``make`` says (a reference and an order each), and print what became of it.

    ``make`` gets the settings first, so that it can refuse before anything is opened.
    """
    with advising(as_json=as_json):
        settings = read_settings(config)
        orders_of = make(settings)
        with Counter.opened(settings) as counter:
            speaker = Speaker(settings.member_id, counter.anchors.federation, counter.clock.now())
            orders = orders_of(counter, speaker)
            outcomes = counter.hand_in([order for _, order in orders]) if orders else []
            keys = [order.key for _, order in orders]
            counter.deliver(keys, wait)
            posts = counter.said(keys)
    said = [
        _said(reference, outcome, _post_of(order, posts[order.key]))
        for (reference, order), outcome in zip(orders, outcomes, strict=True)
    ]
    _report(said, counter.trouble, as_json=as_json)
    good = sum(one.good for one in said)
    if good == len(said):
        raise typer.Exit(EXIT_OK)
    raise typer.Exit(EXIT_SOME_REJECTED if good else EXIT_FAILED)


def _post_of(order: EventOrder, posts: Sequence[Posted]) -> Posted | None:
    return next((post for post in posts if post.statement_id == order.event.event_id), None)


def _said(reference: str, outcome: Outcome, post: Posted | None) -> Said:
    if post is None:
        verdict = outcome.verdict
        known = "unchanged" if verdict.good else verdict.value
        return Said(reference, known, ADVICE[verdict])
    match post.state:
        case Delivery.SENT:
            return Said(reference, "sent", "")
        case Delivery.REFUSED:
            return Said(reference, reason_name(post.reason), post.message)
        case _:
            return Said(reference, "queued", post.message)


def _report(said: Sequence[Said], trouble: str, *, as_json: bool) -> None:
    if as_json:
        rows = [asdict(one) for one in said]
        ok = all(one.good for one in said)
        typer.echo(json.dumps({"ok": ok, "said": rows, "trouble": trouble}))
        return
    table = Table("reference", "outcome", "", box=None)
    for one in said:
        table.add_row(escape(one.reference), one.outcome, escape(one.advice))
    OUT.print(table)
    if trouble:
        OUT.print(f"not all was sent: {escape(trouble)}", highlight=False, soft_wrap=True)
