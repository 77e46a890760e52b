"""Views over eight providers beside a bare hub that checks nothing, in one run.

    .venv/bin/python benchmarks/view.py [--seconds 5] [--subjects 200] [--providers 8] [--json FILE]

The real thing: a sandbox (real processes, mTLS everywhere, durable access entries, real scores), one lender,
``--subjects`` people each with a periodic consent to all providers. A short run first tells how many views
to expect; half as many again are signed before the clock starts, and a run that has used them all ends
there. Answers are not verified while it runs, as the bare hub's are not; a sample is, afterwards.
The yardstick (``bare_hub.py``): the same fan-out with messages of the same size, no checks, no TLS, no
database. Both sides are loaded by this one process, which shares the machine's cores with them.

Rates are views a second; ``in flight`` is how many the lender has open. ``stream`` sends 64 requests a
message, four messages at once. CPU is user and system time a view, of each process: the exchange (or the
bare hub), the providers' nodes (or echo servers; least, median and most of them, and their sum), and this
one, the client.
"""

import argparse
import asyncio
import csv
import gzip
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice, repeat
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from rich.console import Console
from rich.table import Table

from benchmarks.load import MESSAGES, Run, closed_loop, made_ahead, streamed
from clients.sandbox import Sandbox
from clients.sandbox.cast import EXCHANGE, LENDER, SCORES
from clients.sandbox.layout import free_ports
from clients.sdk import MemberIdentity, Permission
from clients.sdk.views import prepare_asks
from concordat import v1
from concordat.rpc.channels import open_aio_channel
from concordat.rpc.tls import member_channel
from concordat.statements import digest_of
from concordat.v1.view_service_pb2_grpc import ViewServiceStub
from concordat.verify.bundle import assemble_bundle
from concordat.verify.view import verify_view_bundle

PER_MESSAGE = 64
TIMEOUT = 20.0
MOST_SECONDS = 30.0  # requests live for a minute from when they are signed, ahead of the run
SAMPLE = 10  # views that are verified afterwards
FILE_WIDTH = 110
HUB, CLIENT = "exchange", "client"
HERE = Path(__file__).parent
OUT = Console(stderr=True)


