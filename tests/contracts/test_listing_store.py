"""What the store of the listings promises, on SQLite and on PostgreSQL alike, to one process and to two."""

import asyncio
import multiprocessing
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, event, insert, select, text, update

from concordat import v1
from concordat.clock import to_micros, to_timestamp
from concordat.ids import new_id
from concordat.statements import seal
from concordat.v1 import ListingAction, ListingState, Reason, Role
from concordat.verify.listing_statements import open_filing, open_member_event
from exchange import repeating
from exchange.listings import book as book_module
from exchange.listings import intake, reading, told
from exchange.listings.intake import Filed, Said
from exchange.listings.machine import Actor, Listing, Party, next_due
from exchange.listings.rows import listing_values, source_values
from exchange.listings.table import (
    listing,
    listing_debt,
    listing_revision,
    listing_source,
    listing_step,
    listing_told,
    retraction,
)
from exchange.listings.told import Shown
from exchange.subjects.inbox_table import inbox_message
from exchange.tables import metadata
from exchange.vault import sealing
from tests.builders import AT, DAY, LENDER, Federation, signer
from tests.exchange_services import Idling
from tests.listing_builders import (
    BUYER,
    COURT,
    FURNISHER,
    PROLONG,
    RECTIFIED,
    SETTLE,
    STATE,
    act,
    contested,
    correction,
    digest,
    disputed,
    effective,
    expired,
    filed,
    joined,
    judgment_filing,
    listing_filing,
    money,
    noticed,
    old_judgment,
    profile,
    repaired,
    ruled,
    settled,
    settlement,
    under_appeal,
    under_review,
    withdrawn,
)
from tests.listing_processes import Process, die_before_answering, die_in_the_middle
from tests.vault_builders import exchange_engine, own_postgres, prepared

T = TypeVar("T")
RECONFIRM = ListingAction.LISTING_ACTION_RECONFIRM
WITHDRAW = ListingAction.LISTING_ACTION_WITHDRAW
SOLD = v1.WithdrawalCode.WITHDRAWAL_CODE_SOLD
TAKE_EFFECT = ListingAction.LISTING_ACTION_TAKE_EFFECT
EFFECTIVE = ListingState.LISTING_STATE_EFFECTIVE
WITHDRAWN = ListingState.LISTING_STATE_WITHDRAWN
_DATABASE = "listing_store_contract"
_FAR = 40 * 365 * DAY


