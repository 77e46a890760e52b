"""The witness over HTTP: requests in, the cosigner's answers out.

What is served, and to whom: anyone may call any of it. A submission is believed for the log's signature
on it, and everything that can be read is public, but for what is in custody: that goes to its subject alone.
"""

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from concordat.refusal import Refusal
from witness.cosigner import Cosigner
from witness.custody import Custody
from witness.rules import RefusedError

SIZE_TYPE = "text/x.tlog.size"
BODY_SECONDS = 10.0
_FRESH = {"cache-control": "no-store"}


class WitnessEndpoints:
    """The witness's resources; each only translates."""

    def __init__(
        self, cosigner: Cosigner, max_body_bytes: int, custody: Custody | None = None
    ) -> None:
        """Answer for ``cosigner``, and for ``custody`` where it is a custodian too."""
        self._cosigner = cosigner
        self._custody = custody
        self._max_body_bytes = max_body_bytes

    async def add_checkpoint(self, request: Request) -> Response:
        """``POST /add-checkpoint``: cosign, or say by the status why not."""
        line = await self._cosigner.add_checkpoint(await self._body(request))
        return PlainTextResponse(line)

    async def latest(self, request: Request) -> Response:
        """``GET /checkpoint/<hex>``: the latest checkpoint cosigned, for watchers to compare."""
        note = await self._cosigner.latest(request.path_params["origin_hash"])
        if note is None:
            raise HTTPException(404)
        return PlainTextResponse(note, headers=_FRESH)

    async def evidence(self, request: Request) -> Response:
        """``GET /evidence/<hex>``: pairs of signed notes of a log that do not go together, as JSON."""
        found = await self._cosigner.evidence(request.path_params["origin_hash"])
        if found is None:
            raise HTTPException(404)
        rows = [
            {
                "kind": each.kind.value,
                "seen_at": each.seen_at,
                "kept_note": each.kept_note and each.kept_note.decode(),
                "offered_note": each.offered_note.decode(),
            }
            for each in found
        ]
        return JSONResponse(rows, headers=_FRESH)

    async def keep(self, request: Request) -> Response:
        """``POST /custody``: keep a deferred notice, and sign for it."""
        return _protobuf(await self._custodian().keep(await self._body(request)))

    async def collect(self, request: Request) -> Response:
        """``POST /custody/collect``: give its subject what has opened."""
        return _protobuf(await self._custodian().collect(await self._body(request)))

    def _custodian(self) -> Custody:
        if self._custody is None:
            raise HTTPException(404)
        return self._custody

    async def health(self, _request: Request) -> Response:
        """``GET /healthz``: whether the database answers."""
        await self._cosigner.require_store()
        return PlainTextResponse("ok\n", headers=_FRESH)

    async def _body(self, request: Request) -> bytes:
        """Read a body within its bounds of size and time."""
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self._max_body_bytes:
                        raise HTTPException(413, headers={"connection": "close"})
        except TimeoutError as error:
            raise HTTPException(408, headers={"connection": "close"}) from error
        except ClientDisconnect as error:
            raise HTTPException(400) from error
        return bytes(body)


def build_app(
    cosigner: Cosigner,
    *,
    max_body_bytes: int,
    prefix: str = "",
    custody: Custody | None = None,
) -> Starlette:
    """Return the ASGI application; ``prefix`` is the path of both of the witness's URL prefixes."""
    endpoints = WitnessEndpoints(cosigner, max_body_bytes, custody)
    app = Starlette(
        routes=[
            Route("/healthz", endpoints.health),
            Route(f"{prefix}/add-checkpoint", endpoints.add_checkpoint, methods=["POST"]),
            Route(f"{prefix}/checkpoint/{{origin_hash}}", endpoints.latest),
            Route(f"{prefix}/evidence/{{origin_hash}}", endpoints.evidence),
            Route(f"{prefix}/custody", endpoints.keep, methods=["POST"]),
            Route(f"{prefix}/custody/collect", endpoints.collect, methods=["POST"]),
        ],
        exception_handlers={RefusedError: _refused, Refusal: _unavailable},
    )
    app.router.redirect_slashes = False
    return app


def _protobuf(content: bytes) -> Response:
    return Response(content, media_type="application/x-protobuf", headers=_FRESH)


async def _refused(_request: Request, error: Exception) -> Response:
    """Render a refusal; a size goes out exactly as the specification types it, without a charset."""
    assert isinstance(error, RefusedError)  # noqa: S101 - what it is registered for
    if error.known_size is not None:
        headers = {"content-type": SIZE_TYPE}
        return Response(f"{error.known_size}\n", error.status, headers)
    return PlainTextResponse(f"{error}\n", error.status)


async def _unavailable(_request: Request, _error: Exception) -> Response:
    """The database is away, or the process is stopping: nothing was cosigned."""
    return PlainTextResponse("try again\n", 503, {"retry-after": "1"})
