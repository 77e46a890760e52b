"""A person's own score in plain words: what each provider said, what moved it, what would lift it."""

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from clients.cli.console import said
from clients.cli.render import band
from clients.language import marked, plural, tr
from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.calibrations import OpenedCalibration
from concordat.pooling.counterfactual import Change, Lift, Way, lift_of
from concordat.pooling.declared import METHOD
from concordat.pooling.points import band_of
from concordat.rpc.errors import CATALOG
from concordat.v1 import Absence, CalibrationStanding
from concordat.verify.own_view import VerifiedOwnView

_PPM = 1_000_000
_SAFER = v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_SAFER
NO_PROMISE = marked(
    "It is a figure and no decision: each lender decides by its own rules, and no score is a promise of "
    "credit. That you looked moves no score, and is told to nobody but the providers that were asked."
)


@dataclass(frozen=True, slots=True)
class Part:
    """One provider's part in the score, as it is told to the person."""

    provider: str  # member id
    name: str  # legal name, where it answered
    outcome: str
    score: int | None
    scale: str
    points: int | None  # None where it is not in the unified score
    says: str
    reasons: tuple[tuple[str, str], ...]  # code and text, the costliest first
    as_of: Timestamp | None = None  # the time that the score describes
    model: str = ""  # the provider's name for the model that made it


def parts_of(verified: VerifiedOwnView) -> list[Part]:
    """Return each provider's part, in the order asked."""
    score = verified.score
    points = {c.provider: c.points for c in score.contributions} if score else {}
    return [_part(verified, outcome, points) for outcome in verified.view.providers]


def _part(verified: VerifiedOwnView, told: v1.ProviderOutcome, points: dict[str, int]) -> Part:
    name, own = told.provider, points.get(told.provider)
    kind = said(v1.ProviderOutcomeKind.Name(told.kind), "PROVIDER_OUTCOME_KIND_")
    statement = verified.statements.get(name)
    if statement is None:
        why = tr(CATALOG[told.reason].message) if told.reason in CATALOG else ""
        says = tr("{kind}, which moved nothing. {why}", kind=kind, why=why)
        return Part(name, name, kind, None, "", None, says, ())
    legal_name = verified.parties.providers[name].licence.legal_name
    message = statement.message
    if message.WhichOneof("answer") == "absence":
        says = _absent(message.absence, own)
        return Part(name, legal_name, kind, None, scale_of(verified, name), own, says, ())
    says = _moved(own, told.calibration, past_its_date=_is_past_its_date(verified))
    reasons = tuple(reasons_of(verified, name))
    scale = scale_of(verified, name)
    as_of, model = message.as_of, message.model_version
    return Part(name, legal_name, kind, message.score, scale, own, says, reasons, as_of, model)


def _absent(absence: Absence.ValueType, points: int | None) -> str:
    if absence == Absence.ABSENCE_FROZEN:
        return tr("says that its record is frozen, which moved nothing")
    if points is None:
        return tr("has no record of you, which moved nothing")
    return tr("has no record of you, which {moved}", moved=_by(points))


def _is_past_its_date(verified: VerifiedOwnView) -> bool:
    return verified.calibration.is_stale(from_timestamp(verified.view.issued_at))


def _moved(
    points: int | None, standing: CalibrationStanding.ValueType, *, past_its_date: bool
) -> str:
    if points is None:
        return tr("is not in the unified score: the calibration does not read it")
    if standing != CalibrationStanding.CALIBRATION_STANDING_STALE:
        return _by(points)
    if past_its_date:
        return tr("{moved}; the calibration of its scores is past its date", moved=_by(points))
    return tr(
        "{moved}; the calibration of its scores no longer fits well: read it with care",
        moved=_by(points),
    )


def _by(points: int) -> str:
    if not points:
        return tr("moved nothing")
    if points > 0:
        return tr("added {points}", points=_points(points))
    return tr("took {points}", points=_points(-points))


def scale_of(verified: VerifiedOwnView, provider: str) -> str:
    """Return a provider's scale in words."""
    scale = verified.parties.providers[provider].licence.score_scale
    if scale.direction == _SAFER:
        text = marked("{minimum} to {maximum}, higher is safer")
    else:
        text = marked("{minimum} to {maximum}, higher is riskier")
    return tr(text, minimum=scale.minimum, maximum=scale.maximum)


def reasons_of(verified: VerifiedOwnView, provider: str) -> list[tuple[str, str]]:
    """Return the reasons of a provider's statement: code, and its text in the licence."""
    licence = verified.parties.providers[provider].licence
    texts = {reason.code: reason.text for reason in licence.score_scale.reasons}
    return [(code, texts[code]) for code in verified.statements[provider].message.reasons]


