"""Mirroring a court's register once: read, compare, change, and say that both are the same. Read this first.

Nothing is changed, and nothing said, on an extract that is not right or not plausible. The exchange then
shows the court's listings to nobody once a day has passed without a sync: mirroring fails closed.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from concordat import v1
from concordat.clock import from_micros, from_timestamp, to_micros
from concordat.store.reading import opened_to_read
from concordat.v1 import ListingAction, WithdrawalCode
from provider.listings.counter import Counter
from provider.listings.events import Speaker
from provider.listings.filings import Filer
from provider.listings.mirror_plan import Correction, Entry, Plan, make_plan
from provider.listings.mirror_sync import NotSyncedError, Sync, live_listings
from provider.listings.orders import AskOrder, FilingOrder, Order
from provider.listings.register import (
    Extract,
    RegisterRefused,
    fetched,
    read_extract,
    require_recent,
    with_evidence,
)
from provider.listings.rejects import ADVICE, RowRejected
from provider.store import listings, mirror, outbox
from provider.store.listings import Key
from provider.store.outbox import Delivery, Posted

CHUNK = 1024


@dataclass(frozen=True, slots=True)
class Rules:
    """How careful to be with an extract, and how patient with the exchange."""

    oldest: timedelta
    most_removals: float  # percent
    late: str = ""
    end_line: bool = True
    wait: float = 60.0


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What a run did."""

    entries: int  # in the register
    filed: int
    corrected: int
    removed: int
    replaced: int
    unchanged: int
    milder: list[str]  # references: listed with facts that are better for the subject
    unlisted: list[str]  # references: in the register, and not listed
    synced: int  # entries that have a live listing
    live_until: datetime