class Exchange:
    """A database, and as many exchange processes on it as a test wants."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.federation = Federation()
        self.ada = self.federation.subject("ada", not_after=to_timestamp(AT + _FAR))
        self.members = [self._licence(name) for name in (FURNISHER, BUYER)]
        self.members.append(self._licence(COURT, Role.ROLE_COURT))
        for envelope in self.members:
            self.federation.directory.add_licence(envelope, AT)
        self._processes: list[Process] = []
        self.one = self.process()

    @property
    def shared(self) -> bool:
        """Whether several processes may open the database."""
        return not self.url.startswith("sqlite")

    def _licence(self, member: str, role: Role.ValueType = Role.ROLE_FURNISHER) -> v1.Envelope:
        start, until = to_timestamp(AT - DAY), to_timestamp(AT + _FAR)
        key = v1.SigningKey(public_key=signer(member).public_key, not_before=start, not_after=until)
        return self.federation.licence(member, role, keys=[key], not_after=until, version=2)

    def process(self) -> Process:
        """Start a process: on SQLite, which allows one, over the first one's connection."""
        shared = self._processes[0].store if self._processes and not self.shared else None
        self._processes.append(Process(self.url, self.federation, shared))
        return self._processes[-1]

    def restart(self) -> Process:
        """Stop the first process, and start another in its place."""
        self._processes.pop(0).close()
        self.one = self.process()
        return self.one

    def filing(self, debt: str = "a debt", **fields: Any) -> v1.ListingFiling:
        given = {"subject_ref": self.ada.ref, "debt_commitment": digest(debt)}
        return listing_filing(at=self.federation.at, **(given | fields))

    def event(
        self, listing_id: bytes, action: ListingAction.ValueType, by: str = FURNISHER, **more: Any
    ) -> v1.ListingEvent:
        given: dict[str, Any] = {
            "event_id": new_id(),
            "federation": self.federation.name,
            "subject_ref": self.ada.ref,
            "listing_id": listing_id,
            "actor": by,
            "action": action,
            "decided_at": to_timestamp(self.federation.at),
        }
        return v1.ListingEvent(**(given | more))

    def in_force(self, count: int = 1) -> list[bytes]:
        """Return ids of listings that are in force now, each of another debt."""
        filings = [self.filing(f"debt {n}") for n in range(count)]
        results = [r for at in range(0, count, 128) for r in self.one.file(*filings[at : at + 128])]
        ids = [result.standing.listing_id for result in results]
        self.one.read_inbox(self.ada)
        self.federation.at += 28 * DAY
        for at in range(0, count, 128):
            self.one.say(*(self.event(i, RECONFIRM) for i in ids[at : at + 128]))
        self.federation.at += 2 * DAY
        while self.one.run_due():
            pass
        return ids

    def put(self, found: Listing) -> None:
        """Put a listing of the machine's into the tables as it is."""
        due = next_due(found, profile(found.profile))
        row = listing_values(found) | {"steps": 1, "revision": 1}
        row["due_at"] = None if due is None else to_micros(due)
        sources = source_values(found)

        def insert_all(connection: Any) -> None:
            if found.words is not None:
                words = found.words.SerializeToString()
                row["words"] = sealing.seal(connection, found.subject_ref, words)
            connection.execute(insert(listing), [row])
            connection.execute(insert(listing_source), sources)

        self.one.store.run(insert_all)

    def rows(self, query: Any) -> list[Any]:
        return self.one.store.run(lambda c: list(c.execute(query)))

    def steps(self) -> list[tuple[bytes, v1.ListingEvent]]:
        """Return every event that is a step, with its listing."""
        query = select(listing.c.subject_ref, listing.c.listing_id).order_by(listing.c.listing_id)
        keys = [(row.subject_ref, row.listing_id) for row in self.rows(query)]
        steps = [
            (key[1], step.envelope)
            for key in keys
            for step in self.one.store.run(partial(reading.steps_of, key=key, most=1000))
        ]
        return [
            (listing_id, v1.ListingEvent.FromString(envelope.payload))
            for listing_id, envelope in steps
            if "listing-event" in envelope.payload_type
        ]

    def require_orderly(self) -> None:
        """Fail where sequences have gaps, an inbox and the steps differ, or revisions are not as many."""
        steps: dict[bytes, list[int]] = {}
        for row in self.rows(select(listing_step.c.listing_id, listing_step.c.sequence)):
            steps.setdefault(row.listing_id, []).append(row.sequence)
        counted = self.rows(select(listing.c.listing_id, listing.c.steps))
        assert {row.listing_id: row.steps for row in counted} == {
            key: len(found) for key, found in steps.items()
        }
        for found in steps.values():
            assert sorted(found) == list(range(1, len(found) + 1))
        inbox = sorted(row.sequence for row in self.rows(select(inbox_message.c.sequence)))
        assert inbox == list(range(1, sum(map(len, steps.values())) + 1))
        (last,) = self.rows(select(listing_revision.c.revision))
        assert max(row.revision for row in self.rows(select(listing.c.revision))) <= last.revision

    def close(self) -> None:
        for process in reversed(self._processes):
            process.close()


@contextmanager
def transaction(url: str) -> Iterator[Connection]:
    """Be in a transaction that nobody else is in."""
    engine = exchange_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def at_once(*jobs: Callable[[], T]) -> list[T]:
    """Start every job at the same time in a thread of its own; return what they return."""
    barrier = threading.Barrier(len(jobs))

    def run(job: Callable[[], T]) -> T:
        barrier.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as threads:
        return list(threads.map(run, jobs))


def outcome(result: v1.ListingResult) -> str:
    if result.HasField("refusal"):
        return Reason.Name(result.refusal.reason).removeprefix("REASON_")
    return ListingState.Name(result.standing.state).removeprefix("LISTING_STATE_")


# Listings in every state, with everything that one can hold.


def _worded() -> Listing:
    words = v1.SubjectWords(text="我已还清。\nSee the receipt.", language="zh-Hans")
    return act(effective(), STATE, at=AT + 60 * DAY, words=words)


