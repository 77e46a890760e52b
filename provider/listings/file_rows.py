"""Filing a file of debts: read, resolve, hand in, chunk by chunk. Read top to bottom.

Filing a file twice changes nothing: a debt that is filed already is left as it is.
"""

from collections import Counter as Count
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from provider.listings.filings import Filer
from provider.listings.orders import FilingOrder, Order
from provider.listings.rejects import RowRejected
from provider.listings.rows import DebtRow, DebtRows
from provider.listings.verdict import Outcome, Verdict
from provider.loading.csv_file import CsvFile
from provider.loading.files import FileDamagedError
from provider.loading.rows import Reject as LineReject
from provider.store.listings import Key

CHUNK_ROWS = 1024

Resolve = Callable[[Sequence[bytes]], list[bytes]]
HandIn = Callable[[Sequence[Order]], list[Outcome]]
Line = tuple[int, DebtRow]


@dataclass(slots=True)
class Tally:
    """What became of the rows."""

    read: int = 0
    unchanged: int = 0  # filed before, with the same facts
    queued: list[tuple[int, Key]] = field(default_factory=list)  # line and filing
    rejected: Count[str] = field(default_factory=Count)


@dataclass(frozen=True, slots=True)
class Desk:
    """Files rows; what is called on the way is handed over, so that a file needs no peer to be tried."""

    filer: Filer
    resolve: Resolve  # identity numbers to subject_refs, empty for what is none
    hand_in: HandIn
    on_reject: Callable[[int, StrEnum], None]
    now: Callable[[], datetime]

    def file(
        self, file: CsvFile, rules: DebtRows, tally: Tally, on_chunk: Callable[[], None]
    ) -> None:
        """File what is good of ``file``, counting in ``tally`` as it goes.

        Raises ``FileDamagedError``, ``RemoteError`` (the registrar), ``Refusal`` or ``NotTakenInError``;
        what was handed in before stays.
        """
        for lines in self._chunks(file, rules, tally):
            self.file_lines(lines, tally, by_identity=rules.by_identity)
            on_chunk()

    def file_lines(self, lines: Sequence[Line], tally: Tally, *, by_identity: bool) -> None:
        """File some rows."""
        subjects = [row.subject for _, row in lines]
        refs = self.resolve(subjects) if by_identity and subjects else subjects
        numbers: list[int] = []
        orders: list[FilingOrder] = []
        for (number, row), ref in zip(lines, refs, strict=True):
            try:
                orders.append(self.filer.order(row, ref, self.now()))
                numbers.append(number)
            except RowRejected as rejected:
                self._reject(number, rejected.reject, tally)
        outcomes = self.hand_in(orders) if orders else []
        for number, order, outcome in zip(numbers, orders, outcomes, strict=True):
            match outcome.verdict:
                case Verdict.QUEUED:
                    tally.queued.append((number, (order.filing.subject_ref, outcome.filing_id)))
                case Verdict.UNCHANGED:
                    tally.unchanged += 1
                case verdict:
                    self._reject(number, verdict, tally)

    def _chunks(self, file: CsvFile, rules: DebtRows, tally: Tally) -> Iterator[list[Line]]:
        """Yield good rows in chunks, what was good before the file turned out damaged too."""
        lines: list[Line] = []
        try:
            for number, fields in file.rows():
                tally.read += 1
                if isinstance(fields, LineReject):
                    self._reject(number, fields, tally)
                    continue
                try:
                    lines.append((number, rules.parse(fields)))
                except RowRejected as rejected:
                    self._reject(number, rejected.reject, tally)
                if len(lines) == CHUNK_ROWS:
                    yield lines
                    lines = []
        except FileDamagedError:
            yield lines
            raise
        yield lines

    def _reject(self, number: int, why: StrEnum, tally: Tally) -> None:
        tally.rejected[why.value] += 1
        self.on_reject(number, why)
