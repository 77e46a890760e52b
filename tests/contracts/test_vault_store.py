"""What the vault promises of anything that is kept of a person, on SQLite and on PostgreSQL alike."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, text, update

from concordat.ids import new_id
from concordat.store.engine import open_engine
from concordat.store.group_commit import GroupCommit
from concordat.v1 import LogEntryKind
from exchange.log import table as log
from exchange.log.records import Draft
from exchange.tables import inbox_message, keyring_mark, log_queue, metadata, subject_key
from exchange.vault.cipher import Vault, attach, vault_of
from exchange.vault.erasing import forget
from exchange.vault.fitting import adopt
from exchange.vault.keyring import Keyring, KeyringError
from exchange.vault.keys import SealBrokenError
from exchange.vault.rotation import progress, require_from_now, rewrap_some
from exchange.vault.sealing import seal, seal_many, unseal, unseal_each
from tests.vault_builders import KEYRING, exchange_engine, own_postgres

ADA, BOB = b"ada" + bytes(29), b"bob" + bytes(29)
TEXT = b"You owe EUR 1,234.56."
_DATABASE = "vault_contract"
_TABLES = (inbox_message, keyring_mark, log_queue, subject_key)


class Store:
    """A database that two processes may have open."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = exchange_engine(url)
        metadata.create_all(self.engine)
        with self.engine.begin() as connection:
            for table in _TABLES:
                connection.execute(table.delete())
            adopt(connection)
        self._others: list[Engine] = []

    def process(self, keyring: Keyring = KEYRING) -> Engine:
        """Return what a second process would have: on SQLite, which allows one, the first anew."""
        if self.engine.dialect.name == "sqlite":
            self.engine.dispose()
        engine = exchange_engine(self.url)
        attach(engine, keyring)
        self._others.append(engine)
        return engine

    def put(self, ref: bytes, *texts: bytes, engine: Engine | None = None) -> None:
        """Put messages into a subject's inbox."""
        with (engine or self.engine).begin() as connection:
            put(connection, ref, *texts)

    def texts(self, ref: bytes, engine: Engine | None = None) -> list[bytes | None]:
        """Return what is in it, unsealed."""
        with (engine or self.engine).connect() as connection:
            rows = connection.execute(_MESSAGES.where(inbox_message.c.subject_ref == ref)).all()
            return [unseal(connection, row.subject_ref, row.text) for row in rows]

    def on_disk(self, table: str = "inbox_message", *columns: str) -> list[Any]:
        """Return rows as they lie there."""
        with self.engine.connect() as connection:
            names = ", ".join(columns) or "*"
            return [
                tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)
                for row in connection.execute(text(f"SELECT {names} FROM {table}"))
            ]

    def forget(self, ref: bytes, engine: Engine | None = None) -> int:
        with (engine or self.engine).begin() as connection:
            return forget(connection, ref)

    def close(self) -> None:
        for engine in (*self._others, self.engine):
            engine.dispose()


_MESSAGES = select(inbox_message).order_by(inbox_message.c.sequence)


def put(connection: Any, ref: bytes, *texts: bytes) -> None:
    last = connection.execute(_MESSAGES.where(inbox_message.c.subject_ref == ref)).all()
    for number, sealed in enumerate(seal_many(connection, [(ref, each) for each in texts])):
        connection.execute(
            insert(inbox_message).values(
                subject_ref=ref,
                sequence=len(last) + number + 1,
                kind=1,
                listing_id=bytes(16),
                sent_at=0,
                text=sealed,
            )
        )


