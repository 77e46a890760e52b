"""A debt while it is lived through: its row, its plan, whom it is about, and what was done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time

from benchmarks.chargeoffs.limits import Limits
from benchmarks.chargeoffs.model import Act, Standing, What, replay
from benchmarks.chargeoffs.plan import Plan, plan_of
from benchmarks.chargeoffs.source import ChargeOff

_NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True, eq=False)
class Case:
    """One debt. Whoever acts looks at ``standing``, as it would at its own records."""

    row: ChargeOff
    limits: Limits
    plan: Plan
    filing_id: bytes = b""
    subject_ref: bytes = b""
    listing_id: bytes = b""
    refused: str = ""  # why it is not listed, by its furnisher's node or by the exchange
    acts: list[Act] = field(default_factory=list)
    dispute_id: bytes = b""
    ruling_id: bytes = b""

    @classmethod
    def of(cls, row: ChargeOff, limits: Limits) -> "Case":
        """Begin with a row."""
        return cls(row, limits, plan_of(row.loan))

    @property
    def key(self) -> tuple[bytes, bytes]:
        """What the furnisher's node knows it by."""
        return self.subject_ref, self.filing_id

    @property
    def since(self) -> datetime:
        """The first moment of the default."""
        if self.row.since is None:
            return _NO_DATE
        return datetime.combine(self.row.since, time(), UTC)

    @property
    def served(self) -> bool:
        """Whether its notice reached the subject."""
        return any(act.what is What.SERVED for act in self.acts)

    @property
    def corrected(self) -> bool:
        """Whether its furnisher corrected it."""
        return any(act.what is What.CORRECTED for act in self.acts)

    def note(self, what: What, at: datetime, minor: int = 0) -> None:
        """Write down what was done."""
        self.acts.append(Act(at, what, minor))

    def standing(self, ticks: Sequence[datetime], at: datetime) -> Standing:
        """Return where it must stand now."""
        return replay(self.limits, self.since, self.row.minor, self.acts, ticks, at)