def meaning_of(verified: VerifiedOwnView, score: v1.UnifiedScore) -> list[str]:
    """Return what the figures say, and what they rest on."""
    low, high = percent(score.default_low_ppm), percent(score.default_high_ppm)
    share = tr(
        "Of 1,000 people of whom the providers say the same, {count} default, by {basis}.",
        count=_per_thousand(score.default_ppm),
        basis=_basis(verified.calibration),
    )
    reach = tr(
        "What all providers of the calibration together would say lies at {points_low} to {points_high} "
        "points, a probability of {high} to {low}, nine times in ten.",
        points_low=score.points_low,
        points_high=score.points_high,
        high=high,
        low=low,
    )
    return [share, reach]


def _basis(calibration: OpenedCalibration) -> str:
    report = calibration.message.report
    if report.method == METHOD:
        return tr(
            "what the providers themselves declare; nobody has held that against what happened yet"
        )
    return tr(
        "the federation's calibration {version}, which was fitted to what became of {subjects:,} people",
        version=calibration.version,
        subjects=report.subjects,
    )


def _per_thousand(ppm: int) -> str:
    count = round(ppm * 1000 / _PPM)
    return tr("about {count}", count=count) if count else tr("fewer than one")


def percent(ppm: int) -> str:
    """Return parts per million as a percentage."""
    return f"{ppm * 100 / _PPM:.2f} %"


def costs_of(verified: VerifiedOwnView) -> list[str]:
    """Return why the score is not higher, the costliest provider first; each with its own reasons."""
    score = verified.score
    if score is None:
        return []
    # Not of the score's own costs: those are of codes, and a provider may take points and give none.
    taking = sorted(
        (each for each in score.contributions if each.points < 0),
        key=lambda each: (each.points, each.provider),
    )
    return [_cost(verified, each) for each in taking]


def _cost(verified: VerifiedOwnView, taken: v1.Contribution) -> str:
    name = verified.parties.providers[taken.provider].licence.legal_name
    reasons = tr("it has no record of you")
    if not taken.no_record:
        reasons = given(reasons_of(verified, taken.provider))
    return tr(
        "{name} took {points}: {reasons}",
        name=name,
        points=_points(-taken.points),
        reasons=reasons,
    )


def given(reasons: Sequence[tuple[str, str]]) -> str:
    """Return reasons as one text."""
    texts = [f"{text.rstrip('.')} ({code})" for code, text in reasons]
    return "; ".join(texts) or tr("it gave no reason")


# What would lift it -----------------------------------------------------------------------------


def lift_for(verified: VerifiedOwnView) -> Lift | None:
    """Return what would lift the score to the next band; None where there is no score, or no better band."""
    score = verified.score
    if score is None:
        return None
    heard = [(c.provider, None if c.no_record else c.score) for c in score.contributions]
    return lift_of(verified.calibration.compiled, heard)


def lift_title(lift: Lift) -> str:
    """Return the question that the ways answer."""
    return tr(
        "What would lift it to band {band} (from {floor} points)",
        band=band(lift.band),
        floor=lift.floor,
    )


def lift_lines(verified: VerifiedOwnView, lift: Lift) -> list[str]:
    """Return a sentence for each way; one that says so where there is none."""
    if not lift.ways:
        return [tr("No change of one provider's score, or of two together, would be enough.")]
    return [way_in_words(verified, way) for way in lift.ways]


def way_in_words(verified: VerifiedOwnView, way: Way) -> str:
    """Return one way: what would have to be, what would follow, and what the providers' reasons were."""
    moves = tr(" and ").join(_move(verified, change) for change in way.changes)
    given_by = " ".join(_reasons(verified, change, len(way.changes)) for change in way.changes)
    return tr(
        "If {moves}, everything else alike, you would have {points}: band {band}. {given_by}",
        moves=moves,
        points=_points(way.points),
        band=band(band_of(way.points)),
        given_by=given_by,
    )


def _move(verified: VerifiedOwnView, change: Change) -> str:
    name = verified.parties.providers[change.provider].licence.legal_name
    if change.needed > change.score:
        text = marked("{whose} score rose from {score} to {needed}")
    else:
        text = marked("{whose} score fell from {score} to {needed}")
    own = marked("{name}'") if name.endswith("s") else marked("{name}'s")
    whose = tr(own, name=name)
    return tr(text, whose=whose, score=change.score, needed=change.needed)


def _reasons(verified: VerifiedOwnView, change: Change, of: int) -> str:
    reasons = reasons_of(verified, change.provider)
    name = verified.parties.providers[change.provider].licence.legal_name if of > 1 else tr("It")
    if not reasons:
        return tr("{name} gave no reason.", name=name)
    return plural(
        "{name} gave as its reason: {reasons}.",
        "{name} gave as its reasons: {reasons}.",
        len(reasons),
        name=name,
        reasons=given(reasons),
    )


def _points(points: int) -> str:
    return plural("{number} point", "{number} points", points)
