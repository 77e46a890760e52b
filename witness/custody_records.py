"""What a custodian keeps, in SQL. Every function runs inside the caller's transaction."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from witness.schema import custody_binding, custody_deposit


class Deposit(NamedTuple):
    """A row of ``custody_deposit``."""

    tag: bytes
    deposit_id: bytes
    digest: bytes
    opens_at: int  # POSIX seconds
    raw: bytes  # the KeepCustodyRequest as it came
    receipt: bytes


def add(connection: Connection, deposit: Deposit) -> None:
    """Keep a deposit."""
    connection.execute(insert(custody_deposit).values(**deposit._asdict()))


def find(connection: Connection, tag: bytes, deposit_id: bytes) -> Deposit | None:
    """Return a deposit; None where there is none such."""
    query = select(custody_deposit).where(
        custody_deposit.c.tag == tag, custody_deposit.c.deposit_id == deposit_id
    )
    row = connection.execute(query).first()
    return None if row is None else Deposit(*row)


def opened(connection: Connection, tag: bytes, after: bytes, now: int, most: int) -> list[Deposit]:
    """Return the deposits of a tag that have opened by ``now`` (POSIX seconds), with ids above ``after``."""
    query = (
        select(custody_deposit)
        .where(
            custody_deposit.c.tag == tag,
            custody_deposit.c.deposit_id > after,
            custody_deposit.c.opens_at <= now,
        )
        .order_by(custody_deposit.c.deposit_id)
        .limit(most)
    )
    return [Deposit(*row) for row in connection.execute(query)]


def see_binding(connection: Connection, tag: bytes, version: int) -> bool:
    """Remember the version of a subject's binding; return False where a later one was seen."""
    query = select(custody_binding.c.version).where(custody_binding.c.tag == tag)
    known = connection.execute(query.with_for_update()).scalar_one_or_none()
    if known is None:
        connection.execute(insert(custody_binding).values(tag=tag, version=version))
    elif known < version:
        connection.execute(
            update(custody_binding).where(custody_binding.c.tag == tag).values(version=version)
        )
    return known is None or known <= version


def forget(connection: Connection, before: datetime) -> None:
    """Delete the deposits that opened before a time."""
    opened_before = custody_deposit.c.opens_at < int(before.timestamp())
    connection.execute(delete(custody_deposit).where(opened_before))
