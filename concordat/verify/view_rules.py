"""Rules that a view's fields obey, from plain values; each raises ``MismatchError``."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from concordat import v1
from concordat.clock import MAX_SKEW, from_timestamp
from concordat.federation.calibrations import OpenedCalibration
from concordat.federation.directory import Member
from concordat.refusal import refusing_untrusted
from concordat.trust.envelope import Verified
from concordat.v1 import DisclosureKind
from concordat.verify.listing_bounds import require_covered, require_lawful
from concordat.verify.mismatch import MismatchError
from concordat.verify.scoring import unified_score

_SHAPES = {
    DisclosureKind.DISCLOSURE_KIND_FULL: "full",
    DisclosureKind.DISCLOSURE_KIND_BAND: "band",
    DisclosureKind.DISCLOSURE_KIND_THRESHOLD: "threshold",
}


def require_recorded_first(view: v1.View | v1.OwnView) -> datetime:
    """Return when the access was recorded; raise if that was after the view was made."""
    with refusing_untrusted():
        recorded, made = from_timestamp(view.receipt.recorded_at), from_timestamp(view.issued_at)
    if recorded > made:
        raise MismatchError(f"recorded at {recorded}, after the view was made at {made}")
    return recorded


def require_logged_first(
    entry: v1.LogEntry, record: v1.LogRecord, view: v1.View | v1.OwnView
) -> None:
    """Raise unless the entry is the receipt's, and was in the log before the view was made."""
    if record.record_id != view.receipt.access_id:
        raise MismatchError("the log's entry is not the one that the receipt names")
    with refusing_untrusted():
        logged, made = from_timestamp(entry.logged_at), from_timestamp(view.issued_at)
    if logged > made:
        raise MismatchError(f"logged at {logged}, after the view was made at {made}")


def require_not_from_after(view: v1.View | v1.OwnView, at: datetime | None) -> None:
    """Raise where the view was made after ``at``, give or take skew."""
    if at is not None and from_timestamp(view.issued_at) > at + MAX_SKEW:
        raise MismatchError(f"the view says it was made at {from_timestamp(view.issued_at)}")


def require_digest(what: str, named: bytes, actual: bytes) -> None:
    """Raise unless the view names the statement that is here."""
    if named != actual:
        raise MismatchError(f"the view was made from another {what}")


def require_terms(view: v1.View, request: v1.ViewRequest, consent: v1.Consent) -> None:
    """Raise unless the view says what the request asked and the consent gives."""
    if view.lender != request.lender:
        raise MismatchError(f"the view is for {view.lender}, the request of {request.lender}")
    if view.subject_ref != consent.subject_ref:
        raise MismatchError("the view is about another subject")
    if view.purpose != consent.purpose or view.disclosure != consent.disclosure:
        raise MismatchError("the view's purpose or disclosure is not the consent's")


def require_status_of(
    status: v1.ConsentStatus, consent: v1.Consent, binding: v1.SubjectBinding
) -> None:
    """Raise unless the status fits the consent and the binding that it was stapled to."""
    if status.federation != consent.federation or status.consent_id != consent.consent_id:
        raise MismatchError("the consent status is of another consent")
    if status.binding_version != binding.version:
        raise MismatchError("the exchange knew another binding of the subject as the latest")
    if not 1 <= status.uses <= consent.max_uses:
        raise MismatchError(f"{status.uses} uses of at most {consent.max_uses} were counted")


def require_score(
    view: v1.View,
    calibration: OpenedCalibration | None,
    providers: Mapping[str, Member],
    statements: Mapping[str, Verified[v1.ScoreStatement]],
) -> str:
    """Check the view's score and return what was shown about it.

    In full disclosure it is computed anew from statements and calibration and must be the same, byte for
    byte; else only the answer that the consent allows may be there.
    """
    outcome = view.WhichOneof("outcome")
    if outcome == "no_score":
        return "no score is claimed: no provider stated one, or less than all may tell"
    answer = view.complete if outcome == "complete" else view.partial
    shape = _SHAPES[view.disclosure.kind]
    if answer.WhichOneof("disclosed") != shape:
        raise MismatchError(f"the consent allows {shape} disclosure only")
    if shape == "threshold" and answer.threshold.threshold != view.disclosure.threshold:
        raise MismatchError("the answer is to another threshold than the consent's")
    if shape != "full":
        return f"only the {shape} is told, as the consent allows; it cannot be computed anew"
    require_recomputed(answer.full, calibration, providers, statements)
    return "computed anew from the statements: the same, byte for byte"


def require_recomputed(
    told: v1.UnifiedScore,
    calibration: OpenedCalibration | None,
    providers: Mapping[str, Member],
    statements: Mapping[str, Verified[v1.ScoreStatement]],
) -> None:
    """Raise unless the score told is, byte for byte, what the statements give by the calibration."""
    stated = [
        (providers[name].licence.score_scale, statement.message)
        for name, statement in statements.items()
    ]
    anew = unified_score(calibration.compiled, stated) if calibration is not None else None
    if anew is None:
        raise MismatchError(f"the view tells {told.points} points, the statements give no score")
    if told.SerializeToString(deterministic=True) != anew.SerializeToString(deterministic=True):
        raise MismatchError(
            f"the view tells {told.points} points with what makes them up, the statements and the calibration "
            f"give another account, of {anew.points}"
        )


def require_listings(view: v1.View, consent: v1.Consent, release: v1.AccessRelease) -> None:
    """Raise unless listings and flags are told exactly where the consent covers them, and may be told.

    ``release`` is the log's: it tells the subject of as many. Raises ``Refusal`` too, for the subject's words
    beyond 200.
    """
    if release.listings != len(view.listings.listings):
        raise MismatchError("the log says that another number of listings was released")
    listings = view.listings if view.HasField("listings") else None
    require_covered(consent, listings, view.flags if view.HasField("flags") else None)
    with refusing_untrusted():
        require_lawful(view.listings, from_timestamp(view.issued_at))


def require_delete_by(view: v1.View, consent: v1.Consent) -> None:
    """Raise unless the view is to be deleted when the consent's data life is over."""
    with refusing_untrusted():
        told = from_timestamp(view.delete_by)
    due = from_timestamp(view.issued_at) + timedelta(days=consent.data_life_days)
    # Nanoseconds count too: two times that differ below a microsecond are not the same.
    if told != due or view.delete_by.nanos != view.issued_at.nanos:
        raise MismatchError(f"to be deleted by {told}; the consent says {due}")
