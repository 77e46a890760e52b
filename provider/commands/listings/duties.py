"""``concordat-provider listings duties``: what this member has to do about its listings."""

import json
from contextlib import closing

import typer
from rich.markup import escape
from rich.table import Table

from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.anchors import load_anchors
from concordat.rpc.tls import TlsIdentity
from concordat.trust.envelope import parse_statement
from concordat.trust.errors import StatementMalformedError
from concordat.v1 import DisputeGround, DutyKind, ListingState, OrderedAction, OrderedFact
from provider.commands.listings.options import JsonOption
from provider.commands.listings.references import references_of
from provider.commands.shared import OUT, ConfigOption, advising, read_settings
from provider.listings.exchange_link import ExchangeLink

_WHAT = {
    DutyKind.DUTY_KIND_RECONFIRM: ("reconfirm", "listings reconfirm --due"),
    DutyKind.DUTY_KIND_ANSWER_DISPUTE: (
        "answer dispute",
        "check; then correct or withdraw what is wrong",
    ),
    DutyKind.DUTY_KIND_CHECK_SETTLEMENT: ("check settlement", "check; settle it if it was paid"),
    DutyKind.DUTY_KIND_OBEY_ORDER: ("obey the regulator's order", "listings withdraw"),
}


def duties(config: ConfigOption, as_json: JsonOption = False) -> None:
    """Show what is to be done, as the exchange says: reconfirm, answer a dispute, obey an order.

    A node may be running. Exit codes: 0 shown, also where there is nothing; 1 the exchange can't be
    reached or refuses; 2 the settings are wrong.
    """
    with advising(as_json=as_json):
        settings = read_settings(config)
        anchors = load_anchors(settings.trust_bundle)
        identity = TlsIdentity.load(settings.tls_certificate, settings.tls_key)
        with closing(ExchangeLink(anchors, identity)) as link:
            found = list(link.duties())
        known = references_of(settings, [(duty.subject_ref, duty.filing_id) for duty in found])
    rows = [_row(duty, known.get((duty.subject_ref, duty.filing_id), "")) for duty in found]
    if as_json:
        typer.echo(json.dumps({"ok": True, "duties": rows}, indent=2))
        return
    table = Table("by", "what", "reference", "listing is", "ground", "", box=None)
    for row in rows:
        columns = ("due_at", "what", "reference", "state", "ground", "how")
        table.add_row(*(escape(row[name]) for name in columns))
    OUT.print(table)


def _row(duty: v1.Duty, reference: str) -> dict[str, str]:
    what, how = _WHAT.get(duty.kind, (DutyKind.Name(duty.kind), ""))
    order = _order(duty)
    return {
        "what": what,
        "reference": reference,
        "filing_id": duty.filing_id.hex(),
        "subject_ref": duty.subject_ref.hex(),
        "state": _plain(ListingState.Name(duty.standing.state), "LISTING_STATE_"),
        "due_at": from_timestamp(duty.due_at).isoformat(timespec="minutes"),
        "ground": _ground(duty) if duty.HasField("dispute") else _ordered(order),
        "how": f"{_plain(OrderedAction.Name(order.action), 'ORDERED_ACTION_')} it; by {order.legal_article}"
        if order.action
        else how,
        "order_id": order.order_id.hex(),
    }


def _order(duty: v1.Duty) -> v1.CorrectionOrder:
    """Return the order that is to be obeyed; an empty one where there is none, or it can't be read."""
    if not duty.HasField("order"):
        return v1.CorrectionOrder()
    try:
        return parse_statement(v1.CorrectionOrder, duty.order.payload)
    except StatementMalformedError:
        return v1.CorrectionOrder()


def _ordered(order: v1.CorrectionOrder) -> str:
    """Return what an order says is wrong."""
    return ", ".join(_plain(OrderedFact.Name(fact), "ORDERED_FACT_") for fact in order.facts)


def _ground(duty: v1.Duty) -> str:
    """Return the ground of the dispute; the exchange has checked it, and nothing here relies on it."""
    try:
        dispute = parse_statement(v1.Dispute, duty.dispute.payload)
    except StatementMalformedError:
        return "unreadable"
    return _plain(DisputeGround.Name(dispute.ground), "DISPUTE_GROUND_")


def _plain(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", " ")
