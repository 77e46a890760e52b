"""The reckoning at the end, from the databases that the processes leave: every debt, entry and message counted."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Table, func, select

from benchmarks.chargeoffs.cases import Case
from benchmarks.chargeoffs.houses import House
from benchmarks.chargeoffs.lenders import Lenders, expected_recalls
from benchmarks.chargeoffs.model import Standing
from benchmarks.chargeoffs.world import EXCHANGE, World
from clients.auditor import AuditOptions, LogTrust, audit, open_source
from concordat import v1
from concordat.clock import from_micros
from concordat.store.reading import opened_to_read
from concordat.v1 import ListingActKind, ListingState, LogEntryKind
from exchange.listings.table import listing, listing_step, listing_told, retraction
from exchange.log.table import log_opening
from exchange.subjects.inbox_table import inbox_message
from exchange.vault.cipher import attach
from exchange.vault.keyring import load
from exchange.vault.sealing import unseal_many
from provider.store.outbox import Delivery

_PREFIX = "LISTING_STATE_"
_NO_STEPS = frozenset(
    {ListingActKind.LISTING_ACT_KIND_RETRACTED, ListingActKind.LISTING_ACT_KIND_ACKNOWLEDGED}
)


@dataclass(slots=True)
class Reckoning:
    """What is equal, or would have to be."""

    pairs: list[tuple[str, int, int]] = field(default_factory=list)  # what, found, expected

    def expect(self, what: str, found: int, expected: int) -> None:
        """Put two counts beside each other."""
        self.pairs.append((what, found, expected))

    @property
    def good(self) -> bool:
        """Whether all are equal."""
        return all(found == expected for _, found, expected in self.pairs)


def fates(cases: Sequence[Case], standings: Mapping[int, Standing]) -> Counter[tuple[str, str]]:
    """Return how many debts ended how, by profile: their state, or why they are not listed."""
    return Counter(
        (
            case.limits.name,
            f"refused {case.refused}" if case.refused else standings[case.row.line].state,
        )
        for case in cases
    )


def reckon(
    world: World,
    cases: Sequence[Case],
    standings: Mapping[int, Standing],
    houses: Mapping[str, Mapping[Delivery, int]],
    lenders: Lenders,
    ticks: Sequence[datetime],
) -> tuple[Reckoning, Counter[str]]:
    """Compare all that there is, once the exchange has stopped; return the log's entries by kind too."""
    found = Reckoning()
    listed = [case for case in cases if case.listing_id]
    refused = [case for case in cases if case.refused]
    found.expect("rows = listed + not listed", len(listed) + len(refused), len(cases))
    with _reading(world) as connection:
        _reckon_listings(connection, found, listed, standings)
        entries = _reckon_log(connection, found)
        found.expect("messages in inboxes = steps", _count(connection, inbox_message), entries)
        _reckon_recalls(connection, found, lenders, ticks)
    _reckon_outboxes(found, cases, houses)
    found.expect("answers that differ from the model", len(lenders.differing), 0)
    report = audit(
        open_source(str(world.layout.member(EXCHANGE) / "log")),
        LogTrust.of(world.anchors),
        AuditOptions(),
    )
    found.expect("entries of the log that were audited", report.audited, report.checkpoint.size)
    return found, report.kinds


def _reckon_listings(
    connection: Connection,
    found: Reckoning,
    listed: Sequence[Case],
    standings: Mapping[int, Standing],
) -> None:
    """Compare each listing with what the model makes of its debt."""
    expected = {
        (case.subject_ref, case.listing_id): _values(standings[case.row.line]) for case in listed
    }
    rows = connection.execute(
        select(
            listing.c.subject_ref,
            listing.c.listing_id,
            listing.c.state,
            listing.c.amount,
            listing.c.effective_at,
            listing.c.settled_at,
            listing.c.expires_at,
            listing.c.version,
        )
    )
    same = total = 0
    for ref, listing_id, state, amount, effective, settled, expires, version in rows:
        total += 1
        name = ListingState.Name(state).removeprefix(_PREFIX)
        values = name, amount, _time(effective), _time(settled), _time(expires), version
        same += expected.get((ref, listing_id)) == values
    found.expect("listings at the exchange = listed debts", total, len(listed))
    found.expect("of them as the model says, to the microsecond", same, len(listed))


def _values(standing: Standing) -> tuple[object, ...]:
    return (
        standing.state,
        standing.minor,
        standing.effective,
        standing.settled,
        standing.expires,
        standing.version,
    )


def _reckon_log(connection: Connection, found: Reckoning) -> int:
    """Compare the steps of all listings with the entries of the log, one by one; return how many there are."""
    steps = Counter(connection.execute(select(listing_step.c.digest)).scalars())
    entries: Counter[bytes] = Counter()
    recalls: Counter[int] = Counter()
    for act in _acts(connection):
        if act.kind in _NO_STEPS:
            recalls[act.kind] += 1
        else:
            entries[act.digest] += 1
    found.expect("steps of listings = their entries in the log", steps.total(), entries.total())
    found.expect("of them the same, by digest", (steps & entries).total(), steps.total())
    retracted, acknowledged = (recalls[kind] for kind in sorted(_NO_STEPS))
    found.expect("recalls in the log = their acknowledgements", retracted, acknowledged)
    return steps.total()


def _acts(connection: Connection) -> Iterator[v1.ListingAct]:
    """Yield what every entry about a listing says, opened."""
    query = select(log_opening.c.entry, log_opening.c.subject_ref, log_opening.c.record)
    rows = connection.execute(query.execution_options(yield_per=5000))
    for some in rows.partitions():
        sealed = [
            (ref, record)
            for entry, ref, record in some
            if v1.LogEntry.FromString(entry).kind == LogEntryKind.LOG_ENTRY_KIND_LISTING
        ]
        for record in unseal_many(connection, sealed):
            yield v1.LogRecord.FromString(record or b"").listing


def _reckon_recalls(
    connection: Connection, found: Reckoning, lenders: Lenders, ticks: Sequence[datetime]
) -> None:
    issued = _count(connection, retraction)
    told = _count(connection, listing_told)
    open_ = connection.execute(
        select(func.count()).select_from(retraction).where(retraction.c.acknowledged_at.is_(None))
    ).scalar_one()
    found.expect("listings told of, on record = in answers", told, lenders.shown)
    found.expect(
        "recalls issued = expected by the model", issued, len(expected_recalls(lenders, ticks))
    )
    found.expect("recalls acknowledged = issued", lenders.acknowledged, issued)
    found.expect("recalls not acknowledged", open_, 0)


def _reckon_outboxes(
    found: Reckoning, cases: Sequence[Case], houses: Mapping[str, Mapping[Delivery, int]]
) -> None:
    """Compare the furnishers' outboxes: nothing waits, and what was refused is what is not listed."""
    total: Counter[Delivery] = Counter()
    for counts in houses.values():
        total.update(counts)
    waiting = total[Delivery.WAITING] + total[Delivery.QUEUED]
    refused = sum(1 for case in cases if case.refused and case.filing_id)
    found.expect("statements that wait in outboxes", waiting, 0)
    found.expect("statements refused = filings refused", total[Delivery.REFUSED], refused)


def outboxes(houses: Sequence[House]) -> dict[str, dict[Delivery, int]]:
    """Return what is in each furnisher's outbox."""
    return {house.member_id: house.outbox() for house in houses}


@contextmanager
def _reading(world: World) -> Iterator[Connection]:
    with opened_to_read(world.database(EXCHANGE)) as connection:
        attach(connection.engine, load(world.keyring))
        yield connection


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _time(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
