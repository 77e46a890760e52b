"""Accesses under which something went out, as the duties after them see them."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, bindparam, or_, select

from concordat.v1 import Purpose
from exchange.views.table import access_entry

_ENTRY = access_entry.c


class Released(NamedTuple):
    """An access under which something went out."""

    subject_ref: bytes
    access_id: bytes
    lender: str
    purpose: Purpose.ValueType
    recorded_at: int  # microseconds, when it was let in
    view_digest: bytes  # of what went out last


_RELEASED: Select[Any] = select(
    _ENTRY.subject_ref,
    _ENTRY.access_id,
    _ENTRY.lender,
    _ENTRY.purpose,
    _ENTRY.recorded_at,
    _ENTRY.view_digest,
).where(_ENTRY.released_at.is_not(None))
_OF_LENDER = (
    _RELEASED.where(
        _ENTRY.lender == bindparam("name"),
        _ENTRY.recorded_at >= bindparam("since"),
        _ENTRY.recorded_at <= bindparam("until"),
        or_(
            _ENTRY.recorded_at > bindparam("since"),
            and_(_ENTRY.recorded_at == bindparam("since"), _ENTRY.access_id > bindparam("after")),
        ),
    )
    .order_by(_ENTRY.recorded_at, _ENTRY.access_id)
    .limit(bindparam("most"))
)
_OF_SUBJECT = _RELEASED.where(_ENTRY.subject_ref == bindparam("ref")).order_by(
    _ENTRY.recorded_at, _ENTRY.access_id
)
_HOLD = (
    _RELEASED.where(
        _ENTRY.subject_ref.in_(bindparam("refs", expanding=True)),
        _ENTRY.access_id.in_(bindparam("ids", expanding=True)),
    )
    .order_by(_ENTRY.access_id)
    .with_for_update()
)


def released_by(
    connection: Connection, lender: str, after: tuple[int, bytes], until: int, most: int
) -> list[Released]:
    """Return up to ``most`` accesses of a lender behind ``after`` (time and id) up to a time, the oldest first."""
    since, access_id = after
    wanted = {"name": lender, "since": since, "after": access_id, "until": until, "most": most}
    return [Released(*row) for row in connection.execute(_OF_LENDER, wanted)]


def released_about(connection: Connection, subject_ref: bytes) -> list[Released]:
    """Return every such access to a subject's data, the oldest first."""
    return [Released(*row) for row in connection.execute(_OF_SUBJECT, {"ref": subject_ref})]


def hold(
    connection: Connection, keys: list[tuple[bytes, bytes]]
) -> dict[tuple[bytes, bytes], Released]:
    """Return such accesses by (subject_ref, access_id), locked until the transaction ends."""
    wanted = {"refs": sorted({ref for ref, _ in keys}), "ids": sorted({each for _, each in keys})}
    found = [Released(*row) for row in connection.execute(_HOLD, wanted)] if keys else []
    return {(row.subject_ref, row.access_id): row for row in found}
