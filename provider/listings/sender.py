"""Delivering what is due: read a batch, send it, put down the answers. Read top to bottom.

What is sent was durable before, and the same bytes are sent again until they are answered: a process that
dies between any two steps leaves nothing lost and, since the exchange knows the bytes, nothing filed twice.
"""

import random
from collections.abc import Callable, Sequence
from datetime import datetime

import grpc
from sqlalchemy import Connection

from concordat import v1
from concordat.clock import to_micros
from concordat.rpc.errors import RemoteError
from concordat.store.group_commit import GroupCommit
from concordat.trust.errors import StatementMalformedError
from provider.listings.exchange_link import ExchangeLink
from provider.listings.intake import BATCH, Intake
from provider.listings.outcome import Answered, answered, failed, is_of_content, moot, refused_alone
from provider.store import listings, outbox
from provider.store.outbox import FILING, Delivery, Posted


class Sender:
    """Sends what is due, filings and events in turn, one batch after the other."""

    def __init__(
        self,
        store: GroupCommit,
        link: ExchangeLink,
        intake: Intake,
        now: Callable[[], datetime],
    ) -> None:
        """``intake`` signs what waits for the id of its listing."""
        self._store = store
        self._link = link
        self._intake = intake
        self._now = now

    def send_due(self) -> int:
        """Send one batch of filings and one of events; return how many statements were answered.

        Raises ``RemoteError`` where the exchange can't be reached or refuses this member, and ``Refusal``
        where the database fails; what was answered before stays.
        """
        return sum(self._send(filings=filings) for filings in (True, False))

    def _send(self, *, filings: bool) -> int:
        at = to_micros(self._now())
        posts = self._store.run(lambda c: outbox.due(c, at, BATCH, filings=filings))
        if not posts:
            return 0
        call = self._link.file if filings else self._link.submit
        try:
            answers = self._answers(call, posts)
        except RemoteError as error:
            changes = [failed(post, error) for post in posts]
            self._store.run(lambda c: outbox.change(c, changes))
            raise
        at_answer = self._now()
        self._store.run(lambda c: put_down(c, self._intake, posts, answers, at_answer))
        return len(posts)

    def _answers(
        self,
        call: Callable[[Sequence[v1.Envelope]], list[v1.ListingResult]],
        posts: Sequence[Posted],
    ) -> list[Answered]:
        """Send a batch; where one statement has the whole call refused, halve it until that one is alone."""
        try:
            results = call([v1.Envelope.FromString(post.envelope) for post in posts])
        except RemoteError as error:
            if not is_of_content(error):
                raise
            if len(posts) == 1:
                return [refused_alone(posts[0], error, to_micros(self._now()))]
            middle = len(posts) // 2
            return self._answers(call, posts[:middle]) + self._answers(call, posts[middle:])
        at = to_micros(self._now())
        try:
            return [
                answered(post, result, at, random.random())  # noqa: S311 - spread, no secret
                for post, result in zip(posts, results, strict=True)
            ]
        except StatementMalformedError as error:  # a time that is none
            raise RemoteError(
                grpc.StatusCode.DATA_LOSS, v1.Reason.REASON_UNSPECIFIED, str(error)
            ) from error


def put_down(
    connection: Connection,
    intake: Intake,
    posts: Sequence[Posted],
    answers: Sequence[Answered],
    at: datetime,
) -> None:
    """In one transaction: what became of each, where the listings stand, and who may go next."""
    outbox.change(connection, [answer.change for answer in answers])
    told = [answer.told for answer in answers if answer.told]
    listings.tell(connection, told)
    listings.correct(connection, [answer.facts for answer in answers if answer.facts])
    filed = {post.key for post in posts if post.sequence == FILING}
    ids = {(one.subject_ref, one.filing_id): one.listing_id for one in told}
    intake.sign_waiting(connection, {key: ids[key] for key in filed & ids.keys()}, at)
    refused = {
        post.key: answer.change
        for post, answer in zip(posts, answers, strict=True)
        if post.sequence == FILING and answer.change.state == Delivery.REFUSED
    }
    outbox.change(
        connection,
        [
            moot(post, refused[key], to_micros(at))
            for key, said in outbox.of_filings(connection, list(refused)).items()
            for post in said
            if post.state == Delivery.WAITING
        ],
    )
