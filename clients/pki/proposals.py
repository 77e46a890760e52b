"""What roots are asked to sign, with no federation folder at hand: made from what is in force."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from clients.pki.certificates import BACKDATED
from clients.pki.errors import PkiError
from clients.pki.licences import LicenceSpec, make_licence, make_status
from clients.pki.signing import (
    RootStatement,
)
from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.directory import MemberDirectory
from concordat.ids import new_id
from concordat.v1 import Standing

_NEVER = "a revocation is never undone: license another member id instead"


@dataclass(frozen=True, slots=True)
class InForce:
    """A member's licence and status in force, each verified; None where there is none."""

    licence: v1.Licence | None = None
    status: v1.LicenceStatus | None = None
    held: v1.ListMembersResponse = field(default_factory=v1.ListMembersResponse)  # both, signed

    @classmethod
    def of(cls, directory: MemberDirectory, member_id: str) -> "InForce":
        """Return what a verified directory has of a member."""
        member = next((m for m in directory.members() if m.member_id == member_id), None)
        envelopes = (
            (v1.LicenceStatus.FromString(each.payload), each)
            for each in directory.status_envelopes()
        )
        status = next((pair for pair in envelopes if pair[0].member_id == member_id), None)
        held = v1.ListMembersResponse()
        if member is not None:
            held.licences.append(member.licence_envelope)
        if status is not None:
            held.statuses.append(status[1])
        return cls(member.licence if member else None, status[0] if status else None, held)

    @property
    def standing(self) -> Standing.ValueType:
        """Whether the member may take part: active where no status says otherwise."""
        return self.status.standing if self.status else Standing.STANDING_ACTIVE

    def before(self, statement: RootStatement) -> RootStatement | None:
        """Return what ``statement`` takes the place of; None where there is nothing of its kind."""
        return self.licence if isinstance(statement, v1.Licence) else self.status


def new_licence(
    now: InForce, spec: LicenceSpec, public_key: bytes, anchors: Anchors, at: datetime
) -> v1.Licence:
    """Return a licence with these terms: a new member's first, or one in place of the licence in force."""
    _require_not_revoked(now)
    version = now.licence.version + 1 if now.licence else 1
    return make_licence(spec, anchors, public_key, version, at)


def renewal(now: InForce, days: int, at: datetime) -> v1.Licence:
    """Return the licence in force with another end, ``days`` from now, and the next version.

    Keys that ended with it go on as long as it does; nothing else changes. Where it has lapsed already it
    begins anew, so that nobody was licensed in between.
    """
    _require_not_revoked(now)
    if now.licence is None:
        raise PkiError("the exchange knows no licence to renew; propose a licence instead")
    renewed = v1.Licence()
    renewed.CopyFrom(now.licence)
    renewed.licence_id, renewed.version = new_id(), now.licence.version + 1
    ended, until = now.licence.not_after, at + timedelta(days=days)
    if until <= from_timestamp(ended):
        raise PkiError("the licence in force ends later than that; name more --days")
    if from_timestamp(ended) <= at:
        renewed.not_before.CopyFrom(to_timestamp(at - BACKDATED))
    renewed.not_after.CopyFrom(to_timestamp(until))
    for key in (*renewed.keys, *renewed.approvers):
        if key.not_after == ended:
            key.not_after.CopyFrom(renewed.not_after)
    return renewed


def new_status(
    now: InForce, standing: Standing.ValueType, legal_basis: str, anchors: Anchors, at: datetime
) -> v1.LicenceStatus:
    """Return a status that changes a member's standing. Raises ``PkiError`` where it would change nothing."""
    _require_not_revoked(now)
    if now.licence is None:
        raise PkiError("the exchange knows no such member; see: concordat regulator members")
    if now.standing == standing:
        name = Standing.Name(standing).removeprefix("STANDING_").lower()
        raise PkiError(f"{now.licence.member_id} is {name} already")
    sequence = now.status.sequence + 1 if now.status else 1
    member_id = now.licence.member_id
    return make_status(anchors, member_id, standing, legal_basis, sequence, at)


def _require_not_revoked(now: InForce) -> None:
    if now.standing == Standing.STANDING_REVOKED:
        raise PkiError(_NEVER)
