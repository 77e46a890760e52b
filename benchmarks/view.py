"""Views over eight providers beside a bare hub that checks nothing, in one run.

    .venv/bin/python benchmarks/view.py [--seconds 5] [--subjects 200] [--json FILE]

The real thing: a sandbox (real processes, mTLS everywhere, durable access entries, real scores), one lender,
``--subjects`` people each with a periodic consent to all eight providers. Requests are signed before the
clock starts; answers are not verified while it runs, as the bare hub's are not; a sample is, afterwards.
The yardstick (``bare_hub.py``): the same fan-out with messages of the same size, no checks, no TLS, no
database. Both sides are loaded by this one process, which shares the machine's cores with them.

Rates are views a second; ``in flight`` is how many the lender has open. ``stream`` sends 64 requests a
message, four messages at once.
"""

import argparse
import asyncio
import csv
import gzip
import json
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from rich.console import Console
from rich.table import Table

from benchmarks.load import Run, closed_loop
from clients.sandbox import Sandbox
from clients.sandbox.cast import EXCHANGE, LENDER, SCORES
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
MESSAGES = 4
TIMEOUT = 20.0
HERE = Path(__file__).parent
OUT = Console(stderr=True)


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
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each run")
    parser.add_argument("--subjects", type=int, default=200, help="people asked about")
    parser.add_argument("--json", type=Path, help="write the figures here, flat")
    arguments = parser.parse_args()
    OUT.print(f"$ {' '.join(sys.argv)}", highlight=False)
    with Sandbox(scores=True, say=OUT.print) as sandbox:
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
        signed = _signed_ahead(identity, permissions, 1)
        answers: list[tuple[v1.RequestViewRequest, v1.RequestViewResponse]] = []

        async def one() -> int:
            (ask,) = next(signed)
            answer = await stub.RequestView(ask, timeout=TIMEOUT)
            if len(answers) < 10:  # noqa: PLR2004 - the sample that is verified afterwards
                answers.append((ask, answer))
            return 1

        for _ in range(len(permissions)):  # every consent and binding seen once
            await one()
        groups = _processes(sandbox)
        runs = {
            "1": await closed_loop(one, 1, seconds, groups),
            "64": await closed_loop(one, 64, seconds, groups),
        }
        runs["stream"] = await _our_stream(stub, identity, permissions, seconds, groups)
    for ask, answer in answers:
        _verify(sandbox, ask, answer)
    return runs, _sizes(*answers[-1])


