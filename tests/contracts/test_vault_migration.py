"""A database from before the vault: what it kept of people in the clear is sealed, and reads the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.engine import make_url

from concordat import v1
from concordat.store.engine import _config, migrate, open_engine
from exchange.log import table as log
from exchange.migrations import SCRIPTS
from exchange.subjects.contact_table import address_of
from exchange.subjects.inbox_table import message_id, message_of
from exchange.tables import access_entry, listing
from exchange.vault import conversion
from exchange.vault.cipher import vault_of
from exchange.vault.keyring import KeyringError
from exchange.vault.sealing import unseal
from tests.builders import LENDER
from tests.vault_builders import exchange_engine

REFS = [bytes([n]) * 32 for n in range(1, 8)]
EMAIL = "ada@home.test"
WORDS = "Ich schulde nichts, größer als 0 €."
OF_NOBODY = b"a record about no person"
_DATABASE = "vault_migration"

_ROWS = {
    "inbox_message": {
        "sequence": 1,
        "kind": 1,
        "listing_id": bytes(16),
        "sent_at": 0,
        "text": WORDS,
    },
    "subject_contact": {
        "email": EMAIL,
        "language": "de",
        "sequence": 1,
        "digest": bytes(32),
        "envelope": v1.Envelope(
            payload=v1.ContactChange(email=EMAIL, language="de").SerializeToString()
        ).SerializeToString(),
    },
    "notice_mail": {
        "message_id": message_id(1),
        "listing_id": bytes(16),
        "enqueued_at": 0,
        "attempts": 1,
        "evidence": None,
        "failure": f"no mailbox {EMAIL}",
    },
    "access_entry": {
        "access_id": b"a" * 16,
        "lender": LENDER,
        "consent_id": bytes(16),
        "request_digest": bytes(32),
        "purpose": 1,
        "disclosure": 1,
        "recorded_at": 0,
        "refusal": 0,
        "counted": True,
        "threshold": 0,
    },
    "log_opening": {
        "sequence": 1,
        "record_id": b"r" * 16,
        "leaf_index": 0,
        "entry": b"entry",
        "logged_at": 0,
        "commitment": bytes(32),
        "previous": bytes(32),
        "link_salt": bytes(32),
        "record_commitment": bytes(32),
        "record": WORDS.encode(),
        "salt": b"s" * 32,
    },
    "listing": {
        "listing_id": b"l" * 16,
        "debt": bytes(32),
        "profile": "eu",
        "state": 1,
        "currency": "EUR",
        "amount": 1,
        "delinquent_since": 0,
        "evidence_hash": bytes(32),
        "filed_at": 0,
        "expires_at": 0,
        "version": 1,
        "withdrawal": 0,
        "disputes": 0,
        "heard": b"",
        "evidence": b"",
        "words": WORDS,
        "words_language": "de",
        "steps": 0,
        "kind": 1,
        "basis": 1,
        "mark": 0,
        "court": "",
        "revision": 1,
    },
}


def fill(connection: Connection) -> None:
    for table, values in _ROWS.items():
        names = ["subject_ref", *values]
        places = ", ".join(f":{name}" for name in names)
        statement = text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})")
        connection.execute(statement, [{"subject_ref": ref, **values} for ref in REFS])
    nobody = {"subject_ref": b"", **_ROWS["log_opening"], "record": OF_NOBODY}
    places = ", ".join(f":{name}" for name in nobody)
    connection.execute(
        text(f"INSERT INTO log_opening ({', '.join(nobody)}) VALUES ({places})"),
        nobody,
    )


def upgrade(engine: Engine, to: str) -> None:
    with engine.begin() as connection:
        config = _config(SCRIPTS)
        config.attributes["connection"] = connection
        command.upgrade(config, to)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/exchange.db"
        return
    server = exchange_engine(request.getfixturevalue("postgres_url"))
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {_DATABASE}"))
        own = make_url(str(server.url.set(database=_DATABASE).render_as_string(False)))
        yield own.render_as_string(hide_password=False)
        connection.execute(text(f"DROP DATABASE {_DATABASE} WITH (FORCE)"))
    server.dispose()


def test_what_was_kept_in_the_clear_is_sealed_and_reads_the_same(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "_AT_ONCE", 3)
    engine = exchange_engine(url)
    upgrade(engine, "0004")
    with engine.begin() as connection:
        fill(connection)
    bare = open_engine(url) if "sqlite" not in url else None
    if bare is not None:
        with pytest.raises(KeyringError, match="without its keyring"):
            upgrade(bare, "0005")
        bare.dispose()
    migrate(engine, SCRIPTS)
    with engine.connect() as connection:
        for ref in REFS:
            message = message_of(connection, ref, message_id(1))
            assert message is not None
            assert message.text == WORDS
            assert address_of(connection, ref) == (EMAIL, "de")
            (opening,) = log.openings(connection, [(ref, b"r" * 16)])
            assert (opening.record, opening.salt) == (WORDS.encode(), b"s" * 32)
            said = connection.execute(select(listing.c.words).where(listing.c.subject_ref == ref))
            words = v1.SubjectWords.FromString(unseal(connection, ref, said.scalar_one()) or b"")
            assert (words.text, words.language) == (WORDS, "de")
        (nobodys,) = log.openings(connection, [(b"", b"r" * 16)])
        assert (nobodys.record, nobodys.salt) == (OF_NOBODY, b"s" * 32)
        refs = connection.execute(select(access_entry.c.subject_ref)).scalars().all()
        assert set(refs) == set(REFS)
        clear = [*REFS, EMAIL.encode(), WORDS.encode()]
        for table in _ROWS:
            found = connection.execute(
                text(f"SELECT * FROM {table} WHERE subject_ref <> :no"), {"no": b""}
            )
            values = [bytes(v) for row in found for v in row if isinstance(v, bytes | memoryview)]
            assert not [v for v in values if any(each in v for each in clear)], table
    engine.dispose()
    left = files_of(url)
    assert vault_of(exchange_engine(url)).keyed(REFS[0]) in left
    assert not [each for each in clear if each in left]


def files_of(url: str) -> bytes:
    """Return every byte of the database's file, or of the converted tables' files."""
    engine = exchange_engine(url)
    if engine.dialect.name == "sqlite":
        return Path(engine.url.database or "").read_bytes()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))
        read = text("SELECT pg_read_binary_file(pg_relation_filepath(CAST(:name AS regclass)))")
        found = [connection.execute(read, {"name": name}).scalar_one() for name in _ROWS]
    engine.dispose()
    return b"".join(map(bytes, found))
