"""Calibrations as one process knows them: signed by the exchange, countersigned by the roots, all kept.

How the exchange pools scores is its own work and the regulators' to allow, so neither's signature
stands in for the other's. A calibration is used from its ``not_before`` until one of a higher version
is; old ones are kept, so that views made by them stay checkable.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.federation.anchors import Anchors
from concordat.pooling import CalibrationInvalid, CompiledCalibration
from concordat.refusal import Refusal, refusing_untrusted
from concordat.trust.envelope import open_envelope
from concordat.trust.errors import SignatureInvalidError
from concordat.trust.keys import KeyRing
from concordat.v1 import Reason


@dataclass(frozen=True, slots=True, eq=False)
class OpenedCalibration:
    """A calibration whose signatures were checked, ready to pool by. Made by ``open_calibration``."""

    message: v1.Calibration
    digest: bytes  # statement digest, 32 bytes
    envelope: v1.Envelope
    compiled: CompiledCalibration
    signed_by: str  # id of the exchange's key
    roots: int  # how many of them signed
    not_before: datetime
    stale_from: datetime

    @property
    def version(self) -> int:
        """Its version, from 1."""
        return self.message.version

    @property
    def begins(self) -> datetime:
        """When it can be in use: from its ``not_before``, and never from before it was made."""
        return max(self.not_before, from_timestamp(self.message.made_at))

    def is_stale(self, at: datetime) -> bool:
        """Tell whether it is past its date; it is used all the same until another replaces it."""
        return at >= self.stale_from


def open_calibration(
    envelope: v1.Envelope, anchors: Anchors, exchange: KeyRing, at: datetime
) -> OpenedCalibration:
    """Verify a calibration: signed by the exchange and by at least ``root_threshold`` roots, and sound.

    ``exchange`` has the keys of the exchange's licence; the one that signed must be valid at ``at``, since a
    licence that is renewed states its key's dates anew. Whether the calibration is in use then is not looked
    at. Raises ``Refusal``:
    REASON_SIGNATURE_INVALID, _WRONG_FEDERATION, _STATEMENT_NOT_FRESH where it says that it was made after
    ``at``, and _STATEMENT_MALFORMED, also where the model contradicts itself.
    """
    with refusing_untrusted():
        threshold = anchors.bundle.root_threshold
        rooted = open_envelope(envelope, v1.Calibration, anchors.roots, at, threshold=threshold)
        calibration = rooted.message
        made_at = from_timestamp(calibration.made_at)
        signed = open_envelope(envelope, v1.Calibration, exchange, at)
        not_before = from_timestamp(calibration.not_before)
        stale_from = from_timestamp(calibration.stale_from)
    signers = sorted(signed.signers - rooted.signers)
    if not signers:
        raise Refusal(
            Reason.REASON_SIGNATURE_INVALID, "a root's signature is not the exchange's as well"
        )
    anchors.require_federation(calibration.federation)
    if made_at - at > MAX_SKEW:
        raise Refusal(Reason.REASON_STATEMENT_NOT_FRESH, f"a calibration made at {made_at}")
    compiled = _compiled(calibration)
    return OpenedCalibration(
        message=calibration,
        digest=rooted.digest,
        envelope=envelope,
        compiled=compiled,
        signed_by=signers[0],
        roots=len(rooted.signers),
        not_before=not_before,
        stale_from=stale_from,
    )


def _compiled(calibration: v1.Calibration) -> CompiledCalibration:
    try:
        return CompiledCalibration.from_message(calibration)
    except CalibrationInvalid as error:
        raise Refusal(Reason.REASON_STATEMENT_MALFORMED, f"calibration: {error}") from error


def _is_valid(keys: KeyRing, keyid: str, at: datetime) -> bool:
    try:
        keys.find(keyid, at)
    except SignatureInvalidError:
        return False
    return True


class Calibrations:
    """All that are known, by version. Not thread-safe: the directory that holds it is."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_version: dict[int, OpenedCalibration] = {}

    def __iter__(self) -> Iterator[OpenedCalibration]:
        """Go through them, the lowest version first."""
        return iter([self._by_version[version] for version in sorted(self._by_version)])

    def add(self, opened: OpenedCalibration) -> bool:
        """Keep one; return whether it is new.

        Raises ``Refusal`` (REASON_CALIBRATION_SUPERSEDED) where its version is taken by another.
        """
        known = self._by_version.setdefault(opened.version, opened)
        if known.digest != opened.digest:
            raise Refusal(
                Reason.REASON_CALIBRATION_SUPERSEDED,
                f"another calibration of version {opened.version} is already known",
            )
        return known is opened

    def in_use(self, at: datetime, exchange: KeyRing) -> OpenedCalibration:
        """Return the one of the highest version whose ``not_before`` has come, signed by a key still valid.

        ``exchange`` has the keys of the exchange's licence as it is now: what was taken in before a key was
        withdrawn would verify nowhere else. Raises ``Refusal`` (REASON_NO_CALIBRATION) where there is none.
        """
        for opened in reversed(list(self)):
            if opened.begins <= at and _is_valid(exchange, opened.signed_by, at):
                return opened
        raise Refusal(
            Reason.REASON_NO_CALIBRATION,
            f"none of {len(self._by_version)} known calibrations is in use at {at}",
        )

    def by_digest(self, digest: bytes) -> OpenedCalibration | None:
        """Return the one of a statement digest, in use or not, or None."""
        return next((opened for opened in self if opened.digest == digest), None)
