"""How a sandbox's exchange pools: by the fitted model that ships with the scores, or as the licences declare."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from clients.pki import Pki
from clients.sandbox import cast
from concordat import v1
from concordat.clock import to_timestamp
from concordat.ids import new_id
from concordat.pooling import CompiledCalibration, declare
from concordat.pooling.declared import METHOD, POINTS
from concordat.statements import seal

MODEL = cast.SCORES / "calibration.binpb"
"""A serialised ``v1.Calibration`` that nobody signed: its model, points and report are used."""

_LIFE = timedelta(days=365)


def sign_calibration(pki: Pki, version: int = 1) -> Path:
    """Sign a calibration, in use from now, as the exchange and the roots; return where it lies."""
    now, anchors = datetime.now(UTC), pki.anchors
    calibration = _fitted(pki) or _declared(pki)
    calibration.calibration_id = new_id()
    calibration.federation = anchors.federation
    calibration.version = version
    calibration.made_at.CopyFrom(to_timestamp(now))
    calibration.not_before.CopyFrom(to_timestamp(now))
    calibration.stale_from.CopyFrom(to_timestamp(now + _LIFE))
    roots = islice(pki.roots.signers(), anchors.bundle.root_threshold)
    envelope = seal(calibration, pki.signer(cast.EXCHANGE), *roots)
    path = calibration_path(pki, version)
    path.write_bytes(envelope.SerializeToString())
    return path


def calibration_path(pki: Pki, version: int = 1) -> Path:
    """Return where a signed calibration lies."""
    return pki.folder / f"calibration-{version}.env"


def _fitted(pki: Pki) -> v1.Calibration | None:
    """Return the shipped model where it reads every provider here, else None: a scale may have been changed."""
    if not MODEL.is_file():
        return None
    calibration = v1.Calibration.FromString(MODEL.read_bytes())
    compiled = CompiledCalibration.from_message(calibration)
    fits = all(compiled.reads(name, scale) for name, scale in _scales(pki).items())
    return calibration if fits else None


def _declared(pki: Pki) -> v1.Calibration:
    base = cast.base_default_ppm()
    return v1.Calibration(
        points=POINTS,
        model=declare(_scales(pki), base_default_ppm=base),
        report=v1.FitReport(method=METHOD),
    )


def _scales(pki: Pki) -> dict[str, v1.ScoreScale]:
    """Return the scales of all providers that were licensed."""
    scales = {}
    for path in sorted(pki.folder.glob("members/*/licence.env")):
        envelope = v1.Envelope.FromString(path.read_bytes())
        licence = v1.Licence.FromString(envelope.payload)
        if v1.Role.ROLE_PROVIDER in licence.roles:
            scales[licence.member_id] = licence.score_scale
    return scales
