"""A running node: everything wired together, nothing decided here."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from concordat import v1
from concordat.federation.anchors import load_anchors
from concordat.rpc.admission import Admission
from concordat.rpc.member_watch import MemberWatch
from concordat.rpc.policy import Port
from concordat.rpc.sync_server import SyncServer
from concordat.rpc.tls import TlsIdentity, member_port, public_port
from concordat.store.group_commit import GroupCommit
from concordat.v1.provider_service_pb2_grpc import (
    add_ConsentNoticeServiceServicer_to_server,
    add_ProviderServiceServicer_to_server,
)
from provider.answering import Desk
from provider.database import keep_members, load_directory, own_database, start_clock
from provider.notices import NoticeBoard
from provider.query_source import QuerySource
from provider.servicer import ConsentNoticeServicer, ProviderServicer
from provider.settings import ProviderSettings
from provider.store import clock_mark

PROVIDER_SERVICE = "concordat.v1.ProviderService"
NOTICE_SERVICE = "concordat.v1.ConsentNoticeService"

PUBLIC_THREADS = 2

_log = structlog.get_logger("concordat.provider")


class StartError(Exception):
    """The node cannot start; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node whose ports are bound; ``start`` opens them."""

    settings: ProviderSettings
    members: SyncServer
    public: SyncServer
    watch: MemberWatch

    @property
    def member_address(self) -> str:
        """Where members connect, with the port really bound."""
        return f"{_host(self.settings.member_listen)}:{self.members.port}"

    @property
    def public_address(self) -> str:
        """Where subjects connect, with the port really bound."""
        return f"{_host(self.settings.public_listen)}:{self.public.port}"

    @classmethod
    @contextmanager
    def opened(cls, settings: ProviderSettings) -> Iterator["Node"]:
        """Open files, database and ports; on leaving, let open calls finish and close them all."""
        anchors = load_anchors(settings.trust_bundle)
        signer = settings.signer()
        identity = TlsIdentity.load(settings.tls_certificate, settings.tls_key)
        with ExitStack() as stack:
            engine = stack.enter_context(own_database(settings.database))
            with engine.connect() as connection:
                clock = start_clock(connection)
                directory = load_directory(connection, anchors, clock.now())
            store = GroupCommit(engine)
            stack.callback(store.close)
            stack.callback(lambda: store.run(lambda c: clock_mark.advance(c, clock.now())))
            source = None
            if settings.scores.source == "query":
                source = QuerySource(settings.scores, settings.threads)
                stack.callback(source.close)

            def keep(licences: Sequence[v1.Envelope], statuses: Sequence[v1.Envelope]) -> None:
                store.run(lambda c: keep_members(c, licences, statuses))

            watch = MemberWatch(directory, identity, clock, keep)
            desk = Desk(
                member_id=settings.member_id,
                signer=signer,
                directory=directory,
                store=store,
                source=source,
                status_max_age=timedelta(seconds=settings.consent.status_max_age_seconds),
            )
            try:
                members = SyncServer(
                    settings.member_listen,
                    member_port(identity, anchors),
                    Admission(directory, clock, Port.MEMBER, watch.require_current),
                    settings.threads,
                )
                public = SyncServer(
                    settings.public_listen,
                    public_port(identity),
                    Admission(directory, clock, Port.PUBLIC),
                    PUBLIC_THREADS,
                )
            except RuntimeError as error:  # gRPC's way to say that a port is taken
                raise StartError(
                    "cannot bind member_listen or public_listen: the port is taken, "
                    "or certificate and key do not fit"
                ) from error
            add_ProviderServiceServicer_to_server(
                ProviderServicer(desk, anchors.bundle.exchange_id, watch.require_current),
                members.server,
            )
            add_ConsentNoticeServiceServicer_to_server(
                ConsentNoticeServicer(NoticeBoard(settings.member_id, anchors, store)),
                public.server,
            )
            node = cls(settings, members, public, watch)
            stack.callback(node.stop)
            yield node

    def start(self) -> None:
        """Follow the exchange's directory, and open both ports."""
        self.watch.start()
        self.members.start(PROVIDER_SERVICE)
        self.public.start(NOTICE_SERVICE)
        _log.info("started", members=self.member_address, public=self.public_address)

    def stop(self) -> None:
        """Let open calls finish on both ports at once, then stop following."""
        grace = self.settings.grace_seconds
        public = threading.Thread(target=self.public.stop, args=(grace,))
        public.start()
        self.members.stop(grace)
        public.join()
        self.watch.stop()
        _log.info("stopped")


def stop_signal() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set from now on."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop


def _host(address: str) -> str:
    return address.rpartition(":")[0]
