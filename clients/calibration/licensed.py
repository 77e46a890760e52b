"""What the regulators licensed: the providers' scales, and the exchange's keys."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from clients.calibration.errors import CalibrationError
from clients.pki import read_envelope
from concordat import v1
from concordat.federation.anchors import Anchors
from concordat.federation.directory import Member, open_licence
from concordat.trust.envelope import payload_type_of
from concordat.trust.keys import KeyRing

_LICENCE = payload_type_of(v1.Licence)


@dataclass(frozen=True, slots=True)
class Licensed:
    """The members in force whose licences were given, by member_id."""

    members: dict[str, Member]

    @property
    def scales(self) -> dict[str, v1.ScoreScale]:
        """The providers' scales."""
        return {
            member_id: member.licence.score_scale
            for member_id, member in sorted(self.members.items())
            if v1.Role.ROLE_PROVIDER in member.roles
        }

    def exchange_keys(self, anchors: Anchors) -> KeyRing:
        """Return the keys of the bundle's exchange; raise `CalibrationError` without its licence."""
        member = self.members.get(anchors.bundle.exchange_id)
        if member is None or v1.Role.ROLE_EXCHANGE not in member.roles:
            raise CalibrationError(
                f"there is no licence in force of the exchange, {anchors.bundle.exchange_id}, among those "
                "given; add it with --licences: it names the keys that may sign a calibration"
            )
        return member.keys


def read_licensed(paths: Iterable[Path], anchors: Anchors, at: datetime) -> Licensed:
    """Read licences from files, and from folders with all that is in them.

    Of each member its highest version in force at `at` counts. Drafts and other statements in a
    folder are passed over; a file that is named must be a licence.

    Raises:
        CalibrationError: a path is neither, or a folder holds no licence.
        PkiError: a file cannot be read.
        Refusal: a licence does not verify against the roots.
    """
    found: dict[str, Member] = {}
    for path in paths:
        for envelope in _envelopes(path):
            member = open_licence(envelope, anchors, at)
            known = found.get(member.licence.member_id)
            if member.not_before <= at < member.not_after and (
                known is None or known.licence.version < member.licence.version
            ):
                found[member.licence.member_id] = member
    return Licensed(found)


def _envelopes(path: Path) -> list[v1.Envelope]:
    if not path.is_dir():
        envelope = read_envelope(path)
        if envelope.payload_type != _LICENCE:
            raise CalibrationError(f"{path} is no licence; name the providers' licence files")
        return [envelope]
    files = [file for file in sorted(path.rglob("*.env")) if not file.name.endswith(".draft.env")]
    envelopes = [read_envelope(file) for file in files]
    licences = [envelope for envelope in envelopes if envelope.payload_type == _LICENCE]
    if not licences:
        raise CalibrationError(
            f"there is no licence in {path}; name the folder of the federation's members, or the files"
        )
    return licences
