"""`concordat listings retractions`: what the exchange recalls of what it told this lender."""

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli.console import (
    JsonOption,
    PassphraseFile,
    TrustBundle,
    console,
    echo_json,
    failing,
    read_passphrase,
    words,
)
from clients.cli.lender_options import LenderFolder
from clients.cli.moments import moment
from clients.sdk.client import LenderClient
from clients.sdk.identity import load_identity
from clients.sdk.retractions import AT_ONCE
from concordat import v1
from concordat.clock import Clock, from_timestamp
from concordat.federation.anchors import load_anchors
from concordat.trust.envelope import Verified

Recalled = Verified[v1.Retraction]


def retractions(
    trust_bundle: TrustBundle,
    member: LenderFolder,
    acknowledge: Annotated[
        bool,
        typer.Option(
            "--acknowledge",
            help="Say that all of them are deleted or corrected, wherever they were passed on.",
        ),
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """List what is recalled: the answer by its digest, and the place of the listing in it, from 0.

    Delete or correct it, wherever it was passed on in your house, and then acknowledge. Each is verified: it
    is the exchange's, and for this lender.
    """
    with failing("the retractions were not obtained", as_json=as_json):
        anchors = load_anchors(trust_bundle)
        identity = load_identity(member, anchors, read_passphrase(passphrase_file))
        with LenderClient(anchors, identity) as client:
            recalled = client.list_retractions()
            known = list(recalled)
            while acknowledge and recalled:
                for retraction in recalled:
                    client.acknowledge_retraction(retraction)
                recalled = client.list_retractions() if len(recalled) == AT_ONCE else []
                known += recalled
    now = Clock().now()
    if as_json:
        facts = [_facts(retraction, now) for retraction in known]
        echo_json(ok=True, retractions=facts, acknowledged=acknowledge)
        return
    if not known:
        console().print("Nothing is recalled.", style="green")
        return
    console().print(_table(known, now))
    if acknowledge:
        console().print(f"Acknowledged: {len(known)}.")
    else:
        console().print(
            "Delete or correct each, then: concordat listings retractions --acknowledge"
        )


def _table(known: list[Recalled], now: datetime) -> Table:
    table = Table("why", "answer", "place", "subject", "recalled", "acknowledge by")
    for retraction in known:
        facts = _facts(retraction, now)
        table.add_row(
            facts["cause"],
            retraction.message.answer_digest.hex(),
            str(facts["position"]),
            retraction.message.subject_ref.hex(),
            facts["issued_at"],
            facts["acknowledge_by"],
            style="bold red" if facts["overdue"] else "",
        )
    return table


def _facts(retraction: Recalled, now: datetime) -> dict[str, Any]:
    """Return the JSON of a retraction; its keys stay as they are."""
    said = retraction.message
    return {
        "retraction_id": said.retraction_id,
        "cause": words(v1.RetractionCause.Name(said.cause), "RETRACTION_CAUSE_"),
        "answer_digest": said.answer_digest,
        "position": said.position,
        "subject_ref": said.subject_ref,
        "issued_at": moment(said.issued_at),
        "acknowledge_by": moment(said.acknowledge_by),
        "overdue": from_timestamp(said.acknowledge_by) <= now,
    }