def _rectified() -> Listing:
    found = under_review()
    facts = correction(found, amount=money(found.amount - 1))
    return ruled(found, RECTIFIED, at=AT + 40 * DAY, correction=facts)


def _sold() -> Listing:
    later = AT + DAY
    found = joined(noticed(), listing_filing(source=BUYER, at=later), later)
    return act(found, WITHDRAW, at=later + DAY)


def _extended() -> Listing:
    found = under_review()
    return act(found, ListingAction.LISTING_ACTION_EXTEND, at=AT + 40 * DAY)


def _of_court_and_creditor() -> Listing:
    return joined(effective(), judgment_filing(at=AT + 40 * DAY), AT + 40 * DAY)


STATES: dict[str, Callable[[], Listing]] = {
    "draft": filed,
    "noticed": noticed,
    "contested": contested,
    "in force": effective,
    "settled": settled,
    "under review": under_review,
    "under appeal": under_appeal,
    "withdrawn": withdrawn,
    "repaired": repaired,
    "expired": expired,
    "a judgment": lambda: effective("cn", court=True),
    "a judgment, prolonged": lambda: act(effective("cn", court=True), PROLONG, at=AT + 90 * DAY),
    "a judgment, disputed": lambda: under_review("us", court=True),
    "a judgment, repaired": lambda: repaired(court=True),
    "an old judgment": lambda: filed(court=True, **old_judgment()),
    "with the subject's words": _worded,
    "rectified": _rectified,
    "sold": _sold,
    "with more time to decide": _extended,
    "of a court and a creditor": _of_court_and_creditor,
    "heard with evidence": lambda: disputed(
        effective(), at=AT + 50 * DAY, evidence=("receipt", "letter", "statement")
    ),
}


