"""An exchange that takes orders in and tells of disputes, over real gRPC, for tests of clients."""

from datetime import datetime
from typing import Any

import grpc

from concordat import v1
from concordat.clock import from_timestamp, to_timestamp
from concordat.v1 import OrderStage
from concordat.v1.order_service_pb2_grpc import add_OrderServiceServicer_to_server
from concordat.verify.correction_order import open_correction_order, open_review_of
from tests.builders import EXCHANGE, REGULATOR
from tests.fake_federation import FakeFederation


class Ordered(FakeFederation):
    """With an exchange that keeps orders as they are given."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.orders: dict[bytes, v1.OrderStanding] = {}
        self.oversight = v1.ReadOversightResponse()

    def add_services(self, server: grpc.Server, member_id: str) -> None:
        if member_id == EXCHANGE:
            servicer: Any = _Orders(self)
            add_OrderServiceServicer_to_server(servicer, server)


class _Orders:
    def __init__(self, fake: Ordered) -> None:
        self.fake = fake

    def SubmitOrder(self, request: Any, context: Any) -> Any:  # noqa: N802 - the rpc's name
        del context
        fed = self.fake.federation
        regulator, at = fed.member(REGULATOR), self.fake.at
        order = open_correction_order(request.order, regulator, fed.anchors, at).message
        open_review_of(order, request.review, regulator, fed.anchors, at)
        standing = v1.OrderStanding(
            order_id=order.order_id,
            furnisher=order.furnisher,
            stage=OrderStage.ORDER_STAGE_GIVEN,
            given_at=to_timestamp(from_timestamp(order.issued_at)),
            due_at=order.due_at,
            order=request.order,
        )
        self.fake.orders[order.order_id] = standing
        return v1.SubmitOrderResponse(standing=standing)

    def ReadOrders(self, request: Any, context: Any) -> Any:  # noqa: N802 - the rpc's name
        del context
        found = [self.fake.orders[each] for each in request.order_ids if each in self.fake.orders]
        return v1.ReadOrdersResponse(orders=found)

    def ReadOversight(self, request: Any, context: Any) -> Any:  # noqa: N802 - the rpc's name
        del request, context
        return self.fake.oversight
