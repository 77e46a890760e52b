"""How many identities a member had evaluated on a day; kept across restarts."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, insert, select, update

from concordat.refusal import Refusal
from concordat.telemetry.metrics import QUOTA_REFUSALS
from concordat.v1 import Reason
from registrar.schema import quota_use

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)

_is_row = (quota_use.c.member_id == bindparam("who")) & (quota_use.c.day == bindparam("today"))
_add = (
    update(quota_use)
    .where(_is_row, quota_use.c.evaluated + bindparam("more") <= bindparam("most"))
    .values(evaluated=quota_use.c.evaluated + bindparam("more"))
)
_find = select(quota_use.c.evaluated).where(_is_row)


def charge(connection: Connection, member_id: str, count: int, most: int, at: datetime) -> None:
    """Count ``count`` evaluations, or raise ``Refusal`` (REASON_QUOTA_EXCEEDED) and count none."""
    row = {"who": member_id, "today": (at - _EPOCH) // _DAY}
    if count <= most:
        if connection.execute(_add, {**row, "more": count, "most": most}).rowcount:
            return
        if connection.execute(_find, row).first() is None:
            fresh = {"member_id": member_id, "day": row["today"], "evaluated": count}
            connection.execute(insert(quota_use).values(fresh))
            return
    QUOTA_REFUSALS.add()
    raise Refusal(
        Reason.REASON_QUOTA_EXCEEDED,
        f"{member_id} asked for {count} more of at most {most} a day",
        retry_after=_DAY - (at - _EPOCH) % _DAY,
    )
