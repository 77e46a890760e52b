"""Wiring of the witness process: opens what it needs, serves one port, stops when told."""

import logging
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime

import structlog
import uvicorn

from concordat.clock import MAX_SKEW, Clock
from concordat.federation.anchors import Anchors, TrustBundleError, load_anchors
from concordat.settings import SettingsError
from concordat.store.engine import open_engine, require_current
from concordat.store.exclusive import only_process
from concordat.store.group_commit import GroupCommit
from concordat.telemetry.exporter import exporting
from concordat.trust.keys import Signer
from concordat.trust.note import COSIGNATURE_V1, VerifierKey
from witness import MIGRATIONS
from witness.app import build_app
from witness.cosigner import Cosigner
from witness.custody import Custody
from witness.records import latest_cosigned_at
from witness.settings import WitnessSettings

_log = structlog.get_logger("concordat.witness")
_MOST_PORTS = 65535


def vkey_of(settings: WitnessSettings, signer: Signer) -> VerifierKey:
    """Return what verifies the cosignatures of a witness with these settings."""
    return VerifierKey(settings.name, COSIGNATURE_V1, signer.public_key)


def require_own_key(settings: WitnessSettings) -> Signer:
    """Load the signing key; raise ``SettingsError`` if it is a log's, ``KeyFileError`` if it can't be read."""
    signer = settings.signer()
    for log in settings.logs:
        if log.key.public_key == signer.public_key:
            raise SettingsError(
                f"{settings.signing_key} is the key of {log.key.name}: a witness needs its own"
            )
    return signer


def require_logs(settings: WitnessSettings) -> list[VerifierKey]:
    """Return the keys of the logs; raise ``SettingsError`` if there are none."""
    if not settings.logs:
        raise SettingsError("there is no log to witness: add [[logs]] with the vkey of each")
    return [log.key for log in settings.logs]


def open_clock(floor: int, source: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Clock:
    """Return a clock that starts no earlier than ``floor``, the latest cosignature's POSIX seconds."""
    behind = floor - int(source().timestamp())
    if behind > MAX_SKEW.total_seconds():
        _log.warning("clock_behind_latest_cosignature", seconds=behind)
    return Clock(datetime.fromtimestamp(floor, UTC), source)


def open_custody(
    settings: WitnessSettings, signer: Signer, store: GroupCommit, clock: Clock
) -> Custody | None:
    """Return the custodian of deferred notices; None without a trust bundle. Raises ``SettingsError``."""
    anchors = custody_anchors(settings, signer)
    return None if anchors is None else Custody(settings.name, signer, anchors, store, clock)


def custody_anchors(settings: WitnessSettings, signer: Signer) -> Anchors | None:
    """Return the bundle whose notices are held; raise ``SettingsError`` where this is no witness of it."""
    if settings.trust_bundle is None:
        return None
    try:
        anchors = load_anchors(settings.trust_bundle)
    except TrustBundleError as error:
        raise SettingsError(str(error)) from error
    if vkey_of(settings, signer) not in anchors.witnesses:
        raise SettingsError(f"{settings.name} is no witness of {settings.trust_bundle}")
    return anchors


def serve(settings: WitnessSettings) -> None:
    """Serve until SIGTERM or SIGINT; raises what opening things raises.

    Says ``serving`` with the port in the log once requests are answered.
    """
    with ExitStack() as closing:
        logs = require_logs(settings)
        signer = require_own_key(settings)
        closing.enter_context(only_process(settings.database))
        engine = open_engine(settings.database)
        closing.callback(engine.dispose)
        require_current(engine, MIGRATIONS)
        listening = closing.enter_context(_listen(settings.listen))
        store = GroupCommit(engine, "witness-store")
        closing.callback(store.close)
        clock = open_clock(store.run(latest_cosigned_at))
        cosigner = Cosigner(settings.name, signer, logs, store, clock)
        app = build_app(
            cosigner,
            max_body_bytes=settings.max_body_bytes,
            prefix=settings.prefix,
            custody=open_custody(settings, signer, store, clock),
        )
        closing.enter_context(exporting(settings.metrics_listen, "witness"))
        _hand_on_warnings()
        server = _Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=settings.shutdown_grace_seconds,
            )
        )
        # Uvicorn stops by itself, then raises the signal again for whoever listened before: us.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: server.stop())
        server.run([listening])


class _Server(uvicorn.Server):
    """Uvicorn, saying in the log when it serves and when it stops."""

    def stop(self) -> None:
        """Stop soon."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        _log.info("serving", port=sockets[0].getsockname()[1] if sockets else None)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests finish."""
        _log.info("stopping")
        await super().shutdown(sockets)


class _HandedOn(logging.Handler):
    """Writes what a library logs as a line of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        _log.log(
            record.levelno, "http_server", detail=record.getMessage(), exc_info=record.exc_info
        )


def _hand_on_warnings() -> None:
    """Send Uvicorn's warnings and errors where all lines go; its greetings nowhere."""
    library = logging.getLogger("uvicorn")
    library.handlers = [_HandedOn()]
    library.setLevel(logging.WARNING)
    library.propagate = False


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if int(port) > _MOST_PORTS:
        raise SettingsError(f"cannot listen on {address}: there is no such port")
    try:
        return socket.create_server((host, int(port)), family=family, backlog=1024)
    except OSError as error:
        raise SettingsError(f"cannot listen on {address}: {error}") from error
