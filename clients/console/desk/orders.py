"""Orders to put listings right: given with the desk's own key, and followed by their ids."""

from typing import cast

from starlette.responses import Response

from clients.console.base import Visit
from clients.console.base.formats import moment
from clients.console.desk.cases import hex_of
from clients.console.desk.office import Office
from clients.console.desk.officers import Officer
from clients.console.desk.words import ACTIONS, FACTS, STAGES, Shown, said
from clients.language import tr
from clients.sdk.errors import ClientError
from clients.sdk.orders import OrderTerms, make_order
from concordat import v1
from concordat.v1 import OrderedAction, OrderedFact, Role

_LEAST_DAYS, _MOST_DAYS = 3, 30
_ID_DIGITS, _SUBJECT_DIGITS = 32, 64


def show(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show how this desk's orders stand, and the form for another."""
    ids = office.orders.latest()
    standings = office.reader.read_orders(ids) if ids else []
    furnishers = [
        (member.member_id, member.member_id)
        for member, _ in office.members()
        if member.roles & {Role.ROLE_FURNISHER, Role.ROLE_COURT}
    ]
    return visit.page(
        "orders.html",
        officer=officer,
        table=_table(standings),
        furnishers=furnishers,
        actions=[(str(number), tr(name)) for number, name in ACTIONS.items()],
        facts=[(str(number), tr(name)) for number, name in FACTS.items()],
    )


def give(office: Office, visit: Visit, officer: Officer) -> Response:
    """Sign an order with the desk's own key and hand it in."""
    officer.require_desk()
    order = make_order(office.identity, office.anchors.federation, _terms(visit), office.now())
    about = order.order_id.hex()
    office.journal.note(officer, "order", about, "begun")
    office.orders.add(order.order_id)
    standing = office.reader.submit_order(order)
    office.journal.note(officer, "order", about)
    told = tr(
        "Ordered: {furnisher} has until {due}.",
        furnisher=standing.furnisher,
        due=moment(standing.due_at),
    )
    return visit.go("/orders", notice=told)


def _terms(visit: Visit) -> OrderTerms:
    form = visit.form
    days = form.number("days", 10)
    if not _LEAST_DAYS <= days <= _MOST_DAYS:
        raise ClientError(tr("A furnisher has 3 to 30 days."))
    actions, facts = [form.one("action")], form.all("fact")
    known = {str(each) for each in ACTIONS}, {str(each) for each in FACTS}
    if not (set(actions) <= known[0] and facts and set(facts) <= known[1]):
        raise ClientError(tr("Choose what is to be done, and what is wrong."))
    return OrderTerms(
        furnisher=form.one("furnisher"),
        subject_ref=hex_of(form.one("subject"), _SUBJECT_DIGITS),
        listing_id=hex_of(form.one("listing"), _ID_DIGITS),
        action=cast("OrderedAction.ValueType", int(actions[0])),
        facts=[cast("OrderedFact.ValueType", int(each)) for each in facts],
        legal_article=form.one("article"),
        days=days,
    )


def _table(standings: list[v1.OrderStanding]) -> Shown:
    heads = [
        tr("order"),
        tr("furnisher"),
        tr("to do"),
        tr("what is wrong"),
        tr("until"),
        tr("stands"),
    ]
    return Shown(tr("Orders of this desk"), heads, [_row(each) for each in standings])


def _row(standing: v1.OrderStanding) -> list[str]:
    order = v1.CorrectionOrder.FromString(standing.order.payload)
    return [
        standing.order_id.hex(),
        standing.furnisher,
        said(ACTIONS, order.action) if order.action else tr("erased"),
        ", ".join(said(FACTS, each) for each in order.facts),
        moment(standing.due_at),
        said(STAGES, standing.stage),
    ]
