"""Checks and screenings over gRPC: a real exchange process, mTLS, a database of listings, a real log."""

import asyncio
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.listings_echo import Sizes, echo_calls, echo_stream
from benchmarks.listings_fill import HIDDEN, NEVER, SHOWN, fill, listing_of
from benchmarks.listings_grpc_timing import answer_times, distances
from benchmarks.listings_people import PURPOSE, Subject, grant, screened, subjects
from benchmarks.load import Run, closed_loop, made_ahead, streamed
from clients.sandbox import EXCHANGE, LENDER, Sandbox
from clients.sdk import MemberIdentity
from clients.sdk.screening import Screened, prepare_screening
from clients.sdk.views import prepare_asks
from concordat import v1
from concordat.federation.directory import open_licence
from concordat.rpc.channels import open_aio_channel
from concordat.rpc.tls import member_channel
from concordat.v1.listing_service_pb2_grpc import ListingServiceStub
from concordat.verify.listing_answer import verify_listing_answer
from concordat.verify.screen_answer import verify_screen_answer
from exchange.vault.keyring import load

Figures = dict[str, float]
TIMEOUT = 20.0
START_SECONDS = 600.0
MANY, SOME = 1_000, 100  # subjects a message
ONE_IN = 100  # subjects has a listing in force
SAMPLE = 200  # answers by whose sizes the yardstick's messages are cut; ten of them are verified
VERIFIED = 10
# The same people are asked about again and again, which real lenders would be stopped for.
NO_LIMITS = {"act_on_signals": False, "per_minute": 10**9, "per_day": 10**9}
_CLASSES = (NEVER, SHOWN, *HIDDEN)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and about how many people: ``subjects`` in the load, ``timed`` of each kind for the times."""

    seconds: float
    subjects: int
    timed: int
    samples: int  # of each kind


@dataclass(frozen=True, slots=True)
class _Lender:
    """A lender's connection to the exchange, and what runs meanwhile."""

    sandbox: Sandbox
    identity: MemberIdentity
    stub: Any
    processes: dict[str, int]


def grpc_figures(size: int, plan: Plan, say: Callable[[str], None]) -> Figures:
    """Return all figures of an exchange with ``size`` listings in force; times too where samples are asked."""
    say(f"gRPC: {size:,} listings, {plan.subjects:,} subjects")
    with _exchange() as sandbox:
        people = subjects(sandbox, plan.subjects)
        kinds = _CLASSES if plan.samples else ()
        timed = {why: subjects(sandbox, plan.timed) for why in kinds}
        began = time.perf_counter()
        _fill(sandbox, size, people, timed)
        figures: Figures = {"fill_s": time.perf_counter() - began}
        process = sandbox.process(EXCHANGE)
        process.start()
        process.wait_ready(START_SECONDS)
        figures["load_s"] = _loaded(process.log, size)
        everybody = [*people, *(each for some in timed.values() for each in some)]
        asyncio.run(grant(sandbox, everybody))
        figures |= asyncio.run(_measure(sandbox, people, timed, plan))
    return figures


@contextmanager
def _exchange() -> Iterator[Sandbox]:
    """Give a federation whose databases are made, and none of whose processes runs."""
    settings = {"exchange": {"limits": NO_LIMITS}}
    sandbox = Sandbox(providers=1, settings=settings)
    try:
        sandbox.prepare()
        yield sandbox
    finally:
        sandbox.close()


def _fill(
    sandbox: Sandbox, size: int, people: Sequence[Subject], timed: dict[str, list[Subject]]
) -> None:
    (furnisher,), now = sandbox.provider_ids, datetime.now(UTC)
    listed = [(person, SHOWN) for person in people[::ONE_IN]]
    listed += [(person, why) for why, some in timed.items() if why != NEVER for person in some]
    named = [listing_of(furnisher, person.subject_ref, why, now) for person, why in listed]
    keyring = load(sandbox.layout.member(EXCHANGE) / "storage_keys.json")
    fill(sandbox.layout.database(EXCHANGE), keyring, furnisher, size, now, named)


def _loaded(log: Path, size: int) -> float:
    """Return how many seconds the exchange took to read its listings, as it logged; check that it has all."""
    for line in log.read_text("utf-8").splitlines():
        if '"listings_loaded"' in line:
            said = json.loads(line)
            assert said["listings"] >= size, said
            return float(said["seconds"])
    raise RuntimeError(f"the exchange has not loaded its listings: {log}")


