"""The calibration that a view names: opened by the bundle's own chain, and what it says of each provider."""

from datetime import UTC, datetime
from functools import lru_cache

from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.anchors import Anchors
from concordat.federation.calibrations import OpenedCalibration, open_calibration
from concordat.refusal import refusing_untrusted
from concordat.trust.keys import KeyRing
from concordat.v1 import CalibrationStanding as Standing
from concordat.verify.disclosure import ANSWERED
from concordat.verify.mismatch import MismatchError
from concordat.verify.scoring import standing_of
from concordat.verify.view_licences import Members, Parties

_ANY_TIME = datetime(9999, 1, 1, tzinfo=UTC)


def open_named(
    bundle: v1.ViewBundle, view: v1.View, members: Members, anchors: Anchors
) -> OpenedCalibration | None:
    """Verify the bundle's calibration: the one that the view names, in use when it was made.

    None where the bundle has none, which it may only where it tells no full score. Raises ``Refusal``, and
    ``MismatchError`` for another calibration.
    """
    if not bundle.HasField("calibration"):
        if _tells_full_score(view):
            raise MismatchError("the bundle lacks the calibration, so its score cannot be checked")
        return None
    return open_of(bundle.calibration, view, members, anchors)


def open_of(
    envelope: v1.Envelope, view: v1.View | v1.OwnView, members: Parties, anchors: Anchors
) -> OpenedCalibration:
    """Verify a calibration: the one that ``view`` names, in use when it was made; raises as ``open_named``."""
    trust = anchors.bundle.SerializeToString(deterministic=True)
    keys = tuple(key.public_key for key in members.exchange.licence.keys)
    opened = _opened(envelope.SerializeToString(), keys, trust)
    with refusing_untrusted():
        members.exchange.keys.find(opened.signed_by, members.made_at)
    if (view.calibration_version, view.calibration_digest) != (opened.version, opened.digest):
        raise MismatchError(
            f"the view names calibration {view.calibration_version}; here is another, {opened.version}"
        )
    if opened.begins > members.made_at:
        raise MismatchError(
            f"in use from {opened.begins}, after the view was made at {members.made_at}"
        )
    return opened


def words_of(opened: OpenedCalibration | None, view: v1.View | v1.OwnView) -> str:
    """Return what is shown of a calibration that ``open_named`` opened."""
    if opened is None:
        return f"version {view.calibration_version} is named; it is not in the bundle, and nothing is pooled here"
    report = opened.message.report
    fitted = f" to {report.subjects:,} subjects" if report.subjects else ""
    stale = f"; stale since {opened.stale_from:%Y-%m-%d}" if _was_stale(opened, view) else ""
    return (
        f"version {opened.version}, in use since {opened.not_before:%Y-%m-%d}, signed by the exchange and "
        f"{opened.roots} roots: {report.method}{fitted}{stale}"
    )


def require_standings(
    view: v1.View | v1.OwnView, opened: OpenedCalibration | None, members: Parties
) -> None:
    """Raise ``MismatchError`` unless each provider's outcome says how far the calibration reads it.

    That it does not is said exactly where it does not; that it is stale, of everybody from its date on, and
    before that of whom the exchange says it. Of a provider that did not answer nothing is said.
    """
    for outcome in view.providers:
        if outcome.kind not in ANSWERED:
            if outcome.calibration != Standing.CALIBRATION_STANDING_UNSPECIFIED:
                raise MismatchError(f"{outcome.provider} did not answer; nothing of its is read")
            continue
        if opened is None:
            continue
        scale = members.providers[outcome.provider].licence.score_scale
        drifted = outcome.calibration == Standing.CALIBRATION_STANDING_STALE
        due = standing_of(opened, outcome.provider, scale, members.made_at, drifted=drifted)
        if outcome.calibration != due:
            raise MismatchError(
                f"{outcome.provider}: the calibration is said to be {Standing.Name(outcome.calibration)}, "
                f"and is {Standing.Name(due)}"
            )


def _tells_full_score(view: v1.View) -> bool:
    return view.complete.HasField("full") or view.partial.HasField("full")


def _was_stale(opened: OpenedCalibration, view: v1.View | v1.OwnView) -> bool:
    return opened.is_stale(from_timestamp(view.issued_at))


@lru_cache(maxsize=32)
def _opened(envelope: bytes, exchange: tuple[bytes, ...], trust: bytes) -> OpenedCalibration:
    """Verify one calibration, remembered: the same stands by every view of its time.

    The time plays no part: the key's dates and the calibration's are looked at anew.
    """
    anchors, keys = Anchors.of(v1.TrustBundle.FromString(trust)), KeyRing(*exchange)
    return open_calibration(v1.Envelope.FromString(envelope), anchors, keys, _ANY_TIME)
