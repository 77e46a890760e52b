"""The score in a report."""

from collections.abc import Iterator

from clients.cli import own_report_words as said
from clients.cli.render import band
from clients.language import tr
from clients.wallet_report.section import Section
from concordat.verify.own_view import VerifiedOwnView

_COLUMNS = ("provider", "its score", "on its scale", "points", "what it did", "its reasons")


def score_sections(verified: VerifiedOwnView | None) -> Iterator[Section]:
    """Yield the score, what each provider did, and what would lift it."""
    if verified is None:
        yield Section("Your score", ("It was left out of this report.",))
        return
    yield Section("Your score", tuple(_lines(verified)), _COLUMNS, tuple(_rows(verified)))
    if costs := said.costs_of(verified):
        yield Section("Why it is not higher", tuple(costs))
    if (lift := said.lift_for(verified)) is not None:
        yield Section(said.lift_title(lift), tuple(said.lift_lines(verified, lift)))


def _lines(verified: VerifiedOwnView) -> Iterator[str]:
    score = verified.score
    if score is None:
        yield "No score: no provider has one that counts, or one is missing."
    else:
        yield (
            f"{score.points} points, band {band(score.band)}, "
            f"{said.percent(score.default_ppm)} probability of default."
        )
        yield from said.meaning_of(verified, score)
    if verified.missing:
        names = ", ".join(outcome.provider for outcome in verified.missing)
        yield f"PARTIAL: {names} did not answer. With what is missing it may be another."
    yield tr(said.NO_PROMISE)


def _rows(verified: VerifiedOwnView) -> Iterator[tuple[str, ...]]:
    for part in said.parts_of(verified):
        yield (
            part.name,
            part.outcome if part.score is None else f"{part.score} of {part.as_of[:10]}",
            part.scale,
            "" if part.points is None else f"{part.points:+d}",
            part.says,
            said.given(part.reasons) if part.score is not None else "",
        )
