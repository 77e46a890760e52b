"""Members and their health: how they did on the last day that is told, standing, days left, drift."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from starlette.responses import Response

from clients.console.base import Visit
from clients.console.base.formats import day, moment
from clients.console.desk.health import availability_charts, health_table
from clients.console.desk.hearing import Heard, hearing
from clients.console.desk.office import Office
from clients.console.desk.officers import Officer
from clients.console.desk.words import DRIFT, ROLES, STANDINGS, Shown, said
from clients.language import tr
from clients.regulator_report.grid import length_words
from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.directory import Member
from concordat.v1 import Standing

SOON = 30  # days
_HEALTH_DAYS = 14


def show(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show every member's health, then every member, those whose licence ends soonest first."""
    del officer
    return _page(office, visit)


def ask(office: Office, visit: Visit, officer: Officer) -> Response:
    """Ask every member whether it serves, from here and now, and show what each says."""
    at = office.now()
    serving = [each for each, standing in office.members() if standing == Standing.STANDING_ACTIVE]
    heard = hearing(office.anchors, office.identity.tls)(serving)
    found = f"{sum(each.serves for each in heard.values())} of {len(heard)} serve"
    office.journal.note(officer, "members-ask", outcome=found)
    return _page(office, visit, _heard(heard, at))


def _page(office: Office, visit: Visit, heard: Shown | None = None) -> Response:
    at, members = office.now(), office.members()
    ordered = sorted(
        members, key=lambda each: (each[1] == Standing.STANDING_REVOKED, each[0].not_after)
    )
    told = office.reading.days(_HEALTH_DAYS)
    return visit.page(
        "members.html",
        ending=_ending(ordered, at),
        heard=heard,
        health=health_table(told),
        charts=availability_charts(told),
        table=_table(office, ordered, at),
    )


def _table(office: Office, members: list[tuple[Member, Standing.ValueType]], at: datetime) -> Shown:
    drift = {each.provider: each for each in reversed(office.reader.read_drift().providers)}
    statuses = [
        v1.LicenceStatus.FromString(each.payload)
        for each in office.reader.book.directory.status_envelopes()
    ]
    last = {each.member_id: each for each in statuses}
    heads = [
        tr("member"),
        tr("name"),
        tr("may act as"),
        tr("standing"),
        tr("ends"),
        tr("days left"),
        tr("scores"),
        tr("last status"),
    ]
    rows = [
        [*_cells(member, standing, at), _drift(member, drift), _status(last, member)]
        for member, standing in members
    ]
    return Shown(tr("Members"), heads, rows, (5,))


def _heard(heard: Mapping[str, Heard], at: datetime) -> Shown:
    rows = [[name, one.address, _said(one)] for name, one in sorted(heard.items())]
    about = tr(
        "Asked from this machine, whether the port for members serves. It tells of this way alone: the exchange "
        "may reach who is silent here. Members that only call have no port, and are not asked."
    )
    caption = tr("Heard of, {moment}", moment=moment(at))
    return Shown(caption, [tr("member"), tr("address"), tr("answer")], rows, about=about)


def _said(heard: Heard) -> str:
    if not heard.serves:
        return tr("silent")
    took = max(1, round(heard.took / timedelta(milliseconds=1)))
    return tr("serves; it answered within {length}", length=length_words(took))


def _cells(member: Member, standing: Standing.ValueType, at: datetime) -> list[str]:
    return [
        member.member_id,
        member.licence.legal_name,
        ", ".join(said(ROLES, role) for role in member.licence.roles),
        said(STANDINGS, standing),
        day(member.not_after),
        str(max(0, (member.not_after - at).days)),
    ]


def _ending(members: list[tuple[Member, Standing.ValueType]], at: datetime) -> list[str]:
    return [
        member.member_id
        for member, standing in members
        if standing != Standing.STANDING_REVOKED and (member.not_after - at).days < SOON
    ]


def _drift(member: Member, drift: dict[str, v1.ProviderDrift]) -> str:
    found = drift.get(member.member_id)
    return "" if found is None else said(DRIFT, found.level)


def _status(last: dict[str, v1.LicenceStatus], member: Member) -> str:
    found = last.get(member.member_id)
    if found is None:
        return ""
    when = day(from_timestamp(found.decided_at))
    return f"{said(STANDINGS, found.standing)}, {when}, {found.legal_basis}"
