"""Putting the case desk together from the settings and the parts of the exchange."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from concordat.v1.case_service_pb2_grpc import add_CaseServiceServicer_to_server
from exchange.log.opening import named_witnesses
from exchange.supervision.cases.custodians import Custodians
from exchange.supervision.cases.look_up import CaseDesk, CaseTerms
from exchange.supervision.cases.notices import NoticeOffice
from exchange.supervision.cases.servicer import CaseServicer

if TYPE_CHECKING:
    from concordat.rpc.aio_server import AioServer
    from exchange.services import Parts
    from exchange.settings import ExchangeSettings


def open_cases(settings: ExchangeSettings, parts: Parts, members: AioServer) -> NoticeOffice:
    """Answer case look-ups on the members' port; return who tells their subjects. Raises ``SettingsError``."""
    anchors, supervision = parts.directory.anchors, settings.supervision
    custodians = Custodians(
        anchors,
        named_witnesses(settings.log, anchors),
        supervision.custodians_needed,
        supervision.custodian_timeout_seconds,
    )
    days = min(
        supervision.case_notice_days, settings.log.keep_days - 1
    )  # opened before it is erased
    desk = CaseDesk(
        parts.directory,
        parts.store,
        parts.book,
        custodians,
        parts.listings.profiles,
        parts.signer,
        parts.clock,
        CaseTerms(supervision.case_look_ups_per_month, timedelta(days=days)),
    )
    add_CaseServiceServicer_to_server(CaseServicer(desk), members.server)
    return NoticeOffice(anchors, parts.store, parts.book, parts.signer, parts.clock)