@dataclass(slots=True)
class Mirror:
    """Mirrors one register through one counter; knows the subjects of earlier runs."""

    counter: Counter
    filer: Filer
    resolve: Callable[[Sequence[bytes]], list[bytes]]
    rules: Rules

    def run(self, source: str) -> Mirrored:
        """Mirror the register at ``source``: a file, a folder, or a URL.

        Raises ``RegisterRefused`` where the extract is not used, and then nothing was changed;
        ``NotSyncedError`` where not all was answered or the exchange has other listings; ``RemoteError``,
        ``Refusal`` and ``StoreError`` as the counter does.
        """
        with fetched(source) as (path, written_at):
            extract = read_extract(
                path, written_at, late=self.rules.late, end_line=self.rules.end_line
            )
            self._require_new(extract)
            entries = self._entries(extract)
        plan = self._plan(entries)
        plan.require_plausible(self.rules.most_removals)
        self._leave_refused(plan)
        filings = self._filings([*plan.file, *(entry for _, entry in plan.replace)])
        self._take_back(plan)
        self._hand_in(filings, [])
        sync = Sync(self.counter, {entry.debt for entry in entries}, extract.read_at)
        synced = sync.say(self._hand_in)
        now = to_micros(self.counter.clock.now())
        shown = {e.debt: e for e in entries if (e.row.source_ends_at or 0) > now}
        live = set(live_listings(self.counter, None))
        return Mirrored(
            entries=len(entries),
            filed=len(plan.file),
            corrected=len(plan.correct),
            removed=len(plan.remove),
            replaced=len(plan.replace),
            unchanged=plan.unchanged,
            milder=sorted(entry.row.reference for entry in plan.milder),
            unlisted=sorted(e.row.reference for debt, e in shown.items() if debt not in live),
            synced=synced.entries,
            live_until=from_micros(synced.live_until),
        )

    # Reading ------------------------------------------------------------------------------------

    def _require_new(self, extract: Extract) -> None:
        """Raise where the extract is too old, or older than what was synced before."""
        require_recent(extract.read_at, self.rules.oldest, self.counter.clock.now())
        with opened_to_read(self.counter.settings.database) as connection:
            before = mirror.read(connection)
        if before is not None and to_micros(extract.read_at) < before.read_at:
            raise RegisterRefused("the extract is older than the one that was mirrored last")

    def _entries(self, extract: Extract) -> list[Entry]:
        """Find out whose each entry is, and the name of its debt."""
        subjects = [row.subject for _, row in extract.entries]
        refs = self.resolve(subjects) if extract.by_identity and subjects else subjects
        entries: dict[bytes, Entry] = {}
        for (line, row), ref in zip(extract.entries, refs, strict=True):
            if not ref:
                raise RegisterRefused(
                    f"line {line}: the registrar does not know the identity number's form"
                )
            token = self.filer.token(row)
            entry = Entry(with_evidence(row, ref, token.secret), ref, token.commitment(ref))
            if entry.debt in entries:
                raise RegisterRefused(f"line {line}: the same judgment is there twice")
            entries[entry.debt] = entry
        return list(entries.values())

    def _plan(self, entries: Sequence[Entry]) -> Plan:
        at = self.counter.clock.now()
        with opened_to_read(self.counter.settings.database) as connection:
            rows = listings.all_open(connection)
            refused_at: dict[Key, int] = {}
            ended: set[bytes] = set()
            for start in range(0, len(rows), CHUNK):
                keys = [row.key for row in rows[start : start + CHUNK] if not row.state]
                for key, said in outbox.of_filings(connection, keys).items():
                    if said[0].state == Delivery.REFUSED:
                        refused_at[key] = said[0].settled_at or 0
            for start in range(0, len(entries), CHUNK):
                debts = [entry.debt for entry in entries[start : start + CHUNK]]
                ended |= listings.ended_debts(connection, debts)
        return make_plan(entries, rows, refused_at, ended, at, reinsert=self.filer.reinsert)

    def _leave_refused(self, plan: Plan) -> None:
        """Leave out corrections that were refused before: another source's facts are better still."""
        said = self.counter.said([one.listed.key for one in plan.correct])
        plan.correct = [
            one
            for one in plan.correct
            if not any(_refuses(post, one) for post in said[one.listed.key])
        ]

    def _filings(self, entries: Sequence[Entry]) -> list[FilingOrder]:
        """Make all filings before anything is changed; raise ``RegisterRefused`` where one can't be."""
        at = self.counter.clock.now()
        orders: list[FilingOrder] = []
        for entry in entries:
            try:
                orders.append(self.filer.order(entry.row, entry.subject_ref, at))
            except RowRejected as rejected:
                why = rejected.reject
                raise RegisterRefused(
                    f"{entry.row.reference}: {why.value}: {ADVICE[why]}"
                ) from rejected
        return orders

    # Changing -----------------------------------------------------------------------------------

    def _take_back(self, plan: Plan) -> None:
        """Withdraw and correct, and ask about what is past its end; all answered before anything is filed."""
        federation = self.counter.anchors.federation
        speaker = Speaker(self.filer.member_id, federation, self.counter.clock.now())
        gone = WithdrawalCode.WITHDRAWAL_CODE_GONE_FROM_REGISTER
        wrong = WithdrawalCode.WITHDRAWAL_CODE_FILED_IN_ERROR
        orders: list[Order] = [speaker.withdraw(row.key, gone) for row in plan.remove]
        orders += [speaker.withdraw(row.key, wrong) for row, _ in plan.replace]
        orders += [
            speaker.correct(
                one.listed,
                minor=one.minor,
                delinquent_since=one.delinquent_since,
                evidence_hash=one.evidence_hash,
            )
            for one in plan.correct
        ]
        orders += [AskOrder(*row.key) for row in plan.ask]
        rows = [*plan.remove, *(row for row, _ in plan.replace), *plan.ask]
        self._hand_in(orders, [row.key for row in rows] + [one.listed.key for one in plan.correct])

    def _hand_in(self, orders: Sequence[Order], keys: list[Key]) -> None:
        """Hand orders in and have them answered; raise ``NotSyncedError`` where one is not in time."""
        for start in range(0, len(orders), CHUNK):
            group = orders[start : start + CHUNK]
            for order, outcome in zip(group, self.counter.hand_in(group), strict=True):
                if isinstance(order, FilingOrder):
                    keys.append((order.filing.subject_ref, outcome.filing_id))
        self.counter.deliver(keys, self.rules.wait)
        if left := self.counter.unsettled(keys):
            trouble = f": {self.counter.trouble}" if self.counter.trouble else ""
            raise NotSyncedError(
                f"the exchange has not answered {len(left):,} statements yet{trouble}"
            )


def _refuses(post: Posted, correction: Correction) -> bool:
    """Tell whether ``post`` is this very correction, refused."""
    if post.state != Delivery.REFUSED or post.action != ListingAction.LISTING_ACTION_CORRECT:
        return False
    event = v1.ListingEvent.FromString(v1.Envelope.FromString(post.envelope).payload)
    facts = event.correction
    since = to_micros(from_timestamp(facts.delinquent_since))
    return (facts.amount.minor, since) == (correction.minor, correction.delinquent_since)


def as_json(mirrored: Mirrored) -> dict[str, object]:
    """Return what a run did, for ``--json``."""
    return asdict(mirrored) | {"live_until": mirrored.live_until.isoformat(timespec="seconds")}
