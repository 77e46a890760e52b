"""The run from the first charge-off to the last expiry: read this first.

At each moment the clock is moved, the exchange's timer does what is due, and then everybody does what is to be
done that day: reviewers rule, debtors dispute and settle, furnishers see to their duties. Then nothing changes
any more that a lender may see: lenders ask while furnishers file and debtors read their notices. At last
lenders heed what is recalled.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from benchmarks.chargeoffs import staff
from benchmarks.chargeoffs.agenda import MOMENTS, Agenda, Job
from benchmarks.chargeoffs.cases import Case
from benchmarks.chargeoffs.houses import House
from benchmarks.chargeoffs.lenders import Lenders
from benchmarks.chargeoffs.model import FRESH, Standing, What
from benchmarks.chargeoffs.people import People, each
from benchmarks.chargeoffs.processes import Exchange, Time
from benchmarks.chargeoffs.reviewers import Reviewers, Ruling
from benchmarks.chargeoffs.world import APPEALS, REVIEWERS
from concordat.v1 import DisputeGround, DisputeStage, InboxKind

_MONTHS_OVERDUE = 3
_EVERY_MONTH_HAS = 28  # days
_LOOKS_AT_ONCE = 16
_EARLY_ENDS = frozenset({"WITHDRAWN", "REPAIRED"})
_GROUNDS = (
    DisputeGround.DISPUTE_GROUND_PAID,
    DisputeGround.DISPUTE_GROUND_AMOUNT,
    DisputeGround.DISPUTE_GROUND_NOT_MINE,
    DisputeGround.DISPUTE_GROUND_CLAIM_CONTESTED,
)
T = TypeVar("T")


@dataclass(slots=True)
class Course:
    """Everybody, and what was done so far."""

    agenda: Agenda
    now: Time
    exchange: Exchange
    houses: Sequence[House]
    people: People
    reviewers: Reviewers
    lenders: Lenders
    cases: Sequence[Case]
    ticks: list[datetime] = field(default_factory=list)  # when the timer ran
    done: Counter[str] = field(default_factory=Counter)
    too_early: Counter[str] = field(default_factory=Counter)  # refused, and filed again
    seconds: dict[str, float] = field(
        default_factory=lambda: defaultdict(float)
    )  # by what was done
    _of_debtor: dict[str, list[Case]] = field(default_factory=lambda: defaultdict(list))
    _by_key: dict[tuple[bytes, bytes], Case] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(12))
    _recalling: set[int] = field(
        default_factory=set
    )  # moments after which lenders may have to hear

    def prepare(self) -> None:
        """Enter all filings into the agenda, and when lenders ask."""
        for case in self.cases:
            moment = self._may_file(case)
            self.agenda.add(moment - case.plan.too_early * MOMENTS, Job.FILE, case)
            for rounds in case.plan.looks:
                self.agenda.add(moment + rounds * MOMENTS + 1, Job.LOOK, case)

    def _may_file(self, case: Case) -> int:
        """Return the first moment of a round at which a debt is three months overdue.

        What has no date, or one that has not come by the end, is tried at the last moment.
        """
        if case.row.since is None:
            return self.agenda.last
        since = case.since
        years, month = divmod(since.month - 1 + _MONTHS_OVERDUE, 12)
        day = min(since.day, _EVERY_MONTH_HAS)  # up to three days later does no harm
        overdue = since.replace(year=since.year + years, month=month + 1, day=day)
        overdue += timedelta(days=since.day - day)
        return min(self.agenda.last, self.agenda.round_from(overdue))

    async def run(self, progress: Callable[[int, datetime], None]) -> None:
        """Live through all of it."""
        for moment in self.agenda.moments():
            at = self.agenda.time(moment)
            self.now.set(at)
            self.ticks.append(at)
            await self._timed("the timer", asyncio.to_thread(self.exchange.pass_time))
            await self._timed("disputes", self._rule(moment, at))
            await self._timed("disputes", self._contest(moment, at))
            await self._timed("payments", self._settle(moment, at))
            await self._timed("duties", self._do_duties(moment, at))
            await asyncio.gather(
                self._timed("checks", self._look(moment, at)),
                self._timed("filings and notices", self._file_and_read(moment, at)),
            )
            if moment in self._recalling or moment == self.agenda.last:
                await self._timed("recalls", self.lenders.heed())
            progress(moment, at)

    async def _timed(self, what: str, work: Awaitable[object]) -> None:
        began = time.monotonic()
        await work
        self.seconds[what] += time.monotonic() - began

    def standing(self, case: Case) -> Standing:
        """Return where a debt must stand now."""
        return case.standing(self.ticks, self.ticks[-1])

    # Reviewers ------------------------------------------------------------------------------------

    async def _rule(self, moment: int, at: datetime) -> None:
        """Rule on what is open still; whoever is told that he is wrong may appeal the same day."""
        cases = self.agenda.take(moment, Job.RULE)
        rulings = [ruling for case in cases if (ruling := self._ruling(case)) is not None]
        await self.reviewers.rule(rulings)
        for ruling in rulings:
            case, quarrel = ruling.case, ruling.case.plan.quarrel
            self._recalling.add(moment)
            self.done["rulings"] += 1
            if quarrel is None or ruling.who == APPEALS or quarrel.appeal is None:
                self._expect_duty(case, moment)
                continue
            stage = DisputeStage.DISPUTE_STAGE_APPEAL
            case.dispute_id = await self.people.dispute(case, stage, _GROUNDS[0], APPEALS)
            case.note(What.APPEALED, at)
            self.done["appeals"] += 1
            self.agenda.add(moment + 1, Job.RULE, case)

    def _ruling(self, case: Case) -> Ruling | None:
        """Return what is to be decided; None where its furnisher gave in, or nobody decides in time."""
        quarrel, standing = case.plan.quarrel, self.standing(case)
        if quarrel is None or standing.decide_by is None:
            return None
        appeal = standing.state == "APPEAL"
        outcome = quarrel.appeal if appeal else quarrel.outcome
        who = APPEALS if appeal else REVIEWERS[quarrel.reviewer]
        return None if outcome is None else Ruling(case, who, outcome)

    # Furnishers -----------------------------------------------------------------------------------

    async def _file_and_read(self, moment: int, at: datetime) -> None:
        await self._file(self.agenda.take(moment, Job.FILE), moment, at)
        await self._read(self.agenda.take(moment, Job.READ), moment, at)

    async def _file(self, cases: Sequence[Case], moment: int, at: datetime) -> None:
        by_house: dict[int, list[Case]] = defaultdict(list)
        for case in cases:
            by_house[case.row.house].append(case)
        await asyncio.gather(
            *(self._in_pool(self.houses[number].file, own) for number, own in by_house.items())
        )
        for case in cases:
            if case.refused:
                self._file_again(case, moment)
            elif not case.acts:  # else it was delivered twice
                self._filed(case, moment, at)

    def _file_again(self, case: Case, moment: int) -> None:
        """File again, when that may be, what was filed too early."""
        due = self._may_file(case)
        if moment < due:
            self.too_early[case.refused] += 1
            self.agenda.add(due, Job.FILE, case)

    def _filed(self, case: Case, moment: int, at: datetime) -> None:
        case.note(What.FILED, at)
        self.done["filed"] += 1
        self._of_debtor[case.row.debtor].append(case)
        self._by_key[case.key] = case
        if case.plan.twice:
            self.agenda.add(moment + MOMENTS, Job.FILE, case)
        if case.plan.read_after is not None:
            self.agenda.add(moment + case.plan.read_after, Job.READ, case)

    def _expect_duty(self, case: Case, moment: int) -> None:
        """Have its furnisher ask for its duties when a listing is to be reconfirmed."""
        standing = self.standing(case)
        if standing.state != "NOTICED" or standing.effective_from is None:
            return
        opens, effect = standing.effective_from - FRESH, standing.effective_from
        if standing.confirmed is None or standing.confirmed < opens:
            self.agenda.add(self.agenda.first_from(opens, moment), Job.DUTIES, case)
            return
        again = self.agenda.first_from(effect, moment)
        if self.agenda.time(again) - standing.confirmed > FRESH:  # said too long before
            self.agenda.add(again, Job.DUTIES, case)

    async def _do_duties(self, moment: int, at: datetime) -> None:
        """Have each furnisher that expects any ask for its duties, and see to them."""
        numbers = sorted({case.row.house for case in self.agenda.take(moment, Job.DUTIES)})
        outcomes = await asyncio.gather(
            *(
                self._in_pool(staff.do_duties, self.houses[number], self._by_key, at)
                for number in numbers
            )
        )
        for outcome in outcomes:
            for what, taken in outcome.items():
                self.done[what.name.lower()] += len(taken)
                if taken and what is not What.RECONFIRMED:
                    self._recalling.add(moment)
            for case in outcome[What.RECONFIRMED]:
                self._expect_duty(case, moment)

    # Debtors --------------------------------------------------------------------------------------

    async def _read(self, cases: Sequence[Case], moment: int, at: datetime) -> None:
        debtors = sorted({case.row.debtor for case in cases if not case.served})
        for debtor, messages in zip(
            debtors, await each(debtors, self.people.read_inbox), strict=True
        ):
            kind = InboxKind.INBOX_KIND_LISTING_NOTICE
            notices = {message.listing_id for message in messages if message.kind == kind}
            for case in self._of_debtor[debtor]:
                assert case.listing_id in notices
                if not case.served:
                    self._served(case, moment, at)

    def _served(self, case: Case, moment: int, at: datetime) -> None:
        case.note(What.SERVED, at)
        self.done["notices read"] += 1
        self._expect_duty(case, moment)
        if (quarrel := case.plan.quarrel) is not None:
            self.agenda.add(moment + quarrel.rounds * MOMENTS + 1, Job.DISPUTE, case)
        if (payment := case.plan.payment) is not None:
            self.agenda.add(moment + payment.rounds * MOMENTS, Job.SETTLE, case)

    async def _contest(self, moment: int, at: datetime) -> None:
        cases = self.agenda.take(moment, Job.DISPUTE)
        await each(cases, partial(self._dispute, moment, at))

    async def _dispute(self, moment: int, at: datetime, case: Case) -> None:
        """Contest, or dispute what is in force; what is neither any more is left alone."""
        quarrel, standing = case.plan.quarrel, self.standing(case)
        if quarrel is None or not (
            standing.state == "NOTICED" if quarrel.contest else standing.in_force
        ):
            self.done["disputes that came too late"] += 1
            return
        stage = DisputeStage.DISPUTE_STAGE_REVIEW
        if quarrel.contest:
            stage = DisputeStage.DISPUTE_STAGE_CONTEST
        ground = _GROUNDS[case.row.line % len(_GROUNDS)]
        who = REVIEWERS[quarrel.reviewer]
        case.dispute_id = await self.people.dispute(case, stage, ground, who)
        case.note(What.DISPUTED, at)
        self.done["contests" if quarrel.contest else "disputes"] += 1
        self.agenda.add(moment, Job.DUTIES, case)
        self.agenda.add(moment + 1 + quarrel.slow, Job.RULE, case)
        self._expect_end(case, moment)

    async def _settle(self, moment: int, at: datetime) -> None:
        """Say of what is in force that it was paid; what is not any more is left alone."""
        cases = self.agenda.take(moment, Job.SETTLE)
        paid = [case for case in cases if self.standing(case).state == "EFFECTIVE"]
        self.done["payments that came too late"] += len(cases) - len(paid)
        by_house: dict[int, list[Case]] = defaultdict(list)
        theirs: list[Case] = []
        for case in paid:
            by_subject = case.plan.payment is not None and case.plan.payment.by_subject
            (theirs if by_subject else by_house[case.row.house]).append(case)
        await each(theirs, self.people.settle)
        for case in theirs:
            case.note(What.SETTLED, at)
        taken = await asyncio.gather(
            *(
                self._in_pool(staff.settle, self.houses[number], own, at)
                for number, own in by_house.items()
            )
        )
        for case in paid:
            self._recalling.add(moment)
            self._expect_end(case, moment)
        self.done["settled by debtors"] += len(theirs)
        self.done["settled by furnishers"] += sum(map(len, taken))

    # Lenders --------------------------------------------------------------------------------------

    async def _look(self, moment: int, at: datetime) -> None:
        cases = self.agenda.take(moment, Job.LOOK)
        await each(cases, partial(self._check, at), _LOOKS_AT_ONCE)

    async def _check(self, at: datetime, case: Case) -> None:
        debtor = case.row.debtor
        await self.lenders.check(debtor, self._of_debtor.get(debtor, []), self.ticks, at)

    def _expect_end(self, case: Case, moment: int) -> None:
        """Have lenders listen when time may end a listing before its own end."""
        for due, state in self.standing(case).limits_ahead():
            if state in _EARLY_ENDS:
                ends = self.agenda.first_from(due, moment)
                self.agenda.visit(ends)
                self._recalling.add(ends)

    async def _in_pool(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