class VaultContract:
    """What holds on either database; a subclass has a fixture ``store``."""

    def test_no_reference_and_no_text_is_on_disk_in_the_clear(self, store: Store) -> None:
        store.put(ADA, TEXT)
        values = [value for row in store.on_disk() for value in row if isinstance(value, bytes)]
        values += [value for row in store.on_disk("subject_key") for value in row]
        assert values
        assert not any(ADA in value or TEXT in value for value in values if type(value) is bytes)

    def test_what_is_found_by_a_reference_is_still_found(self, store: Store) -> None:
        store.put(ADA, TEXT, b"more")
        store.put(BOB, TEXT)
        assert store.texts(ADA) == [TEXT, b"more"]
        assert store.texts(BOB) == [TEXT]
        assert store.texts(b"c" * 32) == []

    def test_equal_texts_of_one_or_two_persons_are_nothing_alike(self, store: Store) -> None:
        store.put(ADA, TEXT, TEXT)
        store.put(BOB, TEXT)
        bodies = [sealed[9:] for (sealed,) in store.on_disk("inbox_message", "text")]
        assert len(set(bodies)) == 3
        assert not any(
            one[12:20] == other[12:20] for one in bodies for other in bodies if one != other
        )

    def test_a_record_moved_to_another_person_does_not_open(self, store: Store) -> None:
        store.put(ADA, TEXT)
        store.put(BOB, b"nothing")
        with store.engine.begin() as connection:
            (stolen,) = connection.execute(
                select(inbox_message.c.text).where(inbox_message.c.subject_ref == ADA)
            ).scalars()
            connection.execute(
                update(inbox_message).where(inbox_message.c.subject_ref == BOB).values(text=stolen)
            )
        assert store.texts(BOB) == [None]

    def test_a_key_moved_to_another_person_opens_nothing_either(self, store: Store) -> None:
        store.put(ADA, TEXT)
        with store.engine.begin() as connection:
            keyed = vault_of(connection).keyed(BOB)
            connection.execute(text("UPDATE subject_key SET subject_ref = :ref"), {"ref": keyed})
            connection.execute(text("UPDATE inbox_message SET subject_ref = :ref"), {"ref": keyed})
        with pytest.raises(KeyringError, match="another database's"):
            store.texts(BOB, store.process())

    def test_a_record_that_was_changed_is_told_from_one_that_was_erased(self, store: Store) -> None:
        store.put(ADA, TEXT)
        with store.engine.begin() as connection:
            sealed = connection.execute(select(inbox_message.c.text)).scalar_one()
            changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
            connection.execute(update(inbox_message).values(text=changed))
        with pytest.raises(SealBrokenError):
            store.texts(ADA)

    def test_another_keyring_opens_nothing(self, store: Store) -> None:
        store.put(ADA, TEXT)
        other = store.process(Keyring.generate())
        assert store.texts(ADA, other) == []
        with other.connect() as connection, pytest.raises(KeyringError, match="another database's"):
            connection.execute(select(inbox_message.c.subject_ref)).all()

    def test_without_a_keyring_nothing_is_read_or_written(self, store: Store) -> None:
        bare = open_engine(store.url)  # which knows of no keyring
        with bare.connect() as connection, pytest.raises(Exception, match="without its keyring"):
            connection.execute(select(inbox_message).where(inbox_message.c.subject_ref == ADA))
        bare.dispose()

    # Erasing ------------------------------------------------------------------------------------

    def test_what_a_forgotten_key_sealed_is_gone_and_what_stays_still_opens(
        self, store: Store
    ) -> None:
        store.put(ADA, b"goes", b"stays")
        store.put(BOB, TEXT)
        with store.engine.begin() as connection:
            copy = connection.execute(_MESSAGES).first()
            assert copy is not None
            connection.execute(
                inbox_message.delete()
                .where(inbox_message.c.sequence == 1)
                .where(inbox_message.c.subject_ref == ADA)
            )
            assert forget(connection, ADA) == 1
        with store.engine.connect() as connection:
            assert unseal(connection, ADA, copy.text) is None
        assert store.texts(ADA) == [b"stays"]
        assert store.texts(BOB) == [TEXT]

    def test_where_nothing_stays_no_key_stays(self, store: Store) -> None:
        store.put(ADA, TEXT)
        with store.engine.begin() as connection:
            connection.execute(inbox_message.delete())
            assert forget(connection, ADA) == 0
        assert store.on_disk("subject_key") == []
        store.put(ADA, b"a new beginning")
        assert store.texts(ADA) == [b"a new beginning"]

    def test_what_waits_for_the_log_stays(self, store: Store) -> None:
        kind = LogEntryKind.LOG_ENTRY_KIND_CONSENT
        draft = Draft(new_id(), kind, ADA, b"record")
        of_another = Draft(new_id(), kind, b"", b"of a case", sealed_for=ADA)
        with store.engine.begin() as connection:
            log.enqueue(connection, [draft, of_another])
            assert forget(connection, ADA) == 2
        with store.engine.connect() as connection:
            assert [row.record for row in log.waiting(connection, 9)] == [b"record", b"of a case"]
        assert not any(b"of a case" in row[0] for row in store.on_disk("log_queue", "record"))

    def test_another_process_does_not_write_under_a_dead_key(self, store: Store) -> None:
        other = store.process()
        store.put(ADA, b"first", engine=other)  # it has the key at hand
        assert store.forget(ADA) == 1
        store.put(ADA, b"second", engine=other)
        (row,) = store.on_disk("subject_key", "generation")
        headers = {sealed[:9] for (sealed,) in store.on_disk("inbox_message", "text")}
        assert headers == {b"\x01" + row[0].to_bytes(8, "big")}
        assert store.texts(ADA, store.process()) == [b"first", b"second"]

    def test_an_erasure_that_is_rolled_back_erases_nothing(self, store: Store) -> None:
        store.put(ADA, TEXT)
        with store.engine.connect() as connection, connection.begin() as transaction:
            forget(connection, ADA)
            transaction.rollback()
        assert store.texts(ADA) == [TEXT]

    # Rotation -----------------------------------------------------------------------------------

    def test_rotation_goes_on_where_a_process_died_between_two_batches(self, store: Store) -> None:
        refs = [bytes([n]) * 32 for n in range(1, 8)]
        for ref in refs:
            store.put(ref, TEXT)
        newer = KEYRING.with_wrapping_key()
        vault_of(store.engine).use(newer)
        with store.engine.begin() as connection:
            require_from_now(connection)
            assert rewrap_some(connection, 3) == 3  # then it dies
        after = store.process(newer)
        assert [store.texts(ref, after) for ref in refs] == [[TEXT]] * 7
        with after.begin() as connection:
            assert progress(connection, 2).older == 4
            assert rewrap_some(connection) == 4
            assert rewrap_some(connection) == 0
        alone = store.process(newer.with_newest_alone())
        assert [store.texts(ref, alone) for ref in refs] == [[TEXT]] * 7

    def test_no_process_wraps_under_a_key_that_is_given_up(self, store: Store) -> None:
        late, newer = store.process(), KEYRING.with_wrapping_key()
        store.put(ADA, TEXT, engine=late)
        vault_of(store.engine).use(newer)
        with store.engine.begin() as connection:
            require_from_now(connection)
        with pytest.raises(KeyringError, match="copy the newest keyring"):
            store.put(BOB, TEXT, engine=late)
        store.put(ADA, b"of a key that is there", engine=late)
        vault_of(late).use(newer)
        store.put(BOB, TEXT, engine=late)
        assert {n for (n,) in store.on_disk("subject_key", "wrapping_key")} == {1, 2}

    def test_writers_are_not_held_up_by_a_rotation(self, store: Store) -> None:
        if store.engine.dialect.name == "sqlite":
            pytest.skip("one connection: jobs are one after the other")
        store.put(ADA, TEXT)
        newer = KEYRING.with_wrapping_key()
        rotating, writing = store.process(newer), store.process(newer)
        with rotating.begin() as connection:
            assert rewrap_some(connection) == 1  # not committed yet
            store.put(ADA, b"meanwhile", engine=writing)
        assert store.texts(ADA) == [TEXT, b"meanwhile"]

    def test_an_erasure_waits_for_who_is_writing_and_seals_that_anew(self, store: Store) -> None:
        if store.engine.dialect.name == "sqlite":
            pytest.skip("one connection: jobs are one after the other")
        store.put(ADA, TEXT)
        writing = store.process()
        with writing.begin() as connection:
            put(connection, ADA, b"under the old key")
            eraser = threading.Thread(target=store.forget, args=(ADA,))
            eraser.start()
            eraser.join(0.3)
            assert eraser.is_alive()
        eraser.join(10)
        assert store.texts(ADA, store.process()) == [TEXT, b"under the old key"]

    def test_an_act_that_an_erasure_seals_anew_while_it_is_read_is_not_taken_for_erased(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if store.engine.dialect.name == "sqlite":
            pytest.skip("one connection: jobs are one after the other")
        draft = Draft(new_id(), LogEntryKind.LOG_ENTRY_KIND_CONSENT, ADA, TEXT)
        with store.engine.begin() as connection:
            log.enqueue(connection, [draft])
        place = "exchange.log.table.unseal_each"

        def erased_first(*args: Any) -> Any:
            monkeypatch.setattr(place, unseal_each)
            assert store.forget(ADA) == 1
            return unseal_each(*args)

        monkeypatch.setattr(place, erased_first)
        with store.process().begin() as connection:
            (waiting,) = log.waiting(connection, 10)
        assert waiting.record == TEXT

    def test_two_processes_that_meet_a_person_first_agree_on_one_key(self, store: Store) -> None:
        stores = [
            GroupCommit(store.process() if n and "sqlite" not in store.url else store.engine)
            for n in range(2)
        ]
        refs = [bytes([n // 2 + 1]) * 32 for n in range(20)]
        jobs = [
            stores[n % 2].submit(partial(seal, subject_ref=r, data=TEXT))
            for n, r in enumerate(refs)
        ]
        sealed = [job.result() for job in jobs]
        for each in stores:
            each.close()
        with store.engine.connect() as connection:
            opened = [unseal(connection, *each) for each in zip(refs, sealed, strict=True)]
        assert opened == [TEXT] * 20
        assert len(store.on_disk("subject_key")) == 10


class TestOnSqlite(VaultContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = Store(f"sqlite:///{tmp_path}/exchange.db")
        yield store
        store.close()


@pytest.fixture(scope="module")
def postgres_vault(postgres_url: str) -> str:
    """Return the URL of a PostgreSQL database of our own."""
    return own_postgres(postgres_url, _DATABASE)


class TestOnPostgres(VaultContract):
    @pytest.fixture
    def store(self, postgres_vault: str) -> Iterator[Store]:
        store = Store(postgres_vault)
        yield store
        store.close()


def test_a_reference_key_says_nothing_of_itself_in_its_mark() -> None:
    assert Vault(KEYRING).mark == Vault(KEYRING).mark
    assert Vault(KEYRING).mark != Vault(Keyring.generate()).mark
    assert KEYRING.reference_key not in Vault(KEYRING).mark
    assert "reference_key" not in repr(KEYRING)
