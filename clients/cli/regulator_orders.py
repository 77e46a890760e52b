"""`concordat regulator order`: order a furnisher to put a listing right, and see what became of it."""

# ruff: noqa: PLR0913, PLR0917 - typer makes every argument of a command an option

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.table import Table

from clients.cli.console import (
    CODES,
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
    read_passphrase,
    words,
)
from clients.cli.moments import moment
from clients.cli.pki_options import choice
from clients.cli.regulator_licence import RegulatorFolder
from clients.cli.review_desk import exactly
from clients.sdk.client import RegulatorClient
from clients.sdk.errors import ClientError
from clients.sdk.identity import MemberIdentity, load_identity
from clients.sdk.orders import OrderTerms, make_order
from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import load_anchors
from concordat.v1 import OrderedAction, OrderedFact, OrderStage

app = typer.Typer(
    help="Order a furnisher to put a listing right; see what became of your orders.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
)
_STYLES = {
    OrderStage.ORDER_STAGE_OVERDUE: "bold red",
    OrderStage.ORDER_STAGE_COMPLIED: "green",
    OrderStage.ORDER_STAGE_MOOT: "dim",
}


@dataclass(frozen=True, slots=True)
class RegulatorDesk:
    """A regulator at work."""

    client: RegulatorClient
    identity: MemberIdentity
    now: datetime


@contextmanager
def regulator_desk(
    trust_bundle: Path, folder: Path, passphrase_file: Path | None
) -> Iterator[RegulatorDesk]:
    """Call the exchange as the regulator whose folder it is."""
    anchors = load_anchors(trust_bundle)
    identity = load_identity(folder, anchors, read_passphrase(passphrase_file))
    with RegulatorClient(anchors, identity) as client:
        yield RegulatorDesk(client, identity, Clock().now())


@app.command(epilog=CODES)
def give(
    listing: Annotated[str, typer.Argument(metavar="LISTING", help="The listing's id, 32 digits.")],
    trust_bundle: TrustBundle,
    member: RegulatorFolder,
    subject: Annotated[
        str,
        typer.Option(
            help="The subject's reference, 64 digits, as its complaint or the case names it."
        ),
    ],
    furnisher: Annotated[str, typer.Option(help="Member id of who vouches for the listing.")],
    action: Annotated[
        int,
        typer.Option(
            parser=choice(OrderedAction.items(), "ORDERED_ACTION_"),
            metavar="ACTION",
            help="correct or withdraw.",
        ),
    ],
    fact: Annotated[
        list[int],
        typer.Option(
            parser=choice(OrderedFact.items(), "ORDERED_FACT_"),
            metavar="FACT",
            help="What is wrong: amount, delinquency-date, settled, evidence or whole; repeat for more.",
        ),
    ],
    article: Annotated[
        str, typer.Option(help='The legal article that it rests on, such as "Order 631 art. 25".')
    ],
    days: Annotated[int, typer.Option(min=3, max=30, help="Days that the furnisher has.")] = 10,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Order a furnisher to correct or withdraw a listing; until it does, the listing is under review.

    The order is logged, and the subject is told of it. It changes no fact by itself.
    """
    terms = OrderTerms(
        furnisher=furnisher,
        subject_ref=exactly(subject, 32, "a subject's reference"),
        listing_id=exactly(listing, 16, "a listing's id"),
        action=cast("OrderedAction.ValueType", action),
        facts=cast("list[OrderedFact.ValueType]", fact),
        legal_article=article,
        days=days,
    )
    with (
        failing("the order was not given", as_json=as_json),
        regulator_desk(trust_bundle, member, passphrase_file) as desk,
    ):
        federation = desk.client.anchors.federation
        order = make_order(desk.identity, federation, terms, desk.now)
        standing = desk.client.submit_order(order)
    if as_json:
        echo_json(ok=True, **order_facts(standing))
        return
    console().print(
        f"Ordered: {furnisher} has until {moment(standing.due_at)}.\n"
        f"See what becomes of it: concordat regulator order show {standing.order_id.hex()}"
    )


@app.command(epilog=CODES)
def show(
    orders: Annotated[
        list[str],
        typer.Argument(metavar="ORDER...", help="Ids of your own orders, 32 digits each."),
    ],
    trust_bundle: TrustBundle,
    member: RegulatorFolder,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Show what became of orders that you gave, by their ids."""
    ids = list(dict.fromkeys(exactly(each, 16, "an order's id") for each in orders))
    with (
        failing("the orders were not obtained", as_json=as_json),
        regulator_desk(trust_bundle, member, passphrase_file) as desk,
    ):
        found = desk.client.read_orders(ids)
        if not found:
            raise ClientError("none of these is an order of yours")
    rows = [order_facts(each) for each in found]
    if as_json:
        echo_json(ok=True, orders=rows)
        return
    table = Table("order", "furnisher", "to do", "what is wrong", "by", "stage", "ended")
    for each, row in zip(found, rows, strict=True):
        table.add_row(
            each.order_id.hex(),
            row["furnisher"],
            row["action"] or "erased",
            ", ".join(row["facts"]),
            row["due_at"][:10],
            row["stage"] + (", late" if row["overdue"] and row["ended_at"] else ""),
            (row["ended_at"] or "")[:10],
            style=_STYLES.get(each.stage, ""),
        )
    console().print(table)


def order_facts(standing: v1.OrderStanding) -> dict[str, Any]:
    """Return the JSON of an order; its keys stay as they are."""
    said = v1.CorrectionOrder.FromString(standing.order.payload)
    return {
        "order_id": standing.order_id,
        "furnisher": standing.furnisher,
        "stage": words(OrderStage.Name(standing.stage), "ORDER_STAGE_"),
        "overdue": standing.overdue,
        "given_at": moment(standing.given_at),
        "due_at": moment(standing.due_at),
        "ended_at": moment(standing.ended_at) if standing.HasField("ended_at") else None,
        "listing_id": said.listing_id or None,
        "subject_ref": said.subject_ref or None,
        "action": words(OrderedAction.Name(said.action), "ORDERED_ACTION_")
        if said.action
        else None,
        "facts": [words(OrderedFact.Name(each), "ORDERED_FACT_") for each in said.facts],
        "legal_article": said.legal_article or None,
    }
