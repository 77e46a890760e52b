"""One metric: a name, what it counts, and labels whose values come from closed lists."""

from collections.abc import Sequence
from enum import Enum
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from concordat.telemetry.label import Label

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it bare


class Group(Enum):
    """Which processes export a metric."""

    EVERY = "every process"
    SERVER = "exchange, provider, registrar"
    EXCHANGE = "exchange"
    PROVIDER = "provider"
    REGISTRAR = "registrar"
    WITNESS = "witness"


GROUPS: dict[str, tuple[Group, ...]] = {
    "exchange": (Group.EVERY, Group.SERVER, Group.EXCHANGE),
    "provider": (Group.EVERY, Group.SERVER, Group.PROVIDER),
    "registrar": (Group.EVERY, Group.SERVER, Group.REGISTRAR),
    "witness": (Group.EVERY, Group.WITNESS),
}
"""What each kind of process exports."""

REGISTRIES = {group: CollectorRegistry() for group in Group}
ProcessCollector(registry=REGISTRIES[Group.EVERY])


class Metric:
    """A counter, gauge or histogram. Values of labels are given in the order of ``labels``."""

    def __init__(
        self,
        kind: type[Counter | Gauge | Histogram],
        name: str,
        what: str,
        *,
        group: Group,
        labels: Sequence[Label] = (),
        buckets: Sequence[float] = BUCKETS,
    ) -> None:
        """Declare it; ``name`` ends with its unit, or with ``_total`` where it counts events."""
        self.kind, self.name, self.what, self.group = kind, name, what, group
        self.labels, self.buckets = tuple(labels), tuple(buckets)
        options: dict[str, Any] = {"buckets": buckets} if kind is Histogram else {}
        names = [label.name for label in labels]
        self._of = kind(name, what, names, registry=REGISTRIES[group], **options)
        self._children: dict[tuple[str, ...], Any] = {}

    def add(self, *values: str, by: float = 1) -> None:
        """Count ``by`` more (or, of a gauge, fewer)."""
        self._child(values).inc(by)

    def set(self, value: float, *values: str) -> None:
        """Say how much there is now."""
        self._child(values).set(value)

    def observe(self, value: float, *values: str) -> None:
        """Take one measured value into a histogram."""
        self._child(values).observe(value)

    def clear(self) -> None:
        """Forget all labelled values, before a gauge is set anew for all that there are."""
        self._children.clear()
        self._of.clear()

    @property
    def series(self) -> frozenset[str]:
        """The names that its samples have."""
        if self.kind is Histogram:
            return frozenset(f"{self.name}{end}" for end in ("_bucket", "_count", "_sum"))
        return frozenset({self.name})

    def _child(self, values: tuple[str, ...]) -> Any:
        child = self._children.get(values)
        if child is None:
            bounded = [label.bounded(v) for label, v in zip(self.labels, values, strict=True)]
            child = self._of.labels(*bounded) if bounded else self._of
            if bounded == list(
                values
            ):  # what is cut to `other` is not remembered, for it has no bound
                self._children[values] = child
        return child
