"""What the outbox promises, on SQLite and on PostgreSQL alike."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from concordat import v1
from concordat.clock import to_micros, to_timestamp
from concordat.ids import new_id
from concordat.refusal import Refusal
from concordat.rpc.errors import to_item
from concordat.store.engine import migrate, open_engine
from concordat.store.group_commit import GroupCommit
from concordat.trust.envelope import open_envelope
from concordat.trust.keys import KeyRing
from concordat.v1 import ListingState, Reason, WithdrawalCode
from provider.listings.orders import AskOrder, EventOrder, FilingOrder, Order, SyncedOrder
from provider.listings.outcome import answered
from provider.listings.sender import put_down
from provider.listings.verdict import Outcome, Verdict
from provider.migrations import SCRIPTS
from provider.store import listings, mirror, outbox
from provider.store.listings import Listed
from provider.store.mirror import Synced
from provider.store.outbox import Delivery, Posted
from tests.builders import signer
from tests.unit.provider.house import SELF
from tests.unit.provider.listings.builders import NOW, evidence, intake, order, ref, speaker

DATABASE = "provider_outbox_contract"
AT = to_micros(NOW)
LATER = AT + 10_000_000
PAID = WithdrawalCode.WITHDRAWAL_CODE_PAID
DRAFT = ListingState.LISTING_STATE_DRAFT


class OutboxContract:
    """The promises; a subclass brings a database."""

    @pytest.fixture
    def store(self, url: str) -> Iterator[GroupCommit]:
        engine = open_engine(url)
        migrate(engine, SCRIPTS)
        store = GroupCommit(engine)
        yield store
        store.close()
        engine.dispose()

    # A filing -----------------------------------------------------------------------------------

    def test_a_debt_that_is_filed_twice_has_one_filing(self, store: GroupCommit) -> None:
        first, again = order(), order()
        assert verdicts(take(store, first)) == [Verdict.QUEUED]
        outcome = take(store, again)
        assert outcome == [Outcome(Verdict.UNCHANGED, first.filing.filing_id)]
        assert len(due(store)) == 1

    def test_an_order_taken_in_again_after_a_crash_is_not_another_one(
        self, store: GroupCommit
    ) -> None:
        filed = order()
        before = take(store, filed), bytes(due(store)[0].envelope)
        assert (take(store, filed), bytes(due(store)[0].envelope)) == before

    def test_other_facts_need_a_correction_and_change_nothing(self, store: GroupCommit) -> None:
        filed = order()
        other = order(amount=v1.Money(currency="EUR", minor=60_000))
        assert verdicts(take(store, filed, other, filed)) == [
            Verdict.QUEUED,
            Verdict.DIFFERS_FROM_FILED,
            Verdict.QUEUED,
        ]
        assert listed(store, filed).amount == 50_000

    def test_another_members_filing_is_never_signed(self, store: GroupCommit) -> None:
        assert verdicts(take(store, order(source="birch-payments"))) == [Verdict.NOT_THIS_MEMBERS]
        assert verdicts(take(store, order(federation="another"))) == [Verdict.NOT_THIS_MEMBERS]
        assert due(store) == []

    def test_one_signature_stands_for_a_batch_and_each_envelope_verifies_alone(
        self, store: GroupCommit
    ) -> None:
        orders = [order(f"L-{n}", f"p{n}") for n in range(128)]
        assert set(verdicts(take(store, *orders))) == {Verdict.QUEUED}
        envelopes = [v1.Envelope.FromString(post.envelope) for post in due(store)]
        assert len({envelope.signatures[0].sig for envelope in envelopes}) == 1
        keys = KeyRing(signer(SELF).public_key)
        filings = [open_envelope(e, v1.ListingFiling, keys, NOW).message for e in envelopes]
        assert [f.filing_id for f in filings] == sorted(o.filing.filing_id for o in orders)

    def test_joint_debtors_of_one_debt_have_a_filing_each(self, store: GroupCommit) -> None:
        assert verdicts(take(store, order(), order(subject="bob"))) == [Verdict.QUEUED] * 2
        rows = store.run(lambda c: listings.by_reference(c, "L-1"))
        assert {row.subject_ref for row in rows} == {ref("ada"), ref("bob")}

    def test_a_filing_that_was_refused_is_filed_anew_under_its_id(self, store: GroupCommit) -> None:
        first = order()
        take(store, first)
        refuse(store, Reason.REASON_LISTING_INELIGIBLE)
        assert due(store) == []
        again = order(amount=v1.Money(currency="EUR", minor=70_000))
        assert take(store, again) == [Outcome(Verdict.QUEUED, first.filing.filing_id)]
        filing = statement(due(store)[0])
        assert (filing.filing_id, filing.amount.minor) == (first.filing.filing_id, 70_000)
        assert listed(store, first).amount == 70_000

    def test_a_debt_whose_listing_ended_is_filed_only_with_a_certificate(
        self, store: GroupCommit
    ) -> None:
        first = order()
        take(store, first)
        answer(store)
        take(store, speaker().withdraw(key(first), PAID))
        answer(store, ListingState.LISTING_STATE_WITHDRAWN)
        assert verdicts(take(store, order())) == [Verdict.NEEDS_REINSERTION]
        certified = order(
            evidence_hash=evidence("new"),
            reinsertion=v1.Reinsertion(certified=True, new_evidence_hash=evidence("new")),
        )
        outcome = take(store, certified)
        assert outcome == [Outcome(Verdict.QUEUED, certified.filing.filing_id)]
        assert certified.filing.filing_id != first.filing.filing_id

    @pytest.mark.parametrize("end", ["WITHDRAWN", "REPAIRED", "EXPIRED"])
    def test_a_debt_that_the_exchange_says_has_ended_has(
        self, store: GroupCommit, end: str
    ) -> None:
        take(store, order())
        answer(store, ListingState.Value(f"LISTING_STATE_{end}"))
        assert verdicts(take(store, order())) == [Verdict.NEEDS_REINSERTION]

    def test_two_processes_that_file_one_debt_at_once_make_one_filing(
        self, store: GroupCommit, url: str
    ) -> None:
        if url.startswith("sqlite"):
            pytest.skip("SQLite is for one process at a time")
        engines = [open_engine(url) for _ in range(4)]
        stores = [GroupCommit(engine) for engine in engines]
        found: list[Outcome] = []
        orders = [[order(f"L-{n}") for n in range(20)] for _ in stores]
        threads = [
            Thread(target=lambda s=s, o=o: found.extend(take(s, *o)))
            for s, o in zip(stores, orders, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one, engine in zip(stores, engines, strict=True):
            one.close()
            engine.dispose()
        assert len(found) == 80
        assert {outcome.verdict for outcome in found} == {Verdict.QUEUED, Verdict.UNCHANGED}
        assert len({outcome.filing_id for outcome in found}) == 20
        assert len(due(store)) == 20

    def test_the_database_itself_holds_one_open_filing_a_debt(self, store: GroupCommit) -> None:
        filed = order()
        take(store, filed)
        row = listed(store, filed)._replace(filing_id=new_id())
        with pytest.raises((IntegrityError, Refusal)):
            store.run(lambda c: listings.put(c, [row]))

    # Events -------------------------------------------------------------------------------------

    def test_an_event_waits_for_its_filing_and_is_signed_with_the_listings_id(
        self, store: GroupCommit
    ) -> None:
        filed = order()
        said = speaker().reconfirm(key(filed))
        assert verdicts(take(store, filed, said)) == [Verdict.QUEUED] * 2
        assert due(store, filings=False) == []
        listing_id = answer(store)
        (post,) = due(store, filings=False)
        event = open_envelope(
            v1.Envelope.FromString(post.envelope),
            v1.ListingEvent,
            KeyRing(signer(SELF).public_key),
            NOW,
        ).message
        assert event.listing_id == listing_id
        assert event.event_id == said.event.event_id

    def test_events_of_a_listing_go_one_after_the_other(self, store: GroupCommit) -> None:
        filed = order()
        take(store, filed)
        answer(store)
        one, two, three = (
            correction(store, filed, minor=minor) for minor in (40_000, 30_000, 20_000)
        )
        take(store, one, two, three)
        for said in (one, two, three):
            (post,) = due(store, filings=False)
            assert post.statement_id == said.event.event_id
            answer(store, filings=False)
        assert due(store, filings=False) == []
        assert listed(store, filed).amount == 20_000

    def test_an_event_that_must_wait_holds_up_those_behind_it_and_no_other_listings(
        self, store: GroupCommit
    ) -> None:
        first, second = order("L-1"), order("L-2")
        take(store, first, second)
        answer(store)
        take(store, correction(store, first, minor=1), correction(store, second, minor=1))
        take(store, speaker().settle(key(first), evidence(), AT))
        posts = due(store, filings=False)
        assert len(posts) == 2
        mine = next(post for post in posts if post.key == key(first))
        wait = to_item(Refusal(Reason.REASON_QUOTA_EXCEEDED, retry_after=timedelta(hours=1)))
        put(store, [mine], [v1.ListingResult(refusal=wait)])
        assert [post.key for post in due(store, filings=False)] == [key(second)]
        assert store.run(outbox.next_due) is not None

    def test_saying_the_same_twice_says_it_once(self, store: GroupCommit) -> None:
        filed = order()
        take(store, filed)
        makes: tuple[Callable[[], EventOrder], ...] = (
            lambda: speaker().reconfirm(key(filed)),
            lambda: speaker().settle(key(filed), evidence(), AT),
            lambda: speaker().withdraw(key(filed), PAID),
        )
        for make in makes:
            first, again = make(), make()
            expected = [Verdict.QUEUED, Verdict.UNCHANGED, Verdict.QUEUED]
            assert verdicts(take(store, first, again, first)) == expected
        kinds = [post.action for post in history(store, filed)]
        assert len(kinds) == len(set(kinds)) == 4

    def test_nothing_is_said_of_what_was_never_filed_refused_or_has_ended(
        self, store: GroupCommit
    ) -> None:
        filed, refused = order("L-1"), order("L-2")
        assert verdicts(take(store, speaker().reconfirm(key(filed)))) == [Verdict.NOT_ON_RECORD]
        take(store, filed)
        answer(store, ListingState.LISTING_STATE_EXPIRED)
        assert verdicts(take(store, speaker().reconfirm(key(filed)))) == [Verdict.LISTING_ENDED]
        take(store, refused)
        refuse(store, Reason.REASON_DEBT_CLOSED)
        assert verdicts(take(store, speaker().reconfirm(key(refused)))) == [Verdict.FILING_REFUSED]

    def test_nothing_is_said_behind_a_withdrawal(self, store: GroupCommit) -> None:
        filed = order()
        take(store, filed, speaker().withdraw(key(filed), PAID))
        assert verdicts(take(store, speaker().reconfirm(key(filed)))) == [Verdict.LISTING_ENDED]

    def test_what_waits_for_a_refused_filing_is_refused_with_it(self, store: GroupCommit) -> None:
        filed = order()
        take(store, filed, speaker().reconfirm(key(filed)))
        refuse(store, Reason.REASON_LISTING_OBSOLETE)
        assert [post.state for post in history(store, filed)] == [Delivery.REFUSED] * 2
        assert {post.reason for post in history(store, filed)} == {Reason.REASON_LISTING_OBSOLETE}
        troubled = store.run(lambda c: outbox.troubled(c, 10))
        assert [one.reference for one in troubled] == ["L-1", "L-1"]

    def test_an_event_that_breaks_a_bound_is_not_queued(self, store: GroupCommit) -> None:
        filed = order()
        take(store, filed)
        said = speaker().settle(key(filed), b"too short", AT)
        assert verdicts(take(store, said)) == [Verdict.STATEMENT_MALFORMED]

    # Answers ------------------------------------------------------------------------------------

    def test_an_answer_that_comes_twice_changes_nothing_more(self, store: GroupCommit) -> None:
        filed = order()
        take(store, filed)
        posts = due(store)
        result = standing()
        put(store, posts, [result])
        put(store, posts, [v1.ListingResult(refusal=to_item(Refusal(Reason.REASON_INTERNAL)))])
        (post,) = history(store, filed)
        assert (post.state, post.attempts) == (Delivery.SENT, 1)

    def test_a_withdrawal_that_was_taken_ends_it_whoever_vouches_for_it_still(
        self, store: GroupCommit
    ) -> None:
        filed = order()
        take(store, filed)
        answer(store)
        take(store, speaker().withdraw(key(filed), PAID))
        answer(store, ListingState.LISTING_STATE_EFFECTIVE, filings=False)
        assert listed(store, filed).ended_at is not None

    def test_asking_where_a_listing_stands_sends_the_same_bytes_and_un_files_nothing(
        self, store: GroupCommit
    ) -> None:
        filed = order()
        take(store, filed)
        sent = due(store)[0].envelope
        answer(store)
        take(store, AskOrder(*key(filed)))
        assert due(store)[0].envelope == sent
        refuse(store, Reason.REASON_STATEMENT_NOT_FRESH)
        (post,) = history(store, filed)
        assert post.state == Delivery.SENT
        assert listed(store, filed).state == DRAFT
        take(store, AskOrder(*key(filed)))
        answer(store, ListingState.LISTING_STATE_WITHDRAWN)
        assert listed(store, filed).ended_at is not None

    def test_counts_tell_what_waits_and_what_was_refused(self, store: GroupCommit) -> None:
        take(store, order("L-1"))
        refuse(store, Reason.REASON_DEBT_CLOSED)
        take(store, order("L-2"), order("L-3"))
        answer(store)
        filed = order("L-4")
        take(store, filed, speaker().reconfirm(key(filed)))
        assert store.run(outbox.counts) == {
            Delivery.WAITING: 1,
            Delivery.QUEUED: 1,
            Delivery.SENT: 2,
            Delivery.REFUSED: 1,
        }
        assert store.run(outbox.unsettled) == 2
        assert store.run(listings.counts) == {0: 2, DRAFT: 2}

    def test_a_sync_of_an_older_register_does_not_replace_a_newer_one(
        self, store: GroupCommit
    ) -> None:
        newer, older = Synced(20, 2, 21, 30), Synced(10, 1, 25, 20)
        take(store, SyncedOrder(newer), SyncedOrder(older))
        assert store.run(mirror.read) == newer


def key(filed: FilingOrder) -> tuple[bytes, bytes]:
    return filed.filing.subject_ref, filed.filing.filing_id


def take(store: GroupCommit, *orders: Order) -> list[Outcome]:
    return store.run(lambda c: intake().take(c, orders, NOW))


def verdicts(outcomes: Sequence[Outcome]) -> list[Verdict]:
    return [outcome.verdict for outcome in outcomes]


def due(store: GroupCommit, *, filings: bool = True) -> list[Posted]:
    return store.run(lambda c: outbox.due(c, LATER, 128, filings=filings))


def put(store: GroupCommit, posts: Sequence[Posted], results: Sequence[v1.ListingResult]) -> None:
    answers = [answered(p, r, AT, 0.5) for p, r in zip(posts, results, strict=True)]
    store.run(lambda c: put_down(c, intake(), posts, answers, NOW))


def standing(state: ListingState.ValueType = DRAFT) -> v1.ListingResult:
    return v1.ListingResult(
        standing=v1.ListingStanding(
            listing_id=new_id(),
            state=state,
            version=1,
            expires_at=to_timestamp(NOW + timedelta(days=2000)),
        )
    )


def answer(
    store: GroupCommit, state: ListingState.ValueType = DRAFT, *, filings: bool | None = None
) -> bytes:
    """Answer all that is due; return the last listing's id."""
    posts = [*due(store, filings=True)] if filings is not False else []
    posts += due(store, filings=False) if filings is not True else []
    results = [standing(state) for _ in posts]
    put(store, posts, results)
    return results[-1].standing.listing_id


