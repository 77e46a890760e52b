"""A log's files over HTTP: bounded in size and time, asked for again where that may help."""

import random
import time
import zlib
from collections.abc import Callable

import httpx

from clients.auditor.errors import LogUnreadable, ResourceMissing, ResourceOversize

ATTEMPTS = 4
FIRST_DELAY = 0.25
"""Seconds before the second attempt; each further one waits twice as long, more or less."""

SECONDS = 60.0
"""For one whole answer: a server that sends a byte now and then holds nobody up for longer."""

STALL_SECONDS = 10.0
CONNECTIONS = 8

_GONE = {404, 410}
_LATER = {408, 425, 429}
_SERVER_ERROR = 500


class HttpFiles:
    """Files under an HTTP(S) prefix. Safe to use from several threads."""

    concurrency = CONNECTIONS

    def __init__(self, prefix: str, sleep: Callable[[float], None] = time.sleep) -> None:
        """Read under ``prefix``. Redirects are not followed: a log's files lie where its prefix says."""
        self._prefix = prefix.rstrip("/")
        self._sleep = sleep
        self._client = httpx.Client(
            timeout=STALL_SECONDS,
            limits=httpx.Limits(max_connections=CONNECTIONS),
            headers={"Accept-Encoding": "gzip, identity", "User-Agent": "concordat-auditor"},
        )

    def read(self, path: str, limit: int) -> bytes:
        """Return a file of at most ``limit`` bytes, after as many attempts as it takes."""
        return self.read_url(f"{self._prefix}/{path}", limit, where=path)

    def read_url(self, url: str, limit: int, where: str) -> bytes:
        """Return what ``url`` has, at most ``limit`` bytes; errors name it as ``where``."""
        for attempt in range(1, ATTEMPTS):
            try:
                return self._read_once(url, limit, where)
            except _AskAgain:
                self._sleep(FIRST_DELAY * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
        try:
            return self._read_once(url, limit, where)
        except _AskAgain as error:
            raise LogUnreadable(f"{error}, {ATTEMPTS} times", where=where) from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _read_once(self, url: str, limit: int, where: str) -> bytes:
        until = time.monotonic() + SECONDS
        try:
            with self._client.stream("GET", url) as response:
                _require_ok(response, where)
                return _body(response, limit, where, until)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise LogUnreadable(f"{url} is no URL: {error}", where=where) from error
        except httpx.HTTPError as error:
            raise _AskAgain(f"{type(error).__name__}: {error}".rstrip(": ")) from error


class _AskAgain(Exception):  # noqa: N818 - never leaves this module
    """A failure that may pass."""


def _require_ok(response: httpx.Response, where: str) -> None:
    status = response.status_code
    if status == httpx.codes.OK:
        return
    if status in _GONE:
        raise ResourceMissing(f"HTTP {status}", where=where)
    if status in _LATER or status >= _SERVER_ERROR:
        raise _AskAgain(f"HTTP {status}")
    raise LogUnreadable(f"HTTP {status}", where=where)


def _body(response: httpx.Response, limit: int, where: str, until: float) -> bytes:
    """Read and decompress no more than one byte past ``limit``, whatever the server sends."""
    unpacked = _unpacked(response, where)
    content = bytearray()
    for chunk in response.iter_raw():
        content += unpacked.take(chunk, limit + 1 - len(content))
        if len(content) > limit:
            raise ResourceOversize(f"longer than {limit} bytes", where=where)
        if time.monotonic() > until:
            raise _AskAgain(f"not all there after {SECONDS:.0f} s")
    unpacked.end()
    return bytes(content)


class _Plain:
    """Bytes as they are."""

    def take(self, chunk: bytes, most: int) -> bytes:
        return chunk[:most]

    def end(self) -> None:
        """Leave it to HTTP to tell whether all has come."""


class _Gzip:
    """Compressed bytes, unpacked only as far as they are wanted."""

    def __init__(self) -> None:
        self._unpack = zlib.decompressobj(wbits=31)

    def take(self, chunk: bytes, most: int) -> bytes:
        try:
            return self._unpack.decompress(chunk, most)
        except zlib.error as error:
            raise _AskAgain(f"not the gzip it says it is: {error}") from error

    def end(self) -> None:
        if not self._unpack.eof:
            raise _AskAgain("the gzip ends early")


def _unpacked(response: httpx.Response, where: str) -> _Plain | _Gzip:
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding == "identity":
        return _Plain()
    if encoding == "gzip":
        return _Gzip()
    raise LogUnreadable(f"in the encoding {encoding!r}, which was not asked for", where=where)
