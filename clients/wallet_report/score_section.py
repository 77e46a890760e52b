"""The score in a report."""

from collections.abc import Iterator

from clients.cli import own_report_words as said
from clients.cli.render import band
from clients.formats import day
from clients.language import marked, tr
from clients.wallet_report.section import Section
from concordat.verify.own_view import VerifiedOwnView

COLUMNS = (
    *(marked("provider"), marked("its score"), marked("on its scale"), marked("points")),
    *(marked("what it did"), marked("its reasons")),
)


def score_sections(verified: VerifiedOwnView | None) -> Iterator[Section]:
    """Yield the score, what each provider did, and what would lift it."""
    if verified is None:
        yield Section(tr("Your score"), (tr("It was left out of this report."),))
        return
    rows = tuple(_rows(verified))
    yield Section.of(tr("Your score"), tuple(_lines(verified)), COLUMNS, rows)
    if costs := said.costs_of(verified):
        yield Section(tr("Why it is not higher"), tuple(costs))
    if (lift := said.lift_for(verified)) is not None:
        yield Section(said.lift_title(lift), tuple(said.lift_lines(verified, lift)))


def _lines(verified: VerifiedOwnView) -> Iterator[str]:
    score = verified.score
    if score is None:
        yield tr("No score: no provider has one that counts, or one is missing.")
    else:
        yield tr(
            "{points} points, band {band}, {share} probability of default.",
            points=score.points,
            band=band(score.band),
            share=said.percent(score.default_ppm),
        )
        yield from said.meaning_of(verified, score)
    if verified.missing:
        names = ", ".join(outcome.provider for outcome in verified.missing)
        yield tr(
            "PARTIAL: {names} did not answer. With what is missing it may be another.", names=names
        )
    yield tr(said.NO_PROMISE)


def _rows(verified: VerifiedOwnView) -> Iterator[tuple[str, ...]]:
    for part in said.parts_of(verified):
        yield (
            part.name,
            score_of(part),
            part.scale,
            "" if part.points is None else f"{part.points:+d}",
            part.says,
            said.given(part.reasons) if part.score is not None else "",
        )


def score_of(part: said.Part) -> str:
    """Return a provider's score with its day, or why there is none."""
    if part.as_of is None:
        return part.outcome
    return tr("{score} of {day}", score=part.score, day=day(part.as_of))
