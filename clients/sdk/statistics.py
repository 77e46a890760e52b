"""A regulator's reading of the statistics of a day or a month: aggregates, about no person."""

from clients.sdk.flow import Call, Flow, Port, ask, exchange_peer
from clients.sdk.members import MemberBook
from concordat import v1


def read_statistics(
    book: MemberBook, *, day: str = "", month: str = ""
) -> Flow[v1.ReadStatisticsResponse]:
    """Return the tables of a day, such as 2026-10-31, or of a month, such as 2026-10: one of the two."""
    request = v1.ReadStatisticsRequest(month=month) if month else v1.ReadStatisticsRequest(day=day)
    call = Call(
        exchange_peer(book.anchors, Port.MEMBER),
        "/concordat.v1.SupervisionService/ReadStatistics",
        request,
        v1.ReadStatisticsResponse,
    )
    return (yield from ask(call, v1.ReadStatisticsResponse))
