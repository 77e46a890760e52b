"""A case look-up, top to bottom: verify, record, log, put the notice in custody, release.

As for views: no entry, no release. And beyond that: no notice in custody, no release. The entry is sealed, so
that the subject's chain stays as it is; what opens it is owed to the subject from the same transaction on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic as _monotonic
from typing import TYPE_CHECKING

import structlog

from concordat import v1
from concordat.clock import from_timestamp, to_micros, to_timestamp
from concordat.refusal import Refusal, refusing_untrusted
from concordat.rpc.deadline import MARGIN_SECONDS
from concordat.statements import digest_of, seal
from concordat.trust.envelope import validate
from concordat.v1 import Reason
from concordat.verify.case import LookUp, open_case, open_case_look_up
from exchange.log import records
from exchange.log import table as log
from exchange.supervision import bounds
from exchange.supervision.bounds import Bounded
from exchange.supervision.cases import refusals, rules, table
from exchange.supervision.cases.notices import notice_of
from exchange.supervision.cases.pages import page_of
from exchange.supervision.cases.table import Taken
from exchange.supervision.statistics import acts, counting

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from concordat.clock import Clock
    from concordat.federation.directory import Member, MemberDirectory
    from concordat.store.group_commit import GroupCommit
    from concordat.trust.keys import Signer
    from exchange.listings.profile import Profiles
    from exchange.log.book import LogBook
    from exchange.supervision.cases.custodians import Custodians

_log = structlog.get_logger("concordat.cases")
KEEP_LOOK_UPS = timedelta(days=1)  # longer than a request can be repeated


@dataclass(frozen=True, slots=True)
class CaseTerms:
    """What the settings say: look-ups of all regulators a month, and the longest that a notice waits."""

    per_month: int = 200
    longest_notice: timedelta = rules.LONGEST_NOTICE


@dataclass(frozen=True, slots=True)
class CaseDesk:
    """Answers regulators: records in ``store``, logs in ``book``, has notices held by ``custodians``."""

    directory: MemberDirectory
    store: GroupCommit
    book: LogBook
    custodians: Custodians
    profiles: Profiles
    signer: Signer
    clock: Clock
    terms: CaseTerms = CaseTerms()

    async def answer(
        self,
        envelopes: v1.LookUpCaseRequest,
        regulator: Member,
        at: datetime,
        seconds_left: float,
    ) -> v1.LookUpCaseResponse:
        """Answer one look-up, or log that it was refused. Raises ``Refusal``."""
        self.book.require_open(at)
        ends = _monotonic() + seconds_left
        try:
            await self.store.arun(lambda connection: _require_seldom(connection, regulator, at))
            look_up = self._verified(envelopes, regulator, at)
            taken = await self.store.arun(lambda connection: self._take(connection, look_up, at))
        except Refusal as refusal:
            await self._refused(envelopes, regulator, refusal, at)
            raise
        if taken.released:
            return taken.response
        (receipt,) = await self.book.receipts([(b"", taken.record_id)], ends - _monotonic())
        if isinstance(receipt, Refusal):
            raise receipt
        left = ends - _monotonic() - MARGIN_SECONDS
        return await self._release(taken, receipt, regulator.member_id, left)

    def _verified(self, envelopes: v1.LookUpCaseRequest, regulator: Member, at: datetime) -> LookUp:
        anchors = self.directory.anchors
        _require_bounds(envelopes)
        case = open_case(envelopes.case, regulator, anchors)
        rules.require_in_bounds(case.message, at, self.terms.longest_notice)
        look_up = open_case_look_up(envelopes.request, case, regulator, anchors, at)
        self.custodians.require_enough()
        return look_up

    def _take(self, connection: Connection, look_up: LookUp, at: datetime) -> Taken:
        """Put a look-up on record with its answer, entry and notice, or find the one that it repeats."""
        case, asked = look_up.case.message, look_up.request
        month = rules.month_of(at)
        spent = table.hold_month(connection, month)
        before = table.seen(connection, case.regulator, asked.message.look_up_id)
        if before is not None:
            if before.request_digest != asked.digest:
                raise Refusal(Reason.REASON_REPLAYED_WITH_OTHER_BYTES)
            return self._again(connection, table.taken_of(connection, before), at)
        known = table.known_cases(connection, case)
        rules.require_one_case(case, look_up.case.digest, known, at)
        rules.require_budget(spent, self.terms.per_month, at)
        table.count(connection, month, 1)
        if not known:
            ends = from_timestamp(case.ends_at)
            table.begin(connection, case, look_up.case.digest, at, ends)
        return self._put(connection, look_up, month, at)

    def _again(self, connection: Connection, taken: Taken | None, at: datetime) -> Taken:
        """Return a look-up that is repeated; one that no custodian held before is counted again."""
        if taken is None:
            raise Refusal(Reason.REASON_CASE_ENDED, "the subject's records were erased")
        self._count(connection, taken, at)
        return taken

    def _count(self, connection: Connection, taken: Taken, at: datetime) -> None:
        """See to it that a look-up is in its month's budget.

        Refuses before it writes: what a job has written that raises a ``Refusal`` stays.
        """
        spent = table.hold_month(connection, taken.month)
        if not table.is_counted(connection, taken):
            rules.require_budget(spent, self.terms.per_month, at)
            table.set_counted(connection, taken)
            table.count(connection, taken.month, 1)

    def _put(self, connection: Connection, look_up: LookUp, month: int, at: datetime) -> Taken:
        case, asked = look_up.case.message, look_up.request.message
        response = self._read(connection, look_up, at)
        due = rules.due_at(case, at)
        act = refusals.act_of(case, look_up.case.digest, case.regulator, due)
        act.answer_digest = digest_of(response.answer)
        del act.scopes[:]
        act.scopes.append(asked.scope)
        draft = records.case_look_up(act, at)
        log.enqueue(connection, [draft])
        counting.count(connection, [(at, acts.of_case(act))])
        table.owe(connection, case.subject_ref, draft.record_id, due)
        taken = Taken(
            case.subject_ref,
            asked.look_up_id,
            draft.record_id,
            to_micros(at),
            to_micros(due),
            month,
            released=False,
            response=response,
        )
        table.add(connection, taken, case.regulator, look_up.request.digest)
        return taken

    def _read(self, connection: Connection, look_up: LookUp, at: datetime) -> v1.LookUpCaseResponse:
        """Read the page that is asked for, and sign what it is."""
        case, asked = look_up.case.message, look_up.request.message
        page, cursor = page_of(
            connection, self.profiles, case.subject_ref, asked.scope, asked.after, at
        )
        raw = page.SerializeToString(deterministic=True)
        answer = v1.CaseAnswer(
            federation=case.federation,
            case_digest=look_up.case.digest,
            request_digest=look_up.request.digest,
            subject_ref=case.subject_ref,
            regulator=case.regulator,
            scope=asked.scope,
            issued_at=to_timestamp(at),
            page_hash=hashlib.sha256(raw).digest(),
            cursor=cursor,
        )
        return v1.LookUpCaseResponse(answer=seal(answer, self.signer), page=raw)

    async def _release(
        self, taken: Taken, receipt: v1.LogReceipt, regulator: str, seconds_left: float
    ) -> v1.LookUpCaseResponse:
        """Let the answer go once its notice is held; else take the look-up out of the budget again."""
        at = self.clock.now()
        anchors = self.directory.anchors
        licence = self.directory.require(anchors.bundle.exchange_id, at).licence_envelope
        notice = seal(notice_of(receipt, anchors, at), self.signer)
        try:
            custody = await self.custodians.hold(
                notice, taken, self.signer, licence, at, max(seconds_left, 0.0)
            )
        except Refusal:
            await self.store.arun(lambda connection: _uncount(connection, taken, regulator, at))
            raise
        response = v1.LookUpCaseResponse(
            answer=taken.response.answer,
            page=taken.response.page,
            entry=receipt,
            custody=custody,
        )
        await self.store.arun(lambda connection: self._let_go(connection, taken, response, at))
        _log.info("case_looked_up", scope=_scope_of(taken), held=len(custody))
        return response

    def _let_go(
        self,
        connection: Connection,
        taken: Taken,
        response: v1.LookUpCaseResponse,
        at: datetime,
    ) -> None:
        """Keep what goes out, counted: the same request, sent twice at once, may have been taken out meanwhile."""
        self._count(connection, taken, at)
        table.release(connection, taken, response)

    async def _refused(
        self, envelopes: v1.LookUpCaseRequest, regulator: Member, refusal: Refusal, at: datetime
    ) -> None:
        """Log the attempt, and owe its subject a notice, before anybody hears of it."""
        if refusal.reason in refusals.NOT_ATTEMPTS:
            return
        longest = self.terms.longest_notice
        await self.store.arun(
            lambda connection: refusals.record(
                connection, envelopes.case, regulator.member_id, refusal.reason, at, longest
            )
        )


def _require_bounds(envelopes: v1.LookUpCaseRequest) -> None:
    """Raise ``Refusal`` where an envelope breaks its bounds; a case that nobody signed is not approved, later."""
    with refusing_untrusted():
        if envelopes.case.signatures:
            validate(envelopes.case)
        validate(envelopes.request)


def _require_seldom(connection: Connection, regulator: Member, at: datetime) -> None:
    """Raise ``Refusal`` (REASON_QUOTA_EXCEEDED) where a regulator was refused too often on this day."""
    bounds.require(connection, regulator.member_id, Bounded.REFUSED_LOOK_UP, at)


def _uncount(connection: Connection, taken: Taken, regulator: str, at: datetime) -> None:
    """Take a look-up out of its month's budget, unless the same request, sent twice at once, released it.

    It is in the log all the same, once, and so it counts once among what was refused on the day.
    """
    table.hold_month(connection, taken.month)
    if table.take_out(connection, taken):
        table.count(connection, taken.month, -1)
    if not taken.again:
        bounds.count(connection, regulator, Bounded.REFUSED_LOOK_UP, at)


def _scope_of(taken: Taken) -> str:
    answer = v1.CaseAnswer.FromString(taken.response.answer.payload)
    return v1.CaseScope.Name(answer.scope)


def forget_look_ups(connection: Connection, at: datetime) -> None:
    """Delete the look-ups that nobody can repeat any more."""
    table.forget(connection, at - KEEP_LOOK_UPS)
