"""The public read path: the checkpoint and the tiles over HTTP, as any file server could serve them.

https://c2sp.org/tlog-tiles. Nothing here is secret and nothing is believed without the log's signature, so
plain HTTP does; put a cache or a TLS front before it as you like.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from concordat.settings import SettingsError
from concordat.trust.errors import MalformedNoteError
from concordat.trust.tiles import WIDTH, Tile
from exchange.log.tile_store import CHECKPOINT, TileStore, TileStoreError

_FOR_EVER = "public, max-age=31536000, immutable"
_A_MOMENT = "no-cache"
_OPEN = {"Access-Control-Allow-Origin": "*"}  # a browser's page may audit the log too


def public_app(tiles: TileStore, health: Callable[[], Mapping[str, object]]) -> Starlette:
    """Return the application: ``/checkpoint``, ``/tile/...`` and ``/health``."""

    async def checkpoint(_request: Request) -> Response:
        note = await _read(tiles, CHECKPOINT)
        if note is None:
            return _absent("the log is still empty")
        return Response(
            note,
            media_type="text/plain; charset=utf-8",
            headers=_OPEN | {"Cache-Control": _A_MOMENT},
        )

    async def tile(request: Request) -> Response:
        try:
            wanted = Tile.parse(request.url.path.removeprefix("/"))
        except MalformedNoteError as error:
            return _absent(str(error))
        data = await _read(tiles, wanted.path)
        if data is None:
            return _absent("take the full tile" if wanted.width < WIDTH else "no such tile")
        return Response(
            data,
            media_type="application/octet-stream",
            headers=_OPEN | {"Cache-Control": _FOR_EVER},
        )

    async def told(_request: Request) -> Response:
        return JSONResponse(dict(health()), headers={"Cache-Control": "no-store"})

    async def unavailable(_request: Request, error: Exception) -> Response:
        del error
        return PlainTextResponse("the log cannot be read now\n", 503)

    return Starlette(
        routes=[
            Route("/checkpoint", checkpoint),
            Route("/health", told),
            Route("/tile/{rest:path}", tile),
        ],
        middleware=[Middleware(GZipMiddleware, minimum_size=1024)],
        exception_handlers={TileStoreError: unavailable},
    )


def _absent(why: str) -> Response:
    """Say that there is nothing, for now: what is not there yet may be soon."""
    return PlainTextResponse(f"{why}\n", 404, _OPEN | {"Cache-Control": _A_MOMENT})


async def _read(tiles: TileStore, path: str) -> bytes | None:
    return await run_in_threadpool(tiles.read, path)


@contextlib.asynccontextmanager
async def serving(app: Starlette, address: str) -> AsyncIterator[int]:
    """Serve ``app`` on "host:port" while the block runs; yields the port. Raises ``SettingsError``."""
    host, _, port = address.rpartition(":")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), int(port)))
    except (OSError, OverflowError) as error:  # the latter for a port that there is not
        listener.close()
        raise SettingsError(f"cannot listen on {address}: {error}") from error
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    # The process has signal handlers of its own.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
