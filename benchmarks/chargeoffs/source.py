"""The charge-offs as their lenders would file them: one row a debt, in the words of ``listings file``."""

import csv
import hashlib
import lzma
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

PATH = Path(__file__).parent / "data" / "sba_company_chargeoffs.csv.xz"
HOUSES = 12
COLUMNS = ("identity_number", "reference", "amount", "delinquent_since", "evidence_hash")
DEFAULTS = {"currency": "USD", "basis": "loan", "late": "waited-to-be-eligible"}

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_CENTURY = 69  # two-digit years from here on are of the 20th century
_SMALL_FROM = date(2009, 6, 1)  # where a smaller run starts


@dataclass(frozen=True, slots=True)
class ChargeOff:
    """A row."""

    line: int
    loan: str
    debtor: str  # stands in for the company's registry number: a hash of its name, city and state
    house: int  # which of the furnishers files it: by a hash of the bank
    amount: str  # decimal, US dollars
    since: date | None  # None where the row has no date
    digest: str  # SHA-256 of the row, in hex: its evidence

    @property
    def fields(self) -> list[str]:
        """What the furnisher's file says, in the order of ``COLUMNS``."""
        since = self.since.isoformat() if self.since else ""
        return [self.debtor, self.loan, self.amount, since, self.digest]

    @property
    def minor(self) -> int:
        """The amount in cents."""
        dollars, _, cents = self.amount.partition(".")
        return int(dollars) * 100 + int(cents.ljust(2, "0"))


def read(rows: int | None = None) -> list[ChargeOff]:
    """Return all rows, in the file's order; or ``rows`` of them that were charged off one after the other.

    The few that have no date, or one that has not come, are among those too.
    """
    with lzma.open(PATH, "rt", encoding="utf-8", newline="") as file:
        everything = list(_parsed(csv.DictReader(file)))
    if rows is None or rows >= len(everything):
        return everything
    odd = [row for row in everything if row.since is None or row.since.year > 2025][:3]  # noqa: PLR2004
    dated = sorted((r.since, r.line, r) for r in everything if r.since and r not in odd)
    first = next(place for place, (since, *_) in enumerate(dated) if since >= _SMALL_FROM)
    picked: Sequence[ChargeOff] = [row for *_, row in dated[first : first + rows - len(odd)]]
    return sorted([*picked, *odd], key=lambda row: row.line)


def _parsed(rows: Iterable[Mapping[str, str]]) -> Iterator[ChargeOff]:
    for line, row in enumerate(rows, 2):
        debtor = "\x1f".join((row["Name"], row["City"], row["State"]))
        yield ChargeOff(
            line=line,
            loan=row["LoanNr_ChkDgt"],
            debtor="US" + _hash(debtor)[:22].upper(),
            house=int(_hash(row["Bank"])[:8], 16) % HOUSES,
            amount=row["ChgOffPrinGr"].strip().replace("$", "").replace(",", ""),
            since=_date(row["ChgOffDate"]),
            digest=_hash("\x1f".join(row.values())),
        )


def _date(text: str) -> date | None:
    if not text:
        return None
    day, month, year = text.split("-")
    century = 1900 if int(year) >= _CENTURY else 2000
    return date(century + int(year), _MONTHS.index(month) + 1, int(day))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
