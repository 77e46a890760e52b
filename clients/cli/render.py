"""A view as a person would like to read it."""

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from clients.cli.console import said, words
from clients.cli.lender_render import print_told
from clients.cli.moments import moment
from clients.language import tr
from concordat import v1
from concordat.pooling import POINTS_HIGHEST, POINTS_LOWEST
from concordat.rpc.errors import CATALOG as REASONS
from concordat.rpc.errors import name_of
from concordat.v1 import DisclosureKind
from concordat.verify.view import Check, VerifiedView, ViewNotVerified

BAR = 48
_MARKS = {
    v1.CalibrationStanding.CALIBRATION_STANDING_STALE: "stale: its scores, or what becomes of the people "
    "scored, are not what they were when the calibration was fitted, or its date is past.",
    v1.CalibrationStanding.CALIBRATION_STANDING_NONE: "not covered: its score is not in the unified one.",
}
_BAND_STYLES = {1: "bold green", 2: "green", 3: "yellow", 4: "dark_orange", 5: "red"}


def print_view(console: Console, verified: VerifiedView) -> None:
    """Print the whole view."""
    view = verified.view
    for part in (
        headline(verified),
        missing(verified),
        calibration_marks(verified),
        providers(verified),
    ):
        if part is not None:
            console.print(part)
    print_told(
        console,
        view.listings if view.HasField("listings") else None,
        view.flags if view.HasField("flags") else None,
    )
    console.print(terms(verified))
    console.print(
        f"Verified offline from the trust bundle: {len(verified.checks)} checks passed.",
        style="green",
    )


def headline(verified: VerifiedView) -> Panel:
    """Return the score, as far as it is disclosed."""
    view = verified.view
    match view.WhichOneof("outcome"):
        case "no_score":
            why = "a provider is missing" if view.no_score.partial else "no provider stated one"
            return Panel(Text(f"No score: {why}.", style="bold"), title="View")
        case "partial":
            answer, title = view.partial, "View (PARTIAL)"
        case _:
            answer, title = view.complete, "View"
    style = "yellow" if verified.missing else "green"
    return Panel(_answer(answer), title=title, border_style=style)


def _answer(answer: v1.ScoreAnswer) -> RenderableType:
    match answer.WhichOneof("disclosed"):
        case "full":
            score = answer.full
            line = Text.assemble(
                (f"{score.points} points", "bold"),
                "   band ",
                (band(score.band), _BAND_STYLES[score.band]),
                f"   {score.default_ppm / 10_000:.2f} % probability of default",
            )
            low, high = score.default_low_ppm / 10_000, score.default_high_ppm / 10_000
            reach = (
                f"90 % interval: {score.points_low} to {score.points_high} points, "
                f"{low:.2f} to {high:.2f} % probability of default"
            )
            return Group(line, Text(interval_bar(score)), Text(reach, style="dim"))
        case "band":
            return Text.assemble("Band ", (band(answer.band), _BAND_STYLES[answer.band]))
        case _:
            told = answer.threshold
            verdict = "reached" if told.reached else "not reached"
            return Text.assemble(f"{told.threshold} points: ", (verdict, "bold"))


def band(number: v1.Band.ValueType) -> str:
    """Return a band's letter."""
    return v1.Band.Name(number).removeprefix("BAND_")


def interval_bar(score: v1.UnifiedScore) -> str:
    """Return the federation's scale as a line, with the interval and the points on it."""

    def place(points: int) -> int:
        share = (points - POINTS_LOWEST) / (POINTS_HIGHEST - POINTS_LOWEST)
        return round(share * (BAR - 1))

    cells = ["·"] * BAR
    for cell in range(place(score.points_low), place(score.points_high) + 1):
        cells[cell] = "━"
    cells[place(score.points)] = "●"
    return f"{POINTS_LOWEST} {''.join(cells)} {POINTS_HIGHEST}"


def missing(verified: VerifiedView) -> Panel | None:
    """Return a warning that cannot be overlooked, where a provider is missing."""
    if not verified.missing:
        return None
    table = Table("provider", "what happened", "why", box=None, pad_edge=False)
    for outcome in verified.missing:
        kind = words(v1.ProviderOutcomeKind.Name(outcome.kind), "PROVIDER_OUTCOME_KIND_")
        why = REASONS[outcome.reason].message if outcome.reason in REASONS else ""
        table.add_row(outcome.provider, kind, f"{name_of(outcome.reason)}: {why}")
    total = len(verified.view.providers)
    title = f"PARTIAL VIEW: {len(verified.missing)} of {total} providers missing"
    return Panel(table, title=title, border_style="bold yellow")