def refuse(store: GroupCommit, reason: Reason.ValueType) -> None:
    posts = due(store)
    put(store, posts, [v1.ListingResult(refusal=to_item(Refusal(reason))) for _ in posts])


def statement(post: Posted) -> v1.ListingFiling:
    return v1.ListingFiling.FromString(v1.Envelope.FromString(post.envelope).payload)


def listed(store: GroupCommit, filed: FilingOrder) -> Listed:
    return store.run(lambda c: listings.by_keys(c, [key(filed)]))[key(filed)]


def history(store: GroupCommit, filed: FilingOrder) -> list[Posted]:
    return store.run(lambda c: outbox.of_filings(c, [key(filed)]))[key(filed)]


def correction(store: GroupCommit, filed: FilingOrder, *, minor: int) -> EventOrder:
    row = listed(store, filed)
    return speaker().correct(
        row, minor=minor, delinquent_since=row.delinquent_since, evidence_hash=evidence()
    )


class TestOnSqlite(OutboxContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/provider.db"


class TestOnPostgresql(OutboxContract):
    @pytest.fixture
    def url(self, postgres_url: str) -> Iterator[str]:
        admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {DATABASE}"))
            yield make_url(postgres_url).set(database=DATABASE).render_as_string(False)
            connection.execute(text(f"DROP DATABASE {DATABASE} WITH (FORCE)"))
        admin.dispose()
