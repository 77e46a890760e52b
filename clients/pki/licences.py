"""Licences and statuses as messages, from plain values: pure but for the random id."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clients.pki.certificates import BACKDATED
from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.anchors import Anchors
from concordat.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceSpec:
    """What a licence is to say; the rest (keys, version, identity) the folder knows.

    ``purposes`` go with ROLE_LENDER, ``score_scale`` with ROLE_PROVIDER,
    ``own_profile`` (a name) with PROFILE_OWN: exactly, or the licence breaks its bounds.
    ``approvers`` are the raw public keys of a regulator's officers who approve case look-ups.
    ``sealing_key`` is the raw X25519 public key of who reviews or hears appeals; ``furnishes`` is what
    debts a furnisher may file, empty for all that its roles allow. ``not_before`` is five minutes ago
    and ``not_after`` is ``days`` from now unless set.
    """

    member_id: str
    roles: Sequence[v1.Role.ValueType]
    legal_name: str = ""
    endpoint: str = ""
    public_endpoint: str = ""
    purposes: Sequence[v1.Purpose.ValueType] = ()
    profile: v1.Profile.ValueType = v1.Profile.PROFILE_EU
    own_profile: str = ""
    days: int = 365
    score_scale: v1.ScoreScale | None = None
    sealing_key: bytes = b""
    furnishes: Sequence[v1.ListingBasis.ValueType] = ()
    approvers: Sequence[bytes] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None


def make_licence(
    spec: LicenceSpec, anchors: Anchors, public_key: bytes, version: int, at: datetime
) -> v1.Licence:
    """Return the unsigned licence; its one key, and its approvers', are valid as long as the licence is."""
    not_before = to_timestamp(spec.not_before or at - BACKDATED)
    not_after = to_timestamp(spec.not_after or at + timedelta(days=spec.days))
    key, *approvers = (
        v1.SigningKey(public_key=each, not_before=not_before, not_after=not_after)
        for each in (public_key, *spec.approvers)
    )
    return v1.Licence(
        licence_id=new_id(),
        federation=anchors.federation,
        member_id=spec.member_id,
        legal_name=spec.legal_name or spec.member_id,
        roles=spec.roles,
        keys=[key],
        tls_identity=anchors.tls_identity(spec.member_id),
        endpoint=spec.endpoint,
        public_endpoint=spec.public_endpoint,
        purposes=spec.purposes,
        score_scale=spec.score_scale,
        profile=spec.profile,
        own_profile=spec.own_profile,
        sealing_key=spec.sealing_key,
        furnishes=spec.furnishes,
        approvers=approvers,
        not_before=not_before,
        not_after=not_after,
        version=version,
    )


def make_status(
    anchors: Anchors,
    member_id: str,
    standing: v1.Standing.ValueType,
    legal_basis: str,
    sequence: int,
    at: datetime,
) -> v1.LicenceStatus:
    """Return the unsigned status."""
    return v1.LicenceStatus(
        status_id=new_id(),
        federation=anchors.federation,
        member_id=member_id,
        standing=standing,
        sequence=sequence,
        decided_at=to_timestamp(at),
        legal_basis=legal_basis,
    )
