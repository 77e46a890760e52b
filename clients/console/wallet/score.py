"""My score: what each provider did to it as a picture, why it is not higher, what would lift it."""

from starlette.responses import Response

from clients.cli import own_report_words as said
from clients.cli.own_report_words import Part
from clients.cli.render import band
from clients.console.base import Action, Page, Visit
from clients.console.base.charts import Chart, Told, contribution_chart, reach_chart
from clients.console.base.formats import points
from clients.console.wallet.desk import Desk, keep, kept
from clients.language import tr
from clients.wallet_report.score_section import score_of
from concordat import v1
from concordat.pooling import POINTS_HIGHEST, POINTS_LOWEST
from concordat.verify.own_view import VerifiedOwnView

_BANDS = ((520, "D"), (560, "C"), (600, "B"), (640, "A"))  # where each begins; E is below
_SHOWN = (420, 740)  # points that the picture shows at least


class ScorePages:
    """Asks for the score when told to, and shows it until the session ends."""

    def __init__(self, desk: Desk) -> None:
        """Ask with ``desk``'s key."""
        self._desk = desk

    def routes(self) -> list[Page | Action]:
        """Return its pages."""
        return [Page("/", self.show), Action("/score", self.ask)]

    def show(self, visit: Visit) -> Response:
        """Show the score that was asked for last."""
        verified = kept(visit, VerifiedOwnView)
        if verified is None:
            return visit.page("score.html", verified=None)
        score, lift = verified.score, said.lift_for(verified)
        parts = said.parts_of(verified)
        return visit.page(
            "score.html",
            verified=verified,
            score=score,
            band=band(score.band) if score is not None else "",
            meaning=said.meaning_of(verified, score) if score is not None else [],
            reach=_reach(score) if score is not None else None,
            contributions=_contributions(parts, score) if score is not None else None,
            parts=parts,
            score_of=score_of,
            given=said.given,
            costs=said.costs_of(verified),
            lift_title=said.lift_title(lift) if lift is not None else "",
            lift=said.lift_lines(verified, lift) if lift is not None else [],
            no_promise=tr(said.NO_PROMISE),
        )

    def ask(self, visit: Visit) -> Response:
        """Ask every licensed provider; the look is logged, and moves no score."""
        with self._desk.open() as desk:
            keep(visit, desk.client.own_view(desk.store.key))
        return visit.go("/")


def _reach(score: v1.UnifiedScore) -> Chart:
    low, high = score.points_low, score.points_high
    lowest, highest = (
        max(min(low, _SHOWN[0]), POINTS_LOWEST),
        min(max(high, _SHOWN[1]), POINTS_HIGHEST),
    )
    told = Told(
        "reach",
        tr("Where your score lies"),
        tr(
            "The scale from {lowest} to {highest} points. Yours are {points}, in an interval from {low} "
            "to {high}.",
            lowest=lowest,
            highest=highest,
            points=score.points,
            low=low,
            high=high,
        ),
        (tr("what"), tr("points")),
        (
            (tr("your score"), str(score.points)),
            (tr("reaches from"), str(low)),
            (tr("reaches to"), str(high)),
            *((tr("band {band} begins", band=name), str(floor)) for floor, name in _BANDS),
        ),
    )
    return reach_chart(told, (lowest, highest), (low, high), score.points, _BANDS)


def _contributions(parts: list[Part], score: v1.UnifiedScore) -> Chart:
    moved = [(part.name, part.points) for part in parts if part.points is not None]
    base = (tr("where everyone starts"), str(score.base_points))
    told = Told(
        "contributions",
        tr("What moved your score"),
        tr(
            "Everyone starts at {base} points; what the providers added and took makes {points}.",
            base=score.base_points,
            points=score.points,
        ),
        (tr("who"), tr("points")),
        (
            base,
            *((name, points(value)) for name, value in moved),
            (tr("your score"), str(score.points)),
        ),
    )
    return contribution_chart(told, [(name, value, points(value)) for name, value in moved])
