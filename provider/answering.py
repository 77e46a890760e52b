"""Answering a batch of score requests: check, look up, record, state. Read this page first.

No entry, no release: a statement is signed only after the journal's rows are durable. One bad
request refuses no other of its batch.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import Connection

from concordat import v1
from concordat.clock import to_micros
from concordat.federation.directory import Member, MemberDirectory
from concordat.refusal import Refusal
from concordat.rpc.errors import to_item
from concordat.statements import seal_batch
from concordat.store.group_commit import GroupCommit
from concordat.trust.errors import SignatureInvalidError
from concordat.trust.keys import Signer, key_id
from concordat.v1 import Reason
from provider import guard
from provider.entries import access_of, refused_access_of
from provider.guard import Checked
from provider.knowledge import gather
from provider.scores import Found, ScoreSource, Terms, failed
from provider.store import clock_mark, consents, journal, scores
from provider.store.journal import Access

SALT_BYTES = 16
_MARK_EVERY = timedelta(seconds=1)

_log = structlog.get_logger("concordat.provider")


@dataclass(frozen=True, slots=True)
class Refused:
    """An item that failed a check; ``access`` is None where it names no subject to record."""

    refusal: Refusal
    access: Access | None


Item = Checked | Refused
Answer = v1.ScoreStatement | Refusal


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
        self._member_id = member_id
        self._signer = signer
        self._directory = directory
        self._store = store
        self._source = source
        self._status_max_age = status_max_age
        self._mark: datetime | None = None

    def answer(
        self, asks: Sequence[v1.ScoreRequest], exchange: Member, at: datetime
    ) -> list[v1.ScoreResult]:
        """Answer each request, in order. Raises ``Refusal`` where the node may answer nobody."""
        terms = self._own_terms(at)
        items = [self._check(ask, exchange, at) for ask in asks]
        outside = self._read_outside(items, at)
        try:
            answers = self._store.run(lambda c: self._record(c, items, outside, terms, at))
        except Refusal as refusal:  # the database failed, and the transaction with it
            answers = [_unrecorded(item, refusal) for item in items]
        return self._seal(answers)

    def _own_terms(self, at: datetime) -> Terms:
        """Return what this provider may state; raise ``Refusal`` if it or its key is unlicensed."""
        own = self._directory.require(self._member_id, at, v1.Role.ROLE_PROVIDER)
        try:
            own.keys.find(key_id(self._signer.public_key), at)
        except SignatureInvalidError as error:
            raise Refusal(
                Reason.REASON_LICENCE_NOT_IN_FORCE, "the signing key is not in the own licence"
            ) from error
        return Terms.of(own.licence.score_scale)

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

    def _read_outside(self, items: Sequence[Item], at: datetime) -> Found | None:
        """Read all scores at once where they are not the node's own."""
        if self._source is None:
            return None
        refs = {item.subject_ref for item in items if isinstance(item, Checked)}
        return self._source.read(list(refs), at) if refs else {}

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
        request = permitted.checked.request
        score = found.get(permitted.checked.subject_ref)
        if isinstance(score, Refusal):
            raise score
        answer: dict[str, Any] = {"absence": v1.Absence.ABSENCE_NO_RECORD}
        if score is not None:
            terms.require(score)
            answer = {
                "score": score.score,
                "reasons": score.reasons,
                "model_version": score.model_version,
                "as_of": _timestamp(score.as_of),
            }
        return v1.ScoreStatement(
            federation=self._directory.anchors.federation,
            provider=self._member_id,
            request_digest=request.digest,
            subject_ref=permitted.checked.subject_ref,
            issued_at=_timestamp(to_micros(at)),
            salt=os.urandom(SALT_BYTES),
            **answer,
        )

    def _advance_mark(self, connection: Connection, at: datetime) -> None:
        """Put the time on record, at most once a second."""
        if self._mark is None or at - self._mark >= _MARK_EVERY:
            clock_mark.advance(connection, at)
            self._mark = at

    def _seal(self, answers: Sequence[Answer]) -> list[v1.ScoreResult]:
        """Sign all statements together."""
        statements = [answer for answer in answers if isinstance(answer, v1.ScoreStatement)]
        sealed = iter(seal_batch(statements, self._signer) if statements else ())
        results = []
        for answer in answers:
            if isinstance(answer, Refusal):
                _log.info(
                    "request_refused", reason=Reason.Name(answer.reason), detail=answer.detail
                )
                results.append(v1.ScoreResult(refusal=to_item(answer)))
            else:
                results.append(v1.ScoreResult(statement=next(sealed)))
        return results


def _timestamp(micros: int) -> Timestamp:
    """Return the proto form of microseconds since the Unix epoch."""
    seconds, rest = divmod(micros, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def _unrecorded(item: Item, failure: Refusal) -> Refusal:
    """What an item gets where the journal could not be written: nothing is released."""
    return item.refusal if isinstance(item, Refused) else failed(failure.detail)
