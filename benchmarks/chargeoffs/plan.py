"""Who will do what about a debt: decided beforehand, by hashes of its loan number. The same every time.

1 % of the debts are disputed, 5 % are settled; 1 % of the debtors never look into their inbox, and half a
percent of the debts are never reconfirmed by who filed them. Times are counted in rounds, of thirty days.
"""

import hashlib
from dataclasses import dataclass
from enum import Enum

from benchmarks.chargeoffs.model import What

DISPUTED, SETTLED = 0.01, 0.05
_NEVER_READ, _READ_LATE, _READ_SOON, _NEGLECTED = 0.01, 0.05, 0.9, 0.005
_TOO_EARLY, _TWICE = 0.002, 0.005
_BY_SUBJECT, _CONTESTED, _SLOW, _APPEALED = 0.3, 0.4, 0.3, 0.5
_LOOKED_AT, _LOOKED_AT_CHANGE = 1 / 36, 0.25
_OUTCOMES = (
    *[What.UPHELD] * 3,
    *[What.REJECTED] * 4,
    *(What.RECTIFIED, What.UNVERIFIABLE, None),
)
_APPEALS = (What.UPHELD, What.REJECTED, What.REJECTED, What.RECTIFIED)
_ROUNDS_LISTED = 110  # longer than any listing lasts


class Answer(Enum):
    """What a furnisher does about a dispute."""

    NOTHING = 0
    WITHDRAW = 1
    CORRECT = 2


@dataclass(frozen=True, slots=True)
class Quarrel:
    """A dispute."""

    contest: bool  # before the listing takes effect
    rounds: int  # after the notice; of a contest, none
    reviewer: int  # which of the two
    answer: Answer
    outcome: What | None  # None where nobody decides it in time
    slow: bool  # the ruling takes its time
    appeal: What | None  # what the appeal body says, where the subject appeals


@dataclass(frozen=True, slots=True)
class Payment:
    """A settlement."""

    rounds: int  # after the notice
    by_subject: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about one debt."""

    too_early: bool  # filed a round before it may be, and refused
    twice: bool  # delivered again the next round
    read_after: int | None  # moments after it was filed; None for never
    neglected: bool
    quarrel: Quarrel | None
    payment: Payment | None
    looks: tuple[int, ...]  # rounds after the notice, or before the filing, in which a lender asks


def plan_of(loan: str) -> Plan:
    """Return the plan of a debt."""
    chance = _Chance(loan)
    quarrel = _quarrel(chance) if chance.one("disputed") < DISPUTED else None
    payment = None
    if chance.one("settled") < SETTLED:
        payment = Payment(2 + chance.below(29, "payment"), chance.one("by") < _BY_SUBJECT)
    return Plan(
        too_early=chance.one("early") < _TOO_EARLY,
        twice=chance.one("twice") < _TWICE,
        read_after=_read_after(chance),
        neglected=quarrel is None and payment is None and chance.one("neglected") < _NEGLECTED,
        quarrel=quarrel,
        payment=payment,
        looks=_looks(chance, quarrel, payment),
    )


def _read_after(chance: "_Chance") -> int | None:
    """Return after how many moments a notice is read: at once, five days later, two months later, never."""
    when = chance.one("read")
    if when < _NEVER_READ:
        return None
    if when < _READ_LATE:
        return 10
    return int(when < _READ_SOON)


def _quarrel(chance: "_Chance") -> Quarrel:
    contest = chance.one("contest") < _CONTESTED
    answer = {0: Answer.WITHDRAW, 1: Answer.CORRECT}.get(chance.below(10, "answer"), Answer.NOTHING)
    outcome = _OUTCOMES[chance.below(len(_OUTCOMES), "outcome")]
    appealed = outcome in {What.REJECTED, What.RECTIFIED} and chance.one("appealed") < _APPEALED
    return Quarrel(
        contest=contest,
        rounds=0 if contest else 2 + chance.below(24, "quarrel"),
        reviewer=chance.below(2, "reviewer"),
        answer=answer,
        outcome=outcome,
        slow=chance.one("slow") < _SLOW,
        appeal=_APPEALS[chance.below(len(_APPEALS), "appeal")] if appealed else None,
    )


def _looks(chance: "_Chance", quarrel: Quarrel | None, payment: Payment | None) -> tuple[int, ...]:
    """Return when a lender asks: a few at random, and more about what is going to change or has."""
    looks: list[int] = []
    if chance.one("look") < _LOOKED_AT:
        looks.append(chance.below(_ROUNDS_LISTED, "look at") - 6)
    for number, change in enumerate((quarrel, payment)):
        if change is None:
            continue
        if chance.one(f"before {number}") < _LOOKED_AT_CHANGE:
            looks.append(max(0, change.rounds - 1 - chance.below(4, f"long before {number}")))
        if chance.one(f"after {number}") < _LOOKED_AT_CHANGE:
            looks.append(change.rounds + chance.below(4, f"long after {number}"))
    return tuple(looks)


class _Chance:
    """Numbers that a loan number and a word always give."""

    def __init__(self, loan: str) -> None:
        self._loan = loan

    def one(self, word: str) -> float:
        """Return a number from 0 to 1, exclusive."""
        drawn = hashlib.sha256(f"{word}\x1f{self._loan}".encode()).digest()
        return int.from_bytes(drawn[:7], "big") / (1 << 56)

    def below(self, limit: int, word: str) -> int:
        """Return a whole number below ``limit``."""
        return int(self.one(word) * limit)