async def _measure(
    sandbox: Sandbox, people: list[Subject], timed: dict[str, list[Subject]], plan: Plan
) -> Figures:
    identity, anchors = sandbox.identity(LENDER), sandbox.anchors
    channel = open_aio_channel(
        anchors.bundle.exchange_endpoint,
        member_channel(identity.tls, anchors),
        anchors.server_name(EXCHANGE),
    )
    processes = {"exchange": sandbox.process(EXCHANGE).pid, "client": os.getpid()}
    async with channel:
        lender = _Lender(sandbox, identity, ListingServiceStub(channel), processes)
        figures = await _checks(lender, people, plan.seconds)
        many = min(MANY, len(people))
        figures["screen_message_subjects"] = many
        figures |= await _screenings(lender, people, many, plan.seconds, "")
        figures |= await _screenings(lender, people, SOME, plan.seconds, f"_{SOME}")
        if timed:
            figures |= distances(await _times(lender, timed, plan.samples))
    return figures


# One by one ---------------------------------------------------------------------------------------


def _signing(lender: _Lender, people: Sequence[Subject]) -> Iterator[v1.RequestViewRequest]:
    """Yield requests, signed one by one when they are taken."""
    for person in cycle(people):
        yield from prepare_asks(lender.identity, [person.permission], datetime.now(UTC))


async def _checks(lender: _Lender, people: Sequence[Subject], seconds: float) -> Figures:
    async def check(ask: v1.RequestViewRequest) -> int:
        await lender.stub.CheckListings(v1.CheckListingsRequest(ask=ask), timeout=TIMEOUT)
        return 1

    sizes = await _check_sizes(lender, people)
    figures: Figures = {"check_bytes": sizes[0], "check_answer_bytes": sizes[1]}
    for in_flight in (1, 64):
        run = await made_ahead(
            lambda supply, s, many=in_flight: closed_loop(  # type: ignore[misc]  # bound at once
                check, supply, many, s, lender.processes
            ),
            _signing(lender, people),
            1,
            seconds,
        )
        echo = await echo_calls(sizes, in_flight, seconds)
        figures |= {
            f"checks_per_s_{in_flight}": run.per_s,
            f"checks_p50_ms_{in_flight}": run.p50_ms,
            f"checks_p99_ms_{in_flight}": run.p99_ms,
            f"check_cpu_us_{in_flight}": run.cpu_us["exchange"],
            f"check_client_cpu_us_{in_flight}": run.cpu_us["client"],
            f"echo_per_s_{in_flight}": echo.per_s,
            f"echo_p50_ms_{in_flight}": echo.p50_ms,
            f"echo_p99_ms_{in_flight}": echo.p99_ms,
            f"echo_cpu_us_{in_flight}": echo.cpu_us["exchange"],
        }
        name = "check_ratio_echo_1" if in_flight == 1 else "check_ratio_echo"
        figures[name] = run.per_s / echo.per_s
    return figures


async def _check_sizes(lender: _Lender, people: Sequence[Subject]) -> Sizes:
    """Ask about some, verify some of the answers, and return the median bytes of ask and answer."""
    asked, answered, exchange = list[int](), list[int](), _licensed(lender, EXCHANGE)
    for number, ask in zip(range(SAMPLE), _signing(lender, people), strict=False):
        message = v1.CheckListingsRequest(ask=ask)
        answer = await lender.stub.CheckListings(message, timeout=TIMEOUT)
        asked.append(message.ByteSize())
        answered.append(answer.ByteSize())
        if number < VERIFIED:
            now, anchors = datetime.now(UTC), lender.sandbox.anchors
            verified = verify_listing_answer(
                ask,
                answer,
                exchange=exchange,
                lender=_licensed(lender, LENDER),
                anchors=anchors,
                at=now,
            )
            assert bool(verified.answer.listings.listings) is (number % ONE_IN == 0)
    return round(statistics.median(asked)), round(statistics.median(answered))


def _licensed(lender: _Lender, member: str) -> Any:
    sandbox = lender.sandbox
    return open_licence(sandbox.pki.licence(member), sandbox.anchors, datetime.now(UTC))


# Many in a message --------------------------------------------------------------------------------


