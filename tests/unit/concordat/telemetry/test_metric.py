import itertools

import pytest
from prometheus_client import Counter, Gauge, Histogram, generate_latest

from concordat.rpc.policy import POLICY
from concordat.telemetry import labels
from concordat.telemetry.label import MOST_NAMES, OTHER, Label
from concordat.telemetry.labels import method_name, reason_name, short
from concordat.telemetry.metric import REGISTRIES, Group, Metric
from concordat.telemetry.metrics import ALL
from concordat.v1 import Reason

_numbers = itertools.count()
COLOUR = Label("colour", "of a closed list", frozenset({"red", OTHER}))


def made(kind: type[Counter | Gauge | Histogram], *of: Label) -> Metric:
    name = f"test_{next(_numbers)}_total"
    return Metric(kind, name, "For a test.", group=Group.WITNESS, labels=of)


def lines(metric: Metric) -> list[str]:
    page = generate_latest(REGISTRIES[Group.WITNESS]).decode()
    return [line for line in page.splitlines() if line.startswith(metric.name)]


def test_a_value_outside_its_closed_list_makes_no_series_of_its_own() -> None:
    metric = made(Counter, COLOUR)
    for value in ("red", "ada@example.com", "0f" * 32, ""):
        metric.add(value)
    assert lines(metric) == [
        f'{metric.name}{{colour="red"}} 1.0',
        f'{metric.name}{{colour="other"}} 3.0',
    ]
    assert len(metric._children) == 1  # nor is it remembered


def test_names_are_bounded_whatever_comes() -> None:
    metric = made(Counter, Label("member", "by licence"))
    for number in range(MOST_NAMES + 50):
        metric.add(f"bank-{number}")
    metric.add("bank-0")
    assert len(lines(metric)) == MOST_NAMES + 1
    assert f'{metric.name}{{member="other"}} 50.0' in lines(metric)
    assert f'{metric.name}{{member="bank-0"}} 2.0' in lines(metric)


def test_a_gauge_that_is_cleared_forgets_who_is_gone() -> None:
    metric = made(Gauge, Label("member", "by licence"))
    metric.set(1, "gone-bank")
    metric.clear()
    metric.set(2, "alder-bank")
    assert lines(metric) == [f'{metric.name}{{member="alder-bank"}} 2.0']


def test_every_metric_is_named_after_its_unit_and_told_of_in_a_sentence() -> None:
    for metric in ALL:
        assert metric.name.startswith("concordat_")
        assert metric.what.endswith(".")
        assert metric.name.endswith("_total") == (metric.kind is Counter)
    assert len({metric.name for metric in ALL}) == len(ALL)


def test_no_label_has_room_for_a_person() -> None:
    free = {label.name for metric in ALL for label in metric.labels if label.values is None}
    assert free == {"member", "provider", "log", "version"}


def test_every_method_and_reason_has_its_own_value() -> None:
    assert {labels.METHOD.bounded(method_name(path)) for path in POLICY}.isdisjoint({OTHER})
    assert {labels.ENDED.bounded(reason_name(r)) for r in Reason.values() if r}.isdisjoint({OTHER})
    assert labels.METHOD.bounded(method_name("/anything/at-all")) == OTHER


@pytest.mark.parametrize("number", [-1, 0, 99_999])
def test_a_number_without_a_reason_is_other(number: int) -> None:
    assert labels.REASON.bounded(short(Reason, "REASON_", number)) == OTHER