def calibration_marks(verified: VerifiedView) -> Panel | None:
    """Return what the calibration can not be relied on for; None where there is nothing."""
    marks = {
        mark: [each.provider for each in verified.view.providers if each.calibration == mark]
        for mark in _MARKS
    }
    lines = [f"{', '.join(names)}: {_MARKS[mark]}" for mark, names in marks.items() if names]
    if not lines:
        return None
    return Panel("\n".join(lines), title="READ WITH CARE: the calibration", border_style="yellow")


def providers(verified: VerifiedView) -> Table | None:
    """Return what each provider contributed, adding up to the score; None unless fully disclosed."""
    if not verified.statements:
        return None
    score = _full(verified.view)
    points = {c.provider: c.points for c in score.contributions} if score else {}
    table = Table(
        "provider", "its score", "on its scale", "points", "reasons", title="Contributions"
    )
    table.columns[3].justify = "right"
    if score:
        table.add_row("nothing known", "", "", str(score.base_points), "where everyone starts")
    for name, statement in verified.statements.items():
        member = verified.members.providers[name]
        scale = member.licence.score_scale
        message = statement.message
        if message.WhichOneof("answer") == "absence":
            absence = words(v1.Absence.Name(message.absence), "ABSENCE_")
            moved = f"{points[name]:+d}" if name in points else ""
            table.add_row(member.licence.legal_name, absence, "", moved, "")
            continue
        texts = {reason.code: reason.text for reason in scale.reasons}
        reasons = "\n".join(f"{code} {texts[code]}" for code in message.reasons)
        table.add_row(
            member.licence.legal_name,
            str(message.score),
            f"{scale.minimum} to {scale.maximum}",
            f"{points[name]:+d}" if name in points else "not read",
            reasons,
        )
    if score:
        table.add_section()
        table.add_row("unified score", "", "", str(score.points), "")
    return table


def _full(view: v1.View) -> v1.UnifiedScore | None:
    answer = view.partial if view.WhichOneof("outcome") == "partial" else view.complete
    return answer.full if answer.WhichOneof("disclosed") == "full" else None


def terms(verified: VerifiedView) -> Table:
    """Return the consent that the view rests on, and the receipt."""
    view, consent = verified.view, verified.consent
    status = verified.sources.status.message
    table = Table(box=None, show_header=False, title="Consent and receipt", title_justify="left")
    rows = [
        ("lender", verified.members.lender.licence.legal_name),
        ("purpose", words(v1.Purpose.Name(view.purpose), "PURPOSE_")),
        ("disclosure", disclosure(view.disclosure)),
        ("uses", f"{status.uses} of {consent.max_uses}"),
        ("consent ends", moment(consent.valid_until)),
        ("consent", consent.consent_id.hex()),
        ("access recorded", f"{moment(view.receipt.recorded_at)}, {view.receipt.access_id.hex()}"),
        ("made", f"{moment(view.issued_at)}, by {verified.members.exchange.licence.legal_name}"),
        ("calibration", calibration(verified)),
        ("delete by", moment(view.delete_by)),
    ]
    for name, value in rows:
        table.add_row(name, value)
    return table


def calibration(verified: VerifiedView) -> str:
    """Return which calibration pooled the scores, and what it rests on."""
    version, opened = verified.view.calibration_version, verified.calibration
    if opened is None:
        return f"version {version}"
    report = opened.message.report
    fitted = f"fitted to {report.subjects:,} subjects" if report.subjects else "nothing fitted"
    return (
        f"version {version}, {report.method}, {fitted}; in use since {opened.not_before:%Y-%m-%d}"
    )


def disclosure(told: v1.Disclosure) -> str:
    """Return a disclosure in words."""
    kind = said(v1.DisclosureKind.Name(told.kind), "DISCLOSURE_KIND_")
    if told.kind == DisclosureKind.DISCLOSURE_KIND_THRESHOLD:
        return tr("{kind}: {threshold} points", kind=kind, threshold=told.threshold)
    return kind


def checks(passed: Sequence[Check], failed: ViewNotVerified | None = None) -> Table:
    """Return the checks of a verification."""
    table = Table("check", "", "what it shows")
    for check in passed:
        table.add_row(check.name, Text("ok", style="green"), check.shows)
    if failed is not None:
        table.add_row(failed.check, Text("FAILED", style="bold red"), failed.detail)
    return table