Asks = Sequence[v1.RequestViewRequest]
Load = Callable[[Iterable[Asks], float], Awaitable[Run]]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of the four messages of a view."""

    ask: int
    answer: int
    provider_ask: int
    provider_answer: int


def main() -> None:
    """Run it, print the table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each run, at most 30")
    parser.add_argument("--subjects", type=int, default=200, help="people asked about")
    parser.add_argument("--providers", type=int, default=8, help="providers asked, 1 to 8")
    parser.add_argument("--json", type=Path, help="write the figures here, flat")
    arguments = parser.parse_args()
    if not 0 < arguments.seconds <= MOST_SECONDS:
        parser.error(f"--seconds must be above 0 and at most {MOST_SECONDS:.0f}")
    OUT.print(f"$ {' '.join(sys.argv)}", highlight=False)
    with Sandbox(providers=arguments.providers, scores=True, say=OUT.print) as sandbox:
        permissions = _permissions(sandbox, arguments.subjects)
        ours, sizes = asyncio.run(_ours(sandbox, permissions, arguments.seconds))
    bare = _bare(sizes, len(sandbox.provider_ids), arguments.seconds)
    figures = _figures(ours, bare, sizes)
    _print(ours, bare, figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def _permissions(sandbox: Sandbox, subjects: int) -> list[Permission]:
    """Enrol people of the real data, each with a consent that any number of views may use."""
    OUT.print(f"enrolling {subjects} people")
    numbers = _borrowers(subjects)
    often = v1.Frequency(uses=100_000, period=v1.Period.PERIOD_DAY)
    return [
        person.consent(
            sandbox.provider_ids,
            purpose=v1.Purpose.PURPOSE_CREDIT_APPLICATION,
            frequency=often,
            max_uses=1_000_000,
        )
        for person in sandbox.enrol(numbers)
    ]


def _borrowers(count: int) -> list[str]:
    with gzip.open(SCORES / "borrowers.csv.gz", "rt", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return [row["identity_number"] for row, _ in zip(rows, range(count), strict=False)]


async def _ours(
    sandbox: Sandbox, permissions: list[Permission], seconds: float
) -> tuple[dict[str, Run], Sizes]:
    identity = sandbox.identity(LENDER)
    anchors = sandbox.anchors
    channel = open_aio_channel(
        anchors.bundle.exchange_endpoint,
        member_channel(identity.tls, anchors),
        anchors.server_name(EXCHANGE),
    )
    async with channel:
        stub = ViewServiceStub(channel)
        answers: list[tuple[v1.RequestViewRequest, v1.RequestViewResponse]] = []

        async def one(asks: Asks) -> int:
            (ask,) = asks
            answer = await stub.RequestView(ask, timeout=TIMEOUT)
            if len(answers) < SAMPLE:
                answers.append((ask, answer))
            return 1

        for asks in islice(_signing(identity, permissions, 1), len(permissions)):
            await one(asks)  # every consent and binding seen once
        processes = _processes(sandbox)

        def loop(in_flight: int) -> Load:
            return lambda supply, s: closed_loop(one, supply, in_flight, s, processes)

        def stream(supply: Iterable[Asks], s: float) -> Awaitable[Run]:
            return _our_stream(stub, supply, s, processes)

        runs = {
            "1": await made_ahead(loop(1), _signing(identity, permissions, 1), 1, seconds),
            "64": await made_ahead(loop(64), _signing(identity, permissions, 1), 1, seconds),
            "stream": await made_ahead(
                stream, _signing(identity, permissions, PER_MESSAGE), PER_MESSAGE, seconds
            ),
        }
    for ask, answer in answers:
        _verify(sandbox, ask, answer)
    return runs, _sizes(*answers[-1])


def _signing(identity: MemberIdentity, permissions: list[Permission], size: int) -> Iterator[Asks]:
    """Yield requests, ``size`` at a time under one signature, signed when they are taken."""
    people = cycle(permissions)
    while True:
        yield prepare_asks(identity, list(islice(people, size)), datetime.now(UTC))


async def _our_stream(
    stub: Any, supply: Iterable[Asks], seconds: float, processes: dict[str, int]
) -> Run:
    call = stub.RequestViews(timeout=seconds + TIMEOUT)

    async def answered() -> int:
        response = await call.read()
        refused = [r for r in response.results if r.HasField("refusal")]
        if refused:
            raise RuntimeError(f"refused: {refused[0].refusal}")
        return len(response.results)

    messages = (v1.RequestViewsRequest(asks=asks) for asks in supply)
    try:
        return await streamed(call.write, messages, answered, seconds, processes)
    finally:
        call.cancel()


def _verify(sandbox: Sandbox, ask: v1.RequestViewRequest, answer: v1.RequestViewResponse) -> None:
    """Verify a view whole, so that speed was not bought with wrong answers."""
    licences = {}
    for member in (EXCHANGE, LENDER, *sandbox.provider_ids):
        envelope = sandbox.pki.licence(member)
        licences[digest_of(envelope)] = envelope
    calibration = sandbox.calibration
    calibrations = {digest_of(calibration): calibration}
    verify_view_bundle(assemble_bundle(ask, answer, licences, calibrations), sandbox.anchors)


def _sizes(ask: v1.RequestViewRequest, answer: v1.RequestViewResponse) -> Sizes:
    provider_ask = ask.ByteSize() + answer.consent_status.ByteSize()
    statements = [statement.ByteSize() for statement in answer.statements]
    return Sizes(
        ask.ByteSize(), answer.ByteSize(), provider_ask, sum(statements) // len(statements)
    )


def _processes(sandbox: Sandbox) -> dict[str, int]:
    providers = {name: sandbox.process(name).pid for name in sandbox.provider_ids}
    return {HUB: sandbox.process(EXCHANGE).pid, CLIENT: os.getpid(), **providers}


def _bare(sizes: Sizes, providers: int, seconds: float) -> dict[str, Run]:
    with ExitStack() as stack:
        hub_port, *ports = [free.member for free in free_ports(1 + providers)]
        echoes = {
            f"echo {port}": stack.enter_context(_bare_process("echo", port, sizes.provider_answer))
            for port in ports
        }
        hub = _bare_process("hub", hub_port, sizes.provider_ask, sizes.answer, *ports)
        processes = {HUB: stack.enter_context(hub), CLIENT: os.getpid(), **echoes}
        return asyncio.run(_bare_runs(hub_port, sizes.ask, seconds, processes))


async def _bare_runs(
    port: int, ask_bytes: int, seconds: float, processes: dict[str, int]
) -> dict[str, Run]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method: Any = channel.unary_unary("/bare/One")
        ask = bytes(ask_bytes)

        async def one(ask: bytes) -> int:
            await method(ask, timeout=TIMEOUT)
            return 1

        for _ in range(100):
            await one(ask)
        runs = {
            "1": await closed_loop(one, repeat(ask), 1, seconds, processes),
            "64": await closed_loop(one, repeat(ask), 64, seconds, processes),
        }
        call: Any = channel.stream_stream("/bare/Many")(timeout=seconds + TIMEOUT)
        message = PER_MESSAGE.to_bytes(2, "big") + bytes(ask_bytes * PER_MESSAGE - 2)

        async def answered() -> int:
            await call.read()
            return PER_MESSAGE

        runs["stream"] = await streamed(call.write, repeat(message), answered, seconds, processes)
        call.cancel()
        return runs


@contextmanager
def _bare_process(role: str, port: int, *numbers: int) -> Iterator[int]:
    """Start one of the yardstick's processes on a port; give its process id."""
    command = [sys.executable, str(HERE / "bare_hub.py"), role, str(port), *map(str, numbers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _figures(ours: dict[str, Run], bare: dict[str, Run], sizes: Sizes) -> dict[str, float]:
    figures: dict[str, float] = {}
    for key in ("1", "64"):
        figures[f"views_per_s_{key}"] = ours[key].per_s
        figures[f"views_p50_ms_{key}"] = ours[key].p50_ms
        figures[f"views_p99_ms_{key}"] = ours[key].p99_ms
        figures[f"bare_per_s_{key}"] = bare[key].per_s
        figures[f"bare_p50_ms_{key}"] = bare[key].p50_ms
        figures[f"bare_p99_ms_{key}"] = bare[key].p99_ms
        figures[f"ratio_{key}"] = ours[key].per_s / bare[key].per_s
    figures["stream_views_per_s"] = ours["stream"].per_s
    figures["stream_bare_per_s"] = bare["stream"].per_s
    figures["stream_ratio"] = ours["stream"].per_s / bare["stream"].per_s
    for side, runs in (("views", ours), ("bare", bare)):
        for key, run in runs.items():
            for process, cpu in cpu_of(run).items():
                figures[f"{side}_{key}_{process}_cpu_us"] = cpu
    figures["ask_bytes"], figures["answer_bytes"] = sizes.ask, sizes.answer
    figures["provider_ask_bytes"] = sizes.provider_ask
    figures["provider_answer_bytes"] = sizes.provider_answer
    return {name: round(value, 3) for name, value in figures.items()}


def cpu_of(run: Run) -> dict[str, float]:
    """Return CPU microseconds a view: of the hub, the client, and the nodes one by one and together."""
    nodes = [cpu for name, cpu in run.cpu_us.items() if name not in {HUB, CLIENT}]
    return {
        HUB: run.cpu_us[HUB],
        CLIENT: run.cpu_us[CLIENT],
        "provider_min": min(nodes),
        "provider_median": statistics.median(nodes),
        "provider_max": max(nodes),
        "providers": sum(nodes),
    }


def _print(ours: dict[str, Run], bare: dict[str, Run], figures: dict[str, float]) -> None:
    table = Table(title="Views, beside a bare hub that fans out as far and checks nothing")
    for column in (
        "in flight",
        "",
        "a second",
        "ratio",
        "p50 ms",
        "p99 ms",
        "hub µs",
        "node µs",
        "client µs",
    ):
        table.add_column(column, justify="right")
    names = {"1": "1", "64": "64", "stream": f"stream, {MESSAGES} x {PER_MESSAGE}"}
    for key, name in names.items():
        ratio = figures["stream_ratio" if key == "stream" else f"ratio_{key}"]
        for side, run in (("views", ours[key]), ("bare", bare[key])):
            cpu = cpu_of(run)
            table.add_row(
                name if side == "views" else "",
                side,
                f"{run.per_s:,.0f}",
                f"{ratio:.2f}" if side == "views" else "",
                f"{run.p50_ms:.1f}",
                f"{run.p99_ms:.1f}",
                f"{cpu[HUB]:,.0f}",
                " ".join(f"{cpu[f'provider_{part}']:,.0f}" for part in ("min", "median", "max")),
                f"{cpu[CLIENT]:,.0f}",
            )
    out = Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
    out.print(table)
    out.print("µs: CPU time a view: hub, a provider's node (least, median, most), client.")


if __name__ == "__main__":
    main()
