"""What a furnisher's staff does about its listings: settle, and see to what the exchange says is due."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from benchmarks.chargeoffs.cases import Case
from benchmarks.chargeoffs.houses import House
from benchmarks.chargeoffs.model import What
from benchmarks.chargeoffs.plan import Answer
from benchmarks.chargeoffs.reviewers import kept_of
from concordat.clock import to_micros
from concordat.v1 import DutyKind, WithdrawalCode
from provider.listings.events import Speaker
from provider.listings.orders import EventOrder
from provider.store import listings
from provider.store.listings import Key, Listed

Done = Mapping[What, Sequence[Case]]


@dataclass(slots=True)
class _Desk:
    """What is to be said in one go."""

    confirm: list[Case] = field(default_factory=list)
    withdraw: list[Case] = field(default_factory=list)
    correct: list[Case] = field(default_factory=list)


def settle(house: House, cases: Sequence[Case], at: datetime) -> list[Case]:
    """Say of debts that they were paid today; return those of which it was taken."""

    def paid(speaker: Speaker, case: Case) -> EventOrder:
        receipt = hashlib.sha256(f"receipt {case.row.loan}".encode()).digest()
        return speaker.settle(case.key, receipt, to_micros(at))

    return _noted(house, cases, paid, What.SETTLED, at)


def do_duties(house: House, by_key: Mapping[Key, Case], at: datetime) -> Done:
    """Ask what is due, and do it; return of which debts what was taken."""
    desk = _sorted(house, by_key)
    return {
        What.RECONFIRMED: _noted(house, desk.confirm, _reconfirm, What.RECONFIRMED, at),
        What.WITHDRAWN: _noted(house, desk.withdraw, _withdraw, What.WITHDRAWN, at),
        What.CORRECTED: _correct(house, desk.correct, at),
    }


def _sorted(house: House, by_key: Mapping[Key, Case]) -> _Desk:
    desk = _Desk()
    for duty in house.duties():
        case = by_key[duty.subject_ref, duty.filing_id]
        answer = case.plan.quarrel.answer if case.plan.quarrel else Answer.NOTHING
        if duty.kind == DutyKind.DUTY_KIND_RECONFIRM and not case.plan.neglected:
            desk.confirm.append(case)
        if duty.kind == DutyKind.DUTY_KIND_ANSWER_DISPUTE and answer is Answer.WITHDRAW:
            desk.withdraw.append(case)
        if duty.kind == DutyKind.DUTY_KIND_ANSWER_DISPUTE and answer is Answer.CORRECT:
            desk.correct += [] if case.corrected else [case]
    return desk


def _reconfirm(speaker: Speaker, case: Case) -> EventOrder:
    return speaker.reconfirm(case.key)


def _withdraw(speaker: Speaker, case: Case) -> EventOrder:
    return speaker.withdraw(case.key, WithdrawalCode.WITHDRAWAL_CODE_FILED_IN_ERROR)


def _correct(house: House, cases: Sequence[Case], at: datetime) -> list[Case]:
    """Correct amounts, from what the node has on record."""
    rows = house.node.store.run(lambda c: listings.by_keys(c, [case.key for case in cases]))

    def corrected(speaker: Speaker, case: Case) -> EventOrder:
        row: Listed = rows[case.key]
        evidence = hashlib.sha256(f"correction {case.row.loan}".encode()).digest()
        return speaker.correct(
            row,
            minor=kept_of(row.amount),
            delinquent_since=row.delinquent_since,
            evidence_hash=evidence,
        )

    taken = house.say(cases, corrected)
    for case in taken:
        case.note(What.CORRECTED, at, kept_of(rows[case.key].amount))
    return taken


def _noted(
    house: House,
    cases: Sequence[Case],
    say: Callable[[Speaker, Case], EventOrder],
    what: What,
    at: datetime,
) -> list[Case]:
    taken = house.say(cases, say) if cases else []
    for case in taken:
        case.note(what, at)
    return taken
