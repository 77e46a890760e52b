"""The members that one process knows of, each by its own root-signed licence and status; and calibrations."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.calibrations import Calibrations, OpenedCalibration, open_calibration
from concordat.pooling.scale import CompiledScale, ScaleInvalid
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import Verified, open_envelope
from concordat.trust.keys import KeyRing, TrustedKey
from concordat.v1 import Reason

# Of what a peer or a store holds. A calibration signed by a key that the exchange's licence no longer lists is
# as good as none; that must not keep anybody from knowing the members.
_SUPERSEDED = frozenset({Reason.REASON_LICENCE_SUPERSEDED})
_UNUSABLE = frozenset({Reason.REASON_CALIBRATION_SUPERSEDED, Reason.REASON_SIGNATURE_INVALID})


@dataclass(frozen=True, slots=True)
class Member:
    """A member as its latest licence has it."""

    licence: v1.Licence
    licence_digest: bytes
    licence_envelope: v1.Envelope
    keys: KeyRing
    roles: frozenset[int]
    not_before: datetime
    not_after: datetime
    scale: CompiledScale | None  # of a provider
    approvers: KeyRing = field(default_factory=KeyRing)  # of a regulator's case look-ups

    @property
    def member_id(self) -> str:
        """The member's slug."""
        return self.licence.member_id


def open_licence(envelope: v1.Envelope, anchors: Anchors, at: datetime) -> Member:
    """Verify a licence against the root keys and read it.

    Whether it is in force at a time is ``Member``'s to say, not this function's. Raises ``Refusal``.
    """
    with refusing_untrusted():
        verified = open_envelope(
            envelope, v1.Licence, anchors.roots, at, threshold=anchors.bundle.root_threshold
        )
        licence = verified.message
        keys, approvers = _ring(licence.keys), _ring(licence.approvers)
        not_before, not_after = (
            from_timestamp(licence.not_before),
            from_timestamp(licence.not_after),
        )
    anchors.require_federation(licence.federation)
    if licence.tls_identity != anchors.tls_identity(licence.member_id):
        raise Refusal(Reason.REASON_STATEMENT_MALFORMED, "tls_identity is not the member's own")
    _require_approvers_apart(licence)
    return Member(
        licence=licence,
        licence_digest=verified.digest,
        licence_envelope=envelope,
        keys=keys,
        roles=frozenset(licence.roles),
        not_before=not_before,
        not_after=not_after,
        scale=_scale_of(licence),
        approvers=approvers,
    )


def open_status(
    envelope: v1.Envelope, anchors: Anchors, at: datetime
) -> Verified[v1.LicenceStatus]:
    """Verify a licence status against the root keys. Raises ``Refusal``."""
    with refusing_untrusted():
        verified = open_envelope(
            envelope, v1.LicenceStatus, anchors.roots, at, threshold=anchors.bundle.root_threshold
        )
    anchors.require_federation(verified.message.federation)
    return verified


def require_in_force(member: Member, at: datetime) -> None:
    """Raise ``Refusal`` unless the licence is within its dates; its start may lie ahead by clock skew."""
    # Differences, since a sum may leave the calendar: `at` may come from a stranger's statement.
    if member.not_before - at > MAX_SKEW or at >= member.not_after:
        raise Refusal(
            Reason.REASON_LICENCE_NOT_IN_FORCE,
            f"{member.member_id}: in force {member.not_before} to {member.not_after}",
        )


