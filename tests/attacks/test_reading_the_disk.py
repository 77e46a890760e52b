"""Who gets hold of the exchange's files: what it finds of a person before an erasure, and after."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, LargeBinary, Table, or_, select

from concordat import v1
from concordat.clock import to_timestamp
from concordat.statements import seal
from exchange.database import truncate_write_ahead_log
from exchange.log.tile_store import FileTiles
from exchange.tables import consent, log_opening, metadata, subject_key
from exchange.vault.cipher import vault_of
from exchange.vault.columns import SubjectRef
from exchange.vault.keys import VERSION, find
from exchange.vault.sealing import unseal
from tests.builders import DAY, Federation, Subject
from tests.exchange_builders import ExchangeDesk
from tests.listing_desk import ListingDesk
from tests.rights_builders import erase
from tests.sequencer_builders import audit
from tests.vault_builders import exchange_engine

EMAIL = "ada.lovelace@home.test"
WORDS = "I never owed a farthing of this to anybody."


class Disk:
    """An exchange whose files somebody reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        engine = exchange_engine(f"sqlite:///{folder}/exchange.db")
        metadata.create_all(engine)
        exchange = ExchangeDesk(
            Federation(), engine, make_tiles=lambda _store: FileTiles(folder / "log")
        )
        self.desk = ListingDesk(exchange)
        self.store = exchange.store
        self.ada: Subject = self.desk.subject
        self.granted: list[bytes] = []

    def live(self) -> None:
        """Let everything happen to a person that leaves something behind."""
        desk = self.desk
        self.give_address()
        listing_id = desk.in_force()
        desk.check()
        words = v1.SubjectWords(text=WORDS, language="en")
        desk.subject_says(listing_id, v1.ListingAction.LISTING_ACTION_STATE, words=words)
        desk.dispute(listing_id, v1.DisputeStage.DISPUTE_STAGE_REVIEW)
        self.messages = [each.text for each in desk.read_inbox()]
        desk.flag(v1.FlagKind.FLAG_KIND_FRAUD_ALERT, placed=True, sequence=1)
        desk.flag(v1.FlagKind.FLAG_KIND_FRAUD_ALERT, placed=False, sequence=2)
        desk.withdraw(listing_id)
        desk.history()

    def give_address(self) -> None:
        federation = self.desk.federation
        said = v1.ContactChange(
            federation=federation.name,
            subject_ref=self.ada.ref,
            email=EMAIL,
            language="en",
            sequence=1,
            decided_at=to_timestamp(federation.at),
        )
        request = v1.ChangeContactRequest(
            change=seal(said, self.ada.signer), binding=self.ada.binding
        )
        self.desk.call(self.desk.subjects.ChangeContact, request)

    def consent_bytes(self) -> list[bytes]:
        """Return what the person signed, as it reads."""
        query = select(consent.c.envelope).where(consent.c.subject_ref == self.ada.ref)
        opened = self.store.run(
            lambda c: [unseal(c, self.ada.ref, raw) for raw in c.execute(query).scalars()]
        )
        return [v1.Envelope.FromString(raw or b"").payload for raw in opened]

    def files(self) -> bytes:
        """Return every byte of every file."""
        found = [path for path in self.folder.rglob("*") if path.is_file()]
        assert {"exchange.db", "exchange.db-wal", "checkpoint"} <= {path.name for path in found}
        content = []
        for path in found:
            with suppress(FileNotFoundError):  # a file of the log that got its name meanwhile
                content.append(path.read_bytes())
        return b"".join(content)

    def values(self) -> list[bytes]:
        """Return what nobody may find."""
        ref = self.ada.ref
        texts = [EMAIL, WORDS, *(line for text in self.messages for line in _sentences(text))]
        return [ref, ref.hex().encode(), *(text.encode() for text in texts), *self.consent_bytes()]

    def key(self) -> bytes:
        """Return the person's key as it lies on disk."""
        query = select(subject_key.c.wrapped).where(subject_key.c.subject_ref == self.ada.ref)
        return self.store.run(lambda c: bytes(c.execute(query).scalar_one()))


def _sentences(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if len(line.strip()) > 20]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    disk.live()
    yield disk
    disk.desk.close()


def test_the_files_say_nothing_of_a_person_even_before_it_is_erased(
    disk: Disk, capfd: pytest.CaptureFixture[str]
) -> None:
    values, files = disk.values(), disk.files()
    assert len(values) > 6
    assert not [value for value in values if value in files]
    logged = "".join(capfd.readouterr())
    assert not [value for value in values if value.decode("latin-1") in logged]


def test_whatever_has_room_for_a_text_about_a_person_is_sealed(disk: Disk) -> None:
    disk.desk.check()
    seen = set()
    for table in metadata.sorted_tables:
        if not any(isinstance(column.type, SubjectRef) for column in table.columns):
            continue
        for column in table.columns:
            if isinstance(column.type, LargeBinary) and not column.type.length:
                rows = disk.store.run(partial(_about_somebody, table, column))
                clear = [raw for raw in rows if not raw.startswith(VERSION)]
                assert not clear or f"{table.name}.{column.name}" in _PLAIN, (table, column)
                seen |= {table.name} if rows else set()
    assert seen > {"consent", "inbox_message", "listing", "listing_step", "log_opening"}


_PLAIN = {"log_opening.entry", "listing.heard", "listing.evidence", "subject_key.wrapped"}
"""What is published; hashes; what is itself encrypted."""


def _about_somebody(table: Table, column: Column[Any], connection: Connection) -> list[bytes]:
    refs = [each for each in table.columns if isinstance(each.type, SubjectRef)]
    query = select(column).where(or_(*(each != b"" for each in refs)))
    return [bytes(raw) for raw in connection.execute(query).scalars() if raw]


def test_after_an_erasure_neither_values_nor_the_key_are_anywhere_and_the_log_still_audits(
    disk: Disk,
) -> None:
    values, key = disk.values(), disk.key()
    keyed = vault_of(disk.desk.desk.engine).keyed(disk.ada.ref)
    assert key in disk.files()
    query = select(log_opening.c.record).where(log_opening.c.subject_ref == disk.ada.ref)
    copies = disk.store.run(lambda c: [bytes(raw) for raw in c.execute(query).scalars()])
    disk.desk.pass_time(400 * DAY)
    erase(disk.desk)
    assert disk.store.run(truncate_write_ahead_log)
    files = disk.files()
    assert not [value for value in values if value in files]
    assert key not in files
    assert keyed in files  # the entries' places in the person's chain stay, under no name
    ref = disk.ada.ref
    assert disk.store.run(lambda c: [unseal(c, ref, raw) for raw in copies]) == [None] * len(copies)
    assert not [raw for raw in copies if raw in files]
    disk.desk.history(erased=True)
    log = disk.desk.desk
    audited = audit(log.tiles, log.federation.anchors.log)
    assert audited.entries == [each.SerializeToString() for each in disk.desk.entries()]


def test_a_database_without_its_keyring_links_no_two_persons_records(disk: Disk) -> None:
    bob = disk.desk.federation.subject("bob")
    disk.desk.desk.grant(bob)
    keys = disk.store.run(lambda c: find(c, [disk.ada.ref, bob.ref]))
    assert keys[disk.ada.ref].generation != keys[bob.ref].generation
