"""The services of the exchange, each with what it answers from, on the port that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from concordat.v1.consent_service_pb2_grpc import add_ConsentServiceServicer_to_server
from concordat.v1.lender_service_pb2_grpc import add_LenderServiceServicer_to_server
from concordat.v1.listing_service_pb2_grpc import (
    add_FurnisherServiceServicer_to_server,
    add_ListingServiceServicer_to_server,
    add_ReviewServiceServicer_to_server,
)
from concordat.v1.log_service_pb2_grpc import add_LogServiceServicer_to_server
from concordat.v1.member_service_pb2_grpc import add_MemberServiceServicer_to_server
from concordat.v1.order_service_pb2_grpc import add_OrderServiceServicer_to_server
from concordat.v1.subject_service_pb2_grpc import add_SubjectServiceServicer_to_server
from concordat.v1.supervision_service_pb2_grpc import add_SupervisionServiceServicer_to_server
from concordat.v1.view_service_pb2_grpc import add_ViewServiceServicer_to_server
from exchange.consents.servicer import ConsentServicer
from exchange.lenders.servicer import LenderServicer
from exchange.listings.check_listings import CheckDesk
from exchange.listings.furnisher_servicer import FurnisherServicer
from exchange.listings.lender_servicer import ListingServicer
from exchange.listings.review_servicer import ReviewServicer
from exchange.listings.screen_listings import ScreenDesk
from exchange.log.servicer import LogServicer
from exchange.members.servicer import MemberServicer
from exchange.subjects.own_views import OwnViewDesk
from exchange.subjects.rights import Rights
from exchange.subjects.servicer import SubjectServicer
from exchange.supervision.orders.servicer import OrderServicer
from exchange.supervision.servicer import SupervisionServicer
from exchange.views.accesses import Accesses
from exchange.views.request_view import ViewDesk
from exchange.views.servicer import ViewServicer

if TYPE_CHECKING:
    import asyncio

    from concordat.clock import Clock
    from concordat.federation.directory import MemberDirectory
    from concordat.rpc.aio_server import AioServer
    from concordat.store.group_commit import GroupCommit
    from concordat.trust.keys import Signer
    from exchange.drift.watch import DriftWatch
    from exchange.limits.gate import Gate
    from exchange.listings.opening import Listings
    from exchange.log.book import LogBook
    from exchange.log.tile_store import TileStore
    from exchange.members.keeper import MemberKeeper
    from exchange.supervision.orders.watch import Overseer
    from exchange.supervision.statistics.office import StatisticsOffice
    from exchange.views.dispatch import Dispatcher
    from exchange.views.provider_link import ProviderLinks

MEMBER_SERVICES = (
    "concordat.v1.MemberService",
    "concordat.v1.ViewService",
    "concordat.v1.FurnisherService",
    "concordat.v1.ListingService",
    "concordat.v1.ReviewService",
    "concordat.v1.SupervisionService",
    "concordat.v1.LenderService",
    "concordat.v1.OrderService",
    "concordat.v1.CaseService",
)
PUBLIC_SERVICES = (
    "concordat.v1.MemberService",
    "concordat.v1.ConsentService",
    "concordat.v1.LogService",
    "concordat.v1.SubjectService",
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the services answer from."""

    directory: MemberDirectory
    keeper: MemberKeeper
    store: GroupCommit
    book: LogBook
    tiles: TileStore
    links: ProviderLinks
    dispatcher: Dispatcher
    listings: Listings
    gate: Gate
    drift: DriftWatch
    statistics: StatisticsOffice
    overseer: Overseer
    signer: Signer
    clock: Clock
    provider_seconds: float
    rights: Rights


def add_member_services(server: AioServer, parts: Parts, stopping: asyncio.Event) -> None:
    """Add what members use; ``stopping`` ends the streams that would else last for ever."""
    directory, store, listings = parts.directory, parts.store, parts.listings
    book, signer, clock = parts.book, parts.signer, parts.clock
    anchors, lookout = directory.anchors, listings.lookout
    accesses = Accesses(store, book, listings.profiles, parts.gate)
    views = ViewDesk(
        directory,
        accesses,
        lookout,
        book,
        parts.dispatcher,
        signer,
        clock,
        parts.provider_seconds,
        parts.drift.stale,
    )
    checks = CheckDesk(directory, accesses, listings, parts.gate, book, signer, clock)
    screens = ScreenDesk(directory, store, listings, parts.gate, book, signer, clock)
    lenders = LenderServicer(anchors, store, book, clock.now, stopping)
    add_LenderServiceServicer_to_server(lenders, server.server)
    add_MemberServiceServicer_to_server(MemberServicer(parts.keeper, stopping), server.server)
    add_ViewServiceServicer_to_server(ViewServicer(views), server.server)
    add_FurnisherServiceServicer_to_server(
        FurnisherServicer(anchors, store, listings.office), server.server
    )
    add_ListingServiceServicer_to_server(
        ListingServicer(anchors, store, checks, screens), server.server
    )
    add_ReviewServiceServicer_to_server(
        ReviewServicer(anchors, store, listings.office), server.server
    )
    add_OrderServiceServicer_to_server(
        OrderServicer(anchors, store, listings.office, parts.overseer), server.server
    )
    add_SupervisionServiceServicer_to_server(
        SupervisionServicer(anchors, store, parts.drift, parts.statistics), server.server
    )


def add_public_services(server: AioServer, parts: Parts, stopping: asyncio.Event) -> None:
    """Add what subjects use."""
    directory, store, signer = parts.directory, parts.store, parts.signer
    anchors = directory.anchors
    own_views = OwnViewDesk(
        directory,
        store,
        parts.book,
        parts.links,
        signer,
        parts.clock,
        parts.gate.limits.own_views_per_day,
        parts.provider_seconds,
        parts.drift.stale,
    )
    add_MemberServiceServicer_to_server(MemberServicer(parts.keeper, stopping), server.server)
    add_SubjectServiceServicer_to_server(
        SubjectServicer(directory, store, parts.listings.office, own_views, parts.rights),
        server.server,
    )
    add_ConsentServiceServicer_to_server(ConsentServicer(anchors, store, signer), server.server)
    add_LogServiceServicer_to_server(
        LogServicer(anchors, store, parts.tiles, signer), server.server
    )
