"""What must change at the exchange so that it says what the register says. Pure."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from concordat.clock import to_micros
from concordat.v1 import ListingKind
from provider.listings.register import RegisterRefused
from provider.listings.rows import DebtRow
from provider.store.listings import Listed

FILE_REFUSED_AGAIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the register, and the debt that it is of."""

    row: DebtRow
    subject_ref: bytes
    debt: bytes


@dataclass(frozen=True, slots=True)
class Correction:
    """What a listing's facts become: of each the better for the subject."""

    listed: Listed
    minor: int
    delinquent_since: int
    evidence_hash: bytes


@dataclass(slots=True)
class Plan:
    """What to do; entries of the register that end up unlisted, or listed more mildly, are named."""

    live: int = 0  # listings before it
    file: list[Entry] = field(default_factory=list)
    correct: list[Correction] = field(default_factory=list)
    remove: list[Listed] = field(default_factory=list)  # gone from the register
    replace: list[tuple[Listed, Entry]] = field(default_factory=list)  # withdraw, then file anew
    ask: list[Listed] = field(default_factory=list)  # past their end: where do they stand
    unchanged: int = 0
    milder: list[Entry] = field(default_factory=list)  # worse in the register than listed
    returning: list[Entry] = field(default_factory=list)  # listed before; needs a certificate
    refused: list[Entry] = field(default_factory=list)  # by the exchange, less than a day ago

    def require_plausible(self, most_removals: float) -> None:
        """Raise ``RegisterRefused`` where more than ``most_removals`` percent of the listings would go."""
        going = len(self.remove) + len(self.replace)
        if going * 100 > self.live * most_removals:
            raise RegisterRefused(
                f"{going:,} of {self.live:,} listings are gone from the register, or got worse: more than "
                f"{most_removals:g} %: if that is right, say so with --most-removals"
            )


def make_plan(
    entries: Sequence[Entry],
    rows: Sequence[Listed],
    refused_at: Mapping[tuple[bytes, bytes], int],
    ended: AbstractSet[bytes],
    at: datetime,
    *,
    reinsert: bool,
) -> Plan:
    """Compare the register's ``entries`` with the court's open ``rows``.

    ``refused_at`` says which filings the exchange refused, and when; ``ended`` which debts had a listing
    before. With ``reinsert`` the court certifies that those, and entries that got worse, were checked anew.
    An entry that the register is to show no more is none.
    """
    now, a_day_ago = to_micros(at), to_micros(at - FILE_REFUSED_AGAIN)
    shown = {e.debt: e for e in entries if e.row.source_ends_at and e.row.source_ends_at > now}
    judgments = [row for row in rows if row.kind == ListingKind.LISTING_KIND_JUDGMENT]
    plan = Plan()
    listed: dict[bytes, Listed] = {}
    for row in judgments:
        if row.key in refused_at:
            continue
        if row.expires_at is not None and row.expires_at <= now:
            plan.ask.append(row)
            continue
        plan.live += 1
        listed[row.debt] = row
        if row.debt not in shown:
            plan.remove.append(row)
    refused = {row.debt: refused_at[row.key] for row in judgments if row.key in refused_at}
    past_end = {row.debt for row in plan.ask}
    for debt, entry in shown.items():
        if debt in listed:
            _compare(plan, listed[debt], entry, reinsert=reinsert)
        elif debt in past_end:
            plan.returning.append(entry)  # the profile ended it before the register does
        elif refused.get(debt, 0) > a_day_ago:
            plan.refused.append(entry)
        elif debt in ended and not reinsert:
            plan.returning.append(entry)
        else:
            plan.file.append(entry)
    return plan


def _compare(plan: Plan, row: Listed, entry: Entry, *, reinsert: bool) -> None:
    """Correct what is better for the subject in the register; what is worse there needs a certificate."""
    told = entry.row
    worse = (
        told.currency != row.currency
        or told.minor > row.amount
        or told.delinquent_since > row.delinquent_since
    )
    if worse and reinsert:
        plan.replace.append((row, entry))
        return
    if worse:
        plan.milder.append(entry)
    minor = min(told.minor, row.amount) if told.currency == row.currency else row.amount
    since = min(told.delinquent_since, row.delinquent_since)
    if (minor, since) != (row.amount, row.delinquent_since):
        plan.correct.append(Correction(row, minor, since, told.evidence_hash))
    elif not worse:
        plan.unchanged += 1
