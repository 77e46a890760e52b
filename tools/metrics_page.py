"""docs/metrics.md, made from what the processes declare."""

from concordat.telemetry.label import MOST_NAMES, OTHER, Label
from concordat.telemetry.metric import Group, Metric
from concordat.telemetry.metrics import ALL
from concordat.telemetry.traces import ATTRIBUTES

TITLES = {
    Group.EVERY: "Every process",
    Group.SERVER: "Exchange, provider and registrar",
    Group.EXCHANGE: "Exchange",
    Group.PROVIDER: "Provider",
    Group.REGISTRAR: "Registrar",
    Group.WITNESS: "Witness",
}

HEAD = """# Metrics and traces

{note}
Each process shows its metrics at `/metrics`, in Prometheus's text format, where the setting `metrics_listen`
says (`host:port`, plain HTTP, off unless it is set). It is a port of its own, for the operator's network alone:
numbers by member are business secrets. No metric, label or span holds a reference to a person, a consent, a
request's id or a score.

`deploy/prometheus/prometheus.yml` shows how to read all processes, `deploy/prometheus/alerts.yml` what to be
woken for, and `deploy/grafana/concordat.json` is a dashboard to import. The process's own CPU, memory and files
are there too, under the names that Prometheus gives them (`process_cpu_seconds_total`).

## Labels

A value that is not of the list becomes `{other}`, so that nothing a caller sends makes a new series.

| label | what | values |
|---|---|---|
"""

TRACES = """
## Traces

Off unless the environment asks for them, by OpenTelemetry's standard variables:

| variable | what |
|---|---|
| `OTEL_TRACES_EXPORTER` | `otlp` (the extra `concordat[otlp]`), `console` (standard error), `none` (default) |
| `OTEL_EXPORTER_OTLP_ENDPOINT` | the collector, such as `http://collector.example:4318` |
| `OTEL_TRACES_SAMPLER` | how many traces are kept, such as `parentbased_traceidratio` |
| `OTEL_TRACES_SAMPLER_ARG` | its number, such as `0.01` |
| `OTEL_SERVICE_NAME` | the process's name in the traces, if not its program's |

A view is one trace: the lender's call, the exchange's `admission`, `record`, `log wait`, `ask providers` with an
`ask` for each provider and the provider's `answer`, `pool` and `release`. The trace goes on from process to
process in the metadata `traceparent` (W3C), on member ports alone: what a caller on a public port sends is not
read. Requests of several views that travel in one message each keep their own trace, of those sampled the
first 64.

Each view of a stream is one trace too, with the same steps, and begins at the exchange as a span
`ViewService/RequestViews` that is sampled by itself. The stream's metadata goes out before anybody knows which
views it will carry: so the lender's end is one span, as long as the stream, and each view has a link to it. A step
that the exchange took for a whole message at once is in the trace of each of its views, with the same times;
`concordat.views` at `admission` tells how many those were.

A person's own view is one trace: `SubjectService/RequestOwnView` at the exchange with the same steps, an `ask` for
each provider, and the provider's `answer`. The wallet's call is a trace of its own, as every call on a public
port is.

These have no trace: streams of changes (of members, of what a lender watches), which tell of something whenever it
happens; screenings of listings, which ask no provider, and of which there is the lender's span alone; and the
witness, since one checkpoint that it cosigns holds many views. What it takes of a view's time is in that view's
`log wait` and `release`.

The command `concordat` traces its calls by the same variables. A program that calls with `clients.sdk` traces
once it has called `concordat.telemetry.traces.use` with a provider of its own, before it opens its connections.

A span may tell {attributes}, and nothing else: no event, no text of an error.
"""


def metrics_page(note: str) -> str:
    """Return the page of all metrics, by who exports them."""
    text = HEAD.format(note=note, other=OTHER)
    for label in sorted(_labels(), key=lambda each: (each.name, each.what)):
        text += f"| `{label.name}` | {label.what} | {_values(label)} |\n"
    for group, title in TITLES.items():
        text += f"\n## {title}\n\n| metric | type | labels | what |\n|---|---|---|---|\n"
        text += "".join(_row(metric) for metric in ALL if metric.group is group)
    return text + TRACES.format(attributes=", ".join(f"`{name}`" for name in ATTRIBUTES))


def _labels() -> list[Label]:
    found: dict[tuple[str, str], Label] = {}
    for metric in ALL:
        for label in metric.labels:
            found.setdefault((label.name, label.what), label)
    return list(found.values())


def _values(label: Label) -> str:
    if label.values is None:
        return f"at most {MOST_NAMES}"
    few = sorted(label.values - {OTHER})
    if len(few) > 12:  # noqa: PLR2004 - more make the table unreadable
        return f"{len(few)}"
    return ", ".join(f"`{value}`" for value in few)


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label.name}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind.__name__.lower()} | {labels} | {metric.what} |\n"
