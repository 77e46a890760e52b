"""What the mail of notices promises, on SQLite and on PostgreSQL alike, with a real SMTP server."""

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, select, text, update
from structlog.testing import capture_logs

from concordat import v1
from concordat.clock import Clock, from_timestamp, to_micros
from concordat.refusal import Refusal
from concordat.store.group_commit import GroupCommit
from concordat.v1 import InboxKind, NoticeChannel, Reason
from exchange.listings.notices import courier as courier_module
from exchange.listings.notices import mail_table
from exchange.listings.notices.courier import GIVE_UP_AFTER, Courier, retry_at
from exchange.listings.notices.mail import Mailer
from exchange.listings.notices.mail_table import LEASE, notice_mail
from exchange.subjects import inbox_table
from exchange.subjects.contact_table import address_of, subject_contact
from exchange.subjects.inbox_table import inbox_message, message_of
from exchange.tables import keyring_mark, metadata, subject_key
from exchange.vault.sealing import seal, unseal_each
from tests.builders import AT, DAY, Pki
from tests.smtp_servers import DIE, STALL, MailServer
from tests.vault_builders import exchange_engine, own_postgres

NOTICE = InboxKind.INBOX_KIND_LISTING_NOTICE
CHANGE = InboxKind.INBOX_KIND_LISTING_CHANGE
MINUTE = timedelta(minutes=1)
TEXT = "Notice: a debt of EUR 1,234.56 is to be listed.\n"
_DATABASE = "notice_mail_contract"


