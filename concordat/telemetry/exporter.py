"""`/metrics` of one process, on a port of its own: plain HTTP, for the operator's network alone."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from itertools import chain
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET
from typing import TYPE_CHECKING

import structlog
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from concordat.settings import SettingsError
from concordat.telemetry.metric import GROUPS, REGISTRIES
from concordat.telemetry.metrics import BUILD, SCRAPE_FAILURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.metrics_core import Metric as Family

    Reading = Callable[[], None]

_log = structlog.get_logger("concordat.metrics")
_LOOK_SECONDS = 0.1  # between two looks whether to stop
_SECONDS = 10.0  # the longest that a scraper may take to ask


class Exported:
    """What a process of one kind exports, read anew for each scrape."""

    def __init__(self, process: str, readings: Iterable[Reading] = ()) -> None:
        """Export for ``process`` ("exchange", "provider", "registrar", "witness").

        ``readings`` set what is asked for only when somebody looks, such as lengths of queues.
        """
        self._process = process
        self._readings = list(readings)
        self._one_at_a_time = threading.Lock()

    def collect(self) -> Iterator[Family]:
        """Yield each family of samples."""
        return chain.from_iterable(REGISTRIES[each].collect() for each in GROUPS[self._process])

    def text(self) -> bytes:
        """Return the page, in Prometheus's text format."""
        with self._one_at_a_time:
            BUILD.clear()
            BUILD.set(1, self._process, metadata.version("concordat"))
            for reading in self._readings:
                try:
                    reading()
                except Exception as error:  # noqa: BLE001 - what can be told is told
                    SCRAPE_FAILURES.add()
                    _log.warning("metrics_not_read", error=type(error).__name__)
            return generate_latest(self)


@contextlib.contextmanager
def exporting(address: str, process: str, readings: Iterable[Reading] = ()) -> Iterator[int]:
    """Serve the metrics on "host:port" while the block runs, unless it is empty; yields the port, 0 for none.

    Raises ``SettingsError`` where nothing can listen there.
    """
    if not address:
        yield 0
        return
    server = _listen(address, Exported(process, readings))
    thread = threading.Thread(
        target=server.serve_forever, args=(_LOOK_SECONDS,), name="metrics", daemon=True
    )
    thread.start()
    _log.info("metrics_served", port=server.server_port)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listen(address: str, exported: Exported) -> ThreadingHTTPServer:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")

    class Handler(BaseHTTPRequestHandler):
        timeout = _SECONDS

        def do_GET(self) -> None:
            """Answer `/metrics`, and nothing else."""
            found = self.path.partition("?")[0] == "/metrics"
            body = exported.text() if found else b"see /metrics\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", CONTENT_TYPE_LATEST if found else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Write no line a scrape."""

    class Server(ThreadingHTTPServer):
        address_family = AF_INET6 if ":" in host else AF_INET
        daemon_threads = True

        def server_bind(self) -> None:
            """Bind without asking a name server who we are."""
            self.socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
            self.socket.bind(self.server_address)
            self.server_address = self.socket.getsockname()
            self.server_name, self.server_port = host, self.server_address[1]

    try:
        return Server((host, int(port)), Handler)
    except (OSError, OverflowError) as error:  # the latter for a port that there is not
        raise SettingsError(f"cannot serve metrics on {address}: {error}") from error
