"""The worked example of docs/unified-score.md is what the code computes."""

from math import log
from pathlib import Path

import pytest

from concordat import v1
from concordat.pooling import Heard, pool
from concordat.pooling.evidence import gather
from concordat.pooling.terms import UNIT
from tests.pooling_builders import MICRO, compiled

DOCUMENT = Path(__file__).parents[4] / "docs" / "unified-score.md"
SCORES = {"aurora": 720, "beacon": 560, "cobalt": 350}
PLACES = {name: place for place, name in enumerate(SCORES)}


def table_after(heading: str) -> list[list[str]]:
    """Return the rows of the first table under `heading`, without its head."""
    text = DOCUMENT.read_text("utf-8").split(f"\n### {heading}\n", maxsplit=1)[1]
    rows = []
    for line in text.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip().replace("`", "") for cell in line.strip("|").split("|")])
        elif rows:
            break
    return rows[2:]


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


def documented_model() -> v1.PoolingModel:
    fields = {field: number(value) for field, value in table_after("Model")}
    model = v1.PoolingModel(
        intercept_micro=fields["intercept_micro"],
        width_permille=fields["width_permille"],
        fit_variance_micro=fields["fit_variance_micro"],
    )
    for provider, knots, spread, loading, effect in table_after("Providers"):
        pairs = [knot.split(": ") for knot in knots.split("; ")]
        model.providers.add(
            provider=provider,
            knots=[
                v1.CalibrationKnot(score=number(score), log_odds_micro=number(level))
                for score, level in pairs
            ],
            center_micro=fields["center_micro"],
            floor_micro=fields["floor_micro"],
            ceiling_micro=fields["ceiling_micro"],
            spread_micro=number(spread),
            loading_ppm=number(loading),
            effect_micro=number(effect),
            record_ppm=MICRO,
        )
    for reading, side, at, weight in table_after("Ramps"):
        model.ramps.add(
            reading=PLACES[reading],
            side=v1.RampSide.Value(side),
            at_micro=number(at),
            weight_micro=number(weight),
        )
    for one, other, high, low in table_after("Pairs"):
        model.pairs.add(
            one=PLACES[one],
            other=PLACES[other],
            both_high_micro=number(high),
            both_low_micro=number(low),
        )
    return model


def heard_of(*names: str) -> list[Heard]:
    return [(name, SCORES[name]) for name in names]


def test_documented_readings_are_those_of_the_code() -> None:
    readings = compiled(documented_model()).readings
    evidence = gather(readings, [(0, 720), (1, 560)], no_record_counts=False)
    rows = table_after("Readings")
    assert [number(row[3]) for row in rows] == list(evidence.readings)
    for place, (name, score, log_odds, _, weight, told) in enumerate(rows[:2]):
        assert (name, number(score)) == (readings[place].provider, SCORES[name])
        assert number(log_odds) == evidence.log_odds[place]
        assert number(weight) == readings[place].weight
        assert number(told) == round(evidence.told[place] / MICRO)


def test_documented_shares_are_those_of_the_code() -> None:
    calibration = compiled(documented_model())
    evidence = gather(calibration.readings, [(0, 720), (1, 560)], no_record_counts=False)
    shares = [0] * 4
    for terms in (calibration.ramps, calibration.pairs, calibration.trees):
        terms.add(evidence.readings, shares)
    whole = sum(abs(told) for told in evidence.told.values())
    unified = pool(calibration, heard_of("aurora", "beacon"))
    rows = table_after("Shares")
    assert [row[0] for row in rows] == ["aurora", "beacon"]
    for place, (_, own, inferred, points, contribution) in enumerate(rows):
        mine = shares[place] / UNIT
        part = shares[2] / UNIT * abs(evidence.told[place]) / whole
        assert number(own) == round(mine * MICRO)
        assert number(inferred) == round(part * MICRO)
        assert float(points) == round(-20 / log(2) * (mine + part), 3)
        assert number(contribution) == unified.contributions[place].points


@pytest.mark.parametrize(
    ("column", "names"), [(1, ("aurora", "beacon")), (2, ("aurora", "beacon", "cobalt"))]
)
def test_documented_result_is_that_of_the_code(column: int, names: tuple[str, ...]) -> None:
    unified = pool(compiled(documented_model()), heard_of(*names))
    rows = {row[0]: row[column] for row in table_after("Result")}
    assert rows.pop("band") == v1.Band.Name(unified.band)
    assert len(rows) == 7
    for field, value in rows.items():
        assert getattr(unified, field) == number(value), field


def test_documented_results_with_providers_missing_are_those_of_the_code() -> None:
    rows = table_after("Missing providers")
    assert len({row[0] for row in rows}) == 7
    for names, low, points, high, contributions in rows:
        unified = pool(compiled(documented_model()), heard_of(*names.split(", ")))
        told = unified.points_low, unified.points, unified.points_high
        assert told == (number(low), number(points), number(high)), names
        parts = [part.points for part in unified.contributions]
        assert parts == [number(part) for part in contributions.split(", ")], names


def test_example_with_fewer_heard_has_a_wider_interval() -> None:
    widths: dict[int, list[int]] = {1: [], 2: [], 3: []}
    for names, low, _, high, _ in table_after("Missing providers"):
        widths[names.count(",") + 1].append(number(high) - number(low))
    assert min(widths[1]) > max(widths[2]) > min(widths[2]) > max(widths[3])