def _signed_ahead(
    identity: MemberIdentity, permissions: list[Permission], size: int
) -> Iterator[list[v1.RequestViewRequest]]:
    """Yield freshly signed requests; each batch of 512 is signed when the one before has run out."""
    people = cycle(permissions)
    while True:
        now = datetime.now(UTC)
        ready = [
            prepare_asks(identity, [next(people) for _ in range(size)], now)
            for _ in range(max(1, 512 // size))
        ]
        yield from ready


async def _our_stream(
    stub: Any,
    identity: MemberIdentity,
    permissions: list[Permission],
    seconds: float,
    groups: dict[str, list[int]],
) -> Run:
    messages = (
        v1.RequestViewsRequest(asks=asks)
        for asks in _signed_ahead(identity, permissions, PER_MESSAGE)
    )
    call = stub.RequestViews(timeout=seconds + TIMEOUT)

    async def answered() -> int:
        response = await call.read()
        refused = [r for r in response.results if r.HasField("refusal")]
        if refused:
            raise RuntimeError(f"refused: {refused[0].refusal}")
        return len(response.results)

    return await _streamed(lambda: call.write(next(messages)), answered, seconds, groups)


async def _streamed(
    send: Callable[[], Awaitable[None]],
    receive: Callable[[], Awaitable[int]],
    seconds: float,
    groups: dict[str, list[int]],
) -> Run:
    """Keep four messages on the way: one is sent for each that is answered."""
    for _ in range(MESSAGES):
        await send()

    async def one() -> int:
        done = await receive()
        await send()
        return done

    return await closed_loop(one, 1, seconds, groups)


def _verify(sandbox: Sandbox, ask: v1.RequestViewRequest, answer: v1.RequestViewResponse) -> None:
    """Verify a view whole, so that speed was not bought with wrong answers."""
    licences = {}
    for member in (EXCHANGE, LENDER, *sandbox.provider_ids):
        envelope = sandbox.pki.licence(member)
        licences[digest_of(envelope)] = envelope
    verify_view_bundle(assemble_bundle(ask, answer, licences), sandbox.anchors)


def _sizes(ask: v1.RequestViewRequest, answer: v1.RequestViewResponse) -> Sizes:
    provider_ask = ask.ByteSize() + answer.consent_status.ByteSize()
    statements = [statement.ByteSize() for statement in answer.statements]
    return Sizes(
        ask.ByteSize(), answer.ByteSize(), provider_ask, sum(statements) // len(statements)
    )


def _processes(sandbox: Sandbox) -> dict[str, list[int]]:
    return {
        "exchange": [sandbox.process(EXCHANGE).pid],
        "providers": [sandbox.process(provider).pid for provider in sandbox.provider_ids],
    }


def _bare(sizes: Sizes, providers: int, seconds: float) -> dict[str, Run]:
    with ExitStack() as stack:
        echoes = [
            stack.enter_context(_bare_process("echo", sizes.provider_answer))
            for _ in range(providers)
        ]
        hub = stack.enter_context(
            _bare_process("hub", sizes.provider_ask, sizes.answer, *(port for port, _ in echoes))
        )
        groups = {"exchange": [hub[1]], "providers": [pid for _, pid in echoes]}
        return asyncio.run(_bare_runs(hub[0], sizes.ask, seconds, groups))


async def _bare_runs(
    port: int, ask_bytes: int, seconds: float, groups: dict[str, list[int]]
) -> dict[str, Run]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method: Any = channel.unary_unary("/bare/One")
        ask = bytes(ask_bytes)

        async def one() -> int:
            await method(ask, timeout=TIMEOUT)
            return 1

        for _ in range(100):
            await one()
        runs = {
            "1": await closed_loop(one, 1, seconds, groups),
            "64": await closed_loop(one, 64, seconds, groups),
        }
        call: Any = channel.stream_stream("/bare/Many")(timeout=seconds + TIMEOUT)
        message = PER_MESSAGE.to_bytes(2, "big") + bytes(ask_bytes * PER_MESSAGE - 2)

        async def answered() -> int:
            await call.read()
            return PER_MESSAGE

        runs["stream"] = await _streamed(lambda: call.write(message), answered, seconds, groups)
        return runs


@contextmanager
def _bare_process(role: str, *numbers: int) -> Iterator[tuple[int, int]]:
    """Start one of the yardstick's processes; give its port and process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(HERE / "bare_hub.py"), role, str(port), *map(str, numbers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield port, process.pid
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
            for process, cpu in run.cpu_us.items():
                figures[f"{side}_{key}_{process}_cpu_us"] = cpu
    figures["ask_bytes"], figures["answer_bytes"] = sizes.ask, sizes.answer
    figures["provider_ask_bytes"] = sizes.provider_ask
    figures["provider_answer_bytes"] = sizes.provider_answer
    return {name: round(value, 3) for name, value in figures.items()}


def _print(ours: dict[str, Run], bare: dict[str, Run], figures: dict[str, float]) -> None:
    table = Table(title="Views over eight providers, beside a bare hub that checks nothing")
    for column in (
        "in flight",
        "",
        "a second",
        "ratio",
        "p50 ms",
        "p99 ms",
        "hub µs",
        "8 nodes µs",
    ):
        table.add_column(column, justify="right")
    names = {"1": "1", "64": "64", "stream": f"stream, {MESSAGES} x {PER_MESSAGE}"}
    for key, name in names.items():
        ratio = figures["stream_ratio" if key == "stream" else f"ratio_{key}"]
        for side, run in (("views", ours[key]), ("bare", bare[key])):
            table.add_row(
                name if side == "views" else "",
                side,
                f"{run.per_s:,.0f}",
                f"{ratio:.2f}" if side == "views" else "",
                f"{run.p50_ms:.1f}",
                f"{run.p99_ms:.1f}",
                f"{run.cpu_us['exchange']:,.0f}",
                f"{run.cpu_us['providers']:,.0f}",
            )
    Console().print(table)
    Console().print("µs: CPU time a view, in the hub and in all eight providers together.")


if __name__ == "__main__":
    main()
