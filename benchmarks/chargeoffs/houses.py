"""The furnishers: twelve nodes with their own databases, outboxes and ports, and what their staff does.

Staff use what the commands use: the rows of a file go through the same checks, orders through the spool, and
each statement through the outbox. Only the threads that look into spool and outbox every quarter of a second
are not started; whoever hands something in has it sent, and waits.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from benchmarks.chargeoffs.cases import Case
from benchmarks.chargeoffs.limits import Limits, limits_of
from benchmarks.chargeoffs.source import COLUMNS, DEFAULTS
from benchmarks.chargeoffs.world import FURNISHERS, World, profile_of
from concordat import v1
from concordat.clock import Clock
from concordat.rpc.errors import name_of
from concordat.settings import load_settings
from concordat.v1 import Reason
from provider.listings.debts import load_debt_key
from provider.listings.events import Speaker
from provider.listings.exchange_link import ExchangeLink
from provider.listings.file_rows import Desk, Line, Tally
from provider.listings.filings import Filer, attestation
from provider.listings.orders import EventOrder, Order
from provider.listings.rejects import RowRejected
from provider.listings.rows import DebtRows
from provider.listings.spool import Spool
from provider.listings.verdict import Outcome
from provider.loading.identities import Registrar
from provider.node import Node
from provider.settings import ProviderSettings
from provider.store import listings, outbox
from provider.store.outbox import Delivery, Posted

ATTESTED = "accurate,adult,unsecured,not-frozen"
_AT_ONCE = 4096  # filings looked up at once
Say = Callable[[Speaker, Case], EventOrder]


def no_file(name: str) -> bytes:
    """Rows bring hashes, no files."""
    raise OSError(name)


@dataclass(slots=True)
class House:
    """One furnisher."""

    member_id: str
    limits: Limits
    node: Node
    spool: Spool
    link: ExchangeLink
    filer: Filer
    resolve: Callable[[Sequence[bytes]], list[bytes]]
    now: Callable[[], datetime]
    rules: DebtRows = field(default_factory=lambda: DebtRows(COLUMNS, DEFAULTS, no_file))
    rejected: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)  # rows that were delivered twice

    def file(self, cases: Sequence[Case]) -> None:
        """File rows; each case then knows its listing, or why there is none."""
        by_line = {case.row.line: case for case in cases}

        def reject(line: int, why: StrEnum) -> None:
            if by_line[line].acts:  # it was delivered before
                self.repeated[why.value] += 1
                return
            by_line[line].refused = why.value
            self.rejected[why.value] += 1

        lines: list[Line] = []
        for case in cases:
            try:
                lines.append((case.row.line, self.rules.parse(case.row.fields)))
            except RowRejected as rejected:
                reject(case.row.line, rejected.reject)
        tally = Tally()
        desk = Desk(self.filer, self.resolve, self._hand_in, reject, self.now)
        desk.file_lines(lines, tally, by_identity=True)
        self.repeated["UNCHANGED"] += tally.unchanged
        for line, (subject_ref, filing_id) in tally.queued:
            by_line[line].subject_ref, by_line[line].filing_id = subject_ref, filing_id
        self._hear([by_line[line] for line, _ in tally.queued])

    def say(self, cases: Sequence[Case], what: Say) -> list[Case]:
        """Say something of each case; return those of which the exchange took it."""
        speaker = Speaker(self.member_id, self.filer.federation, self.now())
        orders = {case.key: what(speaker, case) for case in cases}
        self._hand_in(list(orders.values()))
        said = self._said(list(orders))
        return [
            case
            for case in cases
            if self._taken(said[case.key], orders[case.key].event.event_id) == Delivery.SENT
        ]

    def duties(self) -> list[v1.Duty]:
        """Return what the exchange says is to be done."""
        return list(self.link.duties())

    def outbox(self) -> dict[Delivery, int]:
        """Return how many statements have come how far."""
        return self.node.store.run(outbox.counts)

    def _hand_in(self, orders: Sequence[Order]) -> list[Outcome]:
        if not orders:
            return []
        name = self.spool.lay(orders)
        self.node.courier.run_once()
        outcomes = self.spool.outcomes(name)
        assert outcomes is not None
        return outcomes

    def _hear(self, cases: Sequence[Case]) -> None:
        """Look up what the exchange answered to filings."""
        keys = [case.key for case in cases]
        said = self._said(keys)
        rows = {
            key: row
            for start in range(0, len(keys), _AT_ONCE)
            for key, row in self.node.store.run(
                lambda c: listings.by_keys(c, keys[start : start + _AT_ONCE])  # noqa: B023
            ).items()
        }
        for case in cases:
            filing = said[case.key][0]
            case.listing_id = rows[case.key].listing_id or b""
            case.refused = ""
            if filing.state == Delivery.REFUSED:
                case.refused = name_of(Reason.ValueType(filing.reason))
            else:
                assert filing.state == Delivery.SENT, filing

    def _said(self, keys: Sequence[tuple[bytes, bytes]]) -> dict[tuple[bytes, bytes], list[Posted]]:
        found: dict[tuple[bytes, bytes], list[Posted]] = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            found |= self.node.store.run(lambda c: outbox.of_filings(c, some))  # noqa: B023
        return found

    def _taken(self, said: Sequence[Posted], event_id: bytes) -> Delivery | None:
        posts = [post for post in said if post.statement_id == event_id]
        return Delivery(posts[0].state) if posts else None


@contextmanager
def opened(world: World, clock: Clock) -> Iterator[list[House]]:
    """Open all nodes and their ports; on leaving, stop them."""
    with ExitStack() as stack:
        yield [_open(stack, world, number, clock) for number in range(len(FURNISHERS))]


def _open(stack: ExitStack, world: World, number: int, clock: Clock) -> House:
    member, folder = FURNISHERS[number], world.layout.member(FURNISHERS[number])
    settings = load_settings(ProviderSettings, world.layout.config(member))
    node = stack.enter_context(Node.opened(settings, clock))
    assert node.ports is not None
    node.ports.start()
    identity = world.identity(member).tls
    return House(
        member,
        limits_of(profile_of(number)),
        node,
        Spool(settings.listings.spool),
        stack.enter_context(closing(ExchangeLink(world.anchors, identity))),
        Filer(
            member,
            world.anchors.federation,
            load_debt_key(Path(folder, "debt.key"), member),
            attestation(ATTESTED),
        ),
        stack.enter_context(closing(Registrar(world.anchors, identity))).resolve,
        clock.now,
    )
