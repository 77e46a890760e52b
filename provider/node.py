"""A running node: everything wired together, nothing decided here."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import structlog

from concordat.clock import Clock
from concordat.federation.anchors import load_anchors
from concordat.rpc.tls import TlsIdentity
from concordat.store.group_commit import GroupCommit
from concordat.telemetry.exporter import exporting
from provider import measured
from provider.database import load_directory, own_database, start_clock
from provider.listings.courier import Courier
from provider.listings.exchange_link import ExchangeLink
from provider.listings.intake import Intake
from provider.listings.spool import Spool
from provider.ports import Ports
from provider.query_source import QuerySource
from provider.settings import ProviderSettings
from provider.store import clock_mark

_log = structlog.get_logger("concordat.provider")


@dataclass(frozen=True, slots=True)
class Node:
    """A node that is ready; ``start`` begins. One without scores files debts and opens no ports."""

    courier: Courier
    ports: Ports | None
    store: GroupCommit  # its own database

    @classmethod
    @contextmanager
    def opened(cls, settings: ProviderSettings, clock: Clock | None = None) -> Iterator["Node"]:
        """Open files, database and ports; on leaving, let open calls finish and close them all.

        Whoever lives through years in minutes brings a ``clock``; no setting does.
        """
        anchors = load_anchors(settings.trust_bundle)
        signer = settings.signer()
        identity = TlsIdentity.load(settings.tls_certificate, settings.tls_key)
        spool = Spool(settings.listings.spool)
        with ExitStack() as stack:
            engine = stack.enter_context(own_database(settings.database))
            with engine.connect() as connection:
                clock = clock or start_clock(connection)
                directory = load_directory(connection, anchors, clock.now())
            store = GroupCommit(engine)
            stack.callback(store.close)
            stack.callback(lambda: store.run(lambda c: clock_mark.advance(c, clock.now())))
            source = None
            if settings.scores.source == "query":
                source = QuerySource(settings.scores, settings.threads)
                stack.callback(source.close)
            ports = None
            if settings.scores.source != "none":
                ports = Ports.bound(settings, anchors, signer, directory, clock, store, source)
            courier = Courier(
                spool,
                store,
                Intake(settings.member_id, anchors.federation, signer),
                ExchangeLink(anchors, identity),
                clock.now,
            )
            node = cls(courier, ports, store)
            stack.callback(node.stop)
            readings = measured.readings(store, directory, clock)
            stack.enter_context(exporting(settings.metrics_listen, "provider", readings))
            yield node

    def start(self) -> None:
        """Begin to send, and open the ports."""
        self.courier.start()
        if self.ports is not None:
            self.ports.start()
        _log.info("started", **self.addresses)

    def stop(self) -> None:
        """Let open calls finish, and leave for the next start what was not sent."""
        self.courier.stop()
        if self.ports is not None:
            self.ports.stop()
        _log.info("stopped")

    @property
    def addresses(self) -> dict[str, str]:
        """Where members and subjects connect, with the ports really bound; empty where nobody does."""
        if self.ports is None:
            return {}
        return {"members": self.ports.member_address, "subjects": self.ports.public_address}


def stop_signal() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set from now on."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop
