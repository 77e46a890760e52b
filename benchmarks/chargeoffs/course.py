"""The run from the first charge-off to the last expiry: read this first.

At each moment the clock is moved, the exchange's timer does what is due, and then everybody does what is to be
done that day: reviewers rule, furnishers file, debtors read their notices, dispute and settle, furnishers see
to their duties, lenders ask, and heed what is recalled.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
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
    time: Time
    exchange: Exchange
    houses: Sequence[House]
    people: People
    reviewers: Reviewers
    lenders: Lenders
    cases: Sequence[Case]
    ticks: list[datetime] = field(default_factory=list)  # when the timer ran
    done: Counter[str] = field(default_factory=Counter)
    too_early: Counter[str] = field(default_factory=Counter)  # refused, and filed again
    _of_debtor: dict[str, list[Case]] = field(default_factory=lambda: defaultdict(list))
    _by_key: dict[tuple[bytes, bytes], Case] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(12))
    _recalling: bool = False  # whether something was done that lenders may have to hear of

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
        take = self.agenda.take
        for moment in self.agenda.moments():
            at = self.agenda.time(moment)
            self.time.set(at)
            self.ticks.append(at)
            self._recalling = await asyncio.to_thread(self.exchange.pass_time) > 0
            await self._rule(take(moment, Job.RULE), moment, at)
            await self._file(take(moment, Job.FILE), moment, at)
            await self._read(take(moment, Job.READ), moment, at)
            await each(take(moment, Job.DISPUTE), partial(self._dispute, moment, at))
            await self._settle(take(moment, Job.SETTLE), at)
            await self._do_duties(take(moment, Job.DUTIES), moment, at)
            await each(take(moment, Job.LOOK), partial(self._look, at), _LOOKS_AT_ONCE)
            if self._recalling or moment == self.agenda.last:
                await self.lenders.heed()
            progress(moment, at)

    def standing(self, case: Case) -> Standing:
        """Return where a debt must stand now."""
        return case.standing(self.ticks, self.ticks[-1])

    # Reviewers ------------------------------------------------------------------------------------

    async def _rule(self, cases: Sequence[Case], moment: int, at: datetime) -> None:
        """Rule on what is open still; whoever is told that he is wrong may appeal the same day."""
        rulings = [ruling for case in cases if (ruling := self._ruling(case)) is not None]
        await self.reviewers.rule(rulings)
        for ruling in rulings:
            case, quarrel = ruling.case, ruling.case.plan.quarrel
            self._recalling = True
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

    async def _do_duties(self, cases: Sequence[Case], moment: int, at: datetime) -> None:
        """Have each furnisher that expects any ask for its duties, and see to them."""
        numbers = sorted({case.row.house for case in cases})
        outcomes = await asyncio.gather(
            *(
                self._in_pool(staff.do_duties, self.houses[number], self._by_key, at)
                for number in numbers
            )
        )
        for outcome in outcomes:
            for what, taken in outcome.items():
                self.done[what.name.lower()] += len(taken)
                self._recalling |= bool(taken) and what is not What.RECONFIRMED
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

    async def _settle(self, cases: Sequence[Case], at: datetime) -> None:
        """Say of what is in force that it was paid; what is not any more is left alone."""
        paid = [case for case in cases if self.standing(case).state == "EFFECTIVE"]
        self.done["payments that came too late"] += len(cases) - len(paid)
        self._recalling |= bool(paid)
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
        self.done["settled by debtors"] += len(theirs)
        self.done["settled by furnishers"] += sum(map(len, taken))

    # Lenders --------------------------------------------------------------------------------------

    async def _look(self, at: datetime, case: Case) -> None:
        debtor = case.row.debtor
        await self.lenders.check(debtor, self._of_debtor.get(debtor, []), self.ticks, at)

    async def _in_pool(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
