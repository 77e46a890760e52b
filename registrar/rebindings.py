"""Bindings that took over from others: read by those who follow them, and told of as they are made."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection, bindparam, select

from concordat import v1
from concordat.clock import Clock, to_timestamp
from concordat.store.group_commit import GroupCommit
from registrar.schema import binding

PAGE = 256
HEARTBEAT_SECONDS = 1.0

_after = (
    select(binding.c.sequence, binding.c.envelope)
    .where(binding.c.sequence > bindparam("after"))
    .order_by(binding.c.sequence)
    .limit(PAGE)
)


def rebindings(connection: Connection, after: int) -> Sequence[v1.Rebinding]:
    """Return at most 256 bindings of a version above 1, after a sequence, in order."""
    rows = connection.execute(_after, {"after": after})
    return [
        v1.Rebinding(sequence=row.sequence, binding=v1.Envelope.FromString(row.envelope))
        for row in rows
    ]


@dataclass(slots=True)
class Rebindings:
    """Tells whoever follows. ``made`` is called after a binding is durable."""

    store: GroupCommit
    clock: Clock
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    _news: threading.Condition = field(default_factory=threading.Condition)
    _count: int = 0
    _stopped: bool = False

    def made(self) -> None:
        """Wake those who follow: there may be something new."""
        with self._news:
            self._count += 1
            self._news.notify_all()

    def stop(self) -> None:
        """End every stream."""
        with self._news:
            self._stopped = True
            self._news.notify_all()

    def follow(self, after: int) -> Iterator[v1.WatchBindingsResponse]:
        """Yield what there is after ``after``, and each further one as it is made, until stopped."""
        while not self._stopped:
            seen = self._count  # before reading: what is made meanwhile is read the next time
            found = self.store.run(partial(rebindings, after=after))
            yield v1.WatchBindingsResponse(bindings=found, sent_at=to_timestamp(self.clock.now()))
            if found:
                after = found[-1].sequence
            if len(found) < PAGE:
                self._wait(seen)

    def _wait(self, seen: int) -> None:
        with self._news:
            self._news.wait_for(
                lambda: self._stopped or self._count != seen, self.heartbeat_seconds
            )
