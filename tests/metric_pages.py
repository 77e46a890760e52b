"""Pages of metrics, and the expressions that dashboards and alerts are made of, taken apart."""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from concordat.telemetry.metric import GROUPS, Metric
from concordat.telemetry.metrics import ALL

SERIES: dict[str, Metric] = {series: metric for metric in ALL for series in metric.series}
OF_PROMETHEUS = {"job", "instance"}  # what it adds to all that it reads
_SELECTOR = re.compile(r"\b(concordat_\w+)(?:\{([^}]*)\})?")
_GROUPED = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")


def scraped(address: str) -> str:
    """Return the page of a process."""
    with urlopen(f"http://{address}/metrics", timeout=10) as response:
        return str(response.read().decode())


def families(page: str) -> set[str]:
    """Return the names that a page declares, as the registry has them."""
    kinds = re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE)
    return {name for name, _ in kinds if name.startswith("concordat_")}


def samples(page: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield each sample's name and labels."""
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            yield sample.name, sample.labels


def exported_by(process: str) -> set[str]:
    """Return the names that a process of a kind must show."""
    return {metric.name for metric in ALL if metric.group in GROUPS[process]}


def misused(expression: str) -> list[str]:
    """Return what an expression names that no process exports: metrics, labels, values of closed lists."""
    found = [*_selected(expression)]
    names = {name for name, _ in _SELECTOR.findall(expression)} & SERIES.keys()
    known = OF_PROMETHEUS | {"le"} | {label.name for n in names for label in SERIES[n].labels}
    for group in _GROUPED.findall(expression):
        found += [each for each in _words(group) if each not in known]
    return found


def _selected(expression: str) -> Iterator[str]:
    for name, selection in _SELECTOR.findall(expression):
        if name not in SERIES:
            yield name
            continue
        labels = {label.name: label for label in SERIES[name].labels}
        for label, values in re.findall(r'(\w+)\s*[=!]~?\s*"([^"]*)"', selection):
            if label == "le" and name.endswith("_bucket"):
                yield from () if values in _bounds(SERIES[name]) else (f"{name}: le {values}",)
            elif label not in labels.keys() | OF_PROMETHEUS:
                yield f"{name}: {label}"
            elif (closed := labels[label].values) is not None:
                yield from (f"{label} {v}" for v in values.split("|") if v not in closed)


def _bounds(metric: Metric) -> set[str]:
    return {str(float(bound)) for bound in metric.buckets}


def _words(text: str) -> Iterable[str]:
    return filter(None, (each.strip() for each in text.split(",")))