class MemberDirectory:
    """All members that this process knows of. Thread-safe; only verified statements get in."""

    def __init__(self, anchors: Anchors) -> None:
        """Start empty."""
        self.anchors = anchors
        self.revision = 0  # grows with every change
        self._members: dict[str, Member] = {}
        self._statuses: dict[str, tuple[v1.LicenceStatus, v1.Envelope]] = {}
        self._calibrations = Calibrations()
        self._lock = Lock()

    def add_licence(self, envelope: v1.Envelope, at: datetime) -> bool:
        """Take in a licence; return whether it is new.

        The same bytes again change nothing. Raises ``Refusal`` with REASON_LICENCE_SUPERSEDED for a
        version at or below the one known, and for whatever ``open_licence`` refuses.
        """
        member = open_licence(envelope, self.anchors, at)
        with self._lock:
            known = self._members.get(member.member_id)
            if known and known.licence_digest == member.licence_digest:
                return False
            if known and known.licence.version >= member.licence.version:
                raise Refusal(
                    Reason.REASON_LICENCE_SUPERSEDED,
                    f"{member.member_id}: version {known.licence.version} is already known",
                )
            self._members[member.member_id] = member
            self.revision += 1
            return True

    def add_status(self, envelope: v1.Envelope, at: datetime) -> bool:
        """Take in a status; return whether it is new. A revocation is never undone."""
        status = open_status(envelope, self.anchors, at).message
        with self._lock:
            known = self._statuses.get(status.member_id)
            if known and known[0] == status:
                return False
            if known and (
                known[0].sequence >= status.sequence
                or known[0].standing == v1.Standing.STANDING_REVOKED
            ):
                raise Refusal(
                    Reason.REASON_LICENCE_SUPERSEDED,
                    f"{status.member_id}: status {known[0].sequence} is already known",
                )
            self._statuses[status.member_id] = (status, envelope)
            self.revision += 1
            return True

    def open_calibration(self, envelope: v1.Envelope, at: datetime) -> OpenedCalibration:
        """Verify a calibration against the roots and the exchange's licence, without taking it in.

        Raises ``Refusal`` as ``calibrations.open_calibration``, and REASON_MEMBER_UNLICENSED where the
        exchange's licence is not known.
        """
        exchange = self._members.get(self.anchors.bundle.exchange_id)
        if exchange is None:
            raise Refusal(Reason.REASON_MEMBER_UNLICENSED, "no licence of the exchange is known")
        return open_calibration(envelope, self.anchors, exchange.keys, at)

    def add_calibration(self, envelope: v1.Envelope, at: datetime) -> bool:
        """Take in a calibration; return whether it is new.

        The same bytes again change nothing. Raises ``Refusal`` with REASON_CALIBRATION_SUPERSEDED for other
        bytes of a known version, and for whatever ``open_calibration`` refuses.
        """
        opened = self.open_calibration(envelope, at)
        with self._lock:
            new = self._calibrations.add(opened)
            self.revision += new
            return new

    def calibrations(self) -> list[OpenedCalibration]:
        """Return all calibrations, in use or not, the lowest version first."""
        with self._lock:
            return list(self._calibrations)

    def calibration(self, at: datetime) -> OpenedCalibration:
        """Return the calibration in use at ``at``: the highest version whose ``not_before`` has come.

        One whose key the exchange's licence does not name any more, or not for ``at``, is not in use. Raises
        ``Refusal`` (REASON_NO_CALIBRATION).
        """
        with self._lock:
            exchange = self._members.get(self.anchors.bundle.exchange_id)
            keys = KeyRing() if exchange is None else exchange.keys
            return self._calibrations.in_use(at, keys)

    def calibration_by_digest(self, digest: bytes) -> OpenedCalibration | None:
        """Return the calibration of a statement digest, in use or not, or None."""
        with self._lock:
            return self._calibrations.by_digest(digest)

    def take(
        self,
        licences: Iterable[v1.Envelope],
        statuses: Iterable[v1.Envelope],
        at: datetime,
        calibrations: Iterable[v1.Envelope] = (),
    ) -> None:
        """Take in what a peer or a store holds.

        Passed over are older versions than those known, and calibrations that the exchange's licence does not
        cover any more.
        """
        for envelopes, add, passed_over in (
            (licences, self.add_licence, _SUPERSEDED),
            (statuses, self.add_status, _SUPERSEDED),
            (calibrations, self.add_calibration, _UNUSABLE),
        ):
            for envelope in envelopes:
                try:
                    add(envelope, at)
                except Refusal as refusal:
                    if refusal.reason not in passed_over:
                        raise

    def require(self, member_id: str, at: datetime, *roles: v1.Role.ValueType) -> Member:
        """Return a member that may take part at ``at`` and holds one of ``roles`` (any, if none are given).

        Raises ``Refusal``: REASON_MEMBER_UNLICENSED, _MEMBER_SUSPENDED, _LICENCE_NOT_IN_FORCE or
        _ROLE_NOT_ALLOWED.
        """
        member = self._members.get(member_id)
        if member is None:
            raise Refusal(Reason.REASON_MEMBER_UNLICENSED, f"no licence of {member_id!r} is known")
        match self.standing(member_id):
            case v1.Standing.STANDING_SUSPENDED:
                raise Refusal(Reason.REASON_MEMBER_SUSPENDED, member_id)
            case v1.Standing.STANDING_REVOKED:
                raise Refusal(Reason.REASON_LICENCE_NOT_IN_FORCE, f"{member_id} is revoked")
        require_in_force(member, at)
        if roles and not member.roles.intersection(roles):
            raise Refusal(
                Reason.REASON_ROLE_NOT_ALLOWED,
                f"{member_id} is none of {', '.join(v1.Role.Name(role) for role in roles)}",
            )
        return member

    def standing(self, member_id: str) -> v1.Standing.ValueType:
        """Return a member's standing; active where no status says otherwise."""
        known = self._statuses.get(member_id)
        return known[0].standing if known else v1.Standing.STANDING_ACTIVE

    def members(self) -> list[Member]:
        """Return all members, by id."""
        with self._lock:
            return [self._members[member_id] for member_id in sorted(self._members)]

    def status_envelopes(self) -> list[v1.Envelope]:
        """Return the latest status of each member that has one, by member id."""
        with self._lock:
            return [self._statuses[member_id][1] for member_id in sorted(self._statuses)]


def _ring(keys: Iterable[v1.SigningKey]) -> KeyRing:
    return KeyRing(
        *(
            TrustedKey(
                key.public_key, from_timestamp(key.not_before), from_timestamp(key.not_after)
            )
            for key in keys
        )
    )


def _require_approvers_apart(licence: v1.Licence) -> None:
    """Raise ``Refusal`` where who calls for a regulator could approve its cases too, or anybody else's could."""
    approvers = [key.public_key for key in licence.approvers]
    own = {key.public_key for key in licence.keys}
    if len(set(approvers)) < len(approvers) or own.intersection(approvers):
        raise Refusal(Reason.REASON_STATEMENT_MALFORMED, "an approver's key is not its own alone")
    if approvers and v1.Role.ROLE_REGULATOR not in licence.roles:
        raise Refusal(Reason.REASON_STATEMENT_MALFORMED, "approvers are a regulator's alone")


def _scale_of(licence: v1.Licence) -> CompiledScale | None:
    if not licence.HasField("score_scale"):
        return None
    try:
        return CompiledScale.from_message(licence.score_scale)
    except ScaleInvalid as error:
        raise Refusal(Reason.REASON_STATEMENT_MALFORMED, f"score scale: {error}") from error
