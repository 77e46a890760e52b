"""OrderService: translates; every order is the caller's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concordat import v1
from concordat.rpc.admission import current_call
from concordat.v1 import SupervisionKind
from concordat.v1.order_service_pb2_grpc import OrderServiceServicer
from concordat.verify.correction_order import open_correction_order, open_review_of
from exchange.log import records
from exchange.log import table as log
from exchange.supervision.orders import table
from exchange.supervision.orders.giving import give, standing_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.federation.anchors import Anchors
    from concordat.rpc.aio_server import Context
    from concordat.store.group_commit import GroupCommit
    from exchange.listings.ledger import Office
    from exchange.supervision.orders.watch import Overseer


class OrderServicer(OrderServiceServicer):
    """Answers regulators on the member port."""

    def __init__(
        self, anchors: Anchors, store: GroupCommit, office: Office, overseer: Overseer
    ) -> None:
        """Take orders in at ``store`` as ``office`` does it, and tell of disputes what ``overseer`` does."""
        self._anchors = anchors
        self._store = store
        self._office = office
        self._overseer = overseer

    async def SubmitOrder(
        self, request: v1.SubmitOrderRequest, context: Context
    ) -> v1.SubmitOrderResponse:
        """Take an order in."""
        del context
        call = current_call()
        order = open_correction_order(request.order, call.member, self._anchors, call.at)
        open_review_of(order.message, request.review, call.member, self._anchors, call.at)
        given = await self._store.arun(
            lambda connection: give(connection, self._office, (order, request), call.at)
        )
        return v1.SubmitOrderResponse(standing=standing_of(given))

    async def ReadOrders(
        self, request: v1.ReadOrdersRequest, context: Context
    ) -> v1.ReadOrdersResponse:
        """Show the caller's own orders."""
        del context
        regulator = current_call().member.member_id
        orders = await self._store.arun(
            lambda connection: table.of_regulator(connection, regulator, request.order_ids)
        )
        return v1.ReadOrdersResponse(orders=map(standing_of, orders))

    async def ReadOversight(
        self, request: v1.ReadOversightRequest, context: Context
    ) -> v1.ReadOversightResponse:
        """Show disputes and orders by furnisher, once the reading is on record."""
        del request, context
        call = current_call()
        regulator = call.member.member_id
        return await self._store.arun(lambda connection: self._read(connection, regulator, call.at))

    def _read(
        self, connection: Connection, regulator: str, at: datetime
    ) -> v1.ReadOversightResponse:
        kind = SupervisionKind.SUPERVISION_KIND_OVERSIGHT
        log.enqueue(connection, [records.supervision(regulator, kind, "", at)])
        return self._overseer.read(connection, at)
