"""Answering a person's own request: check, look up, record, state.

No entry, no release here too: the statement is signed only after the journal's row is durable.
"""

from datetime import datetime

from sqlalchemy import Connection

from concordat import v1
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from provider.entries import own_access_of
from provider.own_guard import OwnChecked, OwnPermitted, check_own, permit_own
from provider.scores import Found, Terms
from provider.stating import Answer, Stating
from provider.store import clock_mark, consents, journal, scores


class OwnDesk:
    """Answers the people whose scores one provider keeps."""

    def __init__(self, stating: Stating, store: GroupCommit) -> None:
        """State through ``stating``; keep the journal in ``store``."""
        self._stating = stating
        self._store = store

    def answer(self, ask: v1.RequestOwnScoresRequest, at: datetime) -> v1.ScoreResult:
        """Answer one request. Raises ``Refusal`` where the node may answer nobody.

        What does not verify is refused and not journalled: it is about nobody that can be told.
        """
        terms = self._stating.own_terms(at)
        (result,) = self._stating.seal([self._answer(ask, terms, at)])
        return result

    def _answer(self, ask: v1.RequestOwnScoresRequest, terms: Terms, at: datetime) -> Answer:
        anchors = self._stating.directory.anchors
        try:
            item = check_own(ask, provider=self._stating.member_id, anchors=anchors, at=at)
            outside = self._stating.read_outside([item.subject_ref], at)
            return self._store.run(lambda c: self._record(c, item, outside, terms, at))
        except Refusal as refusal:
            return refusal

    def _record(
        self,
        connection: Connection,
        item: OwnChecked,
        outside: Found | None,
        terms: Terms,
        at: datetime,
    ) -> Answer:
        """In one transaction: decide with what this provider knows, and write the journal."""
        clock_mark.advance(connection, at)
        ref, request_id = item.subject_ref, item.request.message.request_id
        newest = consents.newest_bindings(connection, [ref]).get(ref, 1)
        answered = journal.answered(connection, [ref], [request_id]).get((ref, request_id))
        found = scores.read(connection, [ref]) if outside is None else outside
        try:
            permitted = permit_own(item, newest, answered)
            statement = self._state(permitted, found, terms, at)
        except Refusal as refusal:
            journal.write(connection, [own_access_of(item, at, refusal=refusal)])
            return refusal
        journal.write(connection, [own_access_of(item, at, statement=statement)])
        if item.binding.version > 1:
            consents.put_bindings(connection, {ref: item.binding.version})
        return statement

    def _state(
        self, permitted: OwnPermitted, found: Found, terms: Terms, at: datetime
    ) -> v1.ScoreStatement:
        checked = permitted.checked
        return self._stating.state(checked.request.digest, checked.subject_ref, found, terms, at)
