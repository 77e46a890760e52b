"""What flows share that verify an answer under the exchange's keys."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from clients.sdk.errors import AnswerNotVerified
from clients.sdk.flow import Flow
from clients.sdk.members import MemberBook
from concordat import v1
from concordat.federation.directory import Member
from concordat.refusal import Refusal
from concordat.verify.finding import AnswerBroken

T = TypeVar("T")


def verified(
    book: MemberBook, now: Callable[[], datetime], verify: Callable[[Member, datetime], T]
) -> Flow[T]:
    """Return what ``verify`` makes of an answer, given the exchange as known here and the time.

    Where that fails the members are fetched once more: a key or a licence may be newer than those known.
    Raises ``AnswerNotVerified``, with the failed check as its cause.
    """
    if not book.fetched:
        yield from book.refresh(now)
    try:
        return _once(book, now, verify)
    except AnswerNotVerified:
        yield from book.refresh(now)
    return _once(book, now, verify)


def _once(
    book: MemberBook, now: Callable[[], datetime], verify: Callable[[Member, datetime], T]
) -> T:
    at = now()
    exchange_id = book.anchors.bundle.exchange_id
    try:
        exchange = book.directory.require(exchange_id, at, v1.Role.ROLE_EXCHANGE)
        return verify(exchange, at)
    except (AnswerBroken, Refusal) as error:
        raise AnswerNotVerified(f"the exchange's answer does not verify: {error}") from error