class ListingStoreContract:
    """Run on each backend by the classes below."""

    # Rows ---------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", STATES)
    def test_a_listing_is_read_as_it_was_written(self, exchange: Exchange, name: str) -> None:
        found = STATES[name]()
        exchange.put(found)
        key = (found.subject_ref, found.listing_id)
        stored = exchange.one.store.run(lambda c: reading.by_keys(c, [key], lock=True))[key]
        assert stored.listing == found
        assert (stored.steps, stored.revision) == (1, 1)
        # And once more over the row that is there, by what changes it.
        changed = replace(found, version=found.version + 1)
        values = listing_values(changed)
        exchange.one.store.run(lambda c: c.execute(update(listing).values(values)))
        again = exchange.one.store.run(lambda c: reading.by_keys(c, [key]))[key]
        assert again.listing == changed

    def test_every_state_is_tried(self) -> None:
        tried = {make().state for make in STATES.values()}
        assert tried == set(ListingState.values()) - {ListingState.LISTING_STATE_UNSPECIFIED}

    # One live listing a debt --------------------------------------------------------------------

    @pytest.mark.parametrize("attempt", range(5))
    def test_a_debt_filed_at_two_processes_at_once_has_one_listing(
        self, exchange: Exchange, attempt: int
    ) -> None:
        debts = [f"debt {n}" for n in range(20)]
        of = {
            source: [exchange.filing(debt, source=source) for debt in debts]
            for source in (FURNISHER, BUYER)
        }
        other = exchange.process()
        first, second = at_once(
            lambda: exchange.one.file(*of[FURNISHER]), lambda: other.file(*of[BUYER])
        )
        ids = [result.standing.listing_id for result in first]
        assert [result.standing.listing_id for result in second] == ids
        assert len(set(ids)) == len(exchange.rows(select(listing.c.listing_id))) == 20
        sources = exchange.rows(select(listing_source.c.listing_id, listing_source.c.source))
        assert Counter(row.listing_id for row in sources) == dict.fromkeys(ids, 2)
        latest = exchange.rows(select(listing_debt.c.listing_id))
        assert {row.listing_id for row in latest} == set(ids)
        exchange.require_orderly()

    def test_a_debt_whose_first_filing_is_under_way_elsewhere_is_joined(
        self, exchange: Exchange
    ) -> None:
        if not exchange.shared:
            pytest.skip("one process has one connection")
        exchange.one.file(exchange.filing("a debt of before"))
        other, answers = exchange.process(), list[v1.ListingResult]()
        joining = threading.Thread(
            target=lambda: answers.extend(other.file(exchange.filing(source=BUYER)))
        )
        with transaction(exchange.url) as connection:
            opened = file_within(exchange, connection, exchange.filing())
            joining.start()
            joining.join(0.5)
            assert joining.is_alive()
        joining.join(10)
        assert [each.standing.listing_id for each in answers] == [opened.listing_id]
        assert len(exchange.rows(select(listing.c.listing_id))) == 2
        exchange.require_orderly()

    @pytest.mark.parametrize("attempt", range(5))
    def test_the_same_filing_at_two_processes_at_once_is_taken_in_once(
        self, exchange: Exchange, attempt: int
    ) -> None:
        filings = [exchange.filing(f"debt {n}") for n in range(10)]
        other = exchange.process()
        answers = at_once(
            lambda: exchange.one.file(*filings), lambda: other.file(*reversed(filings))
        )
        assert [outcome(result) for result in answers[0] + answers[1]] == ["DRAFT"] * 20
        assert answers[0] == answers[1][::-1]
        exchange.require_orderly()
        assert len(exchange.rows(select(listing_step.c.sequence))) == 10

    @pytest.mark.parametrize("attempt", range(3))
    def test_a_debt_listed_before_is_listed_again_once(
        self, exchange: Exchange, attempt: int
    ) -> None:
        (result,) = exchange.one.file(exchange.filing())
        exchange.one.say(exchange.event(result.standing.listing_id, WITHDRAW, withdrawal=SOLD))
        proof = v1.Reinsertion(certified=True, new_evidence_hash=digest("new"))
        again = {
            source: exchange.filing(source=source, evidence_hash=digest(source), reinsertion=proof)
            for source in (FURNISHER, BUYER)
        }
        other = exchange.process()
        (first,), (second,) = at_once(
            lambda: exchange.one.file(again[FURNISHER]), lambda: other.file(again[BUYER])
        )
        assert first.standing.listing_id == second.standing.listing_id
        states = [row.state for row in exchange.rows(select(listing.c.state))]
        assert sorted(states) == [ListingState.LISTING_STATE_DRAFT, WITHDRAWN]

    # Two processes, the same listings -----------------------------------------------------------

    def test_the_same_event_at_two_processes_at_once_moves_a_listing_once(
        self, exchange: Exchange
    ) -> None:
        ids = exchange.in_force(10)
        paid = settlement(exchange.federation.at)
        events = [exchange.event(each, SETTLE, settlement=paid) for each in ids]
        other = exchange.process()
        answers = at_once(lambda: exchange.one.say(*events), lambda: other.say(*reversed(events)))
        assert [outcome(result) for result in answers[0] + answers[1]] == ["SETTLED"] * 20
        assert Counter(e.action for _, e in exchange.steps())[SETTLE] == 10
        exchange.require_orderly()

    def test_two_processes_that_take_the_same_listings_in_opposite_orders_both_get_done(
        self, exchange: Exchange
    ) -> None:
        ids = exchange.in_force(40)
        other = exchange.process()

        def corrected(process: Process, order: Sequence[bytes], what: str) -> list[str]:
            facts = correction(filed(), evidence_hash=digest(what))
            correct = ListingAction.LISTING_ACTION_CORRECT
            results = []
            for start in range(0, len(order), 8):
                events = [
                    exchange.event(each, correct, correction=facts)
                    for each in order[start : start + 8]
                ]
                results += [outcome(result) for result in process.say(*events)]
            return results

        answers = at_once(
            lambda: corrected(exchange.one, ids, "one"),
            lambda: corrected(other, ids[::-1], "other"),
        )
        assert answers == [["EFFECTIVE"] * 40] * 2
        versions = {row.version for row in exchange.rows(select(listing.c.version))}
        assert versions == {3}
        exchange.require_orderly()

    @pytest.mark.timeout(120)
    def test_timers_of_two_processes_do_each_thing_once(self, exchange: Exchange) -> None:
        filings = [exchange.filing(f"debt {n}") for n in range(128)]
        ids = [r.standing.listing_id for r in exchange.one.file(*filings)]
        exchange.one.read_inbox(exchange.ada)
        exchange.federation.at += 28 * DAY
        exchange.one.say(*(exchange.event(each, RECONFIRM) for each in ids))
        exchange.federation.at += 2 * DAY
        other = exchange.process()

        def until_done(process: Process) -> int:
            done = 0
            while exchange.rows(select(listing.c.state).where(listing.c.state != EFFECTIVE)):
                done += process.run_due()
            return done

        done = at_once(*(lambda p=p: until_done(p) for p in (exchange.one, other, other)))
        assert sum(done) == 128
        took_effect = Counter(key for key, e in exchange.steps() if e.action == TAKE_EFFECT)
        assert took_effect == dict.fromkeys(ids, 1)
        exchange.require_orderly()

    def test_what_another_process_has_in_hand_keeps_no_timer_waiting(
        self, exchange: Exchange
    ) -> None:
        if not exchange.shared:
            pytest.skip("one process has one connection")
        held, free = exchange.in_force(2)
        exchange.federation.at += 7 * 366 * DAY
        other, key = exchange.process(), (exchange.ada.ref, held)
        with transaction(exchange.url) as connection:
            reading.by_keys(connection, [key], lock=True)
            assert other.run_due() == 1
            (row,) = exchange.rows(
                select(listing.c.listing_id).where(
                    listing.c.state == ListingState.LISTING_STATE_EXPIRED
                )
            )
            assert row.listing_id == free
        assert other.run_due() == 1

    # The memory ---------------------------------------------------------------------------------

    def test_books_of_two_processes_end_up_with_what_the_database_has(
        self, exchange: Exchange
    ) -> None:
        ids = exchange.in_force(60)
        other = exchange.process()
        processes = (exchange.one, other)
        for process in processes:
            process.book.load()
        stop = threading.Event()

        def follow(process: Process) -> None:
            while not stop.is_set():
                process.refresh()

        particulars: dict[int, dict[str, Any]] = {
            SETTLE: {"settlement": settlement(exchange.federation.at)},
            WITHDRAW: {"withdrawal": SOLD},
            RECONFIRM: {},
        }

        def change(process: Process, order: list[bytes]) -> None:
            for each in order:
                kind = random.Random(each).choice([SETTLE, WITHDRAW, RECONFIRM])
                process.say(exchange.event(each, kind, **particulars[kind]))

        def changes() -> None:
            at_once(lambda: change(exchange.one, ids[:40]), lambda: change(other, ids[20:][::-1]))
            stop.set()

        at_once(changes, *(lambda p=p: follow(p) for p in processes))
        at = exchange.federation.at
        live = {row.listing_id for row in exchange.rows(select(listing)) if row.mark}
        assert 0 < len(live) < 60
        for process in processes:
            process.refresh()
            found = process.book.shown([exchange.ada.ref], at)[0]
            assert {entry.listing_id for entry in found} == live
            assert len(process.book) == len(live)
        exchange.require_orderly()

    @pytest.mark.parametrize("page", [1, 2, 100])
    def test_a_change_that_is_overtaken_by_another_is_not_missed(
        self, exchange: Exchange, monkeypatch: pytest.MonkeyPatch, page: int
    ) -> None:
        if not exchange.shared:
            pytest.skip("nothing comes between two statements of the only connection")
        monkeypatch.setattr(book_module, "_AT_ONCE", page)
        slow, quick, other = exchange.in_force(3)
        process = exchange.process()
        process.book.load()
        process.refresh()
        exchange.one.say(exchange.event(quick, SETTLE, settlement=settlement(AT)))
        ahead = [[slow, quick], [other]]  # what was just read changes once more, behind another

        def after_each_statement(_: Connection, __: Any, statement: str, *___: Any) -> None:
            if "listing.revision >" in statement and ahead:
                for each in ahead.pop(0):
                    exchange.one.say(exchange.event(each, WITHDRAW, withdrawal=SOLD))

        event.listen(process.engine, "after_cursor_execute", after_each_statement)
        for _ in range(5):
            process.refresh()
        assert process.book.shown([exchange.ada.ref], exchange.federation.at) == {}
        assert len(process.book) == 0

    def test_what_changes_at_one_process_is_in_the_others_memory_within_a_second(
        self, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (listing_id,) = exchange.in_force()
        other = exchange.process()
        other.book.load()
        waits: list[float] = []

        def change() -> None:
            exchange.one.say(exchange.event(listing_id, WITHDRAW, withdrawal=SOLD))

        async def as_each_wait_begins() -> None:
            waits.append(idling.seconds)
            assert len(waits) < 20, "the change never arrives"
            if len(waits) == 1:  # the worst moment: it has just looked
                await asyncio.to_thread(change)
            elif not len(other.book):
                raise asyncio.CancelledError

        idling = Idling(as_each_wait_begins)
        monkeypatch.setattr(repeating, "asyncio", idling)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(other.book.follow())
        assert 0 < waits[-1] <= 1.0

    # Telling ------------------------------------------------------------------------------------

    def test_a_withdrawal_waits_until_it_is_on_record_who_was_told_and_recalls_it(
        self, exchange: Exchange
    ) -> None:
        if not exchange.shared:
            pytest.skip("one process has one connection")
        (listing_id,) = exchange.in_force()
        shown, other = shown_at(exchange), exchange.process()
        withdrawing = threading.Thread(
            target=lambda: other.say(exchange.event(listing_id, WITHDRAW, withdrawal=SOLD))
        )
        at = exchange.federation.at
        with transaction(exchange.url) as connection:
            profiles = other.listings.profiles
            assert told.changed(connection, profiles, {0: shown}, at) == frozenset()
            withdrawing.start()
            withdrawing.join(0.3)
            assert withdrawing.is_alive()
            told.record(connection, [(LENDER, shown, digest("an answer"), to_micros(at))])
        withdrawing.join(10)
        (recalled,) = exchange.rows(select(retraction.c.lender, retraction.c.listing_id))
        assert (recalled.lender, recalled.listing_id) == (LENDER, listing_id)

    def test_an_answer_waits_for_a_withdrawal_that_is_under_way_and_is_not_given(
        self, exchange: Exchange
    ) -> None:
        if not exchange.shared:
            pytest.skip("one process has one connection")
        (listing_id,) = exchange.in_force()
        shown, other = shown_at(exchange), exchange.process()
        at, changed = exchange.federation.at, list[frozenset[int]]()

        def telling() -> None:
            profiles = other.listings.profiles
            changed.append(other.store.run(lambda c: told.changed(c, profiles, {7: shown}, at)))

        thread = threading.Thread(target=telling)
        with transaction(exchange.url) as connection:
            raw = exchange.event(listing_id, WITHDRAW, withdrawal=SOLD)
            say_within(exchange, connection, raw)
            thread.start()
            thread.join(0.3)
            assert thread.is_alive()
        thread.join(10)
        assert changed == [frozenset({7})]

    def test_the_very_same_answer_is_told_once(self, exchange: Exchange) -> None:
        exchange.in_force()
        shown, at = shown_at(exchange), to_micros(exchange.federation.at)
        answer = (LENDER, shown, digest("an answer"), at)
        for _ in range(2):
            exchange.one.store.run(lambda c: told.record(c, [answer, answer]))
        assert len(exchange.rows(select(listing_told.c.lender))) == 1

    # Restarts and deaths ------------------------------------------------------------------------

    def test_a_restart_in_the_middle_forgets_nothing_and_does_what_was_missed(
        self, exchange: Exchange
    ) -> None:
        filing = exchange.filing()
        (result,) = exchange.one.file(filing)
        exchange.restart()
        exchange.one.read_inbox(exchange.ada)
        exchange.restart()
        exchange.federation.at += 28 * DAY
        exchange.one.say(exchange.event(result.standing.listing_id, RECONFIRM))
        exchange.restart()
        exchange.federation.at += 3 * DAY
        assert exchange.one.listings.run_due_now(exchange.one.clock) == 1
        exchange.restart()
        exchange.one.book.load()
        assert len(exchange.one.book) == 1
        (own,) = exchange.one.own(exchange.ada)
        assert own.state == EFFECTIVE
        assert len(own.steps) == 4
        (again,) = exchange.one.file(filing)
        assert again.standing.listing_id == result.standing.listing_id

    def test_a_process_killed_before_it_answered_has_filed_once_for_all_retries(
        self, exchange: Exchange
    ) -> None:
        filing = exchange.filing()
        exchange.one.close()
        assert died(die_before_answering, exchange, filing)
        exchange.restart()
        results = [exchange.one.file(filing)[0] for _ in range(3)]
        assert {outcome(result) for result in results} == {"DRAFT"}
        assert len({result.standing.listing_id for result in results}) == 1
        assert len(exchange.rows(select(listing_step.c.sequence))) == 1
        exchange.require_orderly()

    def test_a_process_killed_in_the_middle_has_filed_nothing_and_a_retry_files(
        self, exchange: Exchange
    ) -> None:
        filing = exchange.filing()
        exchange.one.close()
        assert died(die_in_the_middle, exchange, filing)
        exchange.restart()
        assert exchange.rows(select(listing.c.listing_id)) == []
        assert outcome(exchange.one.file(filing)[0]) == "DRAFT"
        exchange.require_orderly()

    def test_a_timer_on_a_clock_that_was_set_back_brings_nothing_back(
        self, exchange: Exchange
    ) -> None:
        (listing_id,) = exchange.in_force()
        exchange.federation.at += 7 * 366 * DAY
        assert exchange.one.run_due() == 1
        exchange.federation.at -= 7 * 366 * DAY
        assert exchange.one.run_due() == 0
        exchange.one.book.load()
        assert len(exchange.one.book) == 0
        (refused,) = exchange.one.say(exchange.event(listing_id, RECONFIRM))
        assert outcome(refused) == "LISTING_TRANSITION_REFUSED"


def say_within(exchange: Exchange, connection: Connection, raw: v1.ListingEvent) -> None:
    """Apply a source's event within a transaction that is open already."""
    fed = exchange.federation
    envelope = seal(raw, signer(raw.actor))
    opened = open_member_event(envelope, fed.member(raw.actor), fed.anchors, fed.at)
    said = Said(opened, envelope, Party(Actor.FURNISHER, raw.actor))
    office = exchange.one.listings.office
    (done,) = intake.apply_many(connection, office, [said], fed.at)
    assert isinstance(done, Listing)


def file_within(exchange: Exchange, connection: Connection, filing: v1.ListingFiling) -> Listing:
    """File within a transaction that is open already."""
    fed = exchange.federation
    envelope = seal(filing, signer(filing.source))
    opened = open_filing(envelope, fed.member(filing.source), fed.anchors, fed.at)
    office = exchange.one.listings.office
    (done,) = intake.file_many(connection, office, [Filed(opened, envelope, "eu")], fed.at)
    assert isinstance(done, Listing)
    return done


def shown_at(exchange: Exchange) -> Shown:
    """Return what a lender sees of the subject now."""
    process = exchange.process()
    process.book.load()
    process.refresh()
    found = process.book.shown([exchange.ada.ref], exchange.federation.at)
    profiles = process.listings.profiles
    at = exchange.federation.at
    return process.store.run(lambda c: told.confirm(c, profiles, found, at))[0]


def died(how: Callable[..., None], exchange: Exchange, filing: v1.ListingFiling) -> bool:
    """File in a process that kills itself; tell whether it did."""
    members = [envelope.SerializeToString() for envelope in exchange.members]
    child = multiprocessing.get_context("spawn").Process(
        target=how,
        args=(exchange.url, exchange.federation.at, members, filing.SerializeToString()),
    )
    child.start()
    child.join(40)
    return child.exitcode == -signal.SIGKILL


class TestOnSqlite(ListingStoreContract):
    @pytest.fixture
    def exchange(self, tmp_path: Path) -> Iterator[Exchange]:
        exchange = Exchange(prepared(f"sqlite:///{tmp_path}/exchange.db"))
        yield exchange
        exchange.close()


@pytest.fixture(scope="module")
def postgres_listings(postgres_url: str) -> str:
    """Return the URL of a PostgreSQL database at the newest schema."""
    return prepared(own_postgres(postgres_url, _DATABASE))


class TestOnPostgres(ListingStoreContract):
    @pytest.fixture
    def exchange(self, postgres_listings: str) -> Iterator[Exchange]:
        engine = exchange_engine(postgres_listings)
        with engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)}"))
        engine.dispose()
        exchange = Exchange(postgres_listings)
        yield exchange
        exchange.close()
