"""Members and their health: standing, days left, drift."""

from datetime import datetime

from starlette.responses import Response

from clients.console.base import Visit
from clients.console.base.formats import day
from clients.console.desk.office import Office
from clients.console.desk.officers import Officer
from clients.console.desk.words import DRIFT, ROLES, STANDINGS, Shown, said
from clients.language import tr
from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.directory import Member
from concordat.v1 import Standing

SOON = 30  # days


def show(office: Office, visit: Visit, officer: Officer) -> Response:
    """Show every member, those whose licence ends soonest first."""
    del officer
    at, members = office.now(), office.members()
    ordered = sorted(
        members, key=lambda each: (each[1] == Standing.STANDING_REVOKED, each[0].not_after)
    )
    drift = {each.provider: each for each in reversed(office.reader.read_drift().providers)}
    statuses = [
        v1.LicenceStatus.FromString(each.payload)
        for each in office.reader.book.directory.status_envelopes()
    ]
    last = {each.member_id: each for each in statuses}
    return visit.page(
        "members.html",
        ending=_ending(ordered, at),
        table=Shown(
            tr("Members"),
            [
                tr("member"),
                tr("name"),
                tr("may act as"),
                tr("standing"),
                tr("ends"),
                tr("days left"),
                tr("scores"),
                tr("last status"),
            ],
            [
                [*_cells(member, standing, at), _drift(member, drift), _status(last, member)]
                for member, standing in ordered
            ],
            (5,),
        ),
    )


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
