"""A calibration as a signed file: sealed by the exchange, countersigned by the roots, read by anyone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from clients.calibration.errors import CalibrationError
from clients.pki.errors import PkiError
from clients.pki.files import read_envelope, replace_file
from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.federation.anchors import Anchors
from concordat.ids import new_id
from concordat.pooling import CalibrationInvalid, check_calibration
from concordat.pooling.declared import POINTS
from concordat.statements import cosign, digest_of, seal
from concordat.trust.envelope import open_envelope, parse_statement, payload_type_of
from concordat.trust.errors import SignatureInvalidError, StatementMalformedError
from concordat.trust.keys import KeyRing, Signer, key_id


@dataclass(frozen=True, slots=True)
class Terms:
    """What a calibration says of itself: its version and when it holds."""

    version: int
    not_before: datetime
    stale_from: datetime


@dataclass(frozen=True, slots=True)
class Signatures:
    """Who has signed, as far as it was checked; `exchange` is None where its keys are not known."""

    exchange: bool | None
    roots: int
    needed: int

    @property
    def complete(self) -> bool:
        """Whether enough roots have countersigned."""
        return self.roots >= self.needed


def make_calibration(
    federation: str, terms: Terms, model: v1.PoolingModel, report: v1.FitReport, at: datetime
) -> v1.Calibration:
    """Put a calibration together; raise `CalibrationError` where it contradicts itself."""
    calibration = v1.Calibration(
        calibration_id=new_id(),
        federation=federation,
        version=terms.version,
        made_at=to_timestamp(at),
        not_before=to_timestamp(terms.not_before),
        stale_from=to_timestamp(terms.stale_from),
        points=POINTS,
        model=model,
        report=report,
    )
    require_valid(calibration)
    return calibration


def require_valid(calibration: v1.Calibration) -> None:
    """Raise `CalibrationError` where the fields of a calibration do not fit together."""
    try:
        check_calibration(calibration)
    except CalibrationInvalid as error:
        raise CalibrationError(f"the calibration contradicts itself: {error}") from error


def require_licensed(signer: Signer, keys: KeyRing, at: datetime) -> None:
    """Raise `CalibrationError` where `signer` is none of the exchange's licensed `keys` at `at`."""
    try:
        keys.find(key_id(signer.public_key), at)
    except SignatureInvalidError as error:
        raise CalibrationError(
            f"key {key_id(signer.public_key)} is none that the exchange's licence names now: only such a "
            "key signs a calibration"
        ) from error


def seal_to(path: Path, calibration: v1.Calibration, signer: Signer, keys: KeyRing) -> None:
    """Sign a calibration as the exchange and write it.

    Raises:
        CalibrationError: `signer` is none of the exchange's licensed `keys` when it is made, or the
            calibration is too large or breaks a bound.
        PkiError: the file cannot be written.
    """
    require_licensed(signer, keys, from_timestamp(calibration.made_at))
    try:
        envelope = seal(calibration, signer)
    except StatementMalformedError as error:
        raise CalibrationError(f"the calibration breaks a bound: {error}") from error
    replace_file(path, envelope.SerializeToString())


def read_calibration(path: Path) -> tuple[v1.Envelope, v1.Calibration]:
    """Read a calibration that nobody has verified yet; raise `CalibrationError`."""
    try:
        envelope = read_envelope(path)
        if envelope.payload_type != payload_type_of(v1.Calibration):
            raise CalibrationError(f"{path} is no calibration but {envelope.payload_type}")
        calibration = parse_statement(v1.Calibration, envelope.payload)
    except (PkiError, StatementMalformedError) as error:
        raise CalibrationError(f"{path} holds no calibration: {error}") from error
    require_valid(calibration)
    return envelope, calibration


def signatures_of(
    envelope: v1.Envelope, anchors: Anchors, exchange: KeyRing | None, at: datetime
) -> Signatures:
    """Tell who signed a calibration; signatures that do not verify, and repeated ones, do not count."""
    needed = anchors.bundle.root_threshold
    roots = sum(_signed(envelope, KeyRing(key), at) for key in anchors.bundle.root_keys)
    return Signatures(_by_exchange(envelope, exchange, at), roots, needed)


def countersign(
    path: Path,
    signers: Sequence[Signer],
    anchors: Anchors,
    exchange: KeyRing | None,
    at: datetime,
    *,
    read: bytes | None = None,
) -> Signatures:
    """Add root signatures to the calibration in `path` and write it back.

    `read` is the statement digest of what the signer has read, 32 bytes; the file is read anew here, and whoever
    can write to it could have put another one in its place.

    Raises:
        CalibrationError: it is not what was read, it is of another federation, the exchange's signature does
            not verify (where its keys are given), or a key is no root or has signed already.
    """
    envelope, calibration = read_calibration(path)
    if read is not None and digest_of(envelope) != read:
        raise CalibrationError(f"{path} was changed since it was shown; read the report anew")
    if calibration.federation != anchors.federation:
        raise CalibrationError(
            f"{path} is of federation {calibration.federation!r}; this trust bundle is of "
            f"{anchors.federation!r}"
        )
    if signatures_of(envelope, anchors, exchange, at).exchange is False:
        raise CalibrationError(f"{path} is not signed by the exchange; do not sign it")
    for signer in signers:
        _add(envelope, signer, anchors, at)
    replace_file(path, envelope.SerializeToString())
    return signatures_of(envelope, anchors, exchange, at)


def _add(envelope: v1.Envelope, signer: Signer, anchors: Anchors, at: datetime) -> None:
    root = key_id(signer.public_key)
    if signer.public_key not in anchors.bundle.root_keys:
        raise CalibrationError(f"key {root} is no root of {anchors.federation}")
    if _signed(envelope, KeyRing(signer.public_key), at):
        raise CalibrationError(f"root {root} has signed already; another root must")
    cosign(envelope, signer)


def _by_exchange(envelope: v1.Envelope, keys: KeyRing | None, at: datetime) -> bool | None:
    """Tell whether the exchange signed with a key that is valid now, as whoever takes it in will ask."""
    return None if keys is None else _signed(envelope, keys, at)


def _signed(envelope: v1.Envelope, keys: KeyRing, at: datetime) -> bool:
    try:
        open_envelope(envelope, v1.Calibration, keys, at)
    except SignatureInvalidError:
        return False
    return True