async def _screenings(
    lender: _Lender, people: Sequence[Subject], each: int, seconds: float, suffix: str
) -> Figures:
    batches = screened(people, each)
    sizes = await _screen_sizes(lender, batches[0])
    before, began = _log_size(lender.sandbox), time.perf_counter()
    run, sent, stale = await _screen(lender, batches, seconds)
    await asyncio.to_thread(_wait_for_log, lender.sandbox, before + sent)
    logged = sent / (time.perf_counter() - began)
    echo = await echo_stream(sizes, each, seconds)
    return {
        f"screen_subjects_per_s{suffix}": run.per_s,
        f"screen_logged_per_s{suffix}": logged,
        f"screen_message_p50_ms{suffix}": run.p50_ms,
        f"screen_message_p99_ms{suffix}": run.p99_ms,
        f"screen_stale_messages{suffix}": stale,
        f"screen_cpu_us{suffix}": run.cpu_us["exchange"],
        f"screen_client_cpu_us{suffix}": run.cpu_us["client"],
        f"screen_bytes{suffix}": sizes[0],
        f"screen_answer_bytes{suffix}": sizes[1],
        f"packed_echo_subjects_per_s{suffix}": echo.per_s,
        f"packed_echo_cpu_us{suffix}": echo.cpu_us["exchange"],
        f"screen_ratio_packed_echo{suffix}": run.per_s / echo.per_s,
    }


async def _screen(
    lender: _Lender, batches: Sequence[list[Screened]], seconds: float
) -> tuple[Run, int, int]:
    """Screen over one stream, four messages on the way; return the run, subjects answered, messages refused.

    A message is refused where the exchange is so busy that it has not looked for changes for a second.
    """
    call = lender.stub.ScreenListings(timeout=2 * seconds + 3 * TIMEOUT)
    answered = stale = 0

    async def receive() -> int:
        nonlocal answered, stale
        response = await call.read()
        if response.HasField("refusal"):
            if response.refusal.reason != v1.Reason.REASON_LISTINGS_STALE:
                raise RuntimeError(f"refused: {response.refusal}")
            stale += 1
            return 0
        results = v1.ScreenAnswer.FromString(response.answer.payload).results
        if any(results):
            raise RuntimeError(f"refused: {set(results)}")
        answered += len(results)
        return len(results)

    messages = (_message(lender, batch) for batch in cycle(batches))
    try:
        run = await made_ahead(
            lambda supply, s: streamed(call.write, supply, receive, s, lender.processes),
            messages,
            len(batches[0]),
            seconds,
        )
    finally:
        call.cancel()
    return run, answered, stale


def _message(lender: _Lender, batch: Sequence[Screened]) -> v1.ScreenListingsRequest:
    federation, now = lender.sandbox.anchors.federation, datetime.now(UTC)
    return prepare_screening(lender.identity, federation, PURPOSE, batch, now).message


async def _screen_sizes(lender: _Lender, batch: Sequence[Screened]) -> Sizes:
    """Screen one message, verify the answer, and return the bytes of both."""
    message = _message(lender, batch)
    call = lender.stub.ScreenListings(timeout=TIMEOUT)
    await call.write(message)
    response = await call.read()
    call.cancel()
    verified = verify_screen_answer(
        message.request,
        response.answer,
        exchange=_licensed(lender, EXCHANGE),
        anchors=lender.sandbox.anchors,
        at=datetime.now(UTC),
    )
    assert sum(bool(each.listings.listings) for each in verified.subjects) == -(
        -len(batch) // ONE_IN
    )
    return message.ByteSize(), response.ByteSize()


def _log_size(sandbox: Sandbox) -> int:
    return int((sandbox.log_folder / "checkpoint").read_text("utf-8").splitlines()[1])


def _wait_for_log(sandbox: Sandbox, size: int) -> None:
    """Wait until so many entries are in a signed checkpoint."""
    end = time.monotonic() + START_SECONDS
    while _log_size(sandbox) < size:
        if time.monotonic() > end:
            raise RuntimeError("the log is far behind")
        time.sleep(0.005)


# How long answers take ----------------------------------------------------------------------------


async def _times(
    lender: _Lender, timed: dict[str, list[Subject]], samples: int
) -> dict[str, list[float]]:
    async def check(person: Subject) -> tuple[float, int]:
        (ask,) = prepare_asks(lender.identity, [person.permission], datetime.now(UTC))
        message = v1.CheckListingsRequest(ask=ask)
        began = time.perf_counter()
        response = await lender.stub.CheckListings(message, timeout=TIMEOUT)
        took = time.perf_counter() - began
        answer = v1.ListingAnswer.FromString(response.answer.payload)
        return took, len(answer.listings.listings)

    return await answer_times(check, timed, samples)
