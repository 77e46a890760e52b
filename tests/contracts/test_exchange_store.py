"""What the exchange's store promises, on SQLite and on PostgreSQL alike."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, func, select, text
from sqlalchemy.engine import make_url

from concordat import v1
from concordat.clock import Clock, to_micros, to_timestamp
from concordat.federation.directory import MemberDirectory
from concordat.refusal import Refusal
from concordat.store.engine import StoreError, migrate, require_current
from concordat.store.group_commit import GroupCommit
from concordat.v1 import ConsentEventKind, ConsentState, LogEntryKind, Period, Reason
from concordat.verify.consent import open_binding, open_consent_event
from exchange import repeating
from exchange.consents import ledger
from exchange.housekeeping import latest_time, tidy
from exchange.members import calibration_table
from exchange.members.calibration_table import read_calibrations
from exchange.members.keeper import MemberKeeper, load
from exchange.migrations import SCRIPTS
from exchange.tables import (
    access_entry,
    consent,
    consent_event,
    log_queue,
    metadata,
    request_seen,
)
from exchange.views.admit import Admitted, Checked, admit_many
from tests.builders import AT, DAY, EXCHANGE, LENDER, Federation, Granted, signer
from tests.exchange_builders import ExchangeDesk, checked, put_on_record, read_entries
from tests.exchange_services import Idling
from tests.vault_builders import exchange_engine, own_postgres, prepared, to_newest_schema

PAUSE = ConsentEventKind.CONSENT_EVENT_KIND_PAUSE
RESUME = ConsentEventKind.CONSENT_EVENT_KIND_RESUME
REVOKE = ConsentEventKind.CONSENT_EVENT_KIND_REVOKE
ACTIVE = ConsentState.CONSENT_STATE_ACTIVE
PAUSED = ConsentState.CONSENT_STATE_PAUSED
REVOKED = ConsentState.CONSENT_STATE_REVOKED
EXPIRED = ConsentState.CONSENT_STATE_EXPIRED
EXHAUSTED = ConsentState.CONSENT_STATE_EXHAUSTED

_DATABASE = "exchange_store_contract"


class Store:
    """A database with the exchange's tables, and as many openers of it as a test wants."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.federation = Federation()
        self.engine = exchange_engine(url)
        self.main = GroupCommit(self.engine)
        self._others: list[tuple[GroupCommit, Engine]] = []

    def another(self) -> GroupCommit:
        """Return what a second process would have: on SQLite, which allows one, the first again."""
        if self.engine.dialect.name == "sqlite":
            return self.main
        engine = exchange_engine(self.url)
        self._others.append((GroupCommit(engine), engine))
        return self._others[-1][0]

    def grant(self, name: str = "ada", **fields: Any) -> Granted:
        """Put a consent on record: for one use, or as ``fields`` say."""
        return self.record(self.federation.consent(self.federation.subject(name), **fields))

    def periodic(self, uses: int, max_uses: int, **fields: Any) -> Granted:
        """Put a consent for ``max_uses`` uses on record, at most ``uses`` of them a period."""
        person = self.federation.subject()
        return self.record(self.federation.periodic(person, uses, max_uses, **fields))

    def record(self, granted: Granted) -> Granted:
        put_on_record(self.federation, self.main, granted)
        return granted

    def item(
        self,
        granted: Granted,
        request: v1.Envelope | None = None,
        at: datetime = AT,
    ) -> Checked:
        return checked(self.federation, granted, request, at)

    def admit(
        self, granted: Granted, request: v1.Envelope | None = None, at: datetime = AT
    ) -> Admitted:
        """Admit one request, or raise its refusal."""
        return self.main.submit_to(admit_many, self.item(granted, request, at)).result()

    def refused(
        self, granted: Granted, request: v1.Envelope | None = None, at: datetime = AT
    ) -> Refusal:
        with pytest.raises(Refusal) as failure:
            self.admit(granted, request, at)
        return failure.value

    def event(
        self,
        granted: Granted,
        kind: ConsentEventKind.ValueType,
        sequence: int = 1,
        at: datetime = AT,
    ) -> v1.Envelope:
        """Apply a new event; return it so that it can be sent again."""
        envelope = self.federation.consent_event(granted, kind, sequence)
        self.apply(granted, envelope, at)
        return envelope

    def apply(self, granted: Granted, envelope: v1.Envelope, at: datetime = AT) -> ledger.Standing:
        anchors = self.federation.anchors
        binding = open_binding(granted.person.binding, anchors, AT)
        event = open_consent_event(envelope, binding, anchors, AT)
        return self.main.run(
            lambda c: ledger.apply_event(c, event, envelope, binding, granted.person.binding, at)
        )

    def standing(self, granted: Granted) -> tuple[int, int, int]:
        """Return a consent's state, uses and latest event."""
        query = select(consent.c.state, consent.c.uses, consent.c.event_sequence).where(
            consent.c.consent_id == granted.consent.consent_id
        )
        state, uses, sequence = self.main.run(lambda c: c.execute(query).one())
        return state, uses, sequence

    def entries(self) -> list[Any]:
        return self.main.run(read_entries)

    def count(self, table: Any) -> int:
        query = select(func.count()).select_from(table)
        return int(self.main.run(lambda c: c.execute(query).scalar_one()))

    def close(self) -> None:
        for store, engine in [*self._others, (self.main, self.engine)]:
            store.close()
            engine.dispose()


