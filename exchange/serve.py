"""Wiring of the exchange: opens what it needs, serves two ports, stops when told."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import structlog

from concordat.clock import Clock
from concordat.federation.anchors import load_anchors
from concordat.federation.directory import MemberDirectory
from concordat.rpc.admission import Admission
from concordat.rpc.aio_server import AioServer
from concordat.rpc.policy import Port
from concordat.rpc.tls import TlsIdentity, member_port, public_port
from concordat.store.exclusive import sqlite_file
from concordat.store.group_commit import GroupCommit
from concordat.telemetry.exporter import exporting
from exchange.backup.starting import open_newest
from exchange.drift.watch import DriftWatch
from exchange.housekeeping import keep_house, latest_time, watch_drift, watch_lenders
from exchange.limits.gate import Gate
from exchange.listings.opening import open_courier, open_listings
from exchange.log.opening import open_book
from exchange.log.public import public_app, serving
from exchange.members.keeper import MemberKeeper, load
from exchange.services import (
    MEMBER_SERVICES,
    PUBLIC_SERVICES,
    Parts,
    add_member_services,
    add_public_services,
)
from exchange.subjects.binding_watch import BindingWatch
from exchange.subjects.rights import open_rights
from exchange.supervision.cases.opening import open_cases
from exchange.supervision.orders.watch import Overseer, watch_orders
from exchange.supervision.statistics.office import StatisticsOffice
from exchange.supervision.statistics.timer import keep_statistics
from exchange.telemetry import Readings
from exchange.vault.fitting import open_vault
from exchange.vault.rotation import watch_keys
from exchange.views.dispatch import Dispatcher
from exchange.views.provider_link import ProviderLinks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from exchange.settings import ExchangeSettings

_log = structlog.get_logger("concordat.exchange")


async def serve(settings: ExchangeSettings, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` gets one line when both ports are open."""
    async with open_exchange(settings, ready):
        await _stop_signal()
        _log.info("stopping")


@asynccontextmanager
async def open_exchange(
    settings: ExchangeSettings, ready: Callable[[str], None], clock: Clock | None = None
) -> AsyncIterator[Parts]:
    """Serve until the block is left; ``ready`` as in ``serve``.

    Whoever lives through years in minutes brings a ``clock``; no setting does.
    """
    anchors = load_anchors(settings.trust_bundle)
    identity = TlsIdentity.load(settings.tls_certificate, settings.tls_key)
    signer = settings.signer()
    engine, vault = open_vault(settings.database, settings.storage_keys)
    store = GroupCommit(engine, "exchange-store")
    clock = clock or Clock(floor=store.run(latest_time))
    directory = MemberDirectory(anchors)
    store.run(lambda connection: load(connection, directory, clock.now()))
    keeper = MemberKeeper(directory, store, clock)
    tiles = await asyncio.to_thread(open_newest, settings.log, anchors, store)
    alone = sqlite_file(settings.database) is not None  # the command holds it for this process
    book = open_book(settings.log, anchors, store, tiles, clock, alone=alone)
    links = ProviderLinks(identity, anchors)
    dispatcher = Dispatcher(directory, links, signer, clock.now, settings.coalesce_window_seconds)
    listings = open_listings(settings.listings, directory, store, signer)
    courier = open_courier(settings.listings, listings, clock)
    listings.run_due_now(clock)
    listings.book.load()
    gate = Gate(settings.limits)
    parts = Parts(
        directory,
        keeper,
        store,
        book,
        tiles,
        links,
        dispatcher,
        listings,
        gate,
        DriftWatch(settings.drift, directory),
        StatisticsOffice(settings.supervision, directory),
        Overseer(directory, settings.supervision.smallest_cell),
        signer,
        clock,
        settings.provider_timeout_seconds,
        open_rights(settings.subjects, settings.limits, directory, listings.profiles, signer),
    )

    members = AioServer(
        settings.member_listen,
        member_port(identity, anchors),
        Admission(directory, clock, Port.MEMBER),
    )
    public = AioServer(
        settings.public_listen, public_port(identity), Admission(directory, clock, Port.PUBLIC)
    )
    # The event ends the streams that would else last for the whole of the grace.
    notices, stopping = open_cases(settings, parts, members), asyncio.Event()
    add_member_services(members, parts, stopping)
    add_public_services(public, parts, stopping)
    book.start()
    await members.start(*MEMBER_SERVICES)
    await public.start(*PUBLIC_SERVICES)
    timers = [
        asyncio.create_task(keep_house(store, clock, settings.log.keep_days)),
        asyncio.create_task(watch_keys(store, vault, settings.storage_keys)),
        asyncio.create_task(keeper.follow()),
        asyncio.create_task(BindingWatch(anchors, identity, store, clock).follow()),
        asyncio.create_task(watch_lenders(store, clock, gate)),
        asyncio.create_task(watch_drift(store, clock, parts.drift)),
        asyncio.create_task(keep_statistics(store, clock, parts.statistics)),
        asyncio.create_task(watch_orders(store, listings.office, parts.overseer, clock)),
        asyncio.create_task(listings.book.follow()),
        asyncio.create_task(listings.run_timer(clock)),
        asyncio.create_task(notices.run()),
    ]
    if courier is not None:
        timers.append(asyncio.create_task(courier.run()))
    try:
        with exporting(settings.metrics_listen, "exchange", [Readings(parts)]):
            async with serving(public_app(tiles, lambda: book.health), settings.log.listen) as port:
                ready(
                    f"{settings.member_id} ready: members {settings.member_listen}, "
                    f"subjects {settings.public_listen}, log on port {port}"
                )
                yield parts
    finally:
        stopping.set()
        for timer in timers:
            timer.cancel()
            with suppress(asyncio.CancelledError):
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
