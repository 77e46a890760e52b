"""Statistics of a period: made once, in one transaction, kept, and told to everybody as they were made."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from concordat import v1
from concordat.clock import to_timestamp
from concordat.federation.directory import MemberDirectory
from exchange.supervision.settings import SupervisionSettings
from exchange.supervision.statistics import table
from exchange.supervision.statistics.catalog import BY_DAY, BY_MONTH
from exchange.supervision.statistics.cells import worth_telling
from exchange.supervision.statistics.periods import Period
from exchange.supervision.statistics.sources import Maker, Sources

_FORGET_EVERY = timedelta(days=1)


class StatisticsOffice:
    """Makes and tells statistics; one of these a process. Any number of processes tell the same."""

    def __init__(self, settings: SupervisionSettings, directory: MemberDirectory) -> None:
        """Suppress by ``settings`` what is counted of the members of ``directory``."""
        self._settings = settings
        self._directory = directory
        self._made: set[str] = set()
        self._forgot_at: datetime | None = None

    def read(self, connection: Connection, period: Period, at: datetime) -> list[v1.Statistics]:
        """Return the tables of a period, made now if they were not: none where that is too long ago.

        Raises ``Refusal`` (REASON_PERIOD_NOT_OVER).
        """
        period.require_over(at)
        known = table.told(connection, period.name)
        if not known and period.is_countable(at):
            table.keep(connection, period.name, period.end, self._make(connection, period, at))
            known = table.told(connection, period.name)  # another process may have been first
        return [v1.Statistics.FromString(known[each]) for each in sorted(known)]

    def keep_up(self, connection: Connection, at: datetime) -> None:
        """Make what is over and was not made: yesterday, and last month; forget what is old. Every minute.

        Once that is committed, ``kept_up`` is to be told: a job may be rolled back, and done again.
        """
        for period in self._unmade(at):
            self.read(connection, period, at)
        if self._forgets(at):
            table.forget(connection, at)

    def kept_up(self, at: datetime) -> None:
        """Remember what ``keep_up`` did at a time, so that it is not done each minute."""
        self._made.update(period.name for period in self._unmade(at))
        if self._forgets(at):
            self._forgot_at = at

    def _unmade(self, at: datetime) -> list[Period]:
        over = (Period.day_before(at), Period.month_before(at))
        return [period for period in over if period.name not in self._made]

    def _forgets(self, at: datetime) -> bool:
        return self._forgot_at is None or at >= self._forgot_at + _FORGET_EVERY

    def _make(
        self, connection: Connection, period: Period, at: datetime
    ) -> list[tuple[int, bytes]]:
        makers = BY_MONTH if period.is_month else BY_DAY
        sources = Sources(
            connection,
            period,
            self._settings.smallest_cell,
            self._members(),
            self._settings.case_look_ups_per_month,
            period.is_current(at),
        )
        return [
            (kind, self._table(kind, maker, sources, at).SerializeToString(deterministic=True))
            for kind, maker in makers.items()
        ]

    def _table(
        self, kind: v1.StatisticsTable.ValueType, maker: Maker, sources: Sources, at: datetime
    ) -> v1.Statistics:
        return v1.Statistics(
            table=kind,
            period_from=to_timestamp(sources.period.start),
            period_until=to_timestamp(sources.period.end),
            made_at=to_timestamp(at),
            smallest_cell=sources.smallest,
            rows=worth_telling(maker(sources)),
        )

    def _members(self) -> dict[int, Sequence[str]]:
        by_role: dict[int, list[str]] = {}
        for member in self._directory.members():
            for role in member.roles:
                by_role.setdefault(role, []).append(member.member_id)
        return {role: sorted(members) for role, members in by_role.items()}
