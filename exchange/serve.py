"""Wiring of the exchange process: opens what it needs, serves two ports, stops when told."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

import structlog

from concordat.clock import Clock
from concordat.federation.anchors import load_anchors
from concordat.federation.directory import MemberDirectory
from concordat.rpc.admission import Admission
from concordat.rpc.aio_server import AioServer
from concordat.rpc.policy import Port
from concordat.rpc.tls import TlsIdentity, member_port, public_port
from concordat.store.engine import open_engine, require_current
from concordat.store.exclusive import sqlite_file
from concordat.store.group_commit import GroupCommit
from concordat.v1.consent_service_pb2_grpc import add_ConsentServiceServicer_to_server
from concordat.v1.log_service_pb2_grpc import add_LogServiceServicer_to_server
from concordat.v1.member_service_pb2_grpc import add_MemberServiceServicer_to_server
from concordat.v1.view_service_pb2_grpc import add_ViewServiceServicer_to_server
from exchange.consents.servicer import ConsentServicer
from exchange.housekeeping import keep_house, latest_time
from exchange.log.opening import open_book, open_tiles
from exchange.log.public import public_app, serving
from exchange.log.servicer import LogServicer
from exchange.members.keeper import MemberKeeper, load
from exchange.members.servicer import MemberServicer
from exchange.migrations import SCRIPTS
from exchange.views.dispatch import Dispatcher
from exchange.views.provider_link import ProviderLinks
from exchange.views.request_view import ViewDesk
from exchange.views.servicer import ViewServicer

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.settings import ExchangeSettings

_log = structlog.get_logger("concordat.exchange")

MEMBER_SERVICES = ("concordat.v1.MemberService", "concordat.v1.ViewService")
PUBLIC_SERVICES = (
    "concordat.v1.MemberService",
    "concordat.v1.ConsentService",
    "concordat.v1.LogService",
)


async def serve(settings: ExchangeSettings, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` gets one line when both ports are open."""
    anchors = load_anchors(settings.trust_bundle)
    identity = TlsIdentity.load(settings.tls_certificate, settings.tls_key)
    signer = settings.signer()
    engine = open_engine(settings.database)
    require_current(engine, SCRIPTS)
    store = GroupCommit(engine, "exchange-store")
    clock = Clock(floor=store.run(latest_time))
    directory = MemberDirectory(anchors)
    store.run(lambda connection: load(connection, directory, clock.now()))
    keeper = MemberKeeper(directory, store, clock)
    tiles = open_tiles(settings.log, store)
    alone = sqlite_file(settings.database) is not None  # the command holds it for this process
    book = open_book(settings.log, anchors, store, tiles, clock, alone=alone)
    links = ProviderLinks(identity, anchors)
    dispatcher = Dispatcher(directory, links, signer, clock.now, settings.coalesce_window_seconds)
    desk = ViewDesk(
        directory, store, book, dispatcher, signer, clock, settings.provider_timeout_seconds
    )

    members = AioServer(
        settings.member_listen,
        member_port(identity, anchors),
        Admission(directory, clock, Port.MEMBER),
    )
    public = AioServer(
        settings.public_listen, public_port(identity), Admission(directory, clock, Port.PUBLIC)
    )
    stopping = asyncio.Event()  # ends the streams that would else last for the whole of the grace
    for server in (members, public):
        add_MemberServiceServicer_to_server(MemberServicer(keeper, stopping), server.server)
    add_ViewServiceServicer_to_server(ViewServicer(desk), members.server)
    add_ConsentServiceServicer_to_server(ConsentServicer(anchors, store, signer), public.server)
    add_LogServiceServicer_to_server(LogServicer(anchors, store, tiles, signer), public.server)
    book.start()
    await members.start(*MEMBER_SERVICES)
    await public.start(*PUBLIC_SERVICES)
    timers = [
        asyncio.create_task(keep_house(store, clock, settings.log.keep_days)),
        asyncio.create_task(keeper.follow()),
    ]
    async with serving(public_app(tiles, lambda: book.health), settings.log.listen) as port:
        ready(
            f"{settings.member_id} ready: members {settings.member_listen}, "
            f"subjects {settings.public_listen}, log on port {port}"
        )
        await _stop_signal()
        _log.info("stopping")
    stopping.set()
    for timer in timers:
        timer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await timer
    grace = settings.shutdown_grace_seconds
    await asyncio.gather(members.stop(grace), public.stop(grace))
    await dispatcher.close()
    await links.close()
    await asyncio.to_thread(book.stop)
    await asyncio.to_thread(store.close)
    engine.dispose()


async def _stop_signal() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
