"""The ports of a node that answers score requests, and the directory by which it admits callers."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from concordat import v1
from concordat.clock import Clock
from concordat.federation.anchors import Anchors
from concordat.federation.directory import MemberDirectory
from concordat.rpc.admission import Admission
from concordat.rpc.member_watch import MemberWatch
from concordat.rpc.policy import Port
from concordat.rpc.sync_server import SyncServer
from concordat.rpc.tls import TlsIdentity, member_port, public_port
from concordat.store.group_commit import GroupCommit
from concordat.trust.keys import Signer
from concordat.v1.provider_service_pb2_grpc import (
    add_ConsentNoticeServiceServicer_to_server,
    add_ProviderServiceServicer_to_server,
)
from provider.answering import Desk
from provider.database import keep_members
from provider.notices import NoticeBoard
from provider.own_answering import OwnDesk
from provider.scores import ScoreSource
from provider.servicer import ConsentNoticeServicer, ProviderServicer
from provider.settings import ProviderSettings

PROVIDER_SERVICE = "concordat.v1.ProviderService"
NOTICE_SERVICE = "concordat.v1.ConsentNoticeService"

PUBLIC_THREADS = 2


class PortTakenError(Exception):
    """A port cannot be bound; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Both ports, bound; ``start`` opens them."""

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
    def bound(
        cls,
        settings: ProviderSettings,
        anchors: Anchors,
        signer: Signer,
        directory: MemberDirectory,
        clock: Clock,
        store: GroupCommit,
        source: ScoreSource | None,
    ) -> "Ports":
        """Bind both; raise ``PortTakenError`` if that can't be."""
        identity = TlsIdentity.load(settings.tls_certificate, settings.tls_key)

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
            raise PortTakenError(
                "cannot bind member_listen or public_listen: the port is taken, "
                "or certificate and key do not fit"
            ) from error
        add_ProviderServiceServicer_to_server(
            ProviderServicer(
                desk,
                OwnDesk(desk.stating, store),
                anchors.bundle.exchange_id,
                watch.require_current,
            ),
            members.server,
        )
        add_ConsentNoticeServiceServicer_to_server(
            ConsentNoticeServicer(NoticeBoard(settings.member_id, anchors, store)),
            public.server,
        )
        return cls(settings, members, public, watch)

    def start(self) -> None:
        """Follow the exchange's directory, and open both ports."""
        self.watch.start()
        self.members.start(PROVIDER_SERVICE)
        self.public.start(NOTICE_SERVICE)

    def stop(self) -> None:
        """Let open calls finish on both ports at once, then stop following."""
        grace = self.settings.grace_seconds
        public = threading.Thread(target=self.public.stop, args=(grace,))
        public.start()
        self.members.stop(grace)
        public.join()
        self.watch.stop()


def _host(address: str) -> str:
    return address.rpartition(":")[0]
