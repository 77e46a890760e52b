"""A person's own score in plain words: what each provider said, what moved it, what would lift it."""

from collections.abc import Sequence
from dataclasses import dataclass

from clients.cli.console import words
from clients.cli.moments import moment
from clients.cli.render import band
from concordat import v1
from concordat.clock import from_timestamp
from concordat.federation.calibrations import OpenedCalibration
from concordat.pooling.counterfactual import Change, Lift, Way, lift_of
from concordat.pooling.declared import METHOD
from concordat.rpc.errors import CATALOG
from concordat.v1 import Absence, CalibrationStanding
from concordat.verify.own_view import VerifiedOwnView

_PPM = 1_000_000
_SAFER = v1.ScoreDirection.SCORE_DIRECTION_HIGHER_IS_SAFER
NO_PROMISE = (
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
    as_of: str = ""  # the time that the score describes
    model: str = ""  # the provider's name for the model that made it


def parts_of(verified: VerifiedOwnView) -> list[Part]:
    """Return each provider's part, in the order asked."""
    score = verified.score
    points = {c.provider: c.points for c in score.contributions} if score else {}
    return [_part(verified, outcome, points) for outcome in verified.view.providers]


def _part(verified: VerifiedOwnView, told: v1.ProviderOutcome, points: dict[str, int]) -> Part:
    name, own = told.provider, points.get(told.provider)
    kind = words(v1.ProviderOutcomeKind.Name(told.kind), "PROVIDER_OUTCOME_KIND_")
    statement = verified.statements.get(name)
    if statement is None:
        why = CATALOG[told.reason].message if told.reason in CATALOG else ""
        return Part(name, name, kind, None, "", None, f"{kind}, which moved nothing. {why}", ())
    legal_name = verified.parties.providers[name].licence.legal_name
    message = statement.message
    if message.WhichOneof("answer") == "absence":
        says = _absent(message.absence, own)
        return Part(name, legal_name, kind, None, scale_of(verified, name), own, says, ())
    says = _moved(own, told.calibration, past_its_date=_is_past_its_date(verified))
    reasons = tuple(reasons_of(verified, name))
    scale = scale_of(verified, name)
    as_of, model = moment(message.as_of), message.model_version
    return Part(name, legal_name, kind, message.score, scale, own, says, reasons, as_of, model)


def _absent(absence: Absence.ValueType, points: int | None) -> str:
    if absence == Absence.ABSENCE_FROZEN:
        return "says that its record is frozen, which moved nothing"
    if points is None:
        return "has no record of you, which moved nothing"
    return f"has no record of you, which {_by(points)}"


def _is_past_its_date(verified: VerifiedOwnView) -> bool:
    return verified.calibration.is_stale(from_timestamp(verified.view.issued_at))


def _moved(
    points: int | None, standing: CalibrationStanding.ValueType, *, past_its_date: bool
) -> str:
    if points is None:
        return "is not in the unified score: the calibration does not read it"
    if standing != CalibrationStanding.CALIBRATION_STANDING_STALE:
        return _by(points)
    if past_its_date:
        return f"{_by(points)}; the calibration of its scores is past its date"
    return f"{_by(points)}; the calibration of its scores no longer fits well: read it with care"


def _by(points: int) -> str:
    if not points:
        return "moved nothing"
    return f"{'added' if points > 0 else 'took'} {_points(abs(points))}"


def scale_of(verified: VerifiedOwnView, provider: str) -> str:
    """Return a provider's scale in words."""
    scale = verified.parties.providers[provider].licence.score_scale
    side = "safer" if scale.direction == _SAFER else "riskier"
    return f"{scale.minimum} to {scale.maximum}, higher is {side}"


def reasons_of(verified: VerifiedOwnView, provider: str) -> list[tuple[str, str]]:
    """Return the reasons of a provider's statement: code, and its text in the licence."""
    licence = verified.parties.providers[provider].licence
    texts = {reason.code: reason.text for reason in licence.score_scale.reasons}
    return [(code, texts[code]) for code in verified.statements[provider].message.reasons]


def meaning_of(verified: VerifiedOwnView, score: v1.UnifiedScore) -> list[str]:
    """Return what the figures say, and what they rest on."""
    low, high = percent(score.default_low_ppm), percent(score.default_high_ppm)
    share = (
        f"Of 1,000 people of whom the providers say the same, {_per_thousand(score.default_ppm)} default, by "
        f"{_basis(verified.calibration)}."
    )
    reach = (
        f"What all providers of the calibration together would say lies at {score.points_low} to "
        f"{score.points_high} points, a probability of {high} to {low}, nine times in ten."
    )
    return [share, reach]


def _basis(calibration: OpenedCalibration) -> str:
    report = calibration.message.report
    if report.method == METHOD:
        return (
            "what the providers themselves declare; nobody has held that against what happened yet"
        )
    return (
        f"the federation's calibration {calibration.version}, which was fitted to what became of "
        f"{report.subjects:,} people"
    )


def _per_thousand(ppm: int) -> str:
    count = round(ppm * 1000 / _PPM)
    return f"about {count}" if count else "fewer than one"


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
    reasons = "it has no record of you"
    if not taken.no_record:
        reasons = given(reasons_of(verified, taken.provider))
    return f"{name} took {_points(-taken.points)}: {reasons}"


def given(reasons: Sequence[tuple[str, str]]) -> str:
    """Return reasons as one text."""
    texts = [f"{text.rstrip('.')} ({code})" for code, text in reasons]
    return "; ".join(texts) or "it gave no reason"


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
    return f"What would lift it to band {band(lift.band)} (from {lift.floor} points)"


def lift_lines(verified: VerifiedOwnView, lift: Lift) -> list[str]:
    """Return a sentence for each way; one that says so where there is none."""
    if not lift.ways:
        return ["No change of one provider's score, or of two together, would be enough."]
    return [way_in_words(verified, way, lift) for way in lift.ways]


def way_in_words(verified: VerifiedOwnView, way: Way, lift: Lift) -> str:
    """Return one way: what would have to be, what would follow, and what the providers' reasons were."""
    moves = " and ".join(_move(verified, change) for change in way.changes)
    given_by = " ".join(_reasons(verified, change, len(way.changes)) for change in way.changes)
    return (
        f"If {moves}, everything else alike, you would have {_points(way.points)}: band {band(lift.band)}. "
        f"{given_by}"
    )


def _move(verified: VerifiedOwnView, change: Change) -> str:
    name = verified.parties.providers[change.provider].licence.legal_name
    verb = "rose" if change.needed > change.score else "fell"
    whose = f"{name}'" if name.endswith("s") else f"{name}'s"
    return f"{whose} score {verb} from {change.score} to {change.needed}"


def _reasons(verified: VerifiedOwnView, change: Change, of: int) -> str:
    reasons = reasons_of(verified, change.provider)
    name = verified.parties.providers[change.provider].licence.legal_name if of > 1 else "It"
    if not reasons:
        return f"{name} gave no reason."
    return f"{name} gave as its reason{'s' if len(reasons) > 1 else ''}: {given(reasons)}."


def _points(points: int) -> str:
    return f"{points} point{'s' if points != 1 else ''}"
