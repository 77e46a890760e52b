"""What answers about listings are measured beside: a bare ``grpc.aio`` echo of messages of the same sizes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from benchmarks.load import Run, closed_loop, streamed
from clients.sandbox.layout import free_ports

PROGRAM = Path(__file__).parent / "bare_hub.py"
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
SECONDS = 20.0
ONE = (1).to_bytes(
    2, "big"
)  # what the echo server finds at the start of a message that counts once
Sizes = tuple[int, int]  # bytes of a message and of its answer


async def echo_calls(sizes: Sizes, in_flight: int, seconds: float) -> Run:
    """Have messages echoed one by one: no TLS, no checks, no database. CPU is the server's."""
    with _echoing(sizes[1]) as (channel, processes):
        async with channel:
            method: Any = channel.unary_unary("/bare/Echo")
            message = ONE + bytes(sizes[0] - len(ONE))

            async def one(message: bytes) -> int:
                await method(message, timeout=SECONDS)
                return 1

            for _ in range(100):
                await one(message)
            return await closed_loop(one, repeat(message), in_flight, seconds, processes)


async def echo_stream(sizes: Sizes, subjects: int, seconds: float) -> Run:
    """Have messages that stand for so many subjects each echoed on one stream, four on the way."""
    with _echoing(sizes[1]) as (channel, processes):
        async with channel:
            call: Any = channel.stream_stream("/bare/Echoes")(timeout=seconds + SECONDS)
            message = ONE + bytes(sizes[0] - len(ONE))

            async def answered() -> int:
                await call.read()
                return subjects

            try:
                return await streamed(call.write, repeat(message), answered, seconds, processes)
            finally:
                call.cancel()


@contextmanager
def _echoing(answer_bytes: int) -> Iterator[tuple[grpc.aio.Channel, dict[str, int]]]:
    """Start an echo server; give a channel to it, and its process and this one by name."""
    (ports,) = free_ports(1)
    command = [sys.executable, str(PROGRAM), "echo", str(ports.member), str(answer_bytes)]
    with ExitStack() as stack:
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        assert process.stdout is not None
        process.stdout.readline()
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{ports.member}", options=OPTIONS)
        yield channel, {"exchange": process.pid, "client": os.getpid()}
