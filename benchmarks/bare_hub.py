"""The yardstick: a bare ``grpc.aio`` hub that fans out to echo servers, with no checks, no TLS, no log.

Messages have the sizes of the real thing's. One process each: ``python bare_hub.py echo PORT BYTES`` and
``python bare_hub.py hub PORT ASK_BYTES ANSWER_BYTES ECHO_PORT ...``. Methods take and give raw bytes:

- ``/bare/Echo`` and ``/bare/Echoes``, of an echo server: one message, or a stream of them.
- ``/bare/One``: one request; asks every echo server once, answers with ``ANSWER_BYTES``.
- ``/bare/Many``: a stream of messages of ``n`` requests; asks every echo server once for each message, with
  ``n`` times the bytes, and answers with ``n * ANSWER_BYTES``.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


async def echo(port: int, answer_bytes: int) -> None:
    """Answer every message with ``answer_bytes`` for each item; its first two bytes say how many it has."""

    async def answer(request: bytes, _context: object) -> bytes:
        return bytes(answer_bytes * int.from_bytes(request[:2], "big"))

    async def answers(requests: AsyncIterator[bytes], context: object) -> AsyncIterator[bytes]:
        async for request in requests:
            yield await answer(request, context)

    await _serve(
        port,
        {
            "Echo": grpc.unary_unary_rpc_method_handler(answer),
            "Echoes": grpc.stream_stream_rpc_method_handler(answers),
        },
    )


async def hub(port: int, ask_bytes: int, answer_bytes: int, echoes: list[int]) -> None:
    """Fan every request out and wait for all the answers."""
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{p}", options=OPTIONS) for p in echoes]
    stubs: list[Any] = [channel.unary_unary("/bare/Echo") for channel in channels]

    async def fan_out(items: int) -> bytes:
        message = items.to_bytes(2, "big") + bytes(ask_bytes * items - 2)
        await asyncio.gather(*(stub(message, timeout=5) for stub in stubs))
        return bytes(answer_bytes * items)

    async def one(_request: bytes, _context: object) -> bytes:
        return await fan_out(1)

    async def many(requests: AsyncIterator[bytes], _context: object) -> AsyncIterator[bytes]:
        async for request in requests:
            yield await fan_out(int.from_bytes(request[:2], "big"))

    await _serve(
        port,
        {
            "One": grpc.unary_unary_rpc_method_handler(one),
            "Many": grpc.stream_stream_rpc_method_handler(many),
        },
    )


async def _serve(port: int, methods: dict[str, Any]) -> None:
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("bare", methods)])
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    role, *numbers = sys.argv[1:]
    values = [int(number) for number in numbers]
    if role == "echo":
        asyncio.run(echo(*values))
    else:
        asyncio.run(hub(values[0], values[1], values[2], values[3:]))
