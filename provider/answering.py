"""Answering a batch of score requests: check, look up, record, state. Read this page first.

No entry, no release: a statement is signed only after the journal's rows are durable. One bad
request refuses no other of its batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from concordat import v1
from concordat.federation.directory import Member, MemberDirectory
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.trust.keys import Signer
from provider import guard
from provider.entries import access_of, refused_access_of
from provider.guard import Checked
from provider.knowledge import gather
from provider.measured import count_answers
from provider.scores import Found, ScoreSource, Terms, failed
from provider.stating import Answer, Stating
from provider.store import clock_mark, consents, journal, scores
from provider.store.journal import Access

_MARK_EVERY = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Refused:
    """An item that failed a check; ``access`` is None where it names no subject to record."""

    refusal: Refusal
    access: Access | None


Item = Checked | Refused


class Desk:
    """Answers score requests for one provider."""

    def __init__(
        self,
        *,
        member_id: str,
        signer: Signer,
        directory: MemberDirectory,
        store: GroupCommit,
        source: ScoreSource | None = None,
        status_max_age: timedelta,
    ) -> None:
        """Answer as ``member_id``; scores are the node's own unless there is a ``source``."""
        self.stating = Stating(member_id, signer, directory, source)
        self._member_id = member_id
        self._directory = directory
        self._store = store
        self._status_max_age = status_max_age
        self._mark: datetime | None = None

    def answer(
        self, asks: Sequence[v1.ScoreRequest], exchange: Member, at: datetime
    ) -> list[v1.ScoreResult]:
        """Answer each request, in order. Raises ``Refusal`` where the node may answer nobody."""
        terms = self.stating.own_terms(at)
        items = [self._check(ask, exchange, at) for ask in asks]
        refs = {item.subject_ref for item in items if isinstance(item, Checked)}
        outside = self.stating.read_outside(list(refs), at)
        try:
            answers = self._store.run(lambda c: self._record(c, items, outside, terms, at))
        except Refusal as refusal:  # the database failed, and the transaction with it
            answers = [_unrecorded(item, refusal) for item in items]
        count_answers(answers)
        return self.stating.seal(answers)

    def _check(self, ask: v1.ScoreRequest, exchange: Member, at: datetime) -> Item:
        request = None
        try:
            request = guard.open_request(ask, self._directory, at)
            return guard.check(
                ask,
                request,
                provider=self._member_id,
                exchange=exchange,
                directory=self._directory,
                at=at,
                status_max_age=self._status_max_age,
            )
        except Refusal as refusal:
            proven = None if request is None else request.message
            return Refused(refusal, refused_access_of(ask, proven, refusal, at))

    def _record(
        self,
        connection: Connection,
        items: Sequence[Item],
        outside: Found | None,
        terms: Terms,
        at: datetime,
    ) -> list[Answer]:
        """In one transaction: decide with what this provider knows, and write the journal."""
        checked = [item for item in items if isinstance(item, Checked)]
        known = gather(connection, checked, at)
        found: Found
        if outside is None:
            found = scores.read(connection, list({item.subject_ref for item in checked}))
        else:
            found = outside
        answers: list[Answer] = []
        accesses: list[Access] = []
        for item in items:
            if isinstance(item, Refused):
                answers.append(item.refusal)
                if item.access is not None:
                    accesses.append(item.access)
                continue
            try:
                permitted = guard.permit(item, known[item.consent_key], at)
                statement = self._state(permitted, found, terms, at)
            except Refusal as refusal:
                answers.append(refusal)
                accesses.append(access_of(item, at, refusal=refusal))
            else:
                known[item.consent_key].count(item.request, at)
                answers.append(statement)
                accesses.append(access_of(item, at, statement=statement))
        journal.write(connection, accesses)
        consents.put_bindings(
            connection,
            {
                item.subject_ref: item.binding_version
                for item in checked
                if item.binding_version > 1
            },
        )
        self._advance_mark(connection, at)
        return answers

    def _state(
        self, permitted: guard.Permitted, found: Found, terms: Terms, at: datetime
    ) -> v1.ScoreStatement:
        """Make the statement, unsigned; raise ``Refusal`` where the score may not be stated."""
        checked = permitted.checked
        return self.stating.state(checked.request.digest, checked.subject_ref, found, terms, at)

    def _advance_mark(self, connection: Connection, at: datetime) -> None:
        """Put the time on record, at most once a second."""
        if self._mark is None or at - self._mark >= _MARK_EVERY:
            clock_mark.advance(connection, at)
            self._mark = at


def _unrecorded(item: Item, failure: Refusal) -> Refusal:
    """What an item gets where the journal could not be written: nothing is released."""
    return item.refusal if isinstance(item, Refused) else failed(failure.detail)