def ref(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def contact_change(email: str, language: str) -> bytes:
    """Return an envelope that says where a subject wants its notices, serialised."""
    said = v1.ContactChange(email=email, language=language)
    return v1.Envelope(payload=said.SerializeToString()).SerializeToString()


class PostRoom:
    """A database, a mail server, and couriers between them."""

    def __init__(self, url: str, server: MailServer) -> None:
        self.url, self.server = url, server
        self.engine = exchange_engine(url)
        metadata.create_all(
            self.engine,
            tables=[notice_mail, inbox_message, subject_contact, subject_key, keyring_mark],
            checkfirst=True,
        )
        self.store = GroupCommit(self.engine)
        self.now = AT
        self.clock = Clock(source=lambda: self.now)
        self.served: list[tuple[bytes, bytes, v1.NoticeProof, datetime]] = []
        self.failures: list[BaseException] = []  # of telling, each once
        self.heard = asyncio.Event()
        self._others: list[tuple[GroupCommit, Engine]] = []
        self._mailers: list[Mailer] = []

    def another(self) -> GroupCommit:
        """Return what a second process would have: on SQLite, which allows one, the first again."""
        if self.engine.dialect.name == "sqlite":
            return self.store
        engine = exchange_engine(self.url)
        self._others.append((GroupCommit(engine), engine))
        return self._others[-1][0]

    def post(
        self,
        name: str = "ada",
        kind: InboxKind.ValueType = NOTICE,
        language: str = "en",
        text: str = TEXT,
    ) -> bytes:
        """Put a message into a subject's inbox and into the mail; return its id."""
        subject, message_id = ref(name), inbox_table.message_id(1)

        def work(connection: Any) -> None:
            row = {"subject_ref": subject, "sequence": 1, "kind": kind, "listing_id": b"l" * 16}
            inbox_table.add(connection, [row | {"sent_at": to_micros(self.now), "text": text}])
            contact = seal(connection, subject, contact_change(f"{name}@home.test", language))
            values = {"sequence": 1, "digest": bytes(32), "envelope": contact}
            connection.execute(insert(subject_contact).values(subject_ref=subject, **values))
            mail_table.enqueue(connection, subject, message_id, b"l" * 16, self.now)

        self.store.run(work)
        return message_id

    def move(self, name: str, email: str) -> None:
        """Change a subject's address."""
        change = update(subject_contact).where(subject_contact.c.subject_ref == ref(name))

        def work(connection: Connection) -> None:
            contact = seal(connection, ref(name), contact_change(email, "en"))
            connection.execute(change.values(envelope=contact))

        self.store.run(work)

    def courier(self, store: GroupCommit | None = None, **settings: Any) -> Courier:
        """Return a courier as a process that has just started has it."""
        mailer = Mailer(self.server.settings(**settings), "test.concordat")
        self._mailers.append(mailer)

        async def on_served(
            subject_ref: bytes, listing_id: bytes, proof: v1.NoticeProof, at: datetime
        ) -> None:
            if self.failures:
                raise self.failures.pop(0)
            self.served.append((subject_ref, listing_id, proof, at))
            self.heard.set()

        return Courier(
            store or self.store,
            mailer,
            self.clock,
            on_served,
            address_of=address_of,
            message_of=message_of,
            grace_seconds=2,
        )

    def round(self, courier: Courier | None = None, *, after: timedelta = timedelta(0)) -> int:
        """Let time pass, then let a courier (by default one that has just started) do what is due."""
        self.now += after
        return asyncio.run((courier or self.courier()).round())

    def row(self, name: str = "ada") -> Any:
        query = select(notice_mail).where(notice_mail.c.subject_ref == ref(name))

        def work(connection: Connection) -> Any:
            row = connection.execute(query).one()
            sealed = [(row.subject_ref, row.evidence), (row.subject_ref, row.failure)]
            evidence, failure = unseal_each(connection, sealed)
            said = None if failure is None else failure.decode()
            return SimpleNamespace(**{**row._asdict(), "evidence": evidence, "failure": said})

        return self.store.run(work)

    def close(self) -> None:
        for mailer in self._mailers:
            mailer.close()
        for store, engine in [*self._others, (self.store, self.engine)]:
            store.close()
            engine.dispose()


class NoticeMailContract:
    """Run on each backend by the classes below."""

    # Serving ------------------------------------------------------------------------------------

    def test_a_notice_that_the_server_took_is_served_with_proof(self, room: PostRoom) -> None:
        room.post()
        room.now += MINUTE
        assert room.round() == 1
        (mail,) = room.server.received
        assert mail.recipients == ("ada@home.test",)
        assert mail.text == TEXT
        assert from_timestamp_of(mail.parsed["Date"]) == AT
        ((subject, listing, proof, at),) = room.served
        assert (subject, listing, at) == (ref("ada"), b"l" * 16, room.now)
        assert proof.channel == NoticeChannel.NOTICE_CHANNEL_EMAIL
        assert from_timestamp(proof.served_at) == room.now
        assert proof.notice_hash == hashlib.sha256(TEXT.encode()).digest()
        row = room.row()
        assert row.evidence == hashlib.sha256(mail.content).digest() + b"250 2.0.0 queued"
        assert proof.evidence_digest == hashlib.sha256(row.evidence).digest()
        assert (row.accepted_at, row.next_try_at, row.failure) == (to_micros(room.now), None, None)

    def test_nothing_is_sent_or_told_twice_over_restarts(self, room: PostRoom) -> None:
        room.post()
        room.round()
        for after in (timedelta(0), MINUTE, LEASE, DAY, 6 * DAY):
            assert room.round(after=after) == 0
        assert len(room.server.received) == len(room.served) == 1

    def test_a_message_that_is_no_notice_serves_none(self, room: PostRoom) -> None:
        room.post(kind=CHANGE)
        room.round()
        assert len(room.server.received) == 1
        assert room.served == []
        assert room.round(after=DAY) == 0

    def test_a_mail_without_the_text_tells_no_debt_and_serves_nothing(self, room: PostRoom) -> None:
        room.post(language="zh-CN")
        room.round(room.courier(full_text=False))
        (mail,) = room.server.received
        seen = mail.text + str(mail.parsed)
        for secret in ("EUR", "1,234", "debt", "债", (b"l" * 16).hex()):
            assert secret not in seen
        digest = hashlib.sha256(TEXT.encode()).hexdigest()
        assert digest in mail.text.replace(" ", "")
        assert mail.parsed["Content-Language"] == "zh-Hans"
        assert room.row().accepted_at == to_micros(room.now)
        assert room.round(room.courier(full_text=True), after=DAY) == 0  # it never counts later
        assert room.served == []

    def test_the_address_that_counts_is_the_one_at_the_time_of_sending(
        self, room: PostRoom
    ) -> None:
        room.post("ada")
        room.post("bob")
        room.move("ada", "new@home.test")
        room.move("bob", "")
        room.round()
        assert [mail.recipients for mail in room.server.received] == [("new@home.test",)]
        assert room.row("bob").failure == "no address"
        assert room.round(after=DAY) == 0

    def test_a_message_that_was_erased_is_not_sent(self, room: PostRoom) -> None:
        room.post()
        room.store.run(lambda c: c.execute(inbox_message.delete()))
        room.round()
        assert (room.server.received, room.row().failure) == ([], "no such message")
        assert room.round(after=DAY) == 0

    # Failing ------------------------------------------------------------------------------------

    def test_a_refusal_for_now_is_tried_again_after_a_minute_then_two_then_four(
        self, room: PostRoom
    ) -> None:
        room.post()
        room.server.answers["RCPT"] = ["451 4.2.0 greylisted"] * 3
        assert room.round() == 1
        assert room.row().failure == "recipient: 451 4.2.0 greylisted"
        for wait in (1, 2, 4):
            assert room.round(after=wait * MINUTE - timedelta(seconds=1)) == 0
            assert room.round(after=timedelta(seconds=1)) == 1
        assert len(room.server.received) == len(room.served) == 1
        assert room.row().failure is None

    def test_a_refusal_for_good_is_recorded_and_never_tried_again(self, room: PostRoom) -> None:
        room.post()
        room.server.answers["RCPT"] = ["550 5.1.1 no such user"]
        room.round()
        row = room.row()
        assert (row.failure, row.next_try_at) == ("recipient: 550 5.1.1 no such user", None)
        assert room.round(after=4 * DAY) == 0
        assert (room.server.received, room.served) == ([], [])

    def test_what_a_mail_server_says_of_a_person_is_in_no_log(self, room: PostRoom) -> None:
        room.post()
        room.server.answers["RCPT"] = ["550 5.1.1 user ada.lovelace unknown"]
        with capture_logs() as logs:
            room.round()
        (line,) = [each for each in logs if each["event"] == "mail_failed"]
        assert line["failure"] == "recipient: 550"

    def test_it_is_tried_for_five_days_and_no_longer(self, room: PostRoom) -> None:
        room.post()
        room.server.answers["DATA"] = ["452 4.3.1 no room"] * 99
        tries: list[datetime] = []
        while room.row().next_try_at is not None:
            assert len(tries) < 50
            room.now = max(room.now, moment(room.row().next_try_at))
            tries.append(room.now)
            assert room.round() == 1
        assert tries[-1] <= AT + GIVE_UP_AFTER < tries[-1] + timedelta(hours=12)
        assert room.row().failure == "message: 452 4.3.1 no room"
        assert max(later - one for one, later in pairwise(tries)) == timedelta(hours=12)
        assert room.served == []

    def test_a_server_that_is_down_is_tried_again(self, room: PostRoom) -> None:
        room.post()
        assert room.round(room.courier(port=1)) == 1
        assert room.row().failure == "connection: ConnectionRefusedError"
        assert room.round(after=MINUTE) == 1
        assert len(room.served) == 1

    def test_a_server_that_died_after_the_message_gets_it_again_as_the_same(
        self, room: PostRoom
    ) -> None:
        room.post()
        room.server.answers["DATA"] = [DIE]
        room.round()
        assert room.served == []
        room.round(after=MINUTE)
        first, second = room.server.received
        assert first.content == second.content
        assert len(room.served) == 1

    def test_a_slow_server_holds_up_no_other_message_than_its_own(self, room: PostRoom) -> None:
        for name in ("ada", "bob", "cyd"):
            room.post(name)
        room.server.answers["DATA"] = [STALL]
        assert room.round(room.courier(timeout_seconds=0.5)) == 3
        assert len(room.served) == 2
        assert room.round(after=MINUTE) == 1
        assert len(room.served) == 3

    # Dying --------------------------------------------------------------------------------------

    def test_what_a_dead_process_had_taken_is_sent_once_its_lease_is_over(
        self, room: PostRoom
    ) -> None:
        room.post()
        assert len(room.store.run(lambda c: mail_table.due(c, room.now, 9))) == 1
        assert room.round(after=LEASE - timedelta(seconds=1)) == 0
        assert room.round(after=timedelta(seconds=1)) == 1
        assert len(room.served) == 1

    @pytest.mark.parametrize(
        ("failure", "after"), [(asyncio.CancelledError(), LEASE), (RuntimeError("odd"), MINUTE)]
    )
    def test_a_process_that_dies_or_errs_before_it_told_leaves_the_proof_to_the_next(
        self, room: PostRoom, failure: BaseException, after: timedelta
    ) -> None:
        room.post()
        room.failures = [failure]
        with suppress(asyncio.CancelledError):
            room.round()
        accepted = room.now
        assert (len(room.server.received), room.served) == (1, [])
        assert room.round(after=after - timedelta(seconds=1)) == 0
        assert room.round(after=timedelta(seconds=1)) == 1
        assert len(room.server.received) == 1  # told, not sent again
        ((_, _, proof, at),) = room.served
        assert from_timestamp(proof.served_at) == accepted
        assert at == room.now
        assert proof.evidence_digest == hashlib.sha256(room.row().evidence).digest()

    def test_telling_is_tried_until_it_is_heard_or_refused_for_good(self, room: PostRoom) -> None:
        room.post("ada")
        room.post("bob")
        room.failures = [
            Refusal(Reason.REASON_UNAVAILABLE),
            Refusal(Reason.REASON_LISTING_TRANSITION_REFUSED),
            *[Refusal(Reason.REASON_UNAVAILABLE)] * 20,
        ]
        room.round()
        rounds = 0
        while room.failures:  # longer than mail is tried: what was served stays served
            room.now += timedelta(hours=13)
            rounds += room.round()
        assert rounds == 20
        room.round(after=timedelta(hours=13))
        assert len(room.served) == 1
        assert len(room.server.received) == 2
        assert room.round(after=10 * DAY) == 0

    def test_stopping_waits_for_what_is_under_way(self, room: PostRoom) -> None:
        room.post()
        room.server.seconds = 0.5
        stop_during_data(room, room.courier())
        assert room.row().accepted_at is not None
        assert room.round(after=DAY) == 0
        assert len(room.server.received) == len(room.served) == 1

    @pytest.mark.slow
    def test_stopping_does_not_wait_for_ever(self, room: PostRoom) -> None:
        room.post()
        room.server.answers["DATA"] = [STALL]
        stop_during_data(room, room.courier(timeout_seconds=60, message_seconds=60))
        assert room.row().accepted_at is None
        assert room.round(after=MINUTE) == 1
        assert len(room.served) == 1

    def test_a_database_that_is_away_ends_no_courier(
        self, room: PostRoom, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        room.post()
        monkeypatch.setattr(courier_module, "EVERY_SECONDS", 0.01)
        arun, away = room.store.arun, [True, True]

        async def failing(work: Any) -> Any:
            if away:
                away.pop()
                raise Refusal(Reason.REASON_UNAVAILABLE)
            return await arun(work)

        monkeypatch.setattr(room.store, "arun", failing)

        async def run() -> None:
            running = asyncio.ensure_future(room.courier().run())
            await room.heard.wait()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

        asyncio.run(asyncio.wait_for(run(), 20))
        assert len(room.served) == 1

    # Several ------------------------------------------------------------------------------------

    def test_no_more_are_sent_at_once_than_the_setting_says(self, room: PostRoom) -> None:
        for n in range(9):
            room.post(f"person-{n}")
        room.server.seconds = 0.1
        courier = room.courier(at_once=3)
        assert [room.round(courier) for _ in range(4)] == [3, 3, 3, 0]
        assert room.server.busiest == 3
        assert len(room.served) == 9

    def test_two_processes_never_send_the_same_message(self, room: PostRoom) -> None:
        for n in range(40):
            room.post(f"person-{n}")
        couriers = [room.courier(at_once=4), room.courier(room.another(), at_once=4)]

        async def until_done(courier: Courier) -> None:
            while await courier.round():
                pass

        async def both() -> None:
            await asyncio.gather(*map(until_done, couriers))

        asyncio.run(both())
        sent = [mail.recipients for mail in room.server.received]
        assert sorted(sent) == sorted((f"person-{n}@home.test",) for n in range(40))
        assert len(room.served) == 40

    def test_messages_to_several_subjects_have_ids_of_their_own(self, room: PostRoom) -> None:
        assert room.post("ada") == room.post("bob")  # the ids of inboxes are each subject's own
        room.round()
        ids = {mail.parsed["Message-ID"] for mail in room.server.received}
        assert len(ids) == 2
        assert not any(ref(name).hex()[:16] in each for name in ("ada", "bob") for each in ids)


def moment(micros: int) -> datetime:
    return AT + timedelta(microseconds=micros - to_micros(AT))


def from_timestamp_of(header: Any) -> datetime:
    found = header.datetime
    assert isinstance(found, datetime)
    return found


def stop_during_data(room: PostRoom, courier: Courier) -> None:
    """Run a courier, and stop it as the exchange does while the server has the message and is silent."""

    async def run() -> None:
        loop, under_way = asyncio.get_running_loop(), asyncio.Event()
        room.server.on_data = lambda: loop.call_soon_threadsafe(under_way.set)  # type: ignore[assignment]
        running = asyncio.ensure_future(courier.run())
        await under_way.wait()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    asyncio.run(asyncio.wait_for(run(), 20))
    room.server.on_data = lambda: None


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


@pytest.fixture
def server(pki: Pki, tmp_path: Path) -> Iterator[MailServer]:
    with MailServer(pki, tmp_path) as server:
        yield server


class TestOnSqlite(NoticeMailContract):
    @pytest.fixture
    def room(self, tmp_path: Path, server: MailServer) -> Iterator[PostRoom]:
        room = PostRoom(f"sqlite:///{tmp_path}/exchange.db", server)
        yield room
        room.close()


@pytest.fixture(scope="module")
def postgres_mail(postgres_url: str) -> str:
    """Return the URL of a PostgreSQL database of these tests' own."""
    return own_postgres(postgres_url, _DATABASE)


class TestOnPostgres(NoticeMailContract):
    @pytest.fixture
    def room(self, postgres_mail: str, server: MailServer) -> Iterator[PostRoom]:
        room = PostRoom(postgres_mail, server)
        with room.engine.begin() as connection:
            connection.execute(
                text("TRUNCATE notice_mail, inbox_message, subject_contact, subject_key")
            )
        yield room
        room.close()


# When -------------------------------------------------------------------------------------------


@given(st.integers(1, 10_000), st.timedeltas(timedelta(0), timedelta(days=9)))
def test_every_retry_is_a_minute_to_half_a_day_away_and_within_five_days(
    attempts: int, since: timedelta
) -> None:
    at = AT + since
    again = retry_at(attempts, AT, at)
    if again is None:
        assert at + timedelta(hours=12) > AT + GIVE_UP_AFTER
        return
    assert MINUTE <= again - at <= timedelta(hours=12)
    assert again <= AT + GIVE_UP_AFTER
    longer = retry_at(attempts + 1, AT, at)
    assert longer is None or longer >= again