def outcomes(futures: list[Future[Admitted]]) -> tuple[list[Admitted], list[str]]:
    """Wait for all; return those admitted, and the reasons of those refused."""
    admitted, reasons = [], []
    for future in futures:
        try:
            admitted.append(future.result(timeout=20))
        except Refusal as refusal:
            reasons.append(Reason.Name(refusal.reason))
    return admitted, reasons


def at_once(jobs: list[Callable[[], Future[Admitted]]]) -> tuple[list[Admitted], list[str]]:
    """Submit every job from several threads at the same time."""
    with ThreadPoolExecutor(8) as threads:
        return outcomes(list(threads.map(lambda job: job(), jobs)))


def submitting(store: GroupCommit, item: Checked) -> Callable[[], Future[Admitted]]:
    return lambda: store.submit_to(admit_many, item)


class ExchangeStoreContract:
    """Run on each backend by the classes below."""

    # Counting ---------------------------------------------------------------------------------

    def test_the_same_request_twice_is_counted_once(self, store: Store) -> None:
        granted = store.periodic(5, 5)
        request = store.federation.view_request(granted)
        first = store.admit(granted, request)
        again = store.admit(granted, request, AT + timedelta(seconds=9))
        assert (again.access_id, again.recorded_at) == (first.access_id, first.recorded_at)
        assert store.standing(granted)[1] == 1
        assert [entry.counted for entry in store.entries()] == [True]

    def test_the_same_request_64_times_at_once_is_counted_once(self, store: Store) -> None:
        granted = store.grant()
        item = store.item(granted)
        stores = [store.main, store.another()]
        admitted, reasons = at_once([submitting(stores[n % 2], item) for n in range(64)])
        assert reasons == []
        assert len(admitted) == 64
        assert len({one.access_id for one in admitted}) == 1
        assert store.standing(granted)[:2] == (EXHAUSTED, 1)
        assert len(store.entries()) == store.count(request_seen) == 1

    def test_200_requests_at_once_use_no_more_than_max_uses(self, store: Store) -> None:
        granted = store.periodic(1000, 37)
        stores = [store.main, store.another()]
        items = [store.item(granted) for _ in range(200)]
        admitted, reasons = at_once(
            [submitting(stores[n % 2], item) for n, item in enumerate(items)]
        )
        assert len(admitted) == 37
        assert reasons == ["REASON_CONSENT_EXHAUSTED"] * 163
        assert sorted(one.standing.uses for one in admitted) == list(range(1, 38))
        assert store.standing(granted)[:2] == (EXHAUSTED, 37)
        assert sum(entry.counted for entry in store.entries()) == 37

    def test_consents_of_many_subjects_locked_by_two_processes_never_block_each_other(
        self, store: Store
    ) -> None:
        people = [store.grant(f"person-{n}") for n in range(24)]
        items = [store.item(granted) for granted in people]
        stores = [store.main, store.another()]
        jobs = [submitting(stores[0], item) for item in items]
        jobs += [submitting(stores[1], item) for item in reversed(items)]
        admitted, reasons = at_once(jobs)
        assert reasons == []
        assert len({one.access_id for one in admitted}) == 24
        assert {store.standing(granted)[1] for granted in people} == {1}

    def test_a_consent_for_one_use_is_exhausted_by_it(self, store: Store) -> None:
        granted = store.grant()
        assert store.admit(granted).standing.state == ACTIVE  # the use counted is its own
        assert store.refused(granted).reason == Reason.REASON_CONSENT_EXHAUSTED
        assert store.standing(granted)[:2] == (EXHAUSTED, 1)

    def test_the_last_use_may_still_be_read_again(self, store: Store) -> None:
        granted = store.grant()
        request = store.federation.view_request(granted)
        first = store.admit(granted, request)
        again = store.admit(granted, request)
        assert again.access_id == first.access_id
        assert (again.standing.state, again.standing.uses) == (ACTIVE, 1)

    # Replay -----------------------------------------------------------------------------------

    def test_the_same_id_with_other_bytes_is_refused(self, store: Store) -> None:
        granted = store.periodic(5, 5)
        first = store.admit(granted, _request(store, granted, b"r" * 16))
        later = _request(store, granted, b"r" * 16, seconds=30)
        assert store.refused(granted, later).reason == Reason.REASON_REPLAYED_WITH_OTHER_BYTES
        assert store.standing(granted)[1] == 1
        assert first.access_id in {entry.access_id for entry in store.entries() if entry.counted}

    def test_the_same_id_for_another_subject_is_refused(self, store: Store) -> None:
        ada, bob = store.grant("ada"), store.grant("bob")
        store.admit(ada, _request(store, ada, b"r" * 16))
        refusal = store.refused(bob, _request(store, bob, b"r" * 16))
        assert refusal.reason == Reason.REASON_REPLAYED_WITH_OTHER_BYTES
        assert store.standing(bob)[:2] == (ACTIVE, 0)

    def test_the_same_id_for_two_subjects_at_once_is_counted_for_one(self, store: Store) -> None:
        pair = [store.grant("ada"), store.grant("bob")]
        stores = [store.main, store.another()]
        items = [store.item(one, _request(store, one, b"r" * 16)) for one in pair]
        admitted, reasons = at_once(
            [submitting(stores[n], item) for n, item in enumerate(items)] * 4
        )
        assert len({one.access_id for one in admitted}) == 1
        assert set(reasons) <= {"REASON_REPLAYED_WITH_OTHER_BYTES", "REASON_UNAVAILABLE"}
        assert sorted(store.standing(one)[1] for one in pair) == [0, 1]

    def test_a_consent_under_a_known_id_with_other_bytes_is_refused(self, store: Store) -> None:
        granted = store.grant()
        person, key = granted.person, granted.consent.consent_id
        with pytest.raises(Refusal) as failure:
            store.record(store.federation.consent(person, consent_id=key, data_life_days=31))
        assert failure.value.reason == Reason.REASON_REPLAYED_WITH_OTHER_BYTES
        store.record(granted)  # the very same changes nothing
        assert store.count(consent) == 1

    # Frequency --------------------------------------------------------------------------------

    def test_a_period_slides_and_retry_after_is_when_its_oldest_use_leaves_it(
        self, store: Store
    ) -> None:
        granted = store.periodic(2, 10)
        for hours in (0, 7):
            store.admit(granted, at=AT + timedelta(hours=hours))
        refusal = store.refused(granted, at=AT + timedelta(hours=10))
        assert refusal.reason == Reason.REASON_CONSENT_TOO_FREQUENT
        assert refusal.retry_after == timedelta(hours=14)
        just_before = AT + DAY - timedelta(microseconds=1)
        assert store.refused(granted, at=just_before).retry_after == timedelta(microseconds=1)
        store.admit(granted, at=AT + DAY)
        refusal = store.refused(granted, at=AT + DAY)
        assert refusal.retry_after == timedelta(hours=7)
        assert store.standing(granted)[1] == 3

    def test_uses_of_one_group_count_towards_the_period(self, store: Store) -> None:
        granted = store.periodic(2, 10)
        items = [store.item(granted) for _ in range(4)]
        results = store.main.run(lambda c: admit_many(c, items))
        assert [isinstance(result, Admitted) for result in results] == [True, True, False, False]
        assert store.standing(granted)[1] == 2

    def test_reading_again_is_no_use_of_the_period(self, store: Store) -> None:
        granted = store.periodic(1, 10)
        request = store.federation.view_request(granted)
        assert len({store.admit(granted, request).access_id for _ in range(3)}) == 1
        assert store.refused(granted).reason == Reason.REASON_CONSENT_TOO_FREQUENT

    @pytest.mark.parametrize(
        ("period", "days"),
        [
            (Period.PERIOD_DAY, 1),
            (Period.PERIOD_WEEK, 7),
            (Period.PERIOD_MONTH, 30),
            (Period.PERIOD_QUARTER, 90),
            (Period.PERIOD_YEAR, 365),
        ],
    )
    def test_each_period_is_as_long_as_the_proto_says(
        self, store: Store, period: Period.ValueType, days: int
    ) -> None:
        granted = store.grant(
            mode=v1.ConsentMode.CONSENT_MODE_PERIODIC,
            frequency=v1.Frequency(uses=1, period=period),
            max_uses=9,
            valid_until=to_timestamp(AT - DAY + 366 * DAY),
        )
        store.admit(granted)
        at = AT + timedelta(days=days)
        if days < 365:
            before = store.refused(granted, at=at - timedelta(seconds=1))
            assert before.retry_after == timedelta(seconds=1)
            store.admit(granted, at=at)
        else:  # the consent itself ends in that moment
            assert store.refused(granted, at=AT + DAY).retry_after == timedelta(days=364)

    # Consent events ---------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("before", "kind", "after"),
        [
            (ACTIVE, PAUSE, PAUSED),
            (ACTIVE, RESUME, None),
            (ACTIVE, REVOKE, REVOKED),
            (PAUSED, PAUSE, None),
            (PAUSED, RESUME, ACTIVE),
            (PAUSED, REVOKE, REVOKED),
            *(
                (end, kind, None)
                for end in (REVOKED, EXPIRED, EXHAUSTED)
                for kind in (PAUSE, RESUME, REVOKE)
            ),
        ],
    )
    def test_a_consent_moves_as_the_table_says_and_no_other_way(
        self,
        store: Store,
        before: ConsentState.ValueType,
        kind: ConsentEventKind.ValueType,
        after: ConsentState.ValueType | None,
    ) -> None:
        granted = store.grant()
        at = _bring_to(store, granted, before)
        if after is not None:
            store.event(granted, kind, 7, at)
            assert store.standing(granted)[0] == after
            assert store.standing(granted)[2] == 7
            return
        stood = store.standing(granted)
        with pytest.raises(Refusal) as failure:
            store.event(granted, kind, 7, at)
        assert failure.value.reason == Reason.REASON_CONSENT_TRANSITION_REFUSED
        assert store.standing(granted) == stood

    def test_an_old_event_replayed_changes_nothing(self, store: Store) -> None:
        granted = store.grant()
        store.event(granted, PAUSE, 1)
        resume = store.event(granted, RESUME, 2)
        store.event(granted, PAUSE, 3)
        standing = store.apply(granted, resume)
        assert (standing.state, standing.event_sequence) == (PAUSED, 3)
        assert store.refused(granted).reason == Reason.REASON_CONSENT_PAUSED
        assert store.count(consent_event) == 3

    def test_a_sequence_that_was_passed_over_is_refused(self, store: Store) -> None:
        granted = store.grant()
        store.event(granted, PAUSE, 5)
        with pytest.raises(Refusal) as failure:
            store.event(granted, RESUME, 4)
        assert failure.value.reason == Reason.REASON_REPLAYED_WITH_OTHER_BYTES
        assert store.standing(granted)[0] == PAUSED

    def test_an_event_with_the_same_sequence_and_other_bytes_is_refused(self, store: Store) -> None:
        granted = store.grant()
        store.event(granted, PAUSE, 1)
        with pytest.raises(Refusal) as failure:
            store.event(granted, RESUME, 1)
        assert failure.value.reason == Reason.REASON_REPLAYED_WITH_OTHER_BYTES
        assert store.standing(granted)[0] == PAUSED

    def test_an_event_of_an_unknown_consent_is_refused(self, store: Store) -> None:
        granted = store.federation.consent(store.federation.subject())
        with pytest.raises(Refusal) as failure:
            store.event(granted, REVOKE)
        assert failure.value.reason == Reason.REASON_CONSENT_UNKNOWN

    def test_a_revoked_consent_is_refused_at_once_and_for_ever(self, store: Store) -> None:
        granted = store.periodic(5, 5)
        request = store.federation.view_request(granted)
        store.admit(granted, request)
        store.event(granted, REVOKE)
        assert store.refused(granted).reason == Reason.REASON_CONSENT_REVOKED
        assert store.refused(granted, request).reason == Reason.REASON_CONSENT_REVOKED
        store.record(granted)  # granting it again revives nothing
        assert store.refused(granted).reason == Reason.REASON_CONSENT_REVOKED

    def test_a_revocation_at_one_process_holds_at_the_other(self, store: Store) -> None:
        granted = store.grant()
        store.event(granted, REVOKE)
        _, reasons = outcomes([store.another().submit_to(admit_many, store.item(granted))])
        assert reasons == ["REASON_CONSENT_REVOKED"]

    def test_a_paused_consent_is_refused_until_it_is_resumed(self, store: Store) -> None:
        granted = store.grant()
        store.event(granted, PAUSE, 1)
        assert store.refused(granted).reason == Reason.REASON_CONSENT_PAUSED
        store.event(granted, RESUME, 2)
        assert store.admit(granted).standing.event_sequence == 2

    # Time -------------------------------------------------------------------------------------

    def test_an_expired_consent_stays_so_when_the_clock_goes_back(self, store: Store) -> None:
        granted = store.grant()
        end = AT + 30 * DAY
        store.main.run(lambda c: tidy(c, end))
        assert store.standing(granted)[0] == EXPIRED
        assert store.refused(granted, at=AT).reason == Reason.REASON_CONSENT_EXPIRED

    def test_a_consent_is_expired_from_its_end_on_even_before_anyone_tidied(
        self, store: Store
    ) -> None:
        granted = store.grant()
        end = AT + 30 * DAY
        assert store.refused(granted, at=end).reason == Reason.REASON_CONSENT_EXPIRED
        store.admit(granted, at=end - timedelta(microseconds=1))

    def test_a_restart_on_a_clock_set_back_starts_from_the_latest_time_lived_through(
        self, store: Store
    ) -> None:
        assert store.main.run(latest_time) < AT
        store.main.run(lambda c: tidy(c, AT))
        store.main.run(lambda c: tidy(c, AT - DAY))  # never back
        assert store.main.run(latest_time) == AT
        store.admit(store.grant(), at=AT + timedelta(seconds=3))  # an entry is a mark too
        floor = store.main.run(latest_time)
        assert floor == AT + timedelta(seconds=3)
        assert Clock(floor, source=lambda: AT - 400 * DAY).now() == floor

    def test_tidying_expires_only_what_is_over(self, store: Store) -> None:
        granted, revoked = store.grant("ada"), store.grant("bob")
        store.event(revoked, REVOKE)
        store.main.run(lambda c: tidy(c, AT + 30 * DAY - timedelta(microseconds=1)))
        assert store.standing(granted)[0] == ACTIVE
        store.main.run(lambda c: tidy(c, AT + 30 * DAY))
        assert store.standing(granted)[0] == EXPIRED
        assert store.standing(revoked)[0] == REVOKED

    # Bindings ---------------------------------------------------------------------------------

    def test_an_older_key_is_dead_once_a_newer_was_seen(self, store: Store) -> None:
        old, never = store.grant(), store.federation.consent(store.federation.subject("ada"))
        newer = store.federation.subject("ada", version=2)
        store.record(store.federation.consent(newer))
        assert store.refused(never).reason == Reason.REASON_CONSENT_UNKNOWN
        for attempt in (
            lambda: store.event(old, REVOKE),
            lambda: store.record(old),
            lambda: store.record(never),
        ):
            with pytest.raises(Refusal) as failure:
                attempt()
            assert failure.value.reason == Reason.REASON_BINDING_INVALID
        assert store.standing(old)[:2] == (ACTIVE, 0)

    def test_a_consent_of_the_older_key_holds_until_the_newer_revokes_it(
        self, store: Store
    ) -> None:
        old, other = store.grant(), store.grant()
        newer = store.federation.subject("ada", version=2)
        store.event(Granted(newer, old.consent, old.envelope), REVOKE)
        assert store.refused(old).reason == Reason.REASON_CONSENT_REVOKED
        assert store.admit(other).standing.binding_version == 1

    def test_a_newer_binding_shown_with_an_event_kills_the_older_too(self, store: Store) -> None:
        old, other = store.grant(), store.grant()
        newer = store.federation.subject("ada", version=2)
        store.event(Granted(newer, old.consent, old.envelope), PAUSE)
        with pytest.raises(Refusal) as failure:
            store.event(other, REVOKE)
        assert failure.value.reason == Reason.REASON_BINDING_INVALID

    def test_the_status_names_the_binding_that_signed_the_consent(self, store: Store) -> None:
        newer = store.federation.subject("ada", version=3)
        granted = store.record(store.federation.consent(newer))
        assert store.admit(granted).standing.binding_version == 3

    # Access entries ---------------------------------------------------------------------------

    def test_a_refused_attempt_leaves_an_entry_with_its_reason_and_no_use(
        self, store: Store
    ) -> None:
        granted = store.periodic(1, 5)
        request = _request(store, granted, b"r" * 16)
        other_bytes = _request(store, granted, b"r" * 16, seconds=30)
        times = [AT + timedelta(seconds=n) for n in range(5)]
        store.admit(granted, request, times[0])
        store.refused(granted, at=times[1])
        store.refused(granted, other_bytes, times[2])
        store.event(granted, REVOKE)
        store.refused(granted, at=times[3])
        store.refused(granted, request, times[4])  # a re-reading refused is an attempt too
        assert [(entry.counted, entry.refusal) for entry in store.entries()] == [
            (True, 0),
            (False, Reason.REASON_CONSENT_TOO_FREQUENT),
            (False, Reason.REASON_REPLAYED_WITH_OTHER_BYTES),
            (False, Reason.REASON_CONSENT_REVOKED),
            (False, Reason.REASON_CONSENT_REVOKED),
        ]
        assert store.standing(granted)[1] == 1

    def test_an_attempt_on_a_consent_never_granted_leaves_an_entry_too(self, store: Store) -> None:
        granted = store.federation.consent(store.federation.subject())
        assert store.refused(granted).reason == Reason.REASON_CONSENT_UNKNOWN
        (entry,) = store.entries()
        assert (entry.counted, entry.refusal) == (False, Reason.REASON_CONSENT_UNKNOWN)
        assert (entry.lender, entry.subject_ref) == (LENDER, granted.person.ref)

    def test_an_entry_says_who_why_and_when(self, store: Store) -> None:
        granted = store.grant()
        request = store.federation.view_request(granted)
        admitted = store.admit(granted, request)
        (entry,) = store.entries()
        assert entry.access_id == admitted.access_id
        assert entry.lender == LENDER
        assert entry.consent_id == granted.consent.consent_id
        assert entry.purpose == granted.consent.purpose
        assert entry.disclosure == granted.consent.disclosure.kind
        assert entry.recorded_at == to_micros(AT)
        assert entry.released_at is None

    def test_the_entry_is_durable_before_any_provider_is_asked(self, store: Store) -> None:
        seen: list[list[Any]] = []
        desk = ExchangeDesk(federation=store.federation, engine=store.engine, shared=store.main)
        honest = desk.links.honest("alder-bank")

        async def look(message: v1.RequestScoresRequest) -> Any:
            seen.append(_from_another_connection(store.url))
            return await honest(message)

        desk.links.answers["alder-bank"] = look
        granted = desk.grant()
        (result,) = asyncio.run(desk.answer([store.federation.ask(granted)]))
        assert isinstance(result, v1.RequestViewResponse)
        view = v1.View.FromString(result.view.payload)
        desk.close()
        assert seen == [[(view.receipt.access_id, None)]]
        ((access_id, released_at),) = _from_another_connection(store.url)
        assert access_id == view.receipt.access_id
        assert released_at is not None

    # Members ----------------------------------------------------------------------------------

    def test_a_restart_forgets_no_suspension(self, store: Store) -> None:
        fed = store.federation
        member_keeper = MemberKeeper(fed.directory, store.main, Clock(source=lambda: AT))
        status = fed.status("alder-bank", v1.Standing.STANDING_SUSPENDED)

        async def submit() -> None:
            licence = fed.licence("alder-bank", v1.Role.ROLE_PROVIDER, version=2)
            await member_keeper.add_licence(licence, AT)
            await member_keeper.add_status(status, AT)
            await member_keeper.add_status(status, AT)  # the same again changes nothing

        asyncio.run(submit())
        fresh = MemberDirectory(fed.anchors)
        store.main.run(lambda c: load(c, fresh, AT))
        with pytest.raises(Refusal) as failure:
            fresh.require("alder-bank", AT)
        assert failure.value.reason == Reason.REASON_MEMBER_SUSPENDED
        kinds = store.main.run(lambda c: c.execute(select(log_queue.c.kind)).scalars().all())
        assert sorted(kinds) == [
            LogEntryKind.LOG_ENTRY_KIND_LICENCE,
            LogEntryKind.LOG_ENTRY_KIND_LICENCE_STATUS,
        ]

    def test_a_suspension_at_one_process_reaches_the_other_within_half_a_second(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here, there = Federation(), Federation()
        clock = Clock(source=lambda: AT)
        first = MemberKeeper(here.directory, store.main, clock)
        second = MemberKeeper(there.directory, store.another(), clock)
        suspended = v1.Standing.STANDING_SUSPENDED
        waits: list[
            float
        ] = []  # how long the second had idled at the end of each, since it was told

        async def as_each_wait_begins() -> None:
            waits.append(idling.seconds)
            assert len(waits) < 20, "the suspension never arrives"
            if len(waits) == 1:  # the worst moment: it has just looked
                await first.add_status(here.status("alder-bank", suspended), AT)
            elif there.directory.standing("alder-bank") == suspended:
                raise asyncio.CancelledError

        idling = Idling(as_each_wait_begins)
        monkeypatch.setattr(repeating, "asyncio", idling)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(second.follow())
        # The other half of the second is the watch stream's, by which providers hear of it.
        assert 0 < waits[-1] <= 0.5

    def test_an_older_status_never_replaces_a_newer_one(self, store: Store) -> None:
        fed = store.federation
        keeper = MemberKeeper(fed.directory, store.main, Clock(source=lambda: AT))

        async def submit(standing: v1.Standing.ValueType, sequence: int) -> None:
            await keeper.add_status(fed.status(LENDER, standing, sequence), AT)

        asyncio.run(submit(v1.Standing.STANDING_SUSPENDED, 2))
        with pytest.raises(Refusal) as failure:
            asyncio.run(submit(v1.Standing.STANDING_ACTIVE, 1))
        assert failure.value.reason == Reason.REASON_LICENCE_SUPERSEDED
        # Nor where the process that stores it does not know of the newer one.
        ignorant = Federation()
        other = MemberKeeper(ignorant.directory, store.main, Clock(source=lambda: AT))
        older = fed.status(LENDER, v1.Standing.STANDING_ACTIVE, 1)
        asyncio.run(other.add_status(older, AT))
        fresh = Federation().directory
        store.main.run(lambda c: load(c, fresh, AT))
        assert fresh.standing(LENDER) == v1.Standing.STANDING_SUSPENDED

    def test_every_calibration_is_kept_and_logged_once(self, store: Store) -> None:
        fed = store.federation
        keeper = MemberKeeper(fed.directory, store.main, Clock(source=lambda: AT))
        third, second = fed.calibration(version=3), fed.calibration(version=2)

        async def submit() -> None:
            for envelope in (third, second, third):  # the same again changes nothing
                await keeper.add_calibration(envelope, AT)

        asyncio.run(submit())
        fresh = Federation(calibrated=False).directory
        store.main.run(lambda c: load(c, fresh, AT))
        assert [each.envelope for each in fresh.calibrations()] == [second, third]
        kinds = store.main.run(lambda c: c.execute(select(log_queue.c.kind)).scalars().all())
        assert kinds == [LogEntryKind.LOG_ENTRY_KIND_CALIBRATION] * 2

    def test_of_two_calibrations_of_one_version_the_first_counts_in_every_process(
        self, store: Store
    ) -> None:
        here, there = Federation(), Federation()
        clock = Clock(source=lambda: AT)
        first = MemberKeeper(here.directory, store.main, clock)
        second = MemberKeeper(there.directory, store.another(), clock)
        good = here.calibration(version=2)
        asyncio.run(first.add_calibration(good, AT))
        with pytest.raises(Refusal) as failure:
            asyncio.run(second.add_calibration(there.calibration(version=2), AT))
        assert failure.value.reason == Reason.REASON_CALIBRATION_SUPERSEDED
        assert [each.version for each in there.directory.calibrations()] == [1]

    def test_a_calibration_at_one_process_reaches_the_other(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here, there = Federation(), Federation()
        clock = Clock(source=lambda: AT)
        new = here.calibration(version=2)
        first = MemberKeeper(here.directory, store.main, clock)
        asyncio.run(first.add_calibration(new, AT))

        async def as_each_wait_begins() -> None:
            if there.directory.calibration(AT).envelope == new:
                raise asyncio.CancelledError
            assert idling.seconds < 1, "the calibration never arrives"

        idling = Idling(as_each_wait_begins)
        monkeypatch.setattr(repeating, "asyncio", idling)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(MemberKeeper(there.directory, store.another(), clock).follow())

    def test_a_calibration_that_does_not_count_is_read_once_and_again_when_a_licence_is_new(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here, there = Federation(), Federation()
        exchange, key = v1.Role.ROLE_EXCHANGE, here.member(EXCHANGE).licence.keys[0]
        old = v1.SigningKey(public_key=signer("exchange-old").public_key)
        old.not_before.CopyFrom(key.not_before)
        old.not_after.CopyFrom(key.not_after)
        here.enrol(EXCHANGE, exchange, version=2, keys=[key, old])
        clock = Clock(source=lambda: AT)
        first = MemberKeeper(here.directory, store.main, clock)
        asyncio.run(
            first.add_calibration(here.calibration(version=2, signed_by="exchange-old"), AT)
        )
        found: list[int] = []

        def counted(*arguments: Any) -> list[v1.Envelope]:
            envelopes = read_calibrations(*arguments)
            found.append(len(envelopes))
            return envelopes

        async def as_each_wait_begins() -> None:
            if len(found) == 4:
                licence = here.member(EXCHANGE).licence_envelope
                await first.add_licence(licence, AT)
            if there.directory.calibration(AT).version == 2:
                raise asyncio.CancelledError
            assert len(found) < 9, found

        monkeypatch.setattr(calibration_table, "read_calibrations", counted)
        monkeypatch.setattr(repeating, "asyncio", Idling(as_each_wait_begins))
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(MemberKeeper(there.directory, store.another(), clock).follow())
        assert found[:5] == [1, 0, 0, 0, 0]

    def test_without_a_calibration_nobody_is_asked_and_nothing_is_consumed(
        self, store: Store
    ) -> None:
        federation = Federation(calibrated=False)
        desk = ExchangeDesk(federation, engine=store.engine, shared=store.main)
        granted = desk.grant()
        with pytest.raises(Refusal) as failure:
            desk.ask(granted)
        assert failure.value.reason == Reason.REASON_NO_CALIBRATION
        assert (desk.entries(), desk.uses(granted), desk.links.sent) == ([], 0, [])
        federation.calibrate()
        assert isinstance(desk.ask(granted), v1.RequestViewResponse)
        desk.close()

    # Schema -----------------------------------------------------------------------------------

    def test_metadata_and_migrations_agree(self, store: Store) -> None:
        with store.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []

    def test_migrating_again_changes_nothing(self, store: Store) -> None:
        granted = store.grant()
        migrate(store.engine, SCRIPTS)
        require_current(store.engine, SCRIPTS)
        assert store.standing(granted)[0] == ACTIVE

    def test_a_database_at_another_schema_is_refused(self, store: Store) -> None:
        set_version = text("UPDATE alembic_version SET version_num = :version")
        with store.engine.begin() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
            connection.execute(set_version, {"version": "0000"})
        try:
            with pytest.raises(StoreError, match="0000"):
                require_current(store.engine, SCRIPTS)
        finally:
            with store.engine.begin() as connection:
                connection.execute(set_version, {"version": found})


def _request(
    store: Store, granted: Granted, request_id: bytes, *, seconds: float = 60
) -> v1.Envelope:
    expires = to_timestamp(AT + timedelta(seconds=seconds))
    return store.federation.view_request(granted, request_id=request_id, expires_at=expires)


def _bring_to(store: Store, granted: Granted, state: ConsentState.ValueType) -> datetime:
    """Move a fresh consent to ``state``; return the time at which it is in it."""
    if state == PAUSED:
        store.event(granted, PAUSE)
    elif state == REVOKED:
        store.event(granted, REVOKE)
    elif state == EXHAUSTED:
        store.admit(granted)
    return AT + 30 * DAY if state == EXPIRED else AT


def _from_another_connection(url: str) -> list[Any]:
    """Return the entries as somebody else sees them: what is committed."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(str(make_url(url).database))) as connection:
            return connection.execute("SELECT access_id, released_at FROM access_entry").fetchall()
    engine = exchange_engine(url)
    with engine.connect() as connection:
        query = select(access_entry.c.access_id, access_entry.c.released_at)
        rows = [(bytes(row.access_id), row.released_at) for row in connection.execute(query)]
    engine.dispose()
    return rows


class TestOnSqlite(ExchangeStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = Store(f"sqlite:///{tmp_path}/exchange.db")
        to_newest_schema(store.engine)
        yield store
        store.close()


@pytest.fixture(scope="module")
def postgres_exchange(postgres_url: str) -> str:
    """Return the URL of a PostgreSQL database at the newest schema."""
    return prepared(own_postgres(postgres_url, _DATABASE))


class TestOnPostgres(ExchangeStoreContract):
    @pytest.fixture
    def store(self, postgres_exchange: str) -> Iterator[Store]:
        store = Store(postgres_exchange)
        tables = ", ".join(metadata.tables)
        with store.engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {tables}"))
        yield store
        store.close()


def test_an_empty_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    engine = exchange_engine(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(StoreError, match="run init first"):
        require_current(engine, SCRIPTS)
    engine.dispose()


def test_a_database_that_does_not_answer_is_named_so(tmp_path: Path) -> None:
    engine = exchange_engine(f"postgresql+psycopg://nobody@/none?host={tmp_path}")
    with pytest.raises(StoreError, match="does not answer"):
        require_current(engine, SCRIPTS)
    engine.dispose()
